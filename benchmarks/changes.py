"""Changes of a service's history between two periods of a window, for `benchmarks/health.py`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from benchmarks.traffic import DAY, Floats, Shape, Weeks, latency

Change = Callable[[Weeks, slice], Weeks]
PATH, SHARE = "tap-admin", 0.03


def slower(by: float) -> Change:
    """p99 longer by this share."""
    return lambda weeks, at: replace(weeks, p99=_times(weeks.p99, at, 1 + by))


def improved_then(by: float, then: float) -> Change:
    """p99 shorter by one share, then longer by the other share of the rest."""
    return slower((1 - by) * (1 + then) - 1)


def failing(rate: float) -> Change:
    """This share of the requests fails at the targets."""

    def change(weeks: Weeks, at: slice) -> Weeks:
        errors = weeks.errors.copy()
        errors[at] = np.random.default_rng(at.start).binomial(np.nan_to_num(weeks.requests[at]).astype(int), rate)
        return replace(weeks, errors=errors)

    return change


def promotion(shape: Shape) -> Change:
    """Half as many requests again for six hours, and the p99 of that load."""

    def change(weeks: Weeks, at: slice) -> Weeks:
        first = at.start + int(np.random.default_rng(at.start).integers(0, at.stop - at.start - 72))
        six = slice(first, first + 72)
        load = weeks.requests * DAY / shape.requests
        p99 = weeks.p99.copy()
        p99[six] *= latency(shape, 1.5 * load[six]) / latency(shape, load[six])
        return replace(weeks, p99=p99, requests=_times(weeks.requests, six, 1.5))

    return change


def silence(periods: int) -> Change:
    """No metric in the last periods."""
    return lambda weeks, at: replace(
        weeks,
        requests=_times(weeks.requests, _end(at, periods), np.nan),
        p99=_times(weeks.p99, _end(at, periods), np.nan),
    )


def clients_gone(left: float, periods: int) -> Change:
    """Only this share of the requests in the last periods."""
    return lambda weeks, at: replace(weeks, requests=np.round(_times(weeks.requests, _end(at, periods), left)))


def four_hundreds(share: float) -> Change:
    """4xx answers to this share of the requests in the last hour."""

    def change(weeks: Weeks, at: slice) -> Weeks:
        count = np.zeros(len(weeks.requests))
        count[_end(at, 12)] = np.round(share * weeks.requests[_end(at, 12)])
        return replace(weeks, others={"target_4xx": count})

    return change


def one_path(weeks: Weeks, random: np.random.Generator) -> Weeks:
    """The same service with a target group that takes 3 % of its requests, at half as long again."""
    requests = random.binomial(np.nan_to_num(weeks.requests).astype(int), SHARE).astype(float)
    p99 = 1.5 * weeks.p99 * np.exp(random.normal(0, 1.6 / np.sqrt(np.maximum(requests, 20))))
    part = Weeks(requests, random.poisson(requests * 0.0005).astype(float), p99, weeks.zone)
    return replace(weeks, groups={PATH: part})


def slow_path(times: float) -> Change:
    """Times of the path multiplied by this factor."""
    return lambda weeks, at: _on_the_path(weeks, at, slower(times - 1))


def failing_path(rate: float) -> Change:
    """Failures of this share of the path's requests."""
    return lambda weeks, at: _on_the_path(weeks, at, failing(rate))


def path_gone(weeks: Weeks, at: slice) -> Weeks:
    """No request reaches the path any more."""
    return _on_the_path(weeks, at, silence(at.stop - at.start))


def _on_the_path(weeks: Weeks, at: slice, change: Change) -> Weeks:
    return replace(weeks, groups={PATH: change(weeks.groups[PATH], at)})


def _end(at: slice, periods: int) -> slice:
    return slice(at.stop - periods, at.stop)


def _times(values: Floats, at: slice, factor: float) -> Floats:
    changed = values.copy()
    changed[at] *= factor
    return changed
