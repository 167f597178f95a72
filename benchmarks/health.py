"""How well `judge` judges: false rollbacks and refusals over healthy windows, and time to detect.

Seeded synthetic weeks at about 2M requests a day: a daily and weekly rhythm, p99 with autocorrelated
noise, heavy-tailed spikes, a slow drift, and incidents of up to an hour. An incident is the service's
own and no change's fault, but it does break the limits: false rollbacks with and without them differ.
Every judgement is made as the watch makes it: each 5 minutes over the growing window, and the first
BREACH counts.

    python benchmarks/health.py [--windows 2080] [--regressions 200] [--incidents 2] [--seed 1]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from optimizer.decide.health import Baseline
from optimizer.model.health import Health, Sample

DAY = 288  # periods
START = datetime(2027, 1, 4, tzinfo=UTC)
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Weeks:
    """One service's history in 5-minute periods."""

    requests: Floats
    errors: Floats
    p99: Floats

    def samples(self, first: int, end: int) -> list[Sample]:
        return [
            Sample(START + timedelta(minutes=5 * n), self.requests[n], self.errors[n] or None, None, self.p99[n])
            for n in range(first, end)
        ]


def live(days: int, incidents: float, random: np.random.Generator) -> Weeks:
    """A healthy service: 2M requests a day, p99 about 120 ms, 0.05 % errors; so many incidents a year."""
    n = np.arange(days * DAY)
    daily = 1 + 0.6 * np.sin(2 * np.pi * (n / DAY - 0.35)) + 0.1 * np.sin(4 * np.pi * n / DAY)
    weekend = np.where((n // DAY) % 7 >= 5, 0.55, 1.0)
    requests = random.poisson(np.maximum(2e6 / DAY * daily * weekend * np.exp(noise(n.size, 0.98, 0.06, random)), 1))
    load = requests / (2e6 / DAY)
    p99 = 95 + 25 * load + 10 * load**2
    p99 *= np.exp(noise(n.size, 0.95, 0.035, random) + random.normal(0, 0.05, n.size))  # minutes to hours, and within
    p99 *= np.exp(np.cumsum(random.normal(0, 0.02, days)).clip(-0.06, 0.06))[n // DAY]  # from day to day
    p99 *= np.where(random.random(n.size) < 0.004, 1 + random.pareto(2.5, n.size), 1.0)  # single spikes
    for at in random.integers(0, n.size, random.poisson(incidents * days / 365)):
        p99[at : at + random.integers(3, 12)] *= random.uniform(1.2, 2.0)
    return Weeks(requests.astype(float), random.poisson(requests * 0.0005).astype(float), p99)


def noise(size: int, memory: float, spread: float, random: np.random.Generator) -> Floats:
    """Autocorrelated noise with the given standard deviation."""
    steps = random.normal(0, spread * np.sqrt(1 - memory**2), size)
    out = np.empty(size)
    level = 0.0
    for index, step in enumerate(steps):
        level = memory * level + step
        out[index] = level
    return out


def detected(baseline: Baseline, window: list[Sample]) -> int | None:
    """Minutes until the first BREACH, looking every 5 minutes; None when there is none.

    A finding looks back only, so whether the whole window breaches is asked first.
    """
    if baseline.judge(window, window[-1].at + timedelta(minutes=5)).verdict is not Health.BREACH:
        return None
    for seen in range(1, len(window) + 1):
        if baseline.judge(window[:seen], window[seen - 1].at + timedelta(minutes=5)).verdict is Health.BREACH:
            return 5 * seen
    raise AssertionError("a breach of the whole window must have been a breach at some look")


def healthy(windows: int, incidents: float, random: np.random.Generator) -> tuple[int, int, int]:
    """Windows observed, false rollbacks among them, refusals before them."""
    observed = refused = rolled_back = 0
    while observed + refused < windows:
        weeks = live(98, incidents, random)
        for apply in range(30 * DAY, 96 * DAY, 3 * DAY + 37):
            baseline = Baseline(weeks.samples(apply - 28 * DAY, apply))
            now = START + timedelta(minutes=5 * apply)
            if baseline.judge([], now).verdict is not Health.HEALTHY:
                refused += 1
            else:
                observed += 1
                window = weeks.samples(apply, apply + 2 * DAY)
                rolled_back += baseline.judge(window, now + timedelta(days=2)).verdict is Health.BREACH
            if observed + refused == windows:
                break
    return observed, rolled_back, refused


def time_to_detect(change: Callable[[Weeks, slice], Weeks], count: int, random: np.random.Generator) -> list[float]:
    """Minutes until a regression that begins with the window is found; infinite when it is not."""
    found: list[float] = []
    while len(found) < count:
        weeks = live(98, 0, random)
        for apply in range(30 * DAY, 96 * DAY, 3 * DAY + 37):
            baseline = Baseline(weeks.samples(apply - 28 * DAY, apply))
            if baseline.judge([], START + timedelta(minutes=5 * apply)).verdict is Health.HEALTHY:
                changed = change(weeks, slice(apply, apply + 2 * DAY))
                minutes = detected(baseline, changed.samples(apply, apply + 2 * DAY))
                found.append(float("inf") if minutes is None else minutes)
            if len(found) == count:
                break
    return found


def slower(by: float) -> Callable[[Weeks, slice], Weeks]:
    def change(weeks: Weeks, at: slice) -> Weeks:
        p99 = weeks.p99.copy()
        p99[at] *= 1 + by
        return Weeks(weeks.requests, weeks.errors, p99)

    return change


def failing(rate: float) -> Callable[[Weeks, slice], Weeks]:
    def change(weeks: Weeks, at: slice) -> Weeks:
        errors = weeks.errors.copy()
        errors[at] = np.random.default_rng(at.start).binomial(weeks.requests[at].astype(int), rate)
        return Weeks(weeks.requests, errors, weeks.p99)

    return change


def outage(weeks: Weeks, at: slice) -> Weeks:
    """Every request fails at its target."""
    errors = weeks.errors.copy()
    errors[at] = weeks.requests[at]
    return Weeks(weeks.requests, errors, weeks.p99)


def main() -> None:
    parser = argparse.ArgumentParser(description="How well the health judge judges.")
    parser.add_argument("--windows", type=int, default=2080)
    parser.add_argument("--regressions", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--incidents", type=float, default=2, help="incidents a year in healthy windows")
    asked = parser.parse_args()
    random = np.random.default_rng(asked.seed)

    began = time.perf_counter()
    observed, rolled_back, refused = healthy(asked.windows, asked.incidents, random)
    took = time.perf_counter() - began
    print(f"{asked.windows} healthy windows, {asked.incidents:g} incidents a year (seed {asked.seed}, {took:.0f} s)")
    print(f"  false rollbacks {rolled_back} of {observed} ({rolled_back / observed:.2%})")
    print(f"  refusals        {refused} of {asked.windows} ({refused / asked.windows:.2%})")

    print(f"\ntime to detect, {asked.regressions} windows each   median    95th  missed")
    kinds: dict[str, Callable[[Weeks, slice], Weeks]] = {
        **{f"p99 +{by:.0%}": slower(by) for by in (0.25, 0.30, 0.50, 1.00)},
        **{f"errors {rate:.1%}": failing(rate) for rate in (0.006, 0.01, 0.05)},
        "total outage": outage,
    }
    for name, change in kinds.items():
        minutes = np.array(time_to_detect(change, asked.regressions, random))
        middle, late = np.percentile(minutes, (50, 95), method="higher")
        print(f"  {name:<32}{middle:>6.0f}  {late:>6.0f} {np.isinf(minutes).mean():>7.1%}")

    weeks = live(35, 0, random)
    baseline = Baseline(weeks.samples(0, 28 * DAY))
    window = weeks.samples(28 * DAY, 30 * DAY)
    began = time.perf_counter()
    for _ in range(200):
        baseline.judge(window, window[-1].at + timedelta(minutes=5))
    print(f"\none judgement of a 48 h window: {(time.perf_counter() - began) / 200 * 1e3:.2f} ms")


if __name__ == "__main__":
    main()
