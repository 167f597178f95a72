"""The choice of the copying engine, as a table; its time and cost, by hand."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from optimizer.costs.copy_engine import GIB, CopyEngine, CopyLoad, choose_engine
from optimizer.decide.policy import CopyPolicy

POLICY = CopyPolicy()
HOME = "us-east-1"
ALL_DAY = timedelta(hours=24)


@pytest.mark.parametrize(
    ("gib", "items", "engine", "why"),
    [
        (0, 0, CopyEngine.WHOLE, "0.0 GiB: one process takes up to 50 GiB, this in about 0.0 h"),
        (
            0.05,
            67_500,
            CopyEngine.WHOLE,
            "about 0.0 h",
        ),  # compared in 45 s, after a minute that the deny needs to spread
        (0.05, 70_000, CopyEngine.STREAMS, "about 0.0 h"),
        (0.5, 500_000, CopyEngine.STREAMS, "about 0.3 h"),  # copied in 333 s, compared twice in as long
        (50, 5_000_000, CopyEngine.STREAMS, "this in about"),
        (50.01, 5_000_000, CopyEngine.SPARK, "50.0 GiB, more than the 50 GiB of one process"),
        (50, 50_000_000, CopyEngine.SPARK, "50.0 GiB take one process about 32.4 h, more than the 24.0 h of a job"),
        (600, 6_000_000, CopyEngine.SPARK, "600.0 GiB, more than"),
        (700, 7_000_000, CopyEngine.SPARK, "700.0 GiB, more than"),  # what changed since the export is compared
    ],
)
def test_size_and_time_decide(gib: float, items: int, engine: CopyEngine, why: str) -> None:
    choice = choose_engine(CopyLoad(round(gib * GIB), items, 4), POLICY, HOME, ALL_DAY)
    assert choice.engine is engine
    assert why in choice.reason


def test_one_process_is_held_back_by_its_share_of_the_capacity_or_by_itself() -> None:
    """And then looks at both sides twice."""
    large_items = CopyLoad(size=1_000_000 * 10_240, items=1_000_000, indexes=0)  # 10 units each
    by_units = timedelta(seconds=1_000_000 * 10 / 2_000 + 2 * round(1_000_000 / 1_500))
    assert choose_engine(large_items, POLICY, HOME, ALL_DAY).takes == by_units
    small_items = CopyLoad(size=1_500_000 * 100, items=1_500_000, indexes=0)
    fast = CopyPolicy(units_per_second=1e9)
    assert choose_engine(small_items, fast, HOME, ALL_DAY).takes == timedelta(seconds=1_000 + 2_000)


def test_the_pause_is_what_the_deny_needs_to_spread_and_what_is_done_in_it() -> None:
    few = choose_engine(CopyLoad(15_000 * 400, 15_000, 4), POLICY, HOME, ALL_DAY)
    assert (few.engine, few.pause) == (CopyEngine.WHOLE, timedelta(seconds=60 + 15 + 10))
    many = choose_engine(CopyLoad(150_000 * 400, 150_000, 4), POLICY, HOME, ALL_DAY)
    assert (many.engine, many.pause) == (CopyEngine.STREAMS, timedelta(seconds=60 + 15))


def test_one_process_costs_its_units() -> None:
    """A million items of 1,024 bytes and two indexes: 3 million writes, nine times an eighth of a million reads."""
    choice = choose_engine(CopyLoad(size=1_024 * 10**6, items=10**6, indexes=2), POLICY, HOME, ALL_DAY)
    assert choice.usd == round(3 * Decimal("0.625") + 9 * Decimal("0.125") * Decimal("0.125"), 2) == Decimal("2.02")


def test_spark_takes_and_costs_export_job_and_import() -> None:
    choice = choose_engine(CopyLoad(size=100 * GIB, items=10**8, indexes=4), POLICY, HOME, ALL_DAY)
    assert choice.takes == 2 * (timedelta(minutes=30) + timedelta(hours=1)) + timedelta(hours=1)
    moved = Decimal(100 * GIB) / 10**9 * Decimal("0.25")
    compared = 8 * Decimal(100 * GIB) / 8192 / 10**6 * Decimal("0.125")
    assert choice.usd == round(moved + 10 * Decimal("0.44") + compared, 2)


def test_import_is_the_cheaper_way_for_much() -> None:
    """Writes are paid by the unit, an import by the gigabyte."""
    load = CopyLoad(size=200 * GIB, items=2 * 10**8, indexes=4)
    spark = choose_engine(load, POLICY, HOME, ALL_DAY)
    threads = choose_engine(load, CopyPolicy(one_process_gib=1e6), HOME, timedelta(days=99))
    assert spark.usd is not None
    assert threads.usd is not None
    assert spark.usd < threads.usd
    assert spark.takes < threads.takes


def test_without_a_price_there_is_a_choice_and_no_cost() -> None:
    choice = choose_engine(CopyLoad(GIB, 10**6, 4), POLICY, "sa-east-1", ALL_DAY)
    assert (choice.engine, choice.usd) == (CopyEngine.STREAMS, None)
