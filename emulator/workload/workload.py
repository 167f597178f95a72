"""The metrics of the emulated account, over all of its life: computed on each request, stored nowhere.

A datapoint is a function of the workload's constants, the seed, the scenario's events and the
account's successive configurations. Only the configurations and the milestones are stored.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from emulator.workload.disturbances import Disturbances
from emulator.workload.metric_catalog import Signal, find
from emulator.workload.noise import PERIOD, Array, Noise
from emulator.workload.points import Points, statistic
from emulator.workload.scene import Effects, Scene
from emulator.workload.snapshot import Configuration, configuration
from emulator.workload.spec import IndexJob, WorkloadEvent, WorkloadSpec

if TYPE_CHECKING:
    from collections.abc import Callable

LAG = 120  # seconds until CloudWatch shows a sample; a careful reader waits much longer
_SCENES_KEPT = 8
T = TypeVar("T")


@dataclass
class Sources:
    """The account's source of metrics; None until there is a workload."""

    workload: Workload | None = None


class ObservedAccount(Protocol):
    """The part of the emulated account that the workload uses."""

    production: str

    def on_change(self, callback: Callable[[datetime], None]) -> None: ...
    def part(self, kind: type[T]) -> T: ...


@dataclass(frozen=True)
class MetricRequest:
    """Whole periods, from `start` up to `end`, in Unix seconds; `period` in seconds, a multiple of 60."""

    start: int
    end: int
    period: int

    def starts(self) -> NDArray[np.int64]:
        return np.arange(self.start, self.end, self.period, dtype=np.int64)


@dataclass(frozen=True)
class MetricSamples:
    """One metric over a range, before any statistic: `factor` parts make one period of the answer.

    `at` is the Unix second at which each period of the answer begins.
    """

    unit: str
    at: NDArray[np.int64]
    points: Points
    factor: int

    def statistic(self, name: str) -> tuple[NDArray[np.int64], Array]:
        """The periods that hold a datapoint, and the statistic there. ValueError for an unknown statistic."""
        values = statistic(self.points, name, self.factor)
        there = ~np.isnan(values)
        return self.at[there], values[there]


class Workload:
    """The production account's users over time, and the metrics that they cause."""

    def __init__(
        self,
        spec: WorkloadSpec,
        account: ObservedAccount,
        seed: int,
        *,
        events: Sequence[WorkloadEvent],
        jobs: Sequence[IndexJob] = (),
    ) -> None:
        self._spec = spec
        self._account = account
        self._noise = Noise(seed)
        self._events = tuple(events)
        self._jobs = tuple(jobs)
        self._milestones: dict[str, float] = {}
        self._timeline: list[tuple[float, Configuration]] = []
        self._scenes: dict[tuple[object, ...], Scene] = {}
        account.on_change(self._observe)
        account.part(Sources).workload = self
        self._disturbances = account.part(Disturbances)

    def expect(self, events: Sequence[WorkloadEvent]) -> None:
        """Expect these events from now on; no event, new or old, may have begun already."""
        self._events = tuple(events)

    def milestone(self, name: str, at: datetime) -> None:
        """Record a milestone that events depend on, such as `phase2.applied`. Only the first time counts."""
        self._milestones.setdefault(name, at.timestamp())

    def moments(self) -> list[datetime]:
        """Known begins and ends of the events whose milestones were reached."""
        found = {second for event in self._events for second in self._span(event) if np.isfinite(second)}
        return [datetime.fromtimestamp(second, UTC) for second in sorted(found)]

    def onsets(self) -> list[datetime]:
        """Begins of a worse service, from the events whose milestones were reached."""
        worse = [each for each in self._events if each.p99_factor > 1 or each.error_rate or each.outage]
        begun = (self._span(event)[0] for event in worse)
        return [datetime.fromtimestamp(second, UTC) for second in sorted(begun) if np.isfinite(second)]

    def lacks(self, kind: str, now: datetime) -> bool:
        """Whether the scenario lets AWS have no capacity for instances or nodes of this type now."""
        return any(kind in event.no_capacity for event in self._happening(now))

    def fails(self, service: str, now: datetime) -> bool:
        """Whether the control plane of this service (boto3's name) is down now."""
        return any(service in event.failing for event in self._happening(now))

    def build_limit(self, now: datetime) -> int | None:
        """The account's limit of concurrent builds now; None without a limit."""
        return min((each.build_limit for each in self._happening(now) if each.build_limit), default=None)

    def unhealthy_above(self, now: datetime) -> float | None:
        """CPU in percent above which instances fail their health checks now; None: they fail none."""
        return min((each.unhealthy_above for each in self._happening(now) if each.unhealthy_above), default=None)

    def may_turn_unhealthy(self, now: datetime) -> bool:
        """Whether instances fail their health checks now or later, by the events whose milestones were reached."""
        spans = [self._span(each) for each in self._events if each.unhealthy_above]
        return any(np.isfinite(begin) and now.timestamp() < end for begin, end in spans)

    def fleet_cpu(self, region: str, now: datetime) -> float:
        """CPU demand of the Region's fleets now, in percent; above 100 when it exceeds their capacity."""
        period = int(now.timestamp()) // PERIOD
        present = [(0.0, each) for _, each in self._timeline[-1:]]  # even if it has just become so
        scene = self.scene_of(present, region, period, period + 1)
        return float(100 * scene.fleet_utilization[0])

    def failover_seconds(self, now: datetime) -> float | None:
        """Seconds that a failover takes if it begins now; None: the usual time."""
        lengths = [event.failover_seconds for event in self._happening(now) if event.failover_seconds is not None]
        return max(lengths, default=None)

    def _happening(self, now: datetime) -> Iterator[WorkloadEvent]:
        for event in self._events:
            begin, end = self._span(event)
            if begin <= now.timestamp() < end:
                yield event

    def _observe(self, at: datetime) -> None:
        self.remember(at, configuration(self._account.production))

    def remember(self, at: datetime, present: Configuration) -> None:
        """Record the account's configuration from `at` on."""
        if not self._timeline or self._timeline[-1][1] != present:
            self._timeline.append((at.timestamp(), present))

    def samples(
        self, region: str, namespace: str, name: str, dimensions: Mapping[str, str], asked: MetricRequest, now: datetime
    ) -> MetricSamples | None:
        """One metric as known at `now`; None when the account publishes no such metric."""
        signal = find(namespace, name)
        if signal is None or not self._timeline:
            return None
        first, stop = asked.start // PERIOD, -(-asked.end // PERIOD)
        scene = self._scene(region, first, stop)
        points = signal.points(scene, dimensions)
        if points is None:
            return None
        points = _published(points.only(~scene.effects.silent), scene, signal, now.timestamp())
        if asked.period % PERIOD == 0:
            return MetricSamples(signal.unit, asked.starts(), points, asked.period // PERIOD)
        return MetricSamples(
            signal.unit, asked.starts(), _by_the_minute(points, signal, asked, first), asked.period // 60
        )

    @property
    def timeline(self) -> Sequence[tuple[float, Configuration]]:
        """The account's configurations, each with the Unix second from which on it held."""
        return tuple(self._timeline)

    def scene_of(self, timeline: Sequence[tuple[float, Configuration]], region: str, start: int, stop: int) -> Scene:
        """The scene of a range under another history than the account's own. Not cached."""
        effects = self._effects(start, stop)
        return Scene(region, start, stop, self._spec, timeline, effects, self._noise, self._jobs)

    def _scene(self, region: str, start: int, stop: int) -> Scene:
        """The scene of a range, shared by the metrics of one query."""
        key = (region, start, stop, len(self._timeline), len(self._milestones), len(self._disturbances))
        if key not in self._scenes:
            while len(self._scenes) >= _SCENES_KEPT:
                del self._scenes[next(iter(self._scenes))]
            self._scenes[key] = Scene(
                region,
                start,
                stop,
                self._spec,
                tuple(self._timeline),
                self._effects(start, stop),
                self._noise,
                self._jobs,
            )
        return self._scenes[key]

    def _effects(self, start: int, stop: int) -> Effects:
        middle = (np.arange(start, stop) + 0.5) * PERIOD
        p99_factor, error_rate = np.ones(len(middle)), np.zeros(len(middle))
        outage, silent = np.zeros(len(middle), dtype=bool), np.zeros(len(middle), dtype=bool)
        queries: dict[tuple[str, str], Array] = {}
        slower: defaultdict[str, Array] = defaultdict(lambda: np.ones(len(middle)))
        failing: defaultdict[str, Array] = defaultdict(lambda: np.zeros(len(middle)))
        unserved: defaultdict[str, Array] = defaultdict(lambda: np.zeros(len(middle)))
        for job in self._spec.nightly_jobs:
            since = (middle - 3600 * job.hour) % 86_400
            p99_factor[since < 60 * job.minutes] *= job.p99_factor
        for event in self._events:
            begin, end = self._span(event)
            during = (middle >= begin) & (middle < end)
            (p99_factor if event.path is None else slower[event.path])[during] *= event.p99_factor
            (error_rate if event.path is None else failing[event.path])[during] += event.error_rate
            outage |= during & event.outage
            silent |= during & event.silent
            for name, share in event.unserved or ():
                unserved[name] += share * during
            if asked := event.queries:
                before = queries.get((asked.table, asked.index), np.zeros(len(middle)))
                queries[asked.table, asked.index] = before + asked.per_request * during
        starts = np.arange(start, stop) * float(PERIOD)
        for each in self._disturbances:
            seconds = np.minimum(starts + PERIOD, each.end) - np.maximum(starts, each.begin)
            error_rate += each.error_rate * np.maximum(seconds, 0.0) / PERIOD
        return Effects(p99_factor, error_rate, outage, silent, queries, slower, failing, unserved)

    def _span(self, event: WorkloadEvent) -> tuple[float, float]:
        """Begin and end of an event; infinite until its milestone is reached."""
        reached = self._milestones.get(event.on, np.inf)
        if event.until_minutes is not None:
            end = reached + 60 * event.until_minutes
        else:
            end = self._milestones.get(event.until or "", np.inf)
        return reached + 60 * event.after_minutes, end


def _published(points: Points, scene: Scene, signal: Signal, now: float) -> Points:
    """The samples that CloudWatch shows already: the last period has only those of its first minutes."""
    if (scene.stop * PERIOD + LAG) <= now:
        return points
    minutes = np.clip((now - LAG - scene.periods * PERIOD) // 60, 0, 5)
    return points.so_far(minutes / 5) if signal.resolution == 60 else points.only(minutes == 5)


def _by_the_minute(points: Points, signal: Signal, asked: MetricRequest, first: int) -> Points:
    """A finer view: a 60-second metric's samples divided over the minutes, a 300-second one's in the first."""
    fine = points.repeated(5, evenly=signal.resolution == 60)
    offset = (asked.start - first * PERIOD) // 60
    return fine.between(offset, offset + (asked.end - asked.start) // 60)
