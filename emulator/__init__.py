"""An AWS organization in one process: a tooling and a production account, with rules, time, metrics and a bill."""

from emulator.core.offered_types import read_when_needed

read_when_needed()  # before anything else imports moto's EC2
