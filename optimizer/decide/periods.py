"""Health samples as arrays of equally long periods, and the clock by which the service's users live."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]
Marks = NDArray[np.bool_]

PERIOD = 300  # seconds
POOLS = (1, 2, 3, 4, 6, 8, 12, 24)  # periods taken together; each divides a week, the last is two hours
HARDLY_USED = 0.02  # of the requests of the busiest periods
COUNTS = (
    "requests",
    "target_5xx",
    "elb_5xx",
    "target_4xx",
    "elb_4xx",
    "rejected",
    "tls_errors",
    "connection_errors",
)
_HALF_HOUR = 1800  # clocks change at whole or half hours of UTC


@dataclass(frozen=True)
class Periods:
    """Periods in rising order, each once. `number` counts them since 1970; NaN: no datapoint.

    `counts` has one column for each name in COUNTS.
    """

    number: Numbers
    p99: Floats
    counts: Floats
    length: int = PERIOD  # seconds

    @classmethod
    def of(
        cls, seconds: Sequence[float], p99: Sequence[float | None], counts: Sequence[Sequence[float | None]]
    ) -> Periods:
        """From the Unix second, p99 and COUNTS of each reading, in any order.

        Of several readings of one period the larger value counts: a sum only grows while it settles.
        """
        number = np.array(seconds, np.float64).astype(np.int64) // PERIOD
        values = np.full((len(number), 1 + len(COUNTS)), np.nan)
        for place, column in enumerate((p99, *counts)):
            if column.count(None) < len(column):
                values[:, place] = column
        values[~np.isfinite(values) | (values < 0)] = np.nan
        if np.any(number[1:] <= number[:-1]):
            order = np.argsort(number, kind="stable")
            number, first = np.unique(number[order], return_index=True)
            values = np.fmax.reduceat(values[order], first, axis=0)
        return cls(number, values[:, 0], values[:, 1:])

    def __len__(self) -> int:
        return len(self.number)

    def count(self, name: str) -> Floats:
        """One of the COUNTS."""
        return self.counts[:, COUNTS.index(name)]

    @property
    def last(self) -> int:
        """The number after the last period's; 0 when there is none."""
        return int(self.number[-1]) + 1 if len(self) else 0

    @property
    def requests(self) -> Floats:
        """Requests for which a target was chosen."""
        return self.counts[:, 0]

    @cached_property
    def measured(self) -> Marks:
        """Periods with timed requests: ALB publishes nothing without traffic, and no request takes no time."""
        return (self.requests > 0) & (self.p99 > 0)

    @cached_property
    def errors(self) -> Floats:
        """5xx of targets and load balancer; no datapoint means none."""
        return np.nan_to_num(self.count("target_5xx")) + np.nan_to_num(self.count("elb_5xx"))

    @cached_property
    def attempts(self) -> Floats:
        """RequestCount counts only requests that got a target: the load balancer's own errors come on top."""
        return np.nan_to_num(self.requests) + np.nan_to_num(self.count("elb_5xx"))

    def where(self, chosen: Marks | slice) -> Periods:
        """A part of the periods."""
        return Periods(self.number[chosen], self.p99[chosen], self.counts[chosen], self.length)

    def between(self, first: int, end: int) -> Periods:
        """The periods numbered from `first` up to before `end`."""
        low, high = np.searchsorted(self.number, (first, end))
        return self.where(slice(int(low), int(high)))

    def until(self, now: int) -> Periods:
        """The periods that were over at a Unix second."""
        return self.between(0, now // self.length)

    def dense(self, first: int, end: int) -> Periods:
        """All periods numbered from `first` up to before `end`; those that are not among these have no datapoint."""
        part = self.between(first, end)
        numbers = np.arange(first, max(first, end), dtype=np.int64)
        p99, counts = np.full(len(numbers), np.nan), np.full((len(numbers), len(COUNTS)), np.nan)
        p99[part.number - first], counts[part.number - first] = part.p99, part.counts
        return Periods(numbers, p99, counts, self.length)

    def pooled(self, size: int) -> Periods:
        """`size` periods taken as one: counts added up, p99 by the median of the parts (never averaged)."""
        if size == 1 or not len(self):
            return self
        number, first = np.unique(self.number // size, return_index=True)
        present = np.add.reduceat(np.isfinite(self.counts).astype(np.int64), first, axis=0)
        counts = np.where(present > 0, np.add.reduceat(np.nan_to_num(self.counts), first, axis=0), np.nan)
        grid = np.full((len(number), size), np.nan)
        grid[np.searchsorted(number, self.number // size), self.number % size] = self.p99
        return replace(self, number=number, p99=row_median(grid), counts=counts, length=self.length * size)


@dataclass(frozen=True)
class UsersClock:
    """The wall clock of the service's users. `zone` is an IANA name; raises ZoneInfoNotFoundError for others."""

    zone: str = "UTC"

    def __post_init__(self) -> None:
        ZoneInfo(self.zone)

    def local(self, number: Numbers, length: int) -> Numbers:
        """The numbers of periods when they are counted by this clock."""
        if self.zone == "UTC" or not len(number):
            return number
        halves, which = np.unique(number * length // _HALF_HOUR, return_inverse=True)
        offsets = np.array([_offset(self.zone, int(half)) for half in halves], np.int64)
        local: Numbers = (number * length + offsets[which]) // length
        return local

    def changes(self, first: int, end: int, length: int) -> bool:
        """Whether the clock is put forward or back in these periods, as seen at the beginning of each day."""
        days = np.arange(first * length, end * length + 86_400, 86_400, dtype=np.int64)
        return self.zone != "UTC" and len(np.unique(self.local(days // PERIOD, PERIOD) - days // PERIOD)) > 1


@lru_cache(maxsize=8192)
def _offset(zone: str, half_hour: int) -> int:
    """Seconds that the zone's clock is ahead of UTC in a half hour counted since 1970."""
    offset = datetime.fromtimestamp(half_hour * _HALF_HOUR, UTC).astimezone(ZoneInfo(zone)).utcoffset()
    return int(offset.total_seconds()) if offset is not None else 0


def pool_size(past: Periods, requests: int, share: float = 0.75) -> int | None:
    """The number of periods to pool so that a share of them holds `requests`; None when two hours do not.

    Hours in which the service is hardly used at all, as an office's nights, do not count.
    """
    if not len(past):
        return None
    counts = np.nan_to_num(past.dense(int(past.number[0]), past.last).requests)
    for size in POOLS:
        sums = counts[: len(counts) // size * size].reshape(-1, size).sum(axis=1)
        used = sums[sums >= HARDLY_USED * np.quantile(sums, 0.95)] if len(sums) else sums
        if len(used) and np.quantile(used, 1 - share) >= requests:
            return size
    return None


def first_run(marks: Marks, often: int, last: int) -> int | None:
    """The first place at which `often` of the `last` marks up to it are set."""
    total: Numbers = np.concatenate([[0], np.cumsum(marks)])
    recent = total[1:] - total[np.maximum(np.arange(len(marks)) + 1 - last, 0)]
    fired = recent >= often
    return int(np.argmax(fired)) if fired.any() else None


def trailing_sum(number: Numbers, values: Floats, span: int) -> Floats:
    """For each period the sum over the `span` periods of time that end with it."""
    total: Floats = np.concatenate([[0.0], np.cumsum(values)])
    sums: Floats = total[1:] - total[np.searchsorted(number, number - span, side="right")]
    return sums


def row_median(table: Floats, least: int = 1) -> Floats:
    """The median of each row without its NaN; NaN where fewer than `least` values are left."""
    ranked = np.sort(table, axis=1)  # NaN last
    count = np.isfinite(ranked).sum(axis=1)
    rows, middle = np.arange(len(ranked)), np.maximum(count - 1, 0)
    median: Floats = (ranked[rows, middle // 2] + ranked[rows, (middle + 1) // 2]) / 2
    median[count < max(1, least)] = np.nan
    return median
