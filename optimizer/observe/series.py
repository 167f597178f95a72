"""Figures over the series of several nodes or instances. One without data makes the whole unknown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from optimizer.observe.metrics import Series

WEEK = 7 * 86_400  # seconds


def highest(series: Sequence[Series], of: Callable[[Any], Any] = np.max) -> float | None:
    """The highest of all, each by `of` its values."""
    return max(float(of(each.values)) for each in series) if _all_there(series) else None


def highest_p95(series: Sequence[Series]) -> float | None:
    """The highest of the 95th percentiles."""
    return highest(series, lambda values: np.percentile(values, 95))


def total(series: Sequence[Series]) -> float | None:
    """The sum of everything."""
    return sum(float(each.values.sum()) for each in series) if _all_there(series) else None


def rate_p95(series: Sequence[Series]) -> float | None:
    """p95, period by period, of what all together count in a second."""
    if not _all_there(series):
        return None
    periods: dict[int, float] = {}
    for each in series:
        for at, value in zip(each.at.tolist(), each.values.tolist(), strict=True):
            periods[at] = periods.get(at, 0.0) + value / each.period
    return float(np.percentile(list(periods.values()), 95))


def peak_rate(series: Sequence[Series]) -> float | None:
    """The most, in any period, of what all together count in a second."""
    if not _all_there(series):
        return None
    at, place = np.unique(np.concatenate([each.at for each in series]), return_inverse=True)
    totals = np.bincount(place, np.concatenate([each.values for each in series]), len(at))
    return float(totals.max() / series[0].period)


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
