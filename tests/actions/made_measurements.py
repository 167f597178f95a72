"""Measurements that answer every query from one function: metric, statistic and days ago to a value, or to none."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import numpy as np

from optimizer.observe.metrics import Measurements, Query, Series

DAYS = 60
Value = Callable[[Query, str, float], float | None]


class Made(Measurements):
    """60 days up to `end`, for every query."""

    def __init__(self, end: datetime, value: Value) -> None:
        super().__init__(end - timedelta(days=DAYS), end, {}, 0, 0)
        object.__setattr__(self, "value", value)
        object.__setattr__(self, "made", {})

    def of(self, query: Query, statistic: str) -> Series:
        made: dict[tuple[Query, str], Series] = object.__getattribute__(self, "made")
        if (query, statistic) not in made:
            made[query, statistic] = self._make(query, statistic)
        return made[query, statistic]

    def _make(self, query: Query, statistic: str) -> Series:
        at = np.arange(int(self.start.timestamp()), int(self.end.timestamp()), query.period, dtype=np.int64)
        value: Value = object.__getattribute__(self, "value")
        last = self.end.timestamp()
        found = [value(query, statistic, (last - each) / 86_400) for each in at.tolist()]
        there = np.array([each is not None for each in found])
        return Series(at[there], np.array([each for each in found if each is not None], np.float64), query.period)
