"""Figures over the series of several nodes or instances. One without data makes the whole unknown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optimizer.observe.metrics import Series

DAY = 86_400  # seconds
WEEK = 7 * DAY
Values = NDArray[np.float64]


def highest(series: Sequence[Series], of: Callable[[Any], Any] = np.max) -> float | None:
    """The highest of all, each by `of` its values."""
    return max(float(of(each.values)) for each in series) if _all_there(series) else None


def highest_p95(series: Sequence[Series]) -> float | None:
    """The highest of the 95th percentiles."""
    return highest(series, lambda values: np.percentile(values, 95))


def p95(series: Series) -> float | None:
    """The 95th percentile over all periods; None without data."""
    return float(np.percentile(series.values, 95)) if len(series) else None


def p95_or_lately(series: Series) -> float | None:
    """The 95th percentile over all periods, or over the newest day where that is higher.

    For shares of a capacity that no metric tells: when it was cut yesterday, the shares of that day alone
    are shares of what is there today, and one day of 60 is too little for their percentile.
    """
    if not len(series):
        return None
    newest = series.values[series.at > series.at[-1] - DAY]
    return float(max(np.percentile(series.values, 95), np.percentile(newest, 95)))


def together(series: Sequence[Series]) -> Series:
    """Period by period, the sum of all that have a datapoint then; empty without any."""
    if not any(len(each) for each in series):
        return Series(np.zeros(0, np.int64), np.zeros(0), series[0].period if series else 0)
    at, place = np.unique(np.concatenate([each.at for each in series]), return_inverse=True)
    sums = np.bincount(place, np.concatenate([each.values for each in series]), len(at)).astype(np.float64)
    return Series(at, sums, series[0].period)


def larger(one: Series, other: Series) -> Series:
    """Period by period, the larger of the two; of one alone where the other has no datapoint."""
    values = dict(zip(one.at.tolist(), one.values.tolist(), strict=True))
    for at, value in zip(other.at.tolist(), other.values.tolist(), strict=True):
        values[at] = max(value, values.get(at, value))
    at = np.array(sorted(values), np.int64)
    return Series(at, np.array([values[each] for each in at.tolist()]), one.period or other.period)


def scaled(series: Series, factors: Values) -> Series:
    """The series with each value times its period's factor."""
    return Series(series.at, series.values * factors, series.period)


def at_times_of(series: Series, source: Series, otherwise: float) -> Values:
    """`source` at the times of `series`: its value of the same moment, else its last one before, else `otherwise`."""
    place = np.searchsorted(source.at, series.at, side="right") - 1
    known = np.append(source.values, otherwise)  # -1, before the first one, takes the last of these
    values: Values = known[place]
    return values


def total(series: Sequence[Series]) -> float | None:
    """The sum of everything."""
    return sum(float(each.values.sum()) for each in series) if _all_there(series) else None


def highest_p95_or_lately(series: Sequence[Series]) -> float | None:
    """The highest of the percentiles over all periods or the newest day."""
    return max(rate for each in series if (rate := p95_or_lately(each)) is not None) if _all_there(series) else None


def rate_p95(series: Sequence[Series]) -> float | None:
    """p95, over all periods or the newest day, of what all together count in a second."""
    rate = p95_or_lately(together(series)) if _all_there(series) else None
    return None if rate is None else rate / series[0].period


def peak_rate(series: Sequence[Series]) -> float | None:
    """The most, in any period, of what all together count in a second."""
    return float(together(series).values.max() / series[0].period) if _all_there(series) else None


def growth(series: Sequence[Series]) -> float | None:
    """The last week's mean in parts of the first week's; 1 where less is kept than then."""
    if not _all_there(series):
        return None
    start, end = min(each.at[0] for each in series), max(each.at[-1] for each in series)
    first = np.concatenate([each.values[each.at < start + WEEK] for each in series])
    last = np.concatenate([each.values[each.at > end - WEEK] for each in series])
    early = float(first.mean()) if len(first) else 0.0
    return max(1.0, float(last.mean()) / early) if early > 0 and len(last) else None


def _all_there(series: Sequence[Series]) -> bool:
    return bool(series) and all(len(each) for each in series)
