"""The past of a load balancer or a target group, prepared once, and the verdict on a window of the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from operator import attrgetter

import numpy as np

from optimizer.decide import doubts, limits
from optimizer.decide.expectation import Season
from optimizer.decide.level import RECENT, Level, middle
from optimizer.decide.limits import COUNTED_REQUESTS, ERROR_LIMIT, LimitFinding
from optimizer.decide.periods import (
    COUNTS,
    PERIOD,
    Floats,
    Marks,
    Numbers,
    Periods,
    UsersClock,
    pool_size,
    trailing_sum,
)
from optimizer.model.health import Assessment, Doubt, Health, Sample

SHORTEST_BASELINE = timedelta(days=28)
REPLAYED = timedelta(days=7)  # how far the pre-flight looks back for latency
LEVEL_LIMIT = 1.15  # a level above it lets no phase start
LATE = timedelta(hours=72)  # a breach that long after the change asks a person
SETTLING = timedelta(minutes=10)  # a period this young may still be on its way: not missing yet
BASELINE_SLACK = timedelta(hours=1)  # the last periods before apply had not settled when it was read
JUDGED_SHARE = 0.25  # of the window's periods must hold enough requests to be judged
QUIET_SHARE = 0.95  # of the longer periods hold enough requests, by which quiet hours are judged
PART_PERIODS = 6  # of a target group: in fewer no rule of latency could have found anything but the worst
GROUP_POOL = 12  # periods: a target group that needs longer for 1,000 requests is too thin to be judged


class Past:
    """Four weeks and more of one series of samples: thousands of windows can be judged against it."""

    def __init__(self, samples: Iterable[Sample], zone: str = "UTC", *, is_part: bool = False) -> None:
        """`is_part`: of one target group, whose latency is judged once there was time to measure it."""
        self._is_part = is_part
        self._clock = UsersClock(zone)
        self._fine = _periods(samples)
        self._pool = pool_size(self._fine, COUNTED_REQUESTS)
        self._past = self._fine.pooled(self._pool or 1)
        self._level = Level(self._past, self._clock)

    @cached_property
    def season(self) -> Season:
        """The expectation for each period of the week, over the four weeks that end with the baseline."""
        return Season(self._past, self._past.last, self._clock)

    @property
    def level(self) -> float:
        """The last 48 hours against the weeks before them; 1 where nothing tells."""
        return self._level.now

    def expected_p99(self, at: Sequence[datetime]) -> list[float | None]:
        """The p99 in milliseconds that is expected at each time; None where the past is silent."""
        if not len(self._past):
            return [None] * len(at)
        numbers = np.array([_seconds(each) for each in at], np.int64) // self._past.length
        expected = self._level.expected(self.season, numbers, np.full(len(at), np.nan), self._follows(numbers))
        return [None if np.isnan(value) else float(value) for value in expected]

    def judge(self, window: Sequence[Sample], now: datetime, error_limit: float = ERROR_LIMIT) -> Assessment:
        """The verdict on one window as known at `now`; an empty one is the pre-flight."""
        known = _seconds(now)
        if not window:
            return self._preflight(known, error_limit)
        seen = _periods(window).until(known)
        pooled = seen.pooled(self._pool or 1).until(known)
        findings = self._outages(seen) + limits.error_findings(seen, error_limit)
        if self._usable is None:
            findings += limits.latency_findings(pooled, self._expected_of(pooled)) + self._in_quiet_hours(seen, known)
        if not findings:
            return self._held(seen, pooled, known, error_limit) or self._healthy(seen, pooled)
        first = min(findings, key=lambda finding: finding.at)
        if first.at - int(seen.number[0]) * PERIOD >= LATE.total_seconds():
            late = f"{LATE / timedelta(hours=1):.0f} h after the change: ask a person"
            return Assessment(Health.INCONCLUSIVE, f"{first.reason}; {late}", Doubt.SERVICE)
        return Assessment(Health.BREACH, first.reason)

    def _in_quiet_hours(self, seen: Periods, known: int) -> list[LimitFinding]:
        """Latency in longer periods, so that nights and weekends with few requests are judged as well."""
        if self._quiet is None:
            return []
        size, season = self._quiet
        pooled = seen.pooled(size).until(known)
        follows = self._follows(pooled.number * size // (self._pool or 1))
        return limits.latency_findings(pooled, self._level.expected(season, pooled.number, pooled.requests, follows))

    @cached_property
    def _quiet(self) -> tuple[int, Season] | None:
        """The number of periods to pool so that hardly any holds too few requests; None: no more than anyway."""
        size = pool_size(self._fine, COUNTED_REQUESTS, QUIET_SHARE)
        if size is None or size == self._pool:
            return None
        past = self._fine.pooled(size)
        return size, Season(past, past.last, self._clock)

    @property
    def is_of_a_group(self) -> bool:
        """Whether a target group with this past has requests enough to be judged by itself."""
        return self._usable is None and self._pool is not None and self._pool <= GROUP_POOL

    @cached_property
    def usual_errors(self) -> float:
        """The limit of a target group: the brief's, or half as much again as what its past hardly ever exceeded."""
        errors, attempts = (
            trailing_sum(self._fine.number, each, 12) for each in (self._fine.errors, self._fine.attempts)
        )
        return max(ERROR_LIMIT, 1.5 * float(np.quantile(errors / np.maximum(attempts, 1.0), 0.99)))

    @cached_property
    def _usable(self) -> str | None:
        """Why this past cannot be judged against; None when it can."""
        if not len(self._fine):
            return "there is no baseline"
        span = timedelta(seconds=int(self._fine.last - self._fine.number[0]) * PERIOD)
        if span < SHORTEST_BASELINE - BASELINE_SLACK:
            return f"the baseline covers {span / timedelta(days=1):.1f} days, {SHORTEST_BASELINE.days} are needed"
        if self._pool is None:
            return f"too little traffic: even two hours hold fewer than {COUNTED_REQUESTS:,} requests"
        return None

    def _expected_of(self, periods: Periods) -> Floats:
        """By season, level and the load of these periods."""
        return self._level.expected(self.season, periods.number, periods.requests, self._follows(periods.number))

    def _follows(self, numbers: Numbers) -> bool:
        """Whether periods numbered as those of the past begin within two days of it."""
        return len(numbers) > 0 and bool(numbers[0] < self._past.last + self._level.recent)

    def _outages(self, seen: Periods) -> list[LimitFinding]:
        usual = np.full(len(seen), np.inf)
        if self._usable is None:
            usual = self.season.requests(seen.number // (self._pool or 1)) / (self._pool or 1)
        return limits.outage_findings(seen, usual)

    def _held(self, seen: Periods, pooled: Periods, now: int, error_limit: float) -> Assessment | None:
        """Why a window that broke no limit is still not healthy."""
        if not seen.measured.any():
            return Assessment(Health.INCONCLUSIVE, "no data: no period of the window has requests and a p99")
        expected = self._expected_of(pooled)
        counted = limits.judged(pooled, expected)
        if lacking := self._usable or self._missing(seen, now) or self._too_little(pooled, counted):
            return Assessment(Health.INCONCLUSIVE, lacking)
        if reason := self._unbelievable(seen, pooled, expected, counted, error_limit):
            return Assessment(Health.INCONCLUSIVE, reason, Doubt.SERVICE)
        return None

    def _missing(self, seen: Periods, now: int) -> str | None:
        size, _, season = self._present
        periods = seen.pooled(size)
        end = max((now - round(SETTLING.total_seconds())) // periods.length, periods.last)
        periods = periods.dense(int(periods.number[0]), end)
        empty = doubts.nearly_empty(periods, season.requests(periods.number), self._traffic_limits[0])
        return doubts.missing(season.busy(periods.number), periods.measured & ~empty, periods)

    @cached_property
    def _present(self) -> tuple[int, Periods, Season]:
        """The number of periods to pool so that hardly any is without data, and the past in these."""
        size = 1 if self._pool is None or self._fine.measured.mean() > 0.98 else self._pool
        past = self._past if size == self._pool else self._fine
        return size, past, self.season if size == self._pool else Season(past, past.last, self._clock)

    @cached_property
    def _traffic_limits(self) -> tuple[float, float]:
        """Below which shares of the usual requests a period is empty, and an hour's clients are gone."""
        _, past, season = self._present
        usual = season.requests(past.number)
        return doubts.empty_limit(past, usual), doubts.gone_limit(past, usual)

    @cached_property
    def _lasting_rates(self) -> Mapping[str, float]:
        return doubts.lasting_rates(self._fine)

    def _too_little(self, pooled: Periods, counted: Marks) -> str | None:
        span = int(pooled.last - pooled.number[0]) if len(pooled) else 1
        if counted.sum() < JUDGED_SHARE * span and not (self._is_part and span < PART_PERIODS):
            return (
                f"too little to judge latency by: {int(counted.sum())} of {span} periods have "
                f"{COUNTED_REQUESTS:,} requests and a past to compare with"
            )
        return None

    def _unbelievable(
        self, seen: Periods, pooled: Periods, expected: Floats, counted: Marks, error_limit: float
    ) -> str | None:
        size, _, season = self._present
        present = seen.pooled(size)
        left = season.requests(present.number) * min(1.0, self._level.growth)
        return (
            doubts.too_good(pooled, expected, counted)
            or doubts.traffic_gone(present, left, self._traffic_limits[1])
            or doubts.jump(seen, self._lasting_rates)
            or doubts.whole_window(seen, pooled.p99[counted] / expected[counted], error_limit)
        )

    def _healthy(self, seen: Periods, pooled: Periods) -> Assessment:
        expected = self._expected_of(pooled)
        counted = limits.judged(pooled, expected)
        change = middle(pooled.p99[counted] / expected[counted]) - 1
        rate = float(seen.errors.sum() / max(seen.attempts.sum(), 1.0))
        return Assessment(
            Health.HEALTHY,
            f"{len(seen)} periods: median p99 {change:+.0%} against expected, errors {rate:.2%}",
        )

    def _preflight(self, now: int, error_limit: float) -> Assessment:
        """Whether a phase may start: enough past, fresh, and nothing in it that would have rolled back."""
        if lacking := self._usable or self._stale(now):
            return Assessment(Health.INCONCLUSIVE, f"not fit to start: {lacking}")
        if replayed := self._replayed(error_limit):
            return Assessment(Health.INCONCLUSIVE, f"not fit to start: {replayed}", Doubt.SERVICE)
        return Assessment(
            Health.HEALTHY, f"fit to start: level {self.level:.0%} of the weeks before, no limit broken in 7 days"
        )

    def _stale(self, now: int) -> str | None:
        recent = self._past.between(self._past.last - self._level.recent, self._past.last)
        age = timedelta(seconds=now - self._fine.where(self._fine.measured).last * PERIOD)
        busy = self.season.busy(np.arange(self._past.last - self._level.recent, self._past.last))
        missing = 1 - int(recent.measured.sum()) / max(1, int(busy.sum()))
        if age > max(BASELINE_SLACK, timedelta(seconds=2 * self._past.length)):
            return f"the last measured period ended {age / timedelta(hours=1):.1f} hours ago"
        if missing > doubts.MISSING_LIMIT:
            return f"{missing:.0%} of the last 48 hours have no data, at most {doubts.MISSING_LIMIT:.0%} may be missing"
        return None

    def _replayed(self, error_limit: float) -> str | None:
        """A finding in the baseline's own end that would have rolled a phase back."""
        if self.level > LEVEL_LIMIT:
            return f"p99 of the last 48 hours is {self.level - 1:+.0%} against the weeks before, the limit is +15 %"
        first = self._past.last - round(REPLAYED.total_seconds()) // self._past.length
        lately = self._past.between(first, self._past.last)
        before = Season(self._past, first, self._clock)
        expected = before.p99_under(lately.number, lately.requests) * max(1.0, self._level.before(first))
        window = RECENT // PERIOD
        errors = limits.error_findings(self._fine.between(self._fine.last - window, self._fine.last), error_limit)
        findings = errors + limits.latency_findings(lately, expected)
        return min(findings, key=lambda finding: finding.at).reason if findings else None


def _periods(samples: Iterable[Sample]) -> Periods:
    samples = list(samples)
    seconds = [(s.at if s.at.tzinfo else s.at.replace(tzinfo=UTC)).timestamp() for s in samples]
    return Periods.of(seconds, [s.p99_ms for s in samples], [list(map(attrgetter(name), samples)) for name in COUNTS])


def _seconds(at: datetime) -> int:
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())
