"""Samples of one metric, period by period, and every statistic that CloudWatch computes from them.

A period holds a number of samples with a mean, a minimum, a maximum, and a distribution (normal,
log-normal, or all samples equal). So percentiles of any longer period are those of the
mixture of its parts, not an average of percentiles.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from emulator.workload.noise import Array

_STANDARD = NormalDist()


@dataclass(frozen=True)
class Points:
    """One metric's samples per period. No samples: no datapoint.

    `centre` and `width` are mean and standard deviation of the samples, or of their logarithms if
    `logarithmic`. A width of zero means that all samples of the period are equal.
    """

    count: Array
    mean: Array
    low: Array
    high: Array
    centre: Array
    width: Array
    logarithmic: bool = False

    @classmethod
    def counter(cls, count: Array) -> Points:
        """Events counted one by one, as by a load balancer: the Sum matters, every other statistic is 1."""
        one = np.ones_like(count)
        return cls(np.floor(count), one, one, one, one, np.zeros_like(count))

    @classmethod
    def gauge(cls, value: Array, present: NDArray[np.bool_] | None = None) -> Points:
        """One reading in each period in which `present` is true."""
        count = np.ones_like(value) if present is None else present.astype(np.float64)
        return cls(count, value, value, value, value, np.zeros_like(value))

    @classmethod
    def total(cls, total: Array, samples: int) -> Points:
        """A quantity reported in equal parts, also when it is zero."""
        count = np.full_like(total, samples)
        part = total / samples
        return cls(count, part, part, part, part, np.zeros_like(part))

    @classmethod
    def spread(cls, count: Array, mean: Array, width: Array, ceiling: float) -> Points:
        """Several readings per period, normally spread around their mean, between 0 and the ceiling."""
        reach = width * np.sqrt(2 * np.log(np.maximum(count, 2)))  # the expected extreme of n normal values
        return cls(count, mean, np.maximum(mean - reach, 0), np.minimum(mean + reach, ceiling), mean, width)

    @classmethod
    def latency(cls, count: Array, median: Array, width: Array) -> Points:
        """Durations: normal in their logarithm, with the given median and width."""
        reach = width * np.sqrt(2 * np.log(np.maximum(count, 2)))
        centre = np.log(median)
        mean = median * np.exp(width**2 / 2)
        return cls(
            np.floor(count), mean, median * np.exp(-reach), median * np.exp(reach), centre, width, logarithmic=True
        )

    def only(self, keep: NDArray[np.bool_]) -> Points:
        """The same without the samples of the other periods."""
        return replace(self, count=np.where(keep, self.count, 0.0))

    def so_far(self, share: Array) -> Points:
        """The same with only this share of each period's samples."""
        return replace(self, count=np.floor(self.count * share))

    def repeated(self, parts: int, *, evenly: bool) -> Points:
        """Each period cut into equal parts: its samples divided evenly, or all in the first part."""
        mean, low, high, centre, width = (
            np.repeat(each, parts) for each in (self.mean, self.low, self.high, self.centre, self.width)
        )
        shares = np.arange(1, parts + 1) / parts if evenly else np.ones(parts)
        count = np.diff(np.floor(self.count[:, None] * shares), axis=1, prepend=0.0).ravel()
        return Points(count, mean, low, high, centre, width, self.logarithmic)

    def between(self, start: int, stop: int) -> Points:
        """The periods from `start` up to `stop`, counted from the first."""
        part = slice(start, stop)
        return Points(
            self.count[part],
            self.mean[part],
            self.low[part],
            self.high[part],
            self.centre[part],
            self.width[part],
            logarithmic=self.logarithmic,
        )


def statistic(points: Points, name: str, factor: int) -> Array:
    """One statistic over every `factor` periods in a row; NaN where there was no sample.

    `name` is SampleCount, Sum, Average, Minimum, Maximum, or p0 to p100. Raises ValueError for others.
    """
    count = points.count.reshape(-1, factor)
    total = count.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        if name == "SampleCount":
            values = total
        elif name == "Sum":
            values = (count * points.mean.reshape(-1, factor)).sum(axis=1)
        elif name == "Average":
            values = (count * points.mean.reshape(-1, factor)).sum(axis=1) / total
        elif name == "Minimum":
            values = np.where(count > 0, points.low.reshape(-1, factor), np.inf).min(axis=1)
        elif name == "Maximum":
            values = np.where(count > 0, points.high.reshape(-1, factor), -np.inf).max(axis=1)
        else:
            values = _percentile(points, percentile_of(name), factor)
    return np.where(total > 0, values, np.nan)


def percentile_of(name: str) -> float:
    """The share that `p99` or `p99.9` names. Raises ValueError for any other text."""
    found = re.fullmatch(r"p(\d{1,3}(?:\.\d{1,10})?)", name)
    share = float(found[1]) / 100 if found else -1.0
    if not 0 <= share <= 1:
        raise ValueError(f"{name!r} is no statistic of this account: SampleCount, Sum, Average, Minimum, Maximum, pNN")
    return share


def _percentile(points: Points, share: float, factor: int) -> Array:
    score = _STANDARD.inv_cdf(min(max(share, 1e-9), 1 - 1e-9))
    each = points.centre + points.width * score
    each = np.clip(np.exp(each) if points.logarithmic else each, points.low, points.high).reshape(-1, factor)
    if factor == 1:
        return each[:, 0]
    count = points.count.reshape(-1, factor)
    if not points.width.any():
        return _weighted(each, count, share)
    return _mixture(points, each, count, share)


def _weighted(each: Array, count: Array, share: float) -> Array:
    """The percentile of readings that are all equal within their period."""
    order = np.argsort(each, axis=1)
    reached = np.cumsum(np.take_along_axis(count, order, axis=1), axis=1)
    place = np.argmax(reached >= np.maximum(share * reached[:, -1:], 1e-9), axis=1)
    found: Array = np.take_along_axis(each, order, axis=1)[np.arange(len(each)), place]
    return found


def _mixture(points: Points, each: Array, count: Array, share: float) -> Array:
    """The percentile of a mixture, by bisection between the lowest and the highest percentile of its parts."""
    lower = np.where(count > 0, each, np.inf).min(axis=1)
    upper = np.where(count > 0, each, -np.inf).max(axis=1)
    lower, upper = np.where(np.isfinite(lower), lower, 0.0), np.where(np.isfinite(upper), upper, 1.0)
    centre, width = points.centre.reshape(count.shape), np.maximum(points.width.reshape(count.shape), 1e-9)
    weight = count / np.maximum(count.sum(axis=1, keepdims=True), 1)
    for _ in range(18):  # 2^-18 of an interval that is already narrow
        middle = (lower + upper) / 2
        at = np.log(np.maximum(middle, 1e-12)) if points.logarithmic else middle
        below = (weight * _normal_cdf((at[:, None] - centre) / width)).sum(axis=1) < share
        lower, upper = np.where(below, middle, lower), np.where(below, upper, middle)
    found: Array = (lower + upper) / 2
    return found


def _normal_cdf(score: Array) -> Array:
    """Abramowitz and Stegun, 7.1.26: exact to 1.5e-7."""
    x = np.abs(score) / np.sqrt(2)
    t = 1 / (1 + 0.3275911 * x)
    tail = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    upper = tail * np.exp(-(x**2)) / 2
    share: Array = np.where(score >= 0, 1 - upper, upper)
    return share
