"""Five-minute periods as arrays, and what four weeks of them let expect of each hour of the week."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

PERIOD = 300  # seconds
WEEK = 7 * 24 * 3600
WEEKS = 4
NEIGHBOURHOOD = 1800  # seconds to either side that count as the same hour of the week
POOLS = (1, 2, 3, 4, 6, 8, 12, 24)  # periods taken together; each divides a week, the last is two hours


@dataclass(frozen=True)
class Periods:
    """Periods in rising order, each once. `number` counts them since 1970; NaN: no datapoint."""

    number: NDArray[np.int64]
    requests: Floats
    target_5xx: Floats
    elb_5xx: Floats
    p99: Floats
    length: int = PERIOD  # seconds

    @classmethod
    def of(cls, rows: Sequence[tuple[float | None, ...]]) -> Periods:
        """From (number, requests, target 5xx, ELB 5xx, p99) in any order.

        Of several readings of one period the larger value counts: a sum only grows while it settles.
        """
        table = np.array(rows, np.float64).reshape(-1, 5)
        number, values = table[:, 0].astype(np.int64), table[:, 1:]
        values[~np.isfinite(values) | (values < 0)] = np.nan
        if np.any(number[1:] <= number[:-1]):
            order = np.argsort(number, kind="stable")
            number, first = np.unique(number[order], return_index=True)
            values = np.fmax.reduceat(values[order], first, axis=0)
        requests, target, elb, p99 = values.T
        return cls(number, requests, target, elb, p99)

    def __len__(self) -> int:
        return len(self.number)

    @property
    def last(self) -> int:
        """The number after the last period's; 0 when there is none."""
        return int(self.number[-1]) + 1 if len(self) else 0

    @cached_property
    def measured(self) -> NDArray[np.bool_]:
        """Where requests came and were timed: ALB publishes nothing without traffic."""
        return (self.requests > 0) & np.isfinite(self.p99)

    @cached_property
    def errors(self) -> Floats:
        """5xx of targets and load balancer; no datapoint means none."""
        return np.nan_to_num(self.target_5xx) + np.nan_to_num(self.elb_5xx)

    @cached_property
    def attempts(self) -> Floats:
        """RequestCount counts only requests that got a target: the load balancer's own errors come on top."""
        return np.nan_to_num(self.requests) + np.nan_to_num(self.elb_5xx)

    def where(self, kept: NDArray[np.bool_] | slice) -> Periods:
        """A part of the periods."""
        return Periods(
            self.number[kept],
            self.requests[kept],
            self.target_5xx[kept],
            self.elb_5xx[kept],
            self.p99[kept],
            self.length,
        )

    def between(self, first: int, end: int) -> Periods:
        """The periods numbered from `first` up to before `end`."""
        low, high = np.searchsorted(self.number, (first, end))
        return self.where(slice(int(low), int(high)))

    def until(self, now: int) -> Periods:
        """The periods that were over at a Unix second."""
        return self.between(0, now // self.length)

    def pooled(self, size: int) -> Periods:
        """`size` periods taken as one: counts added up, p99 by the median of the parts (never averaged)."""
        if size == 1 or not len(self):
            return self
        number, first = np.unique(self.number // size, return_index=True)
        requests, target, elb = (_added(each, first) for each in (self.requests, self.target_5xx, self.elb_5xx))
        grid = np.full((len(number), size), np.nan)
        grid[np.searchsorted(number, self.number // size), self.number % size] = self.p99
        return Periods(number, requests, target, elb, row_median(grid), self.length * size)


class Season:
    """The usual p99 of each period of the week: the median over four weeks before `end`, by neighbours too."""

    def __init__(self, past: Periods, end: int) -> None:
        slots = WEEK // past.length
        past = past.between(end - WEEKS * slots, end)
        weeks = np.full((WEEKS, slots), np.nan)
        weeks[(end - 1 - past.number) // slots, past.number % slots] = past.p99
        reach = max(1, NEIGHBOURHOOD // past.length)
        near = np.concatenate([np.roll(weeks, shift, axis=1) for shift in range(-reach, reach + 1)])
        self._usual = row_median(near.T, least=len(near) // 4)

    def of(self, number: NDArray[np.int64]) -> Floats:
        """The usual p99 in milliseconds for each period number; NaN where the past is silent."""
        return self._usual[number % len(self._usual)]


def pool_size(past: Periods, requests: int) -> int | None:
    """How many periods to take as one so that three in four hold `requests`; None when two hours do not."""
    if not len(past):
        return None
    counts = np.zeros(past.last - int(past.number[0]))
    counts[past.number - past.number[0]] = np.nan_to_num(past.requests)
    for size in POOLS:
        sums = counts[: len(counts) // size * size].reshape(-1, size).sum(axis=1)
        if len(sums) and np.percentile(sums, 25) >= requests:
            return size
    return None


def first_run(marks: NDArray[np.bool_], often: int, last: int) -> int | None:
    """The first place at which `often` of the `last` marks up to it are set."""
    total: NDArray[np.int64] = np.concatenate([[0], np.cumsum(marks)])
    recent = total[1:] - total[np.maximum(np.arange(len(marks)) + 1 - last, 0)]
    fired = recent >= often
    return int(np.argmax(fired)) if fired.any() else None


def trailing_sum(number: NDArray[np.int64], values: Floats, span: int) -> Floats:
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


def _added(values: Floats, first: NDArray[np.int64]) -> Floats:
    """Sums per group; NaN where no member has a datapoint."""
    present = np.add.reduceat(np.isfinite(values).astype(np.int64), first)
    added: Floats = np.where(present > 0, np.add.reduceat(np.nan_to_num(values), first), np.nan)
    return added
