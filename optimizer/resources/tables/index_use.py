"""How much the secondary indexes of a table are used, bounded from the capacity that they consume.

No CloudWatch metric counts queries of an index (DynamoDB Developer Guide, "DynamoDB metrics and
dimensions"): those that count requests carry the table and the operation only. Only values that are
not zero are published, so that silence proves nothing unless something else of the table speaks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from optimizer.observe.metrics import Query, Series, read_metrics
from optimizer.ports.aws import Aws
from optimizer.resources.tables.table import consumed

HOUR = 3600  # CloudWatch keeps hours for 455 days, and nothing finer for longer than 63
WEEK = 7 * 86_400
MONTH = 30 * 86_400


@dataclass(frozen=True)
class IndexUse:
    """What one index did in all Regions together.

    `weekly_reads`: read units by whole week, the newest first, back to the first week in which the
    table was measured; None for a week in which it was not, in any of the Regions. `age_days` counts
    from the first write, since no API tells when an index was made; None when it was never written.
    `monthly_writes`: write units in the last 30 days.
    """

    weekly_reads: tuple[float | None, ...]
    age_days: float | None
    monthly_writes: float


def read_use(
    aws: Aws, table: str, regions: Sequence[str], indexes: Sequence[str], start: datetime, end: datetime
) -> dict[str, IndexUse]:
    """What each index consumed between two times, by the hour; for four indexes over 400 days it takes one call."""

    def asked(units: str, index: str | None = None) -> list[Query]:
        return [consumed(table, region, units, index, period=HOUR) for region in regions]

    wanted = {(units, index): asked(units, index) for index in indexes for units in ("Read", "Write")}
    wanted["Write", ""] = asked("Write")
    read = read_metrics(aws, [each for group in wanted.values() for each in group], start, end)
    series = {key: [read.of(each, "Sum") for each in group] for key, group in wanted.items()}
    stop, whole = read.end.timestamp(), int((read.end - read.start).total_seconds() // WEEK)
    # One of these lists for each Region: a week counts when the table was measured in all of them.
    measured = [
        {week for found in of_region for week in _weeks(found, stop).tolist() if week < whole}
        for of_region in zip(*series.values(), strict=True)
    ]
    weeks = set.intersection(*measured)
    return {
        index: IndexUse(
            weekly_reads=_by_week(series["Read", index], weeks, stop),
            age_days=_age_days(series["Write", index], stop),
            monthly_writes=_since(series["Write", index], stop - MONTH),
        )
        for index in indexes
    }


def _weeks(series: Series, stop: float) -> NDArray[np.int64]:
    """For each datapoint, how many whole weeks before `stop` its hour lies."""
    weeks: NDArray[np.int64] = ((stop - series.at - 1) // WEEK).astype(np.int64)
    return weeks


def _by_week(found: Iterable[Series], measured: set[int], stop: float) -> tuple[float | None, ...]:
    sums = dict.fromkeys(measured, 0.0)
    for series in found:
        for week, units in zip(_weeks(series, stop).tolist(), series.values.tolist(), strict=True):
            if week in sums:
                sums[week] += units
    return tuple(sums.get(week) for week in range(max(sums, default=-1) + 1))


def _age_days(found: Iterable[Series], stop: float) -> float | None:
    firsts = [int(series.at[0]) for series in found if len(series)]
    return round((stop - min(firsts)) / 86_400, 1) if firsts else None


def _since(found: Iterable[Series], start: float) -> float:
    return float(sum(series.values[series.at >= start].sum() for series in found))
