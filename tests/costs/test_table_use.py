"""The tables' costs as billed: requests of the last month, storage and recovery."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest

from domain.list_prices import EMBEDDED
from emulator.account import EmulatedAccount
from emulator.billing.monthly_cost import monthly_cost
from emulator.workload.workload import Workload
from optimizer.costs.footprint import Footprint, Usage
from optimizer.costs.read_costs import Running
from optimizer.costs.table_use import BilledTable, TableUse, read_table_use
from optimizer.model.resource import Governed, Kind
from optimizer.observe.metrics import Measurements, Series
from optimizer.ports.aws import Aws
from tests.rehearsal.life import NOW, QUIET, REGION

PRODUCTION = "222222222222"
ON_DEMAND = {"BillingMode": "PAY_PER_REQUEST"}
PROVISIONED = {"ProvisionedThroughput": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}}


@pytest.fixture(scope="module")
def aws() -> Iterator[Aws]:
    """Both tables of one load, the second without on-demand capacity."""
    with EmulatedAccount(start=NOW - timedelta(days=61), tooling="111111111111", production=PRODUCTION) as account:
        Workload(QUIET, account, 0, events=())
        found = Aws(account.session(PRODUCTION, REGION), PRODUCTION, REGION, account.clock)
        make(found, "audit_logs", ON_DEMAND)
        make(found, "users", PROVISIONED)
        account.clock.advance_to(NOW)
        # The judge counts the requests of both tables with its own eyes: 67.2 million writes, 53 million read units.
        assert monthly_cost(account) == pytest.approx(67.2 * 0.625 + 53 * 0.125, rel=0.15)
        yield found


def make(aws: Aws, name: str, capacity: dict[str, object]) -> None:
    aws.dynamodb.create_table(  # type: ignore[call-overload]  # the capacity is one of two
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        **capacity,
    )


def table(name: str) -> Governed:
    return Governed(Kind.TABLE, name, f"arn:aws:dynamodb:{REGION}:{PRODUCTION}:table/{name}", REGION, {})


def test_requests_are_those_of_a_month(aws: Aws) -> None:
    """2 million requests a day write as many log entries, and query them 0.015 times as often, half a unit each."""
    use = read_table_use(aws, [table("audit_logs")])
    amounts = {usage.item: float(usage.quantity) for usage in use.usages}
    assert amounts["DynamoDB write request units"] == pytest.approx(60, rel=0.15)
    assert amounts["DynamoDB read request units"] == pytest.approx(60 * 0.0075, rel=0.15)
    assert use.notes == ()


def test_provisioned_capacity_is_no_request(aws: Aws) -> None:
    one, other = (read_table_use(aws, [table(name)]) for name in ("users", "audit_logs"))
    both = read_table_use(aws, [table("users"), table("audit_logs")])
    assert both.notes == one.notes == ("Provisioned capacity is left out of the cost of users.",)
    assert both.usages == (*one.usages, *other.usages)
    assert not any("request" in usage.item for usage in one.usages)


def test_each_region_and_index_is_billed() -> None:
    billed = BilledTable("t", ("a", "b"), ("by-x",), on_demand=True, stored=3 * 10**9, covered=2 * 10**9)
    queries = [query for region in "ab" for units in ("Read", "Write") for query in billed.queries(region, units)]
    series = {(query, "Sum"): Series(np.array([0]), np.array([1e6]), 86_400) for query in queries}
    found = Footprint(tuple(billed.usages(Measurements(NOW, NOW, series, 0, 0)))).quantities
    assert found == {
        ("tables", item, region): Decimal(quantity)
        for region in "ab"
        for item, quantity in {
            "DynamoDB read request units": 2,
            "DynamoDB write request units": 2,
            "DynamoDB storage": 3,
            "DynamoDB point-in-time recovery": 2,
        }.items()
    }


def test_what_has_no_price_is_named_and_the_rest_is_counted(aws: Aws) -> None:
    use = read_table_use(aws, [table("audit_logs")])
    elsewhere = TableUse((Usage("tables", "DynamoDB storage", "nowhere-1", Decimal(1)),), ())
    running = Running(Footprint(()), None, EMBEDDED, None, ())
    counted, unknown = running.plus(use), running.plus(elsewhere)
    assert counted.bill is not None
    assert float(counted.bill.monthly) == pytest.approx(60 * 0.625, rel=0.15)
    assert [note.partition(":")[0] for note in unknown.notes] == ["No price is known for DynamoDB storage in nowhere-1"]
