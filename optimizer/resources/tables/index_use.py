"""The use of a table's secondary indexes, bounded by the capacity that they consume.

No CloudWatch metric counts queries of an index: those that count requests carry the table and the
operation only. What an index consumed bounds them twice, by its units and by its samples (DynamoDB
Developer Guide, "DynamoDB metrics and dimensions": the SampleCount of ConsumedReadCapacityUnits is the
requests that consumed capacity). Only values that are not zero are published, so that silence proves
nothing unless something else of the table speaks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from optimizer.observe.metrics import Measurements, Query, Series, read_metrics
from optimizer.ports.aws import Aws
from optimizer.resources.tables.table import consumed

HOUR = 3600  # CloudWatch keeps hours for 455 days, and nothing finer for longer than 63
WEEK = 7 * 86_400
HOURS = WEEK // HOUR
MONTH = 30 * 86_400
STATISTICS = ("Sum", "SampleCount")
UNITS_PER_QUERY = 0.5  # the least that an eventually consistent read takes, the only kind an index has
SPOKEN = HOURS // 2  # hours of a week in which the table must have been measured, or the week proves nothing

Values = NDArray[np.float64]


@dataclass(frozen=True)
class IndexUse:
    """The use of one index in all Regions together.

    `weekly_queries`: by whole week, the newest first, the most queries there can have been in any seven days
    that end in it; back to the first week in which the table was measured, and None for one in which it was
    not, in any of the Regions. `age_days` counts from the first write, since no API tells when an index was
    made; None when it was never written. `monthly_writes`: write units in the last 30 days.
    """

    weekly_queries: tuple[float | None, ...]
    age_days: float | None
    monthly_writes: float


Wanted = Mapping[tuple[str, str], Sequence[Query]]  # Read or Write, and the index; "" is the table


def queries_of(wanted: Wanted) -> tuple[Query, ...]:
    return tuple(each for group in wanted.values() for each in group)


def wanted_of(table: str, regions: Sequence[str], indexes: Sequence[str]) -> Wanted:
    """Metrics of a table's indexes, by the hour; none for a table without any."""

    def of_units(units: str, index: str | None = None) -> list[Query]:
        query = [consumed(table, region, units, index, period=HOUR) for region in regions]
        return [replace(each, statistics=STATISTICS) for each in query] if index and units == "Read" else query

    wanted = {(units, index): of_units(units, index) for index in indexes for units in ("Read", "Write")}
    return {**wanted, ("Write", ""): of_units("Write")} if indexes else {}


def read_use(
    aws: Aws,
    table: str,
    regions: Sequence[str],
    indexes: Sequence[str],
    start: datetime,
    end: datetime,
    measured: Measurements | None = None,
) -> dict[str, IndexUse]:
    """The consumption of each index between two times, by the hour; for four indexes over 400 days it takes two calls.

    With `measured`, what was read ahead with other tables' is taken from there.
    """
    wanted = wanted_of(table, regions, indexes)
    if not wanted:
        return {}
    queries = queries_of(wanted)
    read = measured.over(aws, queries, end - start) if measured else read_metrics(aws, queries, start, end)
    series = {key: [read.of(each, "Sum") for each in group] for key, group in wanted.items()}
    first, stop = int(read.start.timestamp()), int(read.end.timestamp())
    whole = (stop - first) // WEEK
    # One of these lists for each Region: a week counts when the table was measured in all of them.
    spoken = [_spoken(of_region, stop, whole) for of_region in zip(*series.values(), strict=True)]
    weeks = set.intersection(*spoken)
    return {
        index: IndexUse(
            weekly_queries=_by_week(_queries(read, wanted["Read", index], stop, whole), weeks),
            age_days=_age_days(series["Write", index], stop),
            monthly_writes=_since(series["Write", index], stop - MONTH),
        )
        for index in indexes
    }


def _spoken(of_region: Iterable[Series], stop: int, whole: int) -> set[int]:
    """The weeks, counted back from `stop`, in which enough hours of a Region have a datapoint of the table's."""
    hours = np.unique(np.concatenate([each.at for each in of_region]))
    weeks = (stop - hours - 1) // WEEK
    counted = np.bincount(weeks[weeks < whole].astype(np.int64), minlength=whole)
    return set(np.flatnonzero(counted >= SPOKEN).tolist())


def _queries(read: Measurements, queries: Sequence[Query], stop: int, whole: int) -> Values:
    """The most queries there can have been in each hour of all whole weeks, the oldest first, all Regions together.

    A query takes half a unit at least, and is a sample of the metric: each bounds their number, and the lower holds.
    """
    hours = np.zeros(whole * HOURS)
    for query in queries:
        units, samples = (read.of(query, name) for name in STATISTICS)
        place = len(hours) - 1 - (stop - units.at - 1) // HOUR
        counted = dict(zip(samples.at.tolist(), samples.values.tolist(), strict=True))
        bounds = np.minimum(units.values / UNITS_PER_QUERY, [counted.get(at, np.inf) for at in units.at.tolist()])
        np.add.at(hours, place[place >= 0], bounds[place >= 0])
    return hours


def _by_week(hours: Values, measured: set[int]) -> tuple[float | None, ...]:
    """For each week the most in any seven days that end in it: a week's edge parts nothing."""
    if not measured:
        return ()
    sums = np.concatenate([np.zeros(HOURS), np.cumsum(hours)])
    ending = (sums[HOURS:] - sums[:-HOURS]).reshape(-1, HOURS).max(axis=1)[::-1]
    return tuple(float(ending[week]) if week in measured else None for week in range(max(measured) + 1))


def _age_days(written: Iterable[Series], stop: float) -> float | None:
    firsts = [int(series.at[0]) for series in written if len(series)]
    return round((stop - min(firsts)) / 86_400, 1) if firsts else None


def _since(all_series: Iterable[Series], start: float) -> float:
    return float(sum(series.values[series.at >= start].sum() for series in all_series))
