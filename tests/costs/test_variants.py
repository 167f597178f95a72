"""The same instance at another price: I/O-Optimized, Valkey; an item without a price only removes its own line."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from botocore.stub import Stubber

from domain.errors import PriceMissing
from domain.list_prices import EMBEDDED, OPTIMIZED, VALKEY
from domain.sizing import Sizing
from emulator.account import EmulatedAccount
from optimizer.actions import action
from optimizer.analyze.evidence import DesignShape, start_of, steps_of
from optimizer.costs import read_costs
from optimizer.costs.commitments import Commitments, Committed, Reservation, charge, family_and_units
from optimizer.costs.footprint import STORAGE, Footprint, Usage, footprint_of
from optimizer.costs.list_bill import bill
from optimizer.costs.plan_savings import plan_costs
from optimizer.costs.price_list import read_prices
from optimizer.costs.read_costs import Running, read_running
from optimizer.costs.running_footprint import footprint_in
from optimizer.model.decision import Choice, Decision
from optimizer.model.resource import Governed, Kind
from optimizer.ports.aws import Aws
from optimizer.resources.database.storage import Storage
from tests.costs.answers import Recorded

PRODUCTION, REGION = "222222222222", "us-east-1"
LARGE, SMALL = "db.r6g.4xlarge", "db.r6g.xlarge"
CACHE = Governed(Kind.CACHE, "tap-cache", "arn:cache", REGION, {})
DATABASE = Governed(Kind.DATABASE, "tap-database", "arn:database", REGION, {})


@pytest.fixture
def aws() -> Iterator[Aws]:
    start = datetime(2027, 3, 1, 8, tzinfo=UTC)
    with EmulatedAccount(start=start, tooling="111111111111", production=PRODUCTION) as account:
        yield Aws(account.session(PRODUCTION, REGION), PRODUCTION, REGION, account.clock)


def usage(item: str, quantity: int = 1, part: str = "database") -> Usage:
    return Usage(part, item, REGION, Decimal(quantity))


def counted(governed: Governed, operation: str, answer: dict[str, Any]) -> dict[str, Decimal]:
    """The counted items if AWS describes a resource like this."""
    aws = Recorded().aws
    client: Any = aws.rds if governed.kind is Kind.DATABASE else aws.elasticache
    with Stubber(client) as stub, Stubber(aws.ec2) as ec2:
        stub.add_response(operation, answer)
        ec2.add_response("describe_nat_gateways", {"NatGateways": []})
        if governed.kind is Kind.DATABASE:
            instance = {"DBInstanceClass": LARGE, "DBInstanceStatus": "available"}
            stub.add_response("describe_db_instances", {"DBInstances": [instance]})
        return {item: quantity for (_, item, _), quantity in footprint_in(aws, [governed]).quantities.items()}


@pytest.mark.parametrize(
    ("shown", "item"),
    [
        ({"StorageType": "aurora-iopt1"}, LARGE + OPTIMIZED),
        ({"StorageType": "aurora"}, LARGE),
        ({}, LARGE),  # absent: Aurora Standard
    ],
)
def test_an_instance_of_an_optimized_cluster_has_its_own_price(shown: dict[str, Any], item: str) -> None:
    assert counted(DATABASE, "describe_db_clusters", {"DBClusters": [shown]}) == {item: 1}


@pytest.mark.parametrize(
    ("shown", "nodes"),
    [
        ({"Engine": "valkey"}, {f"cache.r6g.large{VALKEY}": 2}),
        ({"Engine": "redis"}, {"cache.r6g.large": 2}),
        ({}, {"cache.r6g.large": 2}),
        ({"NodeGroups": []}, {}),
        ({"NodeGroups": [{}], "Status": "creating"}, {}),
    ],
)
def test_nodes_are_counted_in_every_state(shown: dict[str, Any], nodes: dict[str, int]) -> None:
    group = {"CacheNodeType": "cache.r6g.large", "NodeGroups": [{"NodeGroupMembers": [{}, {}]}], **shown}
    answer = {"ReplicationGroups": [group]}
    assert counted(CACHE, "describe_replication_groups", answer) == nodes


def test_the_price_list_knows_both_prices_of_a_class(aws: Aws) -> None:
    wanted = [(REGION, item) for item in (LARGE, LARGE + OPTIMIZED, STORAGE, STORAGE + OPTIMIZED)]
    found, notes = read_prices(aws, wanted)
    assert notes == ()
    assert [found[each].usd for each in wanted] == [
        Decimal("2.076"),
        Decimal("2.6988"),
        Decimal("0.1"),
        Decimal("0.225"),
    ]


def test_optimized_instances_take_a_third_more_of_a_reservation() -> None:
    assert family_and_units(LARGE + OPTIMIZED) == ("db.r6g", Decimal("41.6"))
    assert family_and_units(f"cache.r6g.xlarge{VALKEY}") == ("cache.r6g", 8)
    ends = datetime(2027, 9, 1, tzinfo=UTC).date()
    bought = Reservation("r", Committed.RDS, REGION, LARGE, Decimal(32), ends, Decimal(100), Decimal(0))
    charged = charge(Footprint((usage(LARGE + OPTIMIZED),)), EMBEDDED, Commitments((bought,)))
    assert charged.covered == pytest.approx(Decimal("2.6988") * 730 * 32 / Decimal("41.6"))


def writer() -> Decision:
    name = Sizing.AS_DESIGNED.aurora.instances[0].id
    target = {"writer": name, "instances": {name: {"class": SMALL, "tier": 0}}}
    return Decision(
        "aurora_writer", "arn:aws:rds:us-east-1:222222222222:cluster:tap-database", Choice.APPLY, "", (), target=target
    )


def steps(footprint: Footprint) -> Any:
    storage = Storage(Decimal(500), Decimal(10))
    running = Running(footprint, storage, EMBEDDED, None, ())
    shape = DesignShape(Sizing.AS_DESIGNED, (REGION, "us-west-2", "eu-west-1"), storage, footprint.variants)
    decisions = (writer(),)
    found = steps_of([action("aurora_writer")], decisions, shape, running)
    start, day = start_of(decisions, running), datetime(2027, 3, 1, tzinfo=UTC).date()
    return plan_costs(start, found, prices=EMBEDDED, commitments=None, day=day)


def test_what_a_smaller_optimized_instance_saves() -> None:
    regions = (REGION, "us-west-2", "eu-west-1")
    plain, optimized = (
        footprint_of(Sizing.AS_DESIGNED, regions, storage=Storage(Decimal(500), Decimal(10)), variants=variants)
        for variants in ({}, {"database": OPTIMIZED})
    )
    assert optimized.variants == {"database": OPTIMIZED}
    assert (STORAGE + OPTIMIZED) in {each.item for each in optimized.usages}
    (standard,), (dear,) = steps(plain).savings, steps(optimized).savings
    assert standard.monthly == Decimal("1136.61")
    assert dear.monthly == Decimal("1477.59")  # 1.3 times as much


def test_an_unpriced_type_takes_its_own_line_away_and_claims_no_saving() -> None:
    known, missing = Footprint((usage(LARGE), usage("db.x9.huge"))).without_unpriced(EMBEDDED)
    assert [each.item for each in known.usages] == [LARGE]
    assert missing == (f"db.x9.huge in {REGION}",)
    with pytest.raises(PriceMissing):
        bill(Footprint((usage("db.x9.huge"),)))


def test_a_change_of_what_has_no_price_saves_nothing_that_is_known() -> None:
    valkey = footprint_of(Sizing.AS_DESIGNED, (REGION, "us-west-2", "eu-west-1"), variants={"database": VALKEY})
    priced, missing = valkey.without_unpriced(EMBEDDED)
    assert len(missing) == 3
    running = Running(priced, None, EMBEDDED, None, ())
    shape = DesignShape(Sizing.AS_DESIGNED, (REGION, "us-west-2", "eu-west-1"), None, {"database": VALKEY})
    (step,) = steps_of([action("aurora_writer")], (writer(),), shape, running)
    assert step.footprint == start_of((writer(),), running)


def test_the_rest_of_the_bill_is_shown(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = Footprint((usage(LARGE), usage("cache.x9.huge", part="cache")))
    monkeypatch.setattr(read_costs, "footprint_now", lambda *_: (odd, None))
    running = read_running(aws, [])
    assert running.bill is not None
    assert running.bill.monthly == Decimal("1515.48")
    assert any("No price is known for cache.x9.huge" in note for note in running.notes)
