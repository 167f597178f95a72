"""The limits that roll a phase back: latency, errors and outage, each read off periods in rising order."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil

import numpy as np

from optimizer.decide.periods import PERIOD, Floats, Marks, Periods, first_run, trailing_sum

COUNTED_REQUESTS = 1_000  # a p99 wants as many samples to mean anything
LEAST_EXCESS = 1.0  # ms: CloudWatch's response times of fast services scatter by as much
LATENCY_RULES = ((0.20, 16, 24), (0.30, 6, 6), (0.30, 9, 12), (1.50, 3, 3))  # over by, in how many, of the last
POOLED_RULE = (0.60, 3, 3)  # of periods that were pooled: three of them are half an hour and longer
LONG_RULES = ((0.20, 0.54, 48), (0.20, 0.50, 288))  # over by, in which share, of the last: four hours, and a day
LEAST_PERIODS = 24  # where traffic is thin and periods are pooled, of as many at least
ERROR_RULES = ((0.005, 3, 3), (0.02, 2, 12), (0.10, 1, 1))  # rate, in how many, of the last
ERROR_LIMIT = 0.005  # the brief: of all requests
POOLED = (12, 72, 288, 576)  # periods: an hour, six, a day, two
QUARTER, FOUND_IN_QUARTER = 3, 0.01  # periods; the rate that a quarter of an hour must show
LEAST_ERRORS = 20
CONFIDENCE_Z = 2.3263  # one-sided 99 % quantile of the normal distribution
# The pooled rates of a window are tested some 500 times: each at 1 in 10,000, that 48 h at 0.48 % stay below 2 %.
POOLED_Z, QUARTER_Z = 3.7, 3.6
QUARTER_SPREAD = 2.5  # standard deviations: 99 % of the quarters at 1 % show more than 1 % less these


@dataclass(frozen=True)
class LimitFinding:
    """One rule that fired: the Unix second at which the period began that fired it, and the reason."""

    at: int
    reason: str


def judged(periods: Periods, expected: Floats) -> Marks:
    """Periods with requests enough for a p99 and a past to compare it with."""
    return (periods.requests >= COUNTED_REQUESTS) & periods.measured & np.isfinite(expected)


def latency_findings(periods: Periods, expected: Floats) -> list[LimitFinding]:
    """The first time each latency rule fired; periods without data are passed over."""
    timed = periods.measured
    at, p99, usual = periods.number[timed], periods.p99[timed], expected[timed]
    counts = judged(periods, expected)[timed] & (p99 - np.nan_to_num(usual) >= LEAST_EXCESS)
    findings = []
    for excess, often, last in _latency_rules(periods.length):
        first = first_run(counts & (p99 > usual * (1 + excess)), often, last)
        if first is not None:
            findings.append(
                LimitFinding(
                    int(at[first]) * periods.length,
                    f"p99 {p99[first]:,.0f} ms at {clock(int(at[first]), periods)}, {usual[first]:,.0f} ms expected: "
                    f"more than {excess:+.0%} in {often} of {last} {periods.length // 60}-minute periods",
                )
            )
    return findings


def _latency_rules(length: int) -> list[tuple[float, int, int]]:
    """Over by, in how many, of the last; for periods of so many seconds."""
    spans = [(excess, share, max(LEAST_PERIODS, last * PERIOD // length)) for excess, share, last in LONG_RULES]
    pooled = [POOLED_RULE] if length > PERIOD else []
    return [*LATENCY_RULES, *pooled, *((excess, ceil(share * last), last) for excess, share, last in spans)]


def error_findings(periods: Periods, limit: float = ERROR_LIMIT) -> list[LimitFinding]:
    """The first time each error rule fired; with a `limit` above the brief's, each rate is raised in proportion."""
    times = limit / ERROR_LIMIT
    with_requests = periods.where(periods.requests > 0)
    at, errors, attempts = with_requests.number, with_requests.errors, with_requests.attempts
    findings = []
    for rate, often, last in ((min(rate * times, 1.0), often, last) for rate, often, last in ERROR_RULES):
        first = first_run(surely_above(errors, attempts, rate), often, last)
        if first is not None:
            text = f"{errors[first] / attempts[first]:.1%} errors at {clock(int(at[first]), periods)}: "
            text += f"more than {rate:.1%} in {often} of {last} periods" if last > 1 else f"more than {rate:.0%}"
            findings.append(LimitFinding(int(at[first]) * periods.length, text))
    for span, over in _pooled_over(with_requests, limit, periods):
        if over.any():
            first = int(np.argmax(over))
            failed, tried = (float(trailing_sum(at, each, span)[first]) for each in (errors, attempts))
            minutes = span * periods.length // 60
            name = {15: "quarter", 60: "hour"}.get(minutes, f"{minutes // 60} hours")
            text = f"{failed / max(tried, 1.0):.2%} errors in the {name} to {clock(int(at[first]) + 1, periods)}: "
            findings.append(LimitFinding(int(at[first]) * periods.length, text + f"more than {limit:.1%}"))
    return findings


def outage_findings(periods: Periods, usual_requests: Floats) -> list[LimitFinding]:
    """The first period in which the load balancer failed requests and no target answered any.

    Where the past lets expect hardly a request in a period, some few errors tell nothing.
    """
    elb = np.nan_to_num(periods.count("elb_5xx"))
    enough = np.where(usual_requests < LEAST_ERRORS, elb >= LEAST_ERRORS, elb > 0)
    silent = ~(periods.requests > 0) & ~(periods.p99 > 0) & enough
    if not silent.any():
        return []
    first = int(np.argmax(silent))
    reason = f"total outage at {clock(int(periods.number[first]), periods)}: no request reached a target, "
    return [
        LimitFinding(int(periods.number[first]) * periods.length, reason + f"{elb[first]:,.0f} load balancer errors")
    ]


def _pooled_over(with_requests: Periods, limit: float, periods: Periods) -> list[tuple[int, Marks]]:
    """For each pooled rate, the periods in which it is surely above the limit; no span counts before it has passed."""
    at, errors, attempts = with_requests.number, with_requests.errors, with_requests.attempts
    passed = at - periods.number[:1]
    over_limit = []
    for span in POOLED:
        sums = trailing_sum(at, errors, span), trailing_sum(at, attempts, span)
        over_limit.append((span, pooled_above(*sums, limit, POOLED_Z) & (passed >= span - 1)))
    failed, tried = (trailing_sum(at, each, QUARTER) for each in (errors, attempts))
    must_show = tried * FOUND_IN_QUARTER * limit / ERROR_LIMIT
    with np.errstate(invalid="ignore"):
        low = trailing_sum(at, (errors < attempts * limit / 2).astype(np.float64), QUARTER) > 0  # one good period
        visible = failed >= must_show - QUARTER_SPREAD * np.sqrt(must_show)
    over_limit.append(
        (QUARTER, pooled_above(failed, tried, limit, QUARTER_Z) & visible & ~low & (passed >= QUARTER - 1))
    )
    return over_limit


def surely_above(errors: Floats, attempts: Floats, rate: float) -> Marks:
    """Periods in which the error rate is above `rate` with 99 % confidence: the lower Wilson bound is."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        share = np.minimum(errors / attempts, 1.0)
        score = (share - rate) / np.sqrt(rate * (1 - rate) / attempts)
    return (errors >= LEAST_ERRORS) & (score > CONFIDENCE_Z)  # the score test is the Wilson bound, inverted


def pooled_above(errors: Floats, attempts: Floats, rate: float, z: float) -> Marks:
    """The same at any confidence, also for the few errors of thin traffic (Anscombe's transform of Poisson counts)."""
    score = 2 * (np.sqrt(errors + 0.375) - np.sqrt(attempts * rate + 0.375))
    return (errors >= LEAST_ERRORS) & (score > z)


def clock(number: int, periods: Periods) -> str:
    """When a period begins, for people."""
    return f"{datetime.fromtimestamp(number * periods.length, UTC):%Y-%m-%d %H:%M} UTC"
