"""The load of each kind of resource: the part of the metrics that is kept once the plan is made.

CloudWatch's series are too long to keep with a plan. Kept are, for each statistic of each metric,
the mean of every hour of the week over all resources, and for each resource its p95, its highest
value and how much of the period was seen.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimizer.observe.metrics import Measurements, Query, Series

HOUR = 3600
HOURS_OF_A_WEEK = 168
EPOCH_HOUR = 72  # 1 January 1970 was a Thursday; a week begins on Monday, 00:00 UTC
KEPT = 500  # resources named for each metric, the busiest first: a journal item holds at most 400 KB
DIGITS = 4


@dataclass(frozen=True)
class Use:
    """One resource's use of one metric, in the metric's own unit; `coverage` in percent of the period's buckets."""

    resource: str
    region: str
    p95: float
    highest: float
    coverage: float


@dataclass(frozen=True)
class Load:
    """One statistic of one metric over all resources that were measured.

    `hours` are the means of the week's 168 hours from Monday 00:00 UTC, over the whole period and all
    resources; None where nothing was published. `uses` names at most 500 resources of `resources`.
    """

    namespace: str
    metric: str
    statistic: str
    period: int
    resources: int
    hours: tuple[float | None, ...]
    uses: tuple[Use, ...]


def loads_of(measured: Measurements) -> tuple[Load, ...]:
    """The load of every metric that was read and has datapoints, by namespace and name."""
    groups: dict[tuple[str, str, str, int], list[tuple[Query, Series]]] = defaultdict(list)
    for (query, statistic), series in measured.series.items():
        if len(series):
            groups[query.namespace, query.name, statistic, query.period].append((query, series))
    return tuple(_load(*key, group, measured) for key, group in sorted(groups.items()))


def _load(
    namespace: str,
    metric: str,
    statistic: str,
    period: int,
    group: Sequence[tuple[Query, Series]],
    measured: Measurements,
) -> Load:
    uses = [
        Use(
            resource=name_of(query),
            region=query.region,
            p95=_short(float(np.percentile(series.values, 95))),
            highest=_short(float(series.values.max())),
            coverage=round(measured.coverage(query, statistic), 1),
        )
        for query, series in group
    ]
    uses.sort(key=lambda each: (-each.p95, each.resource))
    return Load(namespace, metric, statistic, period, len(group), hours_of_week(group), tuple(uses[:KEPT]))


def hours_of_week(group: Sequence[tuple[Query, Series]]) -> tuple[float | None, ...]:
    """The mean of each of the week's hours over all these series; None for an hour without datapoints."""
    at: NDArray[np.int64] = np.concatenate([series.at for _, series in group])
    values: NDArray[np.float64] = np.concatenate([series.values for _, series in group])
    hours = (at // HOUR + EPOCH_HOUR) % HOURS_OF_A_WEEK
    counted = np.bincount(hours, minlength=HOURS_OF_A_WEEK)
    summed = np.bincount(hours, weights=values, minlength=HOURS_OF_A_WEEK)
    return tuple(
        _short(float(total) / int(number)) if number else None for total, number in zip(summed, counted, strict=True)
    )


def name_of(query: Query) -> str:
    """The measured object, by the values of the metric's dimensions: `tap-fleet`, `users/by-email`."""
    values = [value for _, value in query.dimensions]
    if query.namespace == "AWS/ApplicationELB" and values:  # app/NAME/ID
        return values[0].split("/")[1] if values[0].count("/") == 2 else values[0]
    return "/".join(values)


def _short(value: float) -> float:
    """A value with as many digits as anybody reads."""
    return float(f"{value:.{DIGITS}g}")
