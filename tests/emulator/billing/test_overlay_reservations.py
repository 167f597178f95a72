"""Reservations and Savings Plans as their own services list them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError

from domain.list_prices import price_of
from emulator.account import EmulatedAccount
from emulator.billing.spec import BillingSpec
from tests.emulator.billing.emulated import PRODUCTION, billed
from tests.rehearsal.life import NOW, REGION

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


def test_ec2_reservations_with_their_term_and_charges(account):
    ec2 = account.client("ec2", PRODUCTION, REGION)
    (one,) = ec2.describe_reserved_instances()["ReservedInstances"]
    assert (one["ReservedInstancesId"], one["InstanceType"], one["InstanceCount"]) == ("fleet", "m5.4xlarge", 3)
    assert (one["State"], one["Scope"], f"{one['End']:%Y-%m-%d}") == ("active", "Region", "2027-04-01")
    assert one["RecurringCharges"][0]["Amount"] == pytest.approx(0.6 * float(price_of("m5.4xlarge", REGION).usd))
    account.clock.advance_to(NOW + timedelta(days=40))
    active = ec2.describe_reserved_instances(Filters=[{"Name": "state", "Values": ["active"]}])["ReservedInstances"]
    assert [each["ReservedInstancesId"] for each in active] == ["bought-later"]
    assert account.client("ec2", PRODUCTION, "us-west-2").describe_reserved_instances()["ReservedInstances"] == []


def test_reserved_databases(account):
    rds = account.client("rds", PRODUCTION, REGION)
    (one,) = rds.describe_reserved_db_instances()["ReservedDBInstances"]
    assert (one["DBInstanceClass"], one["DBInstanceCount"], one["State"]) == ("db.r6g.4xlarge", 2, "active")
    assert one["Duration"] == 1096 * 86_400  # 2028 has a leap day
    with pytest.raises(ClientError, match="ReservedDBInstanceNotFound"):
        rds.describe_reserved_db_instances(ReservedDBInstanceId="absent")


def test_reserved_nodes_that_were_paid_upfront(account):
    elasticache = account.client("elasticache", PRODUCTION, REGION)
    (one,) = elasticache.describe_reserved_cache_nodes()["ReservedCacheNodes"]
    assert (one["CacheNodeType"], one["CacheNodeCount"], one["OfferingType"]) == ("cache.r6g.4xlarge", 8, "All Upfront")
    assert one["FixedPrice"] == pytest.approx(0.7 * float(price_of("cache.r6g.4xlarge", REGION).usd) * 8760)
    assert one["RecurringCharges"][0]["RecurringChargeAmount"] == 0
    with pytest.raises(ClientError, match="ReservedCacheNodeNotFound"):
        elasticache.describe_reserved_cache_nodes(ReservedCacheNodeId="absent")


def test_savings_plans_in_any_state(account):
    client = account.client("savingsplans", PRODUCTION, "us-west-2")
    states = {each["savingsPlanId"]: each["state"] for each in client.describe_savings_plans()["savingsPlans"]}
    assert states == {"compute": "active", "family": "retired"}
    (active,) = client.describe_savings_plans(states=["active"])["savingsPlans"]
    assert (active["commitment"], active["end"]) == ("1.50000000", "2027-10-05T00:00:00Z")
    assert "ec2InstanceFamily" not in active


@pytest.mark.parametrize(
    ("service", "call", "member"),
    [
        ("ec2", "describe_reserved_instances", "ReservedInstances"),
        ("rds", "describe_reserved_db_instances", "ReservedDBInstances"),
        ("elasticache", "describe_reserved_cache_nodes", "ReservedCacheNodes"),
        ("savingsplans", "describe_savings_plans", "savingsPlans"),
    ],
)
def test_the_tooling_account_bought_nothing(account, service, call, member):
    assert getattr(account.client(service, account.tooling, REGION), call)()[member] == []
