"""Who copies, as a table; what it takes and costs, by hand."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from optimizer.consolidate.copy_engine import GIB, Engine, Load, choose_engine
from optimizer.decide.policy import CopyPolicy

POLICY = CopyPolicy()
HOME = "us-east-1"
ALL_DAY = timedelta(hours=24)


@pytest.mark.parametrize(
    ("gib", "items", "engine", "why"),
    [
        (0, 0, Engine.THREADS, "0.0 GiB: one process takes up to 50 GiB, this in about 0.0 h"),
        (0.5, 500_000, Engine.THREADS, "about 0.5 h"),  # four units for each, 1,000 s; compared in 667 s
        (50, 5_000_000, Engine.THREADS, "this in about"),
        (50.01, 5_000_000, Engine.SPARK, "50.0 GiB, more than the 50 GiB of one process"),
        (50, 50_000_000, Engine.SPARK, "50.0 GiB take one process about 46.3 h, more than the 24.0 h of a job"),
        (600, 6_000_000, Engine.SPARK, "600.0 GiB, more than"),
        (700, 7_000_000, Engine.NEITHER, "and Spark about 22.0 h, more than the 20.0 h that the streams allow"),
    ],
)
def test_size_and_time_decide(gib: float, items: int, engine: Engine, why: str) -> None:
    choice = choose_engine(Load(round(gib * GIB), items, 4), POLICY, HOME, ALL_DAY)
    assert choice.engine is engine
    assert why in choice.reason


def test_threads_are_held_back_by_their_share_of_the_capacity_or_by_themselves() -> None:
    """And then read and compare both sides."""
    large_items = Load(size=1_000_000 * 10_240, items=1_000_000, indexes=0)  # 10 units each, twice in a transaction
    by_units = timedelta(seconds=1_000_000 * 20 / 2_000 + round(2 * 1_000_000 / 1_500))
    assert choose_engine(large_items, POLICY, HOME, ALL_DAY).takes == by_units
    small_items = Load(size=1_500_000 * 100, items=1_500_000, indexes=0)
    fast = CopyPolicy(units_per_second=1e9)
    assert choose_engine(small_items, fast, HOME, ALL_DAY).takes == timedelta(seconds=1_000 + 2_000)


def test_threads_cost_their_units() -> None:
    """A million items of 1,024 bytes and two indexes: 4 million writes, three times an eighth of a million reads."""
    choice = choose_engine(Load(size=1_024 * 10**6, items=10**6, indexes=2), POLICY, HOME, ALL_DAY)
    assert choice.usd == round(4 * Decimal("0.625") + 3 * Decimal("0.125") * Decimal("0.125"), 2) == Decimal("2.55")


def test_spark_takes_and_costs_export_job_and_import() -> None:
    choice = choose_engine(Load(size=100 * GIB, items=10**8, indexes=4), POLICY, HOME, ALL_DAY)
    assert choice.takes == 2 * (timedelta(minutes=30) + timedelta(hours=1)) + timedelta(hours=1)
    moved = Decimal(100 * GIB) / 10**9 * Decimal("0.25")
    compared = 2 * Decimal(100 * GIB) / 8192 / 10**6 * Decimal("0.125")
    assert choice.usd == round(moved + 10 * Decimal("0.44") + compared, 2)


def test_import_is_the_cheaper_way_for_much() -> None:
    """Writes are paid by the unit, an import by the gigabyte."""
    load = Load(size=200 * GIB, items=2 * 10**8, indexes=4)
    spark = choose_engine(load, POLICY, HOME, ALL_DAY)
    threads = choose_engine(load, CopyPolicy(one_process_gib=1e6), HOME, timedelta(days=99))
    assert spark.usd is not None
    assert threads.usd is not None
    assert spark.usd < threads.usd
    assert spark.takes < threads.takes


def test_without_a_price_there_is_a_choice_and_no_cost() -> None:
    choice = choose_engine(Load(GIB, 10**6, 4), POLICY, "sa-east-1", ALL_DAY)
    assert (choice.engine, choice.usd) == (Engine.THREADS, None)
