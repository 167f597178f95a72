"""The application that runs on the platform: its declarations on its first day (docs/application.md)."""

from __future__ import annotations

from domain.names import DECLARATION
from emulator.workload.tenants import TIERS
from optimizer.ports.aws import Aws


def declare(aws: Aws) -> None:
    """Declare the tiers whose metrics the application publishes."""
    aws.ssm.put_parameter(Name=DECLARATION, Value=",".join(TIERS), Type="String")
