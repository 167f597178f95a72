"""One Region over a range of periods: its resources, its requests, and their load on the resources.

All constants of the workload's rhythm and of a request's cost are here and in the modules of the
services: one set for all scenarios. Only tenants and requests per day come from the scenario.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from emulator.core.instance_types import usable_cache_bytes, vcpus
from emulator.workload.indexes import ANCHOR, BY_CALENDAR, HOUR, PER_REQUEST
from emulator.workload.noise import DAY, PERIOD, Array, Noise
from emulator.workload.snapshot import NOTHING, Configuration, RegionSnapshot
from emulator.workload.spec import IndexJob, WorkloadSpec

# Requests by hour of the users' day: a business platform in the Americas and Europe. Mean 1.
_HOURS = (0.86, 0.76, 0.68, 0.62, 0.58, 0.60, 0.66, 0.76, 0.88, 1.00, 1.06, 1.08,
          1.14, 1.24, 1.34, 1.40, 1.42, 1.40, 1.34, 1.26, 1.18, 1.10, 1.02, 0.94)  # fmt: skip
_WEEKDAYS = (1.06, 1.09, 1.10, 1.08, 1.04, 0.84, 0.79)  # Monday first. Mean 1.
_HOURLY_DRIFT, _PERIOD_NOISE, _BURST = 0.04, 0.03, 0.25

REQUEST_VCPU_SECONDS = 0.45  # the fleet's work for one request
IDLE_CPU = 0.005  # operating system and agents, of each instance
_SATURATION = 0.97  # beyond this utilization requests are lost

# Aurora: processor seconds of one request on the writer, and on all readers together.
WRITER_VCPU_SECONDS, READER_VCPU_SECONDS = 0.032, 0.040
CACHE_BYTES_PER_TENANT = 9 * 1024**2

_THURSDAY = 3  # 1970-01-01


@dataclass(frozen=True)
class Effects:
    """Effects of the scenario's events, period by period."""

    p99_factor: Array
    error_rate: Array
    outage: NDArray[np.bool_]
    silent: NDArray[np.bool_]
    queries: Mapping[tuple[str, str], Array] = field(default_factory=dict)  # of one request, by table and index
    slower_paths: Mapping[str, Array] = field(default_factory=dict)  # times p99, by target group
    failing_paths: Mapping[str, Array] = field(default_factory=dict)  # share of the requests, by target group
    unserved: Mapping[str, Array] = field(default_factory=dict)  # share of the requests, by the fields of Unserved


@dataclass(frozen=True)
class Scene:
    """The periods from `start` up to `stop` (counted in 300 s since 1970) of one Region.

    `timeline` is the account's history: pairs of a Unix second and the configuration from then on.
    """

    region: str
    start: int
    stop: int
    load: WorkloadSpec
    timeline: Sequence[tuple[float, Configuration]]
    effects: Effects
    noise: Noise
    jobs: tuple[IndexJob, ...] = ()

    @cached_property
    def periods(self) -> NDArray[np.int64]:
        return np.arange(self.start, self.stop, dtype=np.int64)

    @cached_property
    def _in_force(self) -> tuple[int, NDArray[np.int64]]:
        """The first configuration that matters, and by period the index of the one in force at its middle."""
        since = np.array([at for at, _ in self.timeline])
        place = np.searchsorted(since, (self.periods + 0.5) * PERIOD, side="right") - 1
        return (int(place.min()), place) if len(place) else (0, place)

    def of(self, value: Callable[[RegionSnapshot], float]) -> Array:
        """A figure of the configuration in force, period by period; before the first one, of an empty Region."""
        first, place = self._in_force
        if not len(place):
            return np.zeros(0)
        values = [
            value(self.timeline[each][1].get(self.region, NOTHING) if each >= 0 else NOTHING)
            for each in range(first, int(place.max()) + 1)
        ]
        return np.array(values, dtype=np.float64)[place - first]

    def white(self, name: str) -> Array:
        return self.noise.white(name, self.start, self.stop)

    def wander(self, name: str, hours: int) -> Array:
        return self.noise.wander(name, self.start, self.stop, hours)

    def bursts(self, name: str, *, per_day: float, longest: int, highest: float) -> Array:
        return self.noise.bursts(name, self.start, self.stop, per_day=per_day, longest=longest, highest=highest)

    def drawn(self, name: str, expected: Array) -> Array:
        """A random whole number around its expectation: Poisson, in its normal approximation."""
        result: Array = np.floor(np.maximum(expected + np.sqrt(expected) * self.white(name) + 0.5, 0.0))
        return result

    @cached_property
    def rhythm(self) -> Array:
        """Requests relative to their mean, by hour and day of the week alone."""
        if self.load.rhythm is not None:
            hours = (self.periods * PERIOD // 3600 + _THURSDAY * 24) % len(self.load.rhythm)
            own: Array = np.array(self.load.rhythm)[hours]
            return own
        periods = self.periods + _ahead_of_utc(self.load.zone, self.periods)
        hour = (periods % DAY) * (24 / DAY)
        daily = np.interp(hour, np.arange(25), [*_HOURS, _HOURS[0]])
        weekday = (periods // DAY + _THURSDAY) % 7
        result: Array = daily * np.array(_WEEKDAYS)[weekday]
        return result

    @cached_property
    def demand(self) -> Array:
        """Requests that clients send in each period, answered or not."""
        noise = np.exp(_HOURLY_DRIFT * self.wander("demand drift", 1) + _PERIOD_NOISE * self.white("demand"))
        burst = 1 + self.bursts("demand burst", per_day=1.5, longest=4, highest=_BURST)
        usual = self.load.requests_per_day / DAY * self.rhythm * noise * burst
        result: Array = np.floor(usual * self._grown * self._spiked)
        return result

    @cached_property
    def _grown(self) -> Array:
        """Factor on the workload's numbers by its growth."""
        if (growth := self.load.growth) is None:
            return np.ones(len(self.periods))
        months = (self.periods * PERIOD - growth.at.timestamp()) / (30 * 86_400)
        result: Array = (1 + growth.percent / 100) ** months
        return result

    @cached_property
    def _spiked(self) -> Array:
        if (spike := self.load.spike) is None:
            return np.ones(len(self.periods))
        since = self.periods * PERIOD - spike.at.timestamp()
        return np.where((since >= 0) & (since < spike.hours * 3600), spike.factor, 1.0)

    @cached_property
    def fleet_vcpus(self) -> Array:
        return self.of(lambda r: sum(vcpus(kind) for fleet in r.fleets.values() for _, kind in fleet.instances))

    @cached_property
    def fleet_utilization(self) -> Array:
        """Utilization of the fleet's processors: 0 to above 1 when the load exceeds their capacity."""
        asked = self.demand / PERIOD * REQUEST_VCPU_SECONDS * self.load.work.fleet
        return IDLE_CPU + asked / np.maximum(self.fleet_vcpus, 1e-9)

    @cached_property
    def lost(self) -> Array:
        """The share of requests that a saturated or absent fleet fails."""
        return np.clip(1 - _SATURATION / np.maximum(self.fleet_utilization, _SATURATION), 0.0, 1.0)

    @cached_property
    def denied(self) -> Array:
        """The share of requests that fail because they query an index that is denied or being deleted."""
        share = np.zeros(len(self.periods))
        for table, index in {**PER_REQUEST, **self.effects.queries}:
            share += self.index_queries(table, index) * self.unreadable(table, index)
        return np.clip(share, 0.0, 1.0)

    def index_queries(self, table: str, index: str) -> Array:
        """Queries of this index by one request."""
        usual = np.full(len(self.periods), PER_REQUEST.get((table, index), 0.0))
        return usual + self.effects.queries.get((table, index), 0.0)

    def unreadable(self, table: str, index: str) -> Array:
        """1 while the index is denied or being deleted, else 0."""
        return self.of(lambda r: index in r.unreadable.get(table, ()))

    def by_calendar(self, table: str, index: str) -> Array:
        """Queries of the jobs that use this index, all in the five minutes in which a job runs."""
        found = np.zeros(len(self.periods))
        day, place = self.periods // DAY, self.periods % DAY
        for job in (*BY_CALENDAR, *self.jobs):
            if (job.table, job.index) == (table, index):
                runs = ((day - ANCHOR) % job.every_days == 0) & (place == HOUR * DAY // 24)
                found += np.where(runs, job.queries, 0.0)
        return found

    @cached_property
    def writer_utilization(self) -> Array:
        """Utilization of the Aurora writer's processors, with the reads when there is no reader; 0 without a writer."""
        reads = np.where(self.reader_vcpus > 0, 0.0, READER_VCPU_SECONDS * self.load.work.readers)
        writes = WRITER_VCPU_SECONDS * self.load.work.writer
        asked = self.demand / PERIOD * (writes + reads * self.cache_pressure)
        return np.where(self.writer_vcpus > 0, asked / np.maximum(self.writer_vcpus, 1), 0.0)

    @cached_property
    def reader_utilization(self) -> Array:
        """Utilization of all Aurora readers' processors; 0 without a reader."""
        asked = self.demand / PERIOD * READER_VCPU_SECONDS * self.load.work.readers * self.cache_pressure
        return np.where(self.reader_vcpus > 0, asked / np.maximum(self.reader_vcpus, 1), 0.0)

    @cached_property
    def writer_vcpus(self) -> Array:
        return self.of(lambda r: sum(_database_vcpus(r, writing=True)))

    @cached_property
    def reader_vcpus(self) -> Array:
        return self.of(lambda r: sum(_database_vcpus(r, writing=False)))

    @cached_property
    def cache_bytes_wanted(self) -> Array:
        """Bytes that the platform would store in the cache without a limit, all shards together."""
        drift: Array = 1 + 0.03 * self.wander("cache bytes", 6)
        return self.load.tenants * CACHE_BYTES_PER_TENANT * drift * self._grown

    @cached_property
    def cache_usable(self) -> Array:
        return self.of(lambda r: sum(usable_cache_bytes(c.node_type) * len(c.shards) for c in r.caches.values()))

    @cached_property
    def cache_pressure(self) -> Array:
        """Factor on the database's reads because data does not fit into the cache; 1 if all fits or without a cache."""
        missing = np.clip(1 - self.cache_usable / np.maximum(self.cache_bytes_wanted, 1), 0.0, 1.0)
        return np.where(self.cache_usable > 0, 1 + 4 * missing, 1.0)


def _database_vcpus(region: RegionSnapshot, *, writing: bool) -> list[int]:
    return [
        vcpus(kind)
        for database in region.databases.values()
        if not database.secondary
        for instance, kind in database.instances
        if (instance == database.writer) is writing
    ]


def _ahead_of_utc(zone: str, periods: NDArray[np.int64]) -> NDArray[np.int64]:
    """The number of periods by which a zone's clock is ahead of UTC in each period."""
    if zone == "UTC" or not len(periods):
        return np.zeros(len(periods), np.int64)
    hours, which = np.unique(periods * PERIOD // 3600, return_inverse=True)
    clock = ZoneInfo(zone)
    offsets = [datetime.fromtimestamp(int(each) * 3600, clock).utcoffset() or timedelta() for each in hours]
    ahead: NDArray[np.int64] = np.array([int(each.total_seconds()) // PERIOD for each in offsets], np.int64)[which]
    return ahead
