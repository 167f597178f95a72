"""Quality of `judge`: windows of healthy services, of ill ones, and of those in between.

Every judgement is made as the watch makes it, each 5 minutes over the growing window, and the first BREACH counts.
Windows begin at all hours of generated services (benchmarks/traffic.py) or, with --series, of recorded ones.

    python benchmarks/health.py [--windows 1000] [--regressions 100] [--seed 1] [--series DIR [--labels FILE]]
                                [--only TABLE ...] [--write benchmarks/health-figures.json]

`--only recorded` tells windows with a labelled incident of the recording's own, in them or in the week before, from
the others.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import numpy as np

if not __package__:  # run as a file
    sys.path[0] = str(Path(__file__).parents[1])

from benchmarks.changes import (
    Change,
    clients_gone,
    failing,
    failing_path,
    four_hundreds,
    improved_then,
    one_path,
    path_gone,
    promotion,
    silence,
    slow_path,
    slower,
)
from benchmarks.traffic import DAY, PLAIN, SHAPES, START, Shape, Weeks, live, recorded
from optimizer.decide.health import Baseline
from optimizer.model.health import Health, Samples

PAST, WINDOW = 35 * DAY, 2 * DAY
APPLIES = range(PAST + 24, 91 * DAY, 3 * DAY + 37)  # at all hours and on all days of the week
Make = Callable[[], Weeks]
Row = dict[str, str | float]


@dataclass(frozen=True)
class Case:
    """One window that passed the pre-flight."""

    weeks: Weeks
    baseline: Baseline
    apply: int

    def window(self, change: Change | None = None, gap: int = 0) -> Samples:
        """Its 48 hours, `gap` periods later."""
        first = self.apply + gap
        weeks = self.weeks if change is None else change(self.weeks, slice(first, first + WINDOW))
        return weeks.samples(first, first + WINDOW)

    def verdict(self, window: Samples, periods: int = WINDOW) -> Health:
        """The verdict after the first `periods` of the window."""
        seen = Samples(window[:periods], {name: part[:periods] for name, part in window.groups.items()}, window.zone)
        return self.baseline.judge(seen, window[periods - 1].at + timedelta(minutes=5)).verdict


def cases(
    make: Make, refused: Counter[str], before: Change | None = None, own_incident: bool | None = None
) -> Iterator[Case]:
    """Windows without end; `before` changes the last two days before each.

    `own_incident`: only those with, or without, a labelled incident in the window or in the week before it.
    """
    while True:
        weeks = make()
        for apply in APPLIES:
            if own_incident is not None and _over_incident(weeks, apply) is not own_incident:
                continue
            lived = weeks if before is None else before(weeks, slice(apply - WINDOW, apply))
            baseline = Baseline(lived.samples(apply - PAST, apply))
            refused["asked"] += 1
            if baseline.judge([], START + timedelta(minutes=5 * apply)).verdict is Health.HEALTHY:
                yield Case(weeks, baseline, apply)
            else:
                refused["refused"] += 1


def _over_incident(weeks: Weeks, apply: int) -> bool:
    return weeks.has_incident(apply - 7 * DAY, apply + WINDOW)


def detected(case: Case, window: Samples) -> float:
    """Minutes until the first BREACH, judging every 5 minutes. A breach stays one as the window grows."""
    if case.verdict(window) is not Health.BREACH:
        return float("inf")
    low, high = 0, len(window)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if case.verdict(window, middle) is Health.BREACH else (middle, high)
    return 5.0 * high


@dataclass
class Report:
    """The tables, printed row by row."""

    random: np.random.Generator
    tables: dict[str, list[Row]] = field(default_factory=dict)

    def table(self, title: str, columns: str) -> None:
        self.tables[title] = []
        print(f"\n{title:<42}{columns}", flush=True)

    def of(self, shape: Shape) -> Make:
        return lambda: live(shape, self.random)

    def shares(
        self,
        name: str,
        make: Make,
        count: int,
        change: Change | None = None,
        before: Change | None = None,
        gap: int = 0,
        own_incident: bool | None = None,
    ) -> None:
        """Shares of `count` windows that were rolled back, held and refused, in percent."""
        asked: Counter[str] = Counter()
        took = zip(cases(make, asked, before, own_incident), range(count), strict=False)
        seen = Counter(case.verdict(case.window(change, gap)) for case, _ in took)
        row: Row = {
            "windows": count,
            "rolled back %": round(100 * seen[Health.BREACH] / count, 2),
            "held %": round(100 * seen[Health.INCONCLUSIVE] / count, 2),
            "refused %": round(100 * asked["refused"] / asked["asked"], 2),
        }
        self._keep(name, row)

    def times(
        self,
        name: str,
        make: Make,
        count: int,
        change: Change,
        before: Change | None = None,
        gap: int = 0,
        own_incident: bool | None = None,
    ) -> None:
        """Minutes until detection of a regression that begins with the window."""
        took = zip(cases(make, Counter(), before, own_incident), range(count), strict=False)
        found = np.array([detected(case, case.window(change, gap)) for case, _ in took])
        median, late, latest = np.percentile(found, (50, 95, 99), method="higher").tolist()
        missed = round(100 * float(np.isinf(found).mean()), 2)
        self._keep(name, {"windows": count, "median": median, "95th": late, "99th": latest, "missed %": missed})

    def _keep(self, name: str, row: Row) -> None:
        list(self.tables.values())[-1].append({"what": name, **row})
        print(f"{name:<42}" + "".join(f"{value:>11g}" for value in row.values()), flush=True)


SHARES = "    windows rolled back     held %   refused"
TIMES = "    windows     median       95th       99th     missed %"


def healthy(report: Report, makes: dict[str, Make], count: int) -> None:
    report.table("Healthy windows", SHARES)
    for name, make in makes.items():
        report.shares(name, make, count)


def excused(report: Report, plain: Make, count: int) -> None:
    report.table("No fault of the change", SHARES)
    for periods in (3, 6):
        report.shares(f"a nightly job of {5 * periods} min", report.of(replace(PLAIN, job=periods)), count)
    report.shares("a weekly job of 30 min", report.of(replace(PLAIN, job=6, job_every=7)), count)
    report.shares("two incidents a year of its own", report.of(replace(PLAIN, incidents=2)), count)
    report.shares("a promotion: +50 % load for 6 h", plain, count, promotion(PLAIN))
    report.shares("two fast days (-10 %), three days later", plain, count, None, improved_then(0.1, 0), 3 * DAY)
    report.shares("faster by 20 % before, and it stays", plain, count, improved_then(0.2, 0), improved_then(0.2, 0))
    report.shares("a path of 3 % of the requests beside", lambda: one_path(plain(), report.random), count)
    for rate in (1.0, 4.0, 12.0, 25.0, 100.0):
        report.shares(f"0.48 % errors at {rate:g} requests/s", report.of(_even(rate)), count, failing(0.0048))
    for by in (0.10, 0.15):
        report.shares(f"p99 +{by:.0%}: within the brief", plain, count, slower(by))


def doubted(report: Report, plain: Make, count: int) -> None:
    report.table("Not to be believed", SHARES)
    report.shares("silent in the last 15 min", plain, count, silence(3))
    report.shares("a twentieth of the requests for 15 min", plain, count, clients_gone(0.05, 3))
    report.shares("a third of the requests for two hours", plain, count, clients_gone(0.33, 25))
    report.shares("5 % of the requests get 4xx for an hour", plain, count, four_hundreds(0.05))
    report.shares("a path is gone", lambda: one_path(plain(), report.random), count, path_gone)


def found(report: Report, makes: dict[str, Make], plain: Make, count: int) -> None:
    report.table("Minutes until found", TIMES)
    for name, make in makes.items():
        for by in (0.25, 0.30, 0.50, 1.00):
            report.times(f"p99 +{by:.0%}, {name}", make, count, slower(by))
    for rate, name in ((0.006, "0.6 %"), (0.01, "1 %"), (0.05, "5 %"), (1.0, "100 %, an outage")):
        report.times(f"errors {name}", plain, count, failing(rate))
    for gap in (0, 3 * DAY):
        for by in (0.25, 0.30):
            name = f"p99 +{by:.0%} after 20 % faster, {gap // DAY} days later"
            report.times(name, plain, count, improved_then(0.2, by), improved_then(0.2, 0), gap)
    report.times("a path of 3 % twice as slow", lambda: one_path(plain(), report.random), count, slow_path(2.0))
    report.times("a path of 3 % failing to 20 %", lambda: one_path(plain(), report.random), count, failing_path(0.2))


def followed(report: Report, makes: dict[str, Make], count: int, regressions: int) -> None:
    report.table("Healthy windows, recorded", SHARES)
    clear = []
    for name, make in makes.items():
        lived = make()
        kinds = {_over_incident(lived, apply) for apply in APPLIES}
        if False in kinds:
            clear.append((name, make))
            report.shares(name, make, count, own_incident=False)
            report.shares(f"{name}, a promotion", make, regressions, promotion(PLAIN), own_incident=False)
        if True in kinds:
            report.shares(f"{name}, over its own incident", make, count, own_incident=True)
    report.table("Minutes until found, recorded", TIMES)
    for name, make in clear:
        for by in (0.25, 0.30, 0.50, 1.00):
            report.times(f"p99 +{by:.0%}, {name}", make, regressions, slower(by), own_incident=False)


def by_traffic(report: Report, count: int) -> None:
    report.table("Minutes until found, by traffic", TIMES)
    for rate in (0.5, 1.0, 2.0, 6.0, 12.0, 25.0, 100.0):
        make = report.of(_even(rate))
        report.times(f"errors 1 % at {rate:g} requests/s", make, count, failing(0.01))
        report.times(f"errors 5 % at {rate:g} requests/s", make, count, failing(0.05))
        report.times(f"p99 +50% at {rate:g} requests/s", make, count, slower(0.5))


def _even(rate: float) -> Shape:
    """A shape with `rate` requests a second, day and night."""
    return replace(PLAIN, daily=0, weekend=1, requests=rate * 86_400)


def speed(random: np.random.Generator) -> None:
    weeks = live(PLAIN, random, 40)
    past, window = weeks.samples(0, PAST), weeks.samples(PAST, PAST + WINDOW)
    began = time.process_time()
    for _ in range(10):
        Baseline(past).judge(window, window[-1].at + timedelta(minutes=5))
    whole, baseline = (time.process_time() - began) / 10, Baseline(past)
    baseline.judge(window, window[-1].at)
    began = time.process_time()
    for _ in range(100):
        baseline.judge(window, window[-1].at + timedelta(minutes=5))
    prepared = (time.process_time() - began) / 100
    print(
        f"\none judgement of 48 h: {whole * 1e3:.1f} ms with its past, {prepared * 1e3:.2f} ms with the past prepared"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="How well the health judge judges.")
    parser.add_argument("--windows", type=int, default=1000)
    parser.add_argument("--regressions", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--series", type=Path)
    parser.add_argument("--labels", type=Path, help="incidents of the series, as NAB's labels/combined_windows.json")
    parser.add_argument("--only", nargs="*", default=["healthy", "excused", "doubted", "found", "traffic"])
    parser.add_argument("--write", type=Path)
    asked = parser.parse_args()
    report = Report(np.random.default_rng(asked.seed))
    makes = {shape.name: report.of(shape) for shape in SHAPES}
    if asked.series:
        labels = json.loads(asked.labels.read_text()) if asked.labels else {}
        makes = recorded(asked.series, report.random, {Path(name).stem: each for name, each in labels.items()})
    plain = next(iter(makes.values()))
    print(f"seed {asked.seed}", end="")
    tables: dict[str, Callable[[], None]] = {
        "healthy": lambda: healthy(report, makes, -(-asked.windows // len(makes))),
        "excused": lambda: excused(report, plain, asked.regressions),
        "doubted": lambda: doubted(report, plain, asked.regressions),
        "found": lambda: found(report, makes, plain, asked.regressions),
        "traffic": lambda: by_traffic(report, asked.regressions),
        "recorded": lambda: followed(report, makes, -(-asked.windows // len(makes)), asked.regressions),
    }
    for name in asked.only:
        tables[name]()
    speed(report.random)
    if asked.write:
        kept = json.loads(asked.write.read_text()) if asked.write.exists() else {}
        text = json.dumps({**kept, **report.tables}, indent=1).replace("Infinity", "null")
        asked.write.write_text(text + "\n")


if __name__ == "__main__":
    main()
