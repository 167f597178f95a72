"""Reasons to hold a window that broke no limit: data that is missing, or hardly to be believed.

Each function gives the reason, or None. Nothing here rolls back; a person looks, or the data comes.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from optimizer.decide.limits import CONFIDENCE_Z, clock, pooled_above
from optimizer.decide.periods import PERIOD, Floats, Marks, Numbers, Periods, first_run, trailing_sum

MISSING_LIMIT = 0.05
RECENT_ASKED, RECENT_MEASURED = 3, 2  # of the last settled periods so many must be measured
NEARLY_EMPTY, BUSY = 0.1, 100.0  # of the usual requests; where as many are usual
FAR_BELOW = 0.5  # of the usual requests of an hour
RARELY = 0.005  # what the past itself did as often is not far below
TOO_FAST = 0.4  # of the expected p99
HOUR = 12  # periods
JUMP, JUMP_FLOOR = 1.5, 0.005  # times what ever lasted for an hour in the past, and so much of all requests on top
SPOKEN_OF = {
    "target_4xx": "4xx of targets",
    "elb_4xx": "4xx of the load balancer",
    "rejected": "rejected connections",
    "tls_errors": "TLS failures of clients",
    "connection_errors": "refused connections to targets",
}


def missing(expected: Marks, measured: Marks, periods: Periods) -> str | None:
    """Too little data at the end of the window, or in all of it; `expected`: where the past had data."""
    wanted, there = int(expected.sum()), measured[expected]
    if wanted == 0:
        return "no data: the window has no settled period at a time at which the past had data"
    last = int(periods.number[measured][-1]) if measured.any() else int(periods.number[0])
    lost = wanted - int(there.sum())
    if lost > MISSING_LIMIT * wanted:
        return (
            f"{lost} of {wanted} periods have no data ({lost / wanted:.0%}, at most {MISSING_LIMIT:.0%}); "
            f"the last is of {clock(last, periods)}"
        )
    recent = there[-RECENT_ASKED:]
    if recent.sum() < min(RECENT_MEASURED, wanted):
        return f"{int(recent.sum())} of the last {len(recent)} periods have data; the last is of {clock(last, periods)}"
    return None


def empty_limit(past: Periods, usual: Floats) -> float:
    """The share of the usual requests below which a period counts as empty: the past hardly ever fell so low."""
    return min(NEARLY_EMPTY, _rare(past.requests / np.maximum(usual, 1.0)))


def nearly_empty(periods: Periods, usual: Floats, limit: float) -> Marks:
    """Periods with so few requests that their measurements say nothing of the service."""
    return (usual >= BUSY) & (periods.requests < limit * usual)


def gone_limit(past: Periods, usual: Floats) -> float:
    """The share of an hour's usual requests that is far below them, by what the past itself fell to."""
    return min(FAR_BELOW, 0.8 * _rare(_hourly(past, usual)))


def traffic_gone(periods: Periods, usual: Floats, limit: float) -> str | None:
    """Two hours with far fewer requests than at that time of the week in the past."""
    ratio = _hourly(periods, usual)
    at = np.flatnonzero(ratio < limit)
    if not len(at) or periods.number[at[-1]] - periods.number[at[0]] < _hour(periods):
        return None
    worst = int(at[np.argmin(ratio[at])])
    end = clock(int(periods.number[worst]) + 1, periods)
    return (
        f"requests are {ratio[worst]:.0%} of what is usual in the hour to {end}, "
        f"and below {limit:.0%} in two hours: clients do not get through, or go elsewhere"
    )


def too_good(periods: Periods, expected: Floats, counted: Marks) -> str | None:
    """An hour in which answers came far faster than ever: they are no real answers."""
    comparable = counted | (periods.p99 == 0) & (periods.requests > 0)
    fast = (periods.p99 < TOO_FAST * expected)[comparable] | (periods.p99[comparable] == 0)
    often = max(2, _hour(periods))
    first = first_run(fast, often, often)
    if first is None:
        return None
    at = np.flatnonzero(comparable)[first]
    return (
        f"too good to be true: p99 {periods.p99[at]:,.0f} ms at {clock(int(periods.number[at]), periods)}, "
        f"{expected[at]:,.0f} ms expected, below {TOO_FAST:.0%} for an hour"
    )


def jump(periods: Periods, held: Mapping[str, float]) -> str | None:
    """An hour in which requests fail that no 5xx counts: refused, without TLS, or answered by 4xx.

    `held`: by name, the highest rate that lasted for an hour in the past (`lasting_rates`).
    """
    for name in SPOKEN_OF:
        if not np.isfinite(periods.count(name)).any():
            continue
        limit = JUMP_FLOOR + JUMP * held[name]
        rate, surely = _quarters(periods, name, limit)
        first = first_run(surely, HOUR - 2, HOUR)
        if first is not None:
            at = clock(int(periods.number[first]) + 1, periods)
            return f"{SPOKEN_OF[name]}: {rate[first]:.1%} of requests in the hour to {at}, at most {limit:.1%} before"
    return None


def whole_window(periods: Periods, ratio: Floats, error_limit: float) -> str | None:
    """A regression that no single rule found and the whole window shows; `ratio`: p99 to expected where judged."""
    errors, attempts = float(periods.errors.sum()), float(periods.attempts.sum())
    if pooled_above(np.array([errors]), np.array([attempts]), error_limit, CONFIDENCE_Z)[0]:
        return f"{errors / attempts:.2%} errors over the whole window: more than {error_limit:.1%}"
    if len(ratio) >= 2 * HOUR and np.median(ratio) > 1.2:
        return f"median p99 {np.median(ratio) - 1:+.0%} against expected over the whole window: more than +20%"
    return None


def _hourly(periods: Periods, usual: Floats) -> Floats:
    """Requests of the hour that ends with each period against the usual ones; NaN where less than half is known."""
    known = np.isfinite(periods.requests) & np.isfinite(usual)
    count, came, wanted = (
        trailing_sum(periods.number, np.where(known, each, 0.0), _hour(periods))
        for each in (np.ones(len(periods)), periods.requests, usual)
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio: Floats = np.where((count >= _hour(periods) / 2) & (wanted >= BUSY), came / wanted, np.nan)
    return ratio


def _hour(periods: Periods) -> int:
    return max(1, HOUR * PERIOD // periods.length)


def _rare(ratios: Floats) -> float:
    """The value that the past fell below once in two hundred periods; 1 without a past."""
    known = ratios[np.isfinite(ratios)]
    return float(np.quantile(known, RARELY)) if len(known) else 1.0


def lasting_rates(past: Periods) -> Mapping[str, float]:
    """By name, the highest rate that lasted for an hour: scanners and expired certificates come by in any month."""
    return {name: _held_in_the_past(past, name) for name in SPOKEN_OF}


def _held_in_the_past(past: Periods, name: str) -> float:
    if not np.isfinite(past.count(name)).any() or len(past) < HOUR:
        return 0.0
    rate, _ = _quarters(past, name, 0.0)
    return float(sliding_window_view(rate, HOUR - 2).min(axis=1).max())


def _quarters(periods: Periods, name: str, limit: float) -> tuple[Floats, Marks]:
    """The rate of the quarter of an hour that ends with each period, and where it surely lies above a limit."""
    number: Numbers = periods.number
    failed = trailing_sum(number, np.nan_to_num(periods.count(name)), 3)
    answered = trailing_sum(number, periods.attempts, 3)
    attempts = answered + (failed if name != "target_4xx" else 0.0)
    rate: Floats = failed / np.maximum(attempts, 1.0)
    return rate, pooled_above(failed, attempts, limit, CONFIDENCE_Z)
