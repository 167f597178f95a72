"""One package per AWS service: its operations, its state and the resource types that CloudFormation makes."""

from emulator.core.offered_types import read_when_needed

read_when_needed()  # before anything here imports moto's EC2
