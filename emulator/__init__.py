"""An AWS organization in one process: a tooling and a production account, with rules, time, metrics and a bill."""
