"""Savings Plans as their own service lists them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from emulator.account import EmulatedAccount
from emulator.billing.spec import BillingSpec
from tests.emulator.billing.emulated import PRODUCTION, billed
from tests.rehearsal.life import REGION

SPEC = BillingSpec.model_validate(
    {
        "reservations": [
            {"id": "fleet", "kind": "m5.4xlarge", "count": 3, "start": "2026-04-01", "discount": 0.4},
            {"id": "cache", "kind": "cache.r6g.4xlarge", "count": 8, "start": "2026-09-01", "discount": 0.3,
             "payment": "All Upfront"},
            {"id": "database", "kind": "db.r6g.4xlarge", "count": 2, "years": 3, "start": "2025-11-10",
             "discount": 0.5},
            {"id": "bought-later", "kind": "m5.2xlarge", "count": 1, "start": "2027-04-01", "discount": 0.4},
        ],
        "savings_plans": [
            {"id": "compute", "per_hour": 1.5, "start": "2026-10-05", "discount": 0.25},
            {"id": "family", "type": "EC2Instance", "family": "m5", "region": REGION, "per_hour": 0.5,
             "start": "2025-10-05", "discount": 0.3},
        ],
    }
)  # fmt: skip


@pytest.fixture
def account() -> Iterator[EmulatedAccount]:
    with billed(SPEC) as account:
        yield account


def test_savings_plans_in_any_state(account):
    client = account.client("savingsplans", PRODUCTION, "us-west-2")
    states = {each["savingsPlanId"]: each["state"] for each in client.describe_savings_plans()["savingsPlans"]}
    assert states == {"compute": "active", "family": "retired"}
    (active,) = client.describe_savings_plans(states=["active"])["savingsPlans"]
    assert (active["commitment"], active["end"]) == ("1.50000000", "2027-10-05T00:00:00Z")
    assert "ec2InstanceFamily" not in active


def test_the_tooling_account_bought_nothing(account):
    assert account.client("savingsplans", account.tooling, REGION).describe_savings_plans()["savingsPlans"] == []
