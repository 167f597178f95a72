"""Cost Explorer and its neighbours with recorded answers: an `Aws` whose clients are botocore stubs.

An answer is checked against the operation's shape, a request against what was expected of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

import boto3
from botocore.stub import Stubber

from domain.clock import Clock
from optimizer.ports.aws import Aws

NOW = datetime(2027, 3, 10, 12, tzinfo=UTC)
ACCESS_DENIED = "AccessDeniedException"


class Noon:
    """A clock that does not move."""

    def now(self) -> datetime:
        return NOW

    def sleep(self, seconds: float) -> None:
        raise AssertionError(f"nothing waits for {seconds} s here")


class Recorded:
    """Answers in the order of their requests, by client."""

    def __init__(self, clock: Clock | None = None) -> None:
        session = boto3.Session("x", "x", region_name="us-east-1")
        self.aws = Aws(session, "222222222222", "us-east-1", clock or Noon())
        self.stubs = {name: Stubber(getattr(self.aws, name)) for name in ("cost_explorer", "savings_plans", "pricing")}
        for stub in self.stubs.values():
            stub.activate()
        self.costs = partial(self.answer, "cost_explorer", "get_cost_and_usage")

    def answer(self, client: str, operation: str, answer: Mapping[str, Any], **expected: Any) -> None:
        """The next answer of one operation; with `expected`, only to exactly these parameters."""
        self.stubs[client].add_response(operation, dict(answer), expected or None)

    def refuse(self, client: str, operation: str, code: str, message: str = "no") -> None:
        """The next call of an operation fails."""
        self.stubs[client].add_client_error(operation, code, message)

    def all_asked(self) -> None:
        """Every answer was requested."""
        for stub in self.stubs.values():
            stub.assert_no_pending_responses()


def period(start: str, *groups: Mapping[str, Any], estimated: bool = False, **more: Any) -> dict[str, Any]:
    """One period of GetCostAndUsage."""
    return {
        "TimePeriod": {"Start": start, "End": start},
        "Total": {},
        "Groups": list(groups),
        "Estimated": estimated,
        **more,
    }


def group(
    *keys: str, billed: str, effective: str | None = None, net: str | None = None, unit: str = "USD"
) -> dict[str, Any]:
    """One group of it."""
    metrics = {"UnblendedCost": billed, "AmortizedCost": effective or billed, "NetAmortizedCost": net}
    return {
        "Keys": list(keys),
        "Metrics": {name: {"Amount": amount, "Unit": unit} for name, amount in metrics.items() if amount is not None},
    }
