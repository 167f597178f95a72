"""The choice of the copying engine: this process up to a size, above it Spark with DynamoDB's export and import. Pure.

    whole     parallel scans and writes; then writes are denied, and both sides are compared as a whole
    streams   the same copy; both sides are compared before the pause, and streams name what changes since (following/)
    spark     ExportTableToPointInTime, an AWS Glue job that runs examples/spark/job.py, ImportTable; by a person

Time and cost go into the plan. The speeds are the policy's assumptions, since no page of AWS's tells how long an
export or an import takes; what is known is what is charged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum

from domain.errors import PriceMissing
from domain.list_prices import price_of
from optimizer.consolidate.switches import SPREADING
from optimizer.decide.policy import CopyPolicy

ONE_PROCESS = "one process"
GIB = 2**30
WRITE_UNIT, READ_UNIT = 1_024, 4_096  # bytes
# In eventually consistent reads of all items: one to copy them, and two for each side that is read consistently; both
# sides are compared before the pause and in it.
SIDES = 2
READS = 1 + 2 * 2 * SIDES
TURNING = timedelta(seconds=15)  # for the policy to be shown, and for the pointers
MILLION, GB = Decimal(10**6), Decimal(10**9)
WRITES, READ_REQUESTS = "DynamoDB write request units", "DynamoDB read request units"  # priced by the million


class CopyEngine(StrEnum):
    WHOLE = "whole"
    STREAMS = "streams"
    SPARK = "spark"


@dataclass(frozen=True)
class CopyLoad:
    """The load of a copy: both sources together, as DescribeTable counts them about every six hours.

    `indexes` of the merged table; each may copy all of an item.
    """

    size: int
    items: int
    indexes: int

    @property
    def write_units(self) -> int:
        """Write units for every item once, into the table or into one index: rounded up for the average item."""
        return self.items * max(1, -(-self.size // max(1, self.items) // WRITE_UNIT)) if self.items else 0

    @property
    def read_units(self) -> float:
        """Read units for one eventually consistent read of everything."""
        return self.size / READ_UNIT / 2


@dataclass(frozen=True)
class EngineChoice:
    """Which engine, why, how long it takes about, and what it costs once; None where a price is not known.

    `pause`: how long writes are refused about, while the pointers are turned; each way.
    """

    engine: CopyEngine
    reason: str
    takes: timedelta
    usd: Decimal | None
    pause: timedelta

    @property
    def copied_by(self) -> str:
        """One process, or Spark, which a person has to prepare: with the reason, and with what it would take."""
        if self.engine is not CopyEngine.SPARK:
            return ONE_PROCESS
        cost = f", about ${self.usd:,}" if self.usd is not None else ""
        return f"{self.engine.value}, by a person: {self.reason}; about {self.takes}{cost}"


def choose_engine(load: CopyLoad, policy: CopyPolicy, region: str, within: timedelta) -> EngineChoice:
    """The engine for so much: one process as long as it ends `within` what a job may take, and Spark above that."""
    size, most = f"{load.size / GIB:,.1f} GiB", f"{policy.one_process_gib:,.0f} GiB"
    compared, turning, alone = _compared(load, policy), SPREADING + TURNING, _by_threads(load, policy)
    small = load.size <= policy.one_process_gib * GIB
    if not small or alone > within:
        reason = f"{size}, more than the {most} of one process"
        if small:
            reason = f"{size} take one process about {_hours(alone)}, more than the {_hours(within)} of a job"
        usd = _priced(_spark_usd, load, policy, region)
        return EngineChoice(CopyEngine.SPARK, reason, _by_spark(load, policy), usd, turning)
    reason = f"{size}: one process takes up to {most}, this in about {_hours(alone)}"
    usd = _priced(_threads_usd, load, policy, region)
    if turning + compared <= policy.longest_pause:
        return EngineChoice(CopyEngine.WHOLE, reason, alone, usd, turning + compared)
    return EngineChoice(CopyEngine.STREAMS, reason, alone, usd, turning)


def _hours(time: timedelta) -> str:
    return f"{time / timedelta(hours=1):,.1f} h"


def _by_threads(load: CopyLoad, policy: CopyPolicy) -> timedelta:
    """Held back by the share of the write capacity, or by the process itself; then both sides are read and compared."""
    by_units = load.write_units / policy.units_per_second
    by_items = load.items / policy.items_per_second
    return timedelta(seconds=round(max(by_units, by_items))) + SIDES * _compared(load, policy)


def _compared(load: CopyLoad, policy: CopyPolicy) -> timedelta:
    """One look at both sides."""
    return timedelta(seconds=round(load.items / policy.compared_per_second))


def _by_spark(load: CopyLoad, policy: CopyPolicy) -> timedelta:
    managed = policy.managed_least + timedelta(hours=load.size / GIB / policy.managed_gib_per_hour)
    return 2 * managed + _job(load, policy)  # the export and the import


def _job(load: CopyLoad, policy: CopyPolicy) -> timedelta:
    return timedelta(hours=load.size / GIB / policy.spark_gib_per_worker_hour / policy.spark_workers)


def units_by_threads(load: CopyLoad) -> tuple[int, float]:
    """Write and read request units that a copy by this process takes, its proof included."""
    return (1 + load.indexes) * load.write_units, READS * load.read_units


def _threads_usd(load: CopyLoad, _policy: CopyPolicy, region: str) -> Decimal:
    writes, _ = units_by_threads(load)
    return _reads_usd(load, READS, region) + writes / MILLION * price_of(WRITES, region).usd


def _spark_usd(load: CopyLoad, policy: CopyPolicy, region: str) -> Decimal:
    moved = price_of("DynamoDB export", region).usd + price_of("DynamoDB import", region).usd
    hours = Decimal(policy.spark_workers * _job(load, policy) / timedelta(hours=1))
    compared = _reads_usd(load, READS - 1, region)
    return load.size / GB * moved + hours * price_of("Glue DPU", region).usd + compared


def _reads_usd(load: CopyLoad, times: int, region: str) -> Decimal:
    return Decimal(times * load.read_units) / MILLION * price_of(READ_REQUESTS, region).usd


def _priced(
    usd: Callable[[CopyLoad, CopyPolicy, str], Decimal], load: CopyLoad, policy: CopyPolicy, region: str
) -> Decimal | None:
    try:
        return round(usd(load, policy, region), 2)
    except PriceMissing:
        return None  # money is said or left out, never guessed
