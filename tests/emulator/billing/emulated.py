"""An emulated account with a fleet of four m5.4xlarge and a bill, for the tests of Cost Explorer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import Any

from emulator.account import EmulatedAccount
from emulator.billing.ledger import Billing
from emulator.billing.spec import BillingSpec
from emulator.workload.workload import Workload
from tests.rehearsal.life import NOW, QUIET, REGION, serve

TOOLING, PRODUCTION = "111111111111", "222222222222"
EC2 = "Amazon Elastic Compute Cloud - Compute"


@contextmanager
def billed(spec: BillingSpec | None = None, *, days: int = 61) -> Iterator[EmulatedAccount]:
    """The account at the age of this many days, with the workload's traffic at a load balancer."""
    with EmulatedAccount(start=NOW - timedelta(days=days), tooling=TOOLING, production=PRODUCTION) as account:
        account.part(Billing).spec = spec or BillingSpec()
        Workload(QUIET, account, 0, events=())
        serve(account, "fleet", desired=4, maximum=6)
        account.clock.advance_to(NOW)
        yield account


def explorer(account: EmulatedAccount) -> Any:
    return account.client("ce", PRODUCTION, REGION)


def halve(account: EmulatedAccount) -> None:
    """Two instances instead of four."""
    account.client("autoscaling", PRODUCTION, REGION).update_auto_scaling_group(
        AutoScalingGroupName="fleet", MinSize=2, DesiredCapacity=2
    )


def period(start: date | datetime, end: date | datetime) -> dict[str, str]:
    return {"Start": f"{start:%Y-%m-%d}", "End": f"{end:%Y-%m-%d}"}


def of_service(name: str) -> dict[str, Any]:
    return {"Dimensions": {"Key": "SERVICE", "Values": [name]}}


def by(*keys: str) -> list[dict[str, str]]:
    return [{"Type": "DIMENSION", "Key": key} for key in keys]


def figures(answer: Mapping[str, str]) -> dict[str, float]:
    """Figures that Cost Explorer writes as text."""
    return {name: float(value) for name, value in answer.items()}
