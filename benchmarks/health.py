"""How well `judge` judges: windows that are well, windows that are not, and what lies between.

Every judgement is made as the watch makes it, each 5 minutes over the growing window, and the first BREACH counts.
Windows begin at all hours of made services (benchmarks/traffic.py) or, with --series, of recorded ones.

    python benchmarks/health.py [--windows 1000] [--regressions 100] [--seed 1] [--series DIR] [--only NAME ...]
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import numpy as np

from benchmarks.traffic import DAY, PLAIN, SHAPES, START, Shape, Weeks, latency, live, recorded, samples
from optimizer.decide.health import Baseline
from optimizer.model.health import Health, Sample

PAST, WINDOW = 35 * DAY, 2 * DAY
APPLIES = range(PAST + 24, 95 * DAY, 3 * DAY + 37)  # at all hours and on all days of the week
Make = Callable[[], Weeks]
Change = Callable[[Weeks, slice], Weeks]


@dataclass(frozen=True)
class Case:
    """One window that passed the pre-flight."""

    weeks: Weeks
    baseline: Baseline
    apply: int

    def window(self, change: Change | None = None, gap: int = 0) -> list[Sample]:
        """Its 48 hours, beginning so many periods later."""
        first = self.apply + gap
        if change is None:
            return self.weeks.all_samples[first : first + WINDOW]
        return samples(change(self.weeks, slice(first, first + WINDOW)), first, first + WINDOW)

    def verdict(self, window: Sequence[Sample]) -> Health:
        return self.baseline.judge(window, window[-1].at + timedelta(minutes=5)).verdict


def cases(make: Make, refused: Counter[str], before: Change | None = None) -> Iterator[Case]:
    """Windows without end; `before` changes the last days before each."""
    while True:
        weeks = make()
        for apply in APPLIES:
            past = weeks.all_samples[apply - PAST : apply]
            if before is not None:
                past[-WINDOW:] = samples(before(weeks, slice(apply - WINDOW, apply)), apply - WINDOW, apply)
            baseline = Baseline(past, weeks.zone)
            refused["asked"] += 1
            if baseline.judge([], START + timedelta(minutes=5 * apply)).verdict is Health.HEALTHY:
                yield Case(weeks, baseline, apply)
            else:
                refused["refused"] += 1


def detected(case: Case, window: Sequence[Sample]) -> float:
    """Minutes until the first BREACH, looking every 5 minutes. A breach stays one as the window grows."""
    if case.verdict(window) is not Health.BREACH:
        return float("inf")
    low, high = 0, len(window)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if case.verdict(window[:middle]) is Health.BREACH else (middle, high)
    return 5.0 * high


def shares(
    name: str, make: Make, count: int, change: Change | None = None, before: Change | None = None, gap: int = 0
) -> None:
    """Print how many of so many windows were rolled back, held and refused."""
    refused: Counter[str] = Counter()
    took = cases(make, refused, before)
    seen = Counter(case.verdict(case.window(change, gap)) for case, _ in zip(took, range(count), strict=False))
    rolled_back, held = seen[Health.BREACH] / count, seen[Health.INCONCLUSIVE] / count
    print(
        f"  {name:<38}{count:>7}{rolled_back:>12.2%}{held:>8.2%}{refused['refused'] / refused['asked']:>9.2%}",
        flush=True,
    )


def times(name: str, make: Make, count: int, change: Change, before: Change | None = None, gap: int = 0) -> None:
    """Print how long it takes to find a regression that begins with the window."""
    found = [
        detected(case, case.window(change, gap))
        for case, _ in zip(cases(make, Counter(), before), range(count), strict=False)
    ]
    quantiles = np.percentile(found, (50, 95, 99), method="higher")
    told = "".join(f"{each:>8.0f}" for each in quantiles)
    print(f"  {name:<38}{count:>7}{told}{np.isinf(found).mean():>9.2%}", flush=True)


def slower(by: float) -> Change:
    return lambda weeks, at: replace(weeks, p99=_times(weeks.p99, at, 1 + by))


def failing(rate: float) -> Change:
    def change(weeks: Weeks, at: slice) -> Weeks:
        errors = weeks.errors.copy()
        errors[at] = np.random.default_rng(at.start).binomial(np.nan_to_num(weeks.requests[at]).astype(int), rate)
        return replace(weeks, errors=errors)

    return change


def promotion(shape: Shape) -> Change:
    """Half as many requests again for six hours, and p99 as the load makes it."""

    def change(weeks: Weeks, at: slice) -> Weeks:
        first = at.start + int(np.random.default_rng(at.start).integers(0, WINDOW - 72))
        six = slice(first, first + 72)
        load = weeks.requests * DAY / shape.requests
        p99 = weeks.p99.copy()
        p99[six] *= latency(shape, 1.5 * load[six]) / latency(shape, load[six])
        return replace(weeks, p99=p99, requests=_times(weeks.requests, six, 1.5))

    return change


def fewer(share: float, periods: int = WINDOW) -> Change:
    return lambda weeks, at: replace(weeks, requests=_times(weeks.requests, slice(at.stop - periods, at.stop), share))


def both(one: Change, other: Change) -> Change:
    return lambda weeks, at: other(one(weeks, at), at)


def _times(values: np.ndarray, at: slice, factor: float) -> np.ndarray:
    changed = values.copy()
    changed[at] *= factor
    return changed


def improved_then(by: float, then: float) -> Change:
    return lambda weeks, at: replace(weeks, p99=_times(weeks.p99, at, (1 - by) * (1 + then)))


def main() -> None:
    parser = argparse.ArgumentParser(description="How well the health judge judges.")
    parser.add_argument("--windows", type=int, default=1000)
    parser.add_argument("--regressions", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--series", type=Path)
    parser.add_argument("--only", nargs="*", default=["healthy", "found", "between", "traffic"])
    asked = parser.parse_args()
    random = np.random.default_rng(asked.seed)
    makes: dict[str, tuple[Make, Shape]] = {s.name: (lambda s=s: live(s, random), s) for s in SHAPES}  # type: ignore[misc]
    if asked.series:
        makes = {name: (make, PLAIN) for name, make in recorded(asked.series, random).items()}
    each = max(1, asked.windows // len(makes))
    plain = next(iter(makes.values()))[0] if asked.series else makes["plain"][0]

    if "healthy" in asked.only:
        print(f"healthy windows                          windows rolled back    held  refused    (seed {asked.seed})")
        for name, (make, _) in makes.items():
            shares(name, make, each)
    if "between" in asked.only:
        print("\nno change's fault                        windows rolled back    held  refused")
        for periods in (3, 6):
            shares(
                f"a nightly job of {5 * periods} min",
                lambda p=periods: live(replace(PLAIN, job=p), random),
                asked.regressions,
            )
        shares("a promotion: +50 % load for 6 h", plain, asked.regressions, promotion(PLAIN))
        shares("0.48 % errors", plain, asked.regressions, failing(0.0048))
        for gap in (0, 3 * DAY):
            shares(
                f"improved by 20 %, {gap // DAY} days later",
                plain,
                asked.regressions,
                improved_then(0.2, 0),
                improved_then(0.2, 0),
                gap,
            )
            shares(
                f"a fast weekend only, {gap // DAY} days later",
                plain,
                asked.regressions,
                None,
                improved_then(0.2, 0),
                gap,
            )
        for by in (0.10, 0.15):
            shares(f"p99 +{by:.0%}", plain, asked.regressions, slower(by))
        for share in (0.05, 0.4):
            shares(f"requests x {share} in the last two hours", plain, asked.regressions, fewer(share, 25))
    if "found" in asked.only:
        print("\nminutes until found                      windows  median    95th    99th   missed")
        for name, (make, _) in makes.items():
            for by in (0.25, 0.30, 0.50, 1.00):
                times(f"p99 +{by:.0%}, {name}", make, asked.regressions, slower(by))
        for rate in (0.006, 0.01, 0.05, 1.0):
            times(f"errors {rate:.1%}", plain, asked.regressions, failing(rate))
        for by in (0.25, 0.30):
            times(
                f"p99 +{by:.0%} after 20 % faster",
                plain,
                asked.regressions,
                improved_then(0.2, by),
                improved_then(0.2, 0),
            )
    if "traffic" in asked.only:
        print("\nby traffic: errors of 1 %, minutes        windows  median    95th    99th   missed")
        for rate in (0.5, 1.0, 2.0, 6.0, 12.0, 25.0, 100.0):
            times(
                f"{rate:g} requests/s",
                lambda r=rate: live(replace(PLAIN, daily=0, weekend=1, requests=r * 86_400), random),
                asked.regressions,
                failing(0.01),
            )
        for rate in (1.0, 4.0, 12.0, 25.0, 100.0):
            shares(
                f"0.48 % at {rate:g} requests/s",
                lambda r=rate: live(replace(PLAIN, daily=0, weekend=1, requests=r * 86_400), random),
                asked.regressions,
                failing(0.0048),
            )

    weeks = live(PLAIN, np.random.default_rng(1), 40)
    past, window = weeks.all_samples[:PAST], weeks.all_samples[PAST : PAST + WINDOW]
    began = time.perf_counter()
    for _ in range(10):
        Baseline(past).judge(window, window[-1].at + timedelta(minutes=5))
    print(f"\none judgement of a 48 h window with its past: {(time.perf_counter() - began) * 100:.1f} ms", end=", ")
    baseline = Baseline(past)
    baseline.judge(window, window[-1].at)
    began = time.perf_counter()
    for _ in range(100):
        baseline.judge(window, window[-1].at + timedelta(minutes=5))
    print(f"with the past prepared: {(time.perf_counter() - began) * 10:.2f} ms")


if __name__ == "__main__":
    main()
