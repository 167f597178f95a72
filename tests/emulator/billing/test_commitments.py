"""Arithmetic of commitments as a table: order of coverage, the rest at list price, the end of a term."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from emulator.billing.catalog import family, item, normalized
from emulator.billing.commitments import cover
from emulator.billing.spec import ReservationSpec, SavingsPlanSpec
from tests.rehearsal.life import REGION

FIRST = int(datetime(2027, 2, 1, tzinfo=UTC).timestamp() // 3600)


def hours(**running: float) -> dict[tuple[str, str], np.ndarray]:
    names = {"big": "m5.4xlarge", "small": "m5.2xlarge", "node": "cache.r6g.4xlarge", "writer": "db.r6g.4xlarge"}
    return {(REGION, names[name]): np.full(48, count, dtype=float) for name, count in running.items()}


def reserved(kind: str, count: int, **more: object) -> ReservationSpec:
    return ReservationSpec.model_validate(
        {"id": kind, "kind": kind, "count": count, "start": "2026-06-01", "discount": 0.4, **more}
    )


@pytest.mark.parametrize(
    ("kind", "units", "kin"),
    [
        ("m5.large", 4, "m5"),
        ("m5.xlarge", 8, "m5"),
        ("m5.4xlarge", 32, "m5"),
        ("db.r6g.4xlarge", 32, "db.r6g"),
        ("cache.r6g.xlarge", 8, "cache.r6g"),
    ],
)
def test_normalized_units(kind, units, kin):
    assert (normalized(kind), family(kind)) == (units, kin)


@pytest.mark.parametrize(
    ("running", "kind", "count", "covered", "unused"),
    [
        ({"big": 4}, "m5.4xlarge", 3, {"m5.4xlarge": 3}, 0),
        ({"big": 4}, "m5.2xlarge", 3, {"m5.4xlarge": 1.5}, 0),  # two of the smaller make one of the larger
        ({"small": 8}, "m5.4xlarge", 15, {"m5.2xlarge": 8}, 352),  # 480 units for 128
        ({"big": 2, "small": 2}, "m5.4xlarge", 2, {"m5.2xlarge": 2, "m5.4xlarge": 1}, 0),  # the smallest first
        ({"node": 1}, "cache.r6g.4xlarge", 12, {"cache.r6g.4xlarge": 1}, 352),
        ({"writer": 1}, "m5.4xlarge", 1, {}, 32),  # another service
    ],
)
def test_reservations_cover_normalized_units(running, kind, count, covered, unused):
    found = cover(hours(**running), FIRST, [reserved(kind, count)], [])
    assert {name: each[0] for (_, name), each in found.reserved.items() if each.any()} == pytest.approx(covered)
    assert found.reservations[0].unused[0] == pytest.approx(unused)


def test_a_reservation_of_another_region_covers_nothing():
    found = cover(hours(big=4), FIRST, [reserved("m5.4xlarge", 3, region="us-west-2")], [])
    assert not any(each.any() for each in found.reserved.values())


def test_it_ends_with_its_term_to_the_hour():
    (use,) = cover(hours(big=4), FIRST, [reserved("m5.4xlarge", 1, start="2026-02-02")], []).reservations
    assert use.committed.tolist() == [32] * 24 + [0] * 24


def test_a_savings_plan_covers_what_reservations_leave_and_an_instance_plan_comes_first():
    plans = [
        SavingsPlanSpec.model_validate({"id": "c", "per_hour": 100, "start": "2026-06-01", "discount": 0.2}),
        SavingsPlanSpec.model_validate(
            {"id": "i", "type": "EC2Instance", "family": "m5", "region": REGION, "per_hour": 0.3, "start": "2026-06-01",
             "discount": 0.3}
        ),
    ]  # fmt: skip
    found = cover(hours(big=4, writer=1), FIRST, [reserved("m5.4xlarge", 3)], plans)
    instance, compute = found.plans
    assert instance.used[0] == pytest.approx(0.3)
    key = (REGION, "m5.4xlarge")
    assert instance.covers[key][0] + compute.covers[key][0] == pytest.approx(1)
    assert set(compute.covers) == {key}  # a database is none of its business
    assert compute.used[0] < compute.committed[0] == 100


@pytest.mark.parametrize(
    ("name", "region", "usage_type"),
    [
        ("m5.4xlarge", "us-east-1", "BoxUsage:m5.4xlarge"),
        ("db.r6g.4xlarge", "us-west-2", "USW2-InstanceUsage:db.r6g.4xl"),
        ("db.r6g.xlarge", "us-east-1", "InstanceUsage:db.r6g.xlarge"),
        ("cache.r6g.xlarge", "eu-west-1", "EU-NodeUsage:cache.r6g.xlarge"),
        ("KMS key", "us-west-2", "us-west-2-KMS-Keys"),
    ],
)
def test_usage_types_carry_their_region(name, region, usage_type):
    assert item(name).usage_type_in(region) == usage_type
