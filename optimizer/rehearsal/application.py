"""The application that runs on the platform: what it declares of itself on its first day (docs/application.md)."""

from __future__ import annotations

from optimizer.aws import Aws
from optimizer.observe.tenants import DECLARATION
from optimizer.rehearsal.signals.tenants import TIERS


def declare(aws: Aws) -> None:
    """Name the tiers whose metrics the application publishes."""
    aws.ssm.put_parameter(Name=DECLARATION, Value=",".join(TIERS), Type="String")
