"""Generated and recorded traffic of healthy services, for `benchmarks/health.py`.

Every shape is a day and a week with its own rhythm, volume and speed; p99 follows the load along a convex curve, with
noise that lasts minutes to hours, a level that drifts from day to day, heavy-tailed spikes, the scatter of
a percentile of few requests, and incidents of up to an hour: the service's own, which no change caused.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from optimizer.model.health import Sample, Samples

DAY = 288  # periods
DAYS = 98
START = datetime(2027, 1, 4, tzinfo=UTC)  # a Monday
Floats = NDArray[np.float64]
Marks = NDArray[np.bool_]
Labels = Sequence[tuple[str, str]]  # begin and end of each incident, ISO 8601 without a zone


@dataclass(frozen=True)
class Shape:
    """Shape of one kind of service; p99 in milliseconds, `requests` in a day."""

    name: str
    requests: float = 2e6
    p99: float = 95.0
    by_load: float = 25.0  # ms at the mean load, and 0.4 of it more by the load's square
    daily: float = 0.6
    weekend: float = 0.55
    noise: float = 0.035
    scatter: float = 0.05
    spikes: float = 0.004  # of the periods
    growth: float = 0.0  # of requests, in a week
    bursts: float = 0.0  # in a day
    lost: float = 0.0  # of the periods, in runs of up to half an hour
    job: int = 0  # periods of a job that doubles p99, every few nights
    job_every: int = 1
    incidents: float = 0.0  # of the service's own, a year
    office: bool = False  # by local hours, with steep ramps
    zone: str = "UTC"


PLAIN = Shape("plain")
SHAPES = (
    PLAIN,
    Shape("office hours", office=True, weekend=0.3, zone="Europe/Berlin"),
    Shape("bursts", bursts=4.0, daily=0.3, spikes=0.01, scatter=0.07),
    Shape("fast, 12 ms", p99=9.0, by_load=2.5, requests=8e6),
    Shape("growing 4 % a week", growth=0.04),
    Shape("flat", daily=0.1, weekend=0.95, by_load=5.0),
    Shape("thin, 150k a day", requests=1.5e5, scatter=0.06),
    Shape("with gaps", lost=0.01),
    Shape("large, 40M a day", requests=4e7, daily=0.7),
)


@dataclass(frozen=True)
class Weeks:
    """One service's history in 5-minute periods; NaN: no datapoint."""

    requests: Floats
    errors: Floats
    p99: Floats
    zone: str = "UTC"
    others: Mapping[str, Floats] = field(default_factory=dict)
    groups: Mapping[str, Weeks] = field(default_factory=dict)
    incidents: Marks | None = None  # periods of the recording's own, where somebody labelled them

    def samples(self, first: int, end: int) -> Samples:
        """The periods from `first` up to `end`, with those of the target groups."""
        groups = {name: list(part.samples(first, end)) for name, part in self.groups.items()}
        return Samples(self._all[first:end], groups, self.zone)

    def has_incident(self, first: int, end: int) -> bool:
        """Whether an incident of the recording's own lies in these periods."""
        return self.incidents is not None and bool(self.incidents[first:end].any())

    @cached_property
    def _all(self) -> list[Sample]:
        """All samples; a value that is zero or unknown has no datapoint."""
        columns = {"requests": self.requests, "target_5xx": self.errors, "p99_ms": self.p99, **self.others}
        known = {name: [v if v > 0 else None for v in values.tolist()] for name, values in columns.items()}
        at = [START + timedelta(minutes=5 * n) for n in range(len(self.requests))]
        return [Sample(at=at[n], elb_5xx=None, **{k: v[n] for k, v in known.items()}) for n in range(len(at))]


def live(shape: Shape, random: np.random.Generator, days: int = DAYS) -> Weeks:
    """A history of `days` days of one healthy service of that shape, with its own incidents."""
    n = np.arange(days * DAY)
    mean = shape.requests / DAY
    demand = mean * _rhythm(shape, n) * (1 + shape.growth) ** (n / DAY / 7)
    demand *= np.exp(noise(n.size, 0.98, 0.06, random))
    for at in random.integers(0, n.size, random.poisson(shape.bursts * days)):
        demand[at : at + random.integers(2, 9)] *= random.uniform(1.2, 2.5)
    requests = random.poisson(np.maximum(demand, 0.05)).astype(float)
    p99 = latency(shape, requests / mean) * np.exp(noise(n.size, 0.95, shape.noise, random))
    p99 *= np.exp(random.normal(0, np.hypot(shape.scatter, 1.6 / np.sqrt(np.maximum(requests, 20))), n.size))
    p99 *= np.exp(np.cumsum(random.normal(0, 0.02, days)).clip(-0.06, 0.06))[n // DAY]
    p99 *= np.where(random.random(n.size) < shape.spikes, 1 + random.pareto(2.5, n.size), 1.0)
    for at in random.integers(0, n.size, random.poisson(shape.incidents * days / 365)):
        p99[at : at + random.integers(3, 12)] *= random.uniform(1.2, 2.0)
    if shape.job:
        for night in range(0, days, shape.job_every):
            at = night * DAY + 36 + int(random.integers(0, 2))  # three o'clock
            p99[at : at + shape.job] *= 2.0
    p99[requests == 0] = np.nan
    for at in random.integers(0, n.size, random.poisson(shape.lost * n.size / 3)):
        gap = slice(at, at + random.integers(1, 6))
        requests[gap], p99[gap] = np.nan, np.nan
    errors = random.poisson(np.nan_to_num(requests) * 0.0005).astype(float)
    return Weeks(requests, errors, p99, shape.zone)


def latency(shape: Shape, load: Floats) -> Floats:
    """The p99 at a load, where 1 is the mean load."""
    return shape.p99 + shape.by_load * load + 0.4 * shape.by_load * load**2


def noise(size: int, memory: float, spread: float, random: np.random.Generator) -> Floats:
    """Autocorrelated noise with the given standard deviation."""
    steps = random.normal(0, spread * np.sqrt(1 - memory**2), size)
    out = np.empty(size)
    level = 0.0
    for index, step in enumerate(steps.tolist()):
        level = memory * level + step
        out[index] = level
    return out


def _rhythm(shape: Shape, n: NDArray[np.int64]) -> Floats:
    offset = 0.0 * n
    if shape.zone != "UTC":
        zone = ZoneInfo(shape.zone)
        days = [(START + timedelta(hours=int(h))).astimezone(zone).utcoffset() for h in range(len(n) // 12 + 1)]
        offset = np.array([each.total_seconds() / 300 if each else 0.0 for each in days])[n // 12]
    at = n + offset
    day = at % DAY / DAY
    weekend = np.where(at // DAY % 7 >= 5, shape.weekend, 1.0)
    daily = 1 + shape.daily * np.sin(2 * np.pi * (day - 0.35)) + shape.daily / 6 * np.sin(4 * np.pi * day)
    if shape.office:
        daily = 0.4 + 1.6 / (1 + np.exp(-(day * 24 - 8.5) * 3)) / (1 + np.exp((day * 24 - 18) * 2))
    rhythm: Floats = daily * weekend
    return rhythm


def recorded(
    folder: Path, random: np.random.Generator, labels: Mapping[str, Labels] | None = None
) -> dict[str, Callable[[], Weeks]]:
    """Services whose requests or p99 follow the 5-minute series in a folder's CSV files (timestamp, value).

    A recording shorter than `DAYS` is repeated, each time with its own noise. `labels`: by name, the incidents.
    """
    known = labels or {}
    return {path.stem: partial(_follow, path, known.get(path.stem), random) for path in sorted(folder.glob("*.csv"))}


def _follow(path: Path, labels: Labels | None, random: np.random.Generator) -> Weeks:
    with path.open() as lines:
        slots = {_slot(row["timestamp"]): float(row["value"]) for row in csv.DictReader(lines)}
    first = min(slots)
    length = max(slots) - first + 1
    week = length // (7 * DAY) * 7 * DAY or length
    values = np.array([slots.get(first + n, np.nan) for n in range(week)])
    ill = np.zeros(week, np.bool_)
    for begin, end in labels or ():
        ill[max(0, _slot(begin) - first) : max(0, _slot(end) - first)] = True
    shift = int(random.integers(0, week))
    series, incidents = (np.roll(np.tile(each, DAYS * DAY // week + 1), -shift)[: DAYS * DAY] for each in (values, ill))
    series = series * np.exp(noise(series.size, 0.95, 0.05, random))
    plain = live(PLAIN, random)
    of_its_own = None if labels is None else incidents.astype(np.bool_)
    if "request" in path.stem or "network" in path.stem:
        requests = np.round(series / np.nanmean(series) * 7_000)
        p99 = latency(PLAIN, np.nan_to_num(requests) / 7_000) * plain.p99 / latency(PLAIN, plain.requests / 7_000)
        errors = random.poisson(np.nan_to_num(requests) * 0.0005).astype(float)
        return Weeks(requests, errors, p99, incidents=of_its_own)
    p99 = 100 + 100 * series / np.nanpercentile(series, 99)
    p99 *= np.exp(random.normal(0, 0.05, series.size))
    return Weeks(plain.requests, plain.errors, p99, incidents=of_its_own)


def _slot(timestamp: str) -> int:
    return int(datetime.fromisoformat(timestamp).replace(tzinfo=UTC).timestamp()) // 300
