"""Whether the service is healthy, judged against its own past. Pure: samples in, a verdict out.

The past is the four weeks before the plan. A period's p99 is expected to be the median of the same
hour of the week (within 30 minutes) over those weeks, raised by the level of the last 48 hours when
that level lies above one. What breaks the limits is read off in four rules:

latency   more than +20 % in 16 of the last 24 periods, +30 % in 6 in a row, or +150 % in 3 in a row;
          a period with fewer than 1,000 requests, or less than 5 ms above, never counts
errors    surely (99 %) more than 0.5 % in 3 periods in a row or in a pooled hour, more than 2 % in
          2 periods of an hour, or more than 10 % in one; never on fewer than 20 errors
outage    load balancer errors while no request reached a target: RequestCount then has no datapoint
missing   no data, or more than 5 % of the window without: INCONCLUSIVE, never HEALTHY

The whole window is read each time, so that a breach between two looks counts as well. Where traffic
is thin, periods are pooled until three in four hold 1,000 requests. An empty window is the pre-flight:
the rules are replayed on the baseline's own last days, and a change does not start on a bad footing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from optimizer.decide import expectation
from optimizer.decide.expectation import PERIOD, Floats, Periods, Season
from optimizer.model.health import Assessment, Health, Sample

SHORTEST_BASELINE = timedelta(days=28)
REPLAYED = timedelta(days=7)  # how far the pre-flight looks back for latency
RECENT = timedelta(hours=48)  # and for errors, and for today's level
LEVEL_LIMIT = 1.15  # a level above it lets no phase start
COUNTED_REQUESTS = 1_000  # a p99 wants as many samples to mean anything
LEAST_EXCESS_MS = 5.0  # 10 to 13 ms is noise, although it is +30 %
LATENCY_RULES = ((0.20, 16, 24), (0.30, 6, 6), (1.50, 3, 3))  # over by, in how many, of the last
ERROR_RULES = ((0.005, 3, 3), (0.02, 2, 12), (0.10, 1, 1))  # rate, in how many, of the last
POOLED_RATE, POOLED = 0.005, 12  # and the same rate in one hour taken together
LEAST_ERRORS = 20
CONFIDENCE_Z = 2.3263  # one-sided 99 % quantile of the normal distribution
MISSING_LIMIT = 0.05
SETTLING = timedelta(minutes=10)  # a period this young may still be on its way: not missing yet
BASELINE_SLACK = timedelta(hours=1)  # the last periods before apply had not settled when it was read
JUDGED_SHARE = 0.25  # of the window's periods must hold enough requests to be judged


@dataclass(frozen=True)
class _Finding:
    """One rule that fired: the Unix second at which it could be known, and the reason."""

    at: int
    reason: str


def judge(baseline: Sequence[Sample], window: Sequence[Sample], now: datetime) -> Assessment:
    """Judge `window` as known at `now` against `baseline`, which ends where the plan began.

    An empty window is the pre-flight and never yields BREACH: there is nothing to roll back.
    """
    return Baseline(baseline).judge(window, now)


def expected_p99(baseline: Sequence[Sample], at: Sequence[datetime]) -> list[float | None]:
    """The p99 in milliseconds that the baseline lets expect at each time (for charts)."""
    return Baseline(baseline).expected_p99(at)


class Baseline:
    """The service's past, prepared once: thousands of windows can be judged against it."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self._fine = _periods(samples)
        self._pool = expectation.pool_size(self._fine, COUNTED_REQUESTS)
        self._past = self._fine.pooled(self._pool or 1)
        self._recent = round(RECENT.total_seconds()) // self._past.length

    @cached_property
    def season(self) -> Season:
        """What each period of the week lets expect, over the four weeks that end with the baseline."""
        return Season(self._past, self._past.last)

    @cached_property
    def level(self) -> float:
        """The last 48 hours against the weeks before them; 1 where nothing tells."""
        return self._level_before(self._past.last)

    def expected_p99(self, at: Sequence[datetime]) -> list[float | None]:
        """The p99 in milliseconds that is expected at each time; None where the past is silent."""
        if not len(self._past):
            return [None] * len(at)
        numbers = np.array([_seconds(each) for each in at], np.int64) // self._past.length
        return [None if np.isnan(value) else float(value) for value in self._expected(numbers)]

    def judge(self, window: Sequence[Sample], now: datetime) -> Assessment:
        """The verdict on one window, as `optimizer.decide.health.judge` gives it."""
        known = _seconds(now)
        if not window:
            return self._preflight(known)
        seen = _periods(window).until(known)
        findings = _error_findings(seen)
        pooled = seen.pooled(self._pool or 1).until(known)
        if self._usable is None:
            findings += _latency_findings(pooled, self._expected(pooled.number))
        if findings:
            return Assessment(Health.BREACH, min(findings, key=lambda finding: finding.at).reason)
        return self._held(pooled, known) or self._healthy(seen, pooled)

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

    def _expected(self, numbers: NDArray[np.int64]) -> Floats:
        return self.season.of(numbers) * max(1.0, self.level)

    def _level_before(self, end: int) -> float:
        """The median of measured against expected p99 in the 48 hours before a period."""
        recent = self._past.between(end - self._recent, end)
        usual = Season(self._past, end - self._recent).of(recent.number)
        ratio = (recent.p99 / usual)[recent.requests >= COUNTED_REQUESTS]
        ratio = ratio[np.isfinite(ratio)]
        return float(np.median(ratio)) if len(ratio) else 1.0

    def _held(self, pooled: Periods, now: int) -> Assessment | None:
        """Why a window that broke no limit is still not healthy."""
        measured = pooled.measured
        if not measured.any():
            return Assessment(Health.INCONCLUSIVE, "no data: no period of the window has requests and a p99")
        if self._usable is not None:
            return Assessment(Health.INCONCLUSIVE, self._usable)
        end = max((now - round(SETTLING.total_seconds())) // pooled.length, pooled.last)
        asked = end - int(pooled.number[0])
        missing = asked - int(measured.sum())
        if missing > MISSING_LIMIT * asked:
            return Assessment(
                Health.INCONCLUSIVE,
                f"{missing} of {asked} periods have no data ({missing / asked:.0%}, "
                f"at most {MISSING_LIMIT:.0%}); the last is of {_clock(int(pooled.number[measured][-1]), pooled)}",
            )
        judged = _judged(pooled, self._expected(pooled.number))
        if judged.sum() < JUDGED_SHARE * asked:
            return Assessment(
                Health.INCONCLUSIVE,
                f"too little to judge latency by: {int(judged.sum())} of {asked} periods have "
                f"{COUNTED_REQUESTS:,} requests and a past to compare with",
            )
        return None

    def _healthy(self, seen: Periods, pooled: Periods) -> Assessment:
        expected = self._expected(pooled.number)
        judged = _judged(pooled, expected)
        change = float(np.median(pooled.p99[judged] / expected[judged])) - 1
        rate = float(seen.errors.sum() / max(seen.attempts.sum(), 1.0))
        return Assessment(
            Health.HEALTHY,
            f"{len(seen)} periods: median p99 {change:+.0%} against expected, errors {rate:.2%}",
        )

    def _preflight(self, now: int) -> Assessment:
        """Whether a phase may start: enough past, fresh, and nothing in it that would have rolled back."""
        refusal = self._usable or self._stale(now) or self._replayed
        if refusal:
            return Assessment(Health.INCONCLUSIVE, f"not fit to start: {refusal}")
        return Assessment(
            Health.HEALTHY, f"fit to start: level {self.level:.0%} of the weeks before, no limit broken in 7 days"
        )

    def _stale(self, now: int) -> str | None:
        recent = self._past.between(self._past.last - self._recent, self._past.last)
        age = timedelta(seconds=now - self._fine.where(self._fine.measured).last * PERIOD)
        missing = 1 - int(recent.measured.sum()) / self._recent
        if age > max(BASELINE_SLACK, timedelta(seconds=2 * self._past.length)):
            return f"the last measured period ended {age / timedelta(hours=1):.1f} hours ago"
        if missing > MISSING_LIMIT:
            return f"{missing:.0%} of the last 48 hours have no data, at most {MISSING_LIMIT:.0%} may be missing"
        return None

    @cached_property
    def _replayed(self) -> str | None:
        """What in the baseline's own end would have rolled a phase back."""
        if self.level > LEVEL_LIMIT:
            return f"p99 of the last 48 hours is {self.level - 1:+.0%} against the weeks before, at most +15 % is asked"
        first = self._past.last - round(REPLAYED.total_seconds()) // self._past.length
        lately = self._past.between(first, self._past.last)
        expected = Season(self._past, first).of(lately.number) * max(1.0, self._level_before(first))
        window = round(RECENT.total_seconds()) // PERIOD
        errors = _error_findings(self._fine.between(self._fine.last - window, self._fine.last))
        findings = errors + _latency_findings(lately, expected)
        return min(findings, key=lambda finding: finding.at).reason if findings else None


def _judged(periods: Periods, expected: Floats) -> NDArray[np.bool_]:
    return (periods.requests >= COUNTED_REQUESTS) & np.isfinite(periods.p99) & np.isfinite(expected)


def _latency_findings(periods: Periods, expected: Floats) -> list[_Finding]:
    """The first time each latency rule fired; periods without data are passed over."""
    kept = periods.measured
    at, p99, usual = periods.number[kept], periods.p99[kept], expected[kept]
    counts = _judged(periods, expected)[kept] & (p99 - np.nan_to_num(usual) >= LEAST_EXCESS_MS)
    findings = []
    for excess, often, last in LATENCY_RULES:
        over = counts & (p99 > usual * (1 + excess))
        first = expectation.first_run(over, often, last)
        if first is not None:
            when = _clock(int(at[first]), periods)
            minutes = f"{periods.length // 60}-minute periods"
            findings.append(
                _Finding(
                    int(at[first]) * periods.length,
                    f"p99 {p99[first]:,.0f} ms at {when}, {usual[first]:,.0f} ms expected: more than {excess:+.0%} "
                    f"in {often} of {last} {minutes}",
                )
            )
    return findings


def _error_findings(periods: Periods) -> list[_Finding]:
    """The first time each error rule fired, and the first total outage."""
    findings = []
    silent = ~(periods.requests > 0) & (periods.elb_5xx > 0)
    if silent.any():
        first = int(np.argmax(silent))
        reason = f"total outage at {_clock(int(periods.number[first]), periods)}: no request reached a target, "
        findings.append(
            _Finding(
                int(periods.number[first]) * PERIOD, reason + f"{periods.elb_5xx[first]:,.0f} load balancer errors"
            )
        )
    kept = periods.requests > 0
    at, errors, attempts = periods.number[kept], periods.errors[kept], periods.attempts[kept]
    for rate, often, last in ERROR_RULES:
        first_run = expectation.first_run(_surely_above(errors, attempts, rate), often, last)
        if first_run is not None:
            text = f"{errors[first_run] / attempts[first_run]:.1%} errors at {_clock(int(at[first_run]), periods)}: "
            text += f"more than {rate:.1%} in {often} of {last} periods" if last > 1 else f"more than {rate:.0%}"
            findings.append(_Finding(int(at[first_run]) * PERIOD, text))
    hourly_errors, hourly_attempts = (expectation.trailing_sum(at, each, POOLED) for each in (errors, attempts))
    whole = at - periods.number[:1] >= POOLED - 1  # the first hour is not over before it has passed
    pooled = _surely_above(hourly_errors, hourly_attempts, POOLED_RATE) & whole
    if pooled.any():
        first = int(np.argmax(pooled))
        share = hourly_errors[first] / hourly_attempts[first]
        text = f"{share:.2%} errors in the hour to {_clock(int(at[first]) + 1, periods)}: more than {POOLED_RATE:.1%}"
        findings.append(_Finding(int(at[first]) * PERIOD, text))
    return findings


def _surely_above(errors: Floats, attempts: Floats, rate: float) -> NDArray[np.bool_]:
    """Where the error rate lies above `rate` with 99 % confidence: the lower Wilson bound does."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        share = np.minimum(errors / attempts, 1.0)
        score = (share - rate) / np.sqrt(rate * (1 - rate) / attempts)
    return (errors >= LEAST_ERRORS) & (score > CONFIDENCE_Z)  # the score test is the Wilson bound, inverted


def _periods(samples: Iterable[Sample]) -> Periods:
    rows = [(_seconds(s.at) // PERIOD, s.requests, s.target_5xx, s.elb_5xx, s.p99_ms) for s in samples]
    return Periods.of(rows)


def _seconds(at: datetime) -> int:
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())


def _clock(number: int, periods: Periods) -> str:
    return f"{datetime.fromtimestamp(number * periods.length, UTC):%Y-%m-%d %H:%M} UTC"
