"""Metrics over the whole period, read in the fewest calls CloudWatch allows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Query:
    """One metric with all the statistics wanted of it. `period` in seconds, at least 300 for 60 days."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    statistics: tuple[str, ...]
    period: int = 3600
    region: str = ""  # empty: the primary Region


@dataclass(frozen=True)
class Series:
    """One statistic of one metric: Unix seconds of each period's start, rising, and its value."""

    at: NDArray[np.int64]
    values: NDArray[np.float64]
    period: int

    def __len__(self) -> int:
        return len(self.at)


@dataclass(frozen=True)
class Measurements:
    """All series read for one analysis, and what reading them took."""

    start: datetime
    end: datetime
    series: Mapping[tuple[Query, str], Series]
    calls: int
    metrics: int

    def of(self, query: Query, statistic: str) -> Series:
        """The series of one statistic, empty when CloudWatch has nothing; KeyError when it was never asked for."""
        return self.series[(query, statistic)]

    def coverage(self, query: Query, statistic: str) -> float:
        """Percent of the period's buckets that hold a datapoint."""
        raise AssertionError("written by the metrics helper")

    def percentile(self, query: Query, statistic: str, q: float) -> float | None:
        """The q-th percentile (0 to 100) over the buckets; None without data."""
        raise AssertionError("written by the metrics helper")


def _unused(_: Iterable[Query]) -> None: ...
