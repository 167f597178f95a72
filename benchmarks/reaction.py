"""Time from the onset of a regression to the product's first undo call.

The onset lies anywhere in a period; a period is judged when it has settled; the watch's builds begin every five
minutes, at any distance from the periods, and run their first command after 90 s. Errors also start it: their alarm
rings after three minutes of them, and that build judges three times. AWS's time for the undo comes on top: it depends
on the change (docs/actions.md).

    python -m benchmarks.reaction [--windows 200] [--seed 1]
"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import numpy as np

from benchmarks.changes import Change
from benchmarks.health import WINDOW, Case, cases
from benchmarks.traffic import PLAIN, Weeks, live
from optimizer.model.health import Health
from optimizer.observe.service_health import SETTLING

EVERY, PROVISIONING = 5.0, 1.5  # minutes: the schedule, and a build's start (assumed)
JUDGING = 0.5  # minutes from a build's first command to its first undo call: metrics, inventory, journal
RINGS = 4.5  # minutes of errors until their alarm: three of three datapoints, each published a minute and a half later
LOOKS = 3
MINUTE = timedelta(minutes=1)
TARGETS = {"outage": 8, "errors 5 %": 12, "errors 1 %": 20, "p99 +100 %": 35}


def failing(rate: float, share: float) -> Change:
    """Failures from a moment in the first period on, of which this share is left."""

    def change(weeks: Weeks, at: slice) -> Weeks:
        errors, random = weeks.errors.copy(), np.random.default_rng(at.start)
        requests = np.nan_to_num(weeks.requests[at]).astype(int)
        rates = np.full(len(requests), rate)
        rates[0] *= share
        errors[at] = random.binomial(requests, rates)
        return replace(weeks, errors=errors)

    return change


def slower(by: float, share: float) -> Change:
    """Slower requests: they set the percentile as soon as they are more than a hundredth of a period."""

    def change(weeks: Weeks, at: slice) -> Weeks:
        p99 = weeks.p99.copy()
        first = at.start if share > 0.05 else at.start + 1
        p99[first : at.stop] *= 1 + by
        return replace(weeks, p99=p99)

    return change


def periods(case: Case, change: Change, onset: int) -> float:
    """The number of periods, from that of the onset on, that must be known until the first BREACH."""
    first, changed = case.apply, change(case.weeks, slice(case.apply + onset, case.apply + WINDOW))
    window = changed.samples(first, first + WINDOW)
    for count in range(onset + 1, WINDOW + 1):
        if case.verdict(window, count) is Health.BREACH:
            return count - onset
    return float("inf")


def main() -> None:
    parser = argparse.ArgumentParser(description="From the onset to the first undo call, in minutes.")
    parser.add_argument("--windows", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    random = np.random.default_rng(asked.seed)
    print(f"{'minutes':<14}{'windows':>8}{'median':>8}{'95th':>8}{'aim':>6}")
    for name, aim in TARGETS.items():
        took = []
        for case, _ in zip(cases(lambda: live(PLAIN, random), Counter()), range(asked.windows), strict=False):
            share, onset = random.uniform(), int(random.integers(6, 240))
            change = {
                "outage": failing(1.0, share),
                "errors 5 %": failing(0.05, share),
                "errors 1 %": failing(0.01, share),
                "p99 +100 %": slower(1.0, share),
            }[name]
            known = EVERY * (periods(case, change, onset) - 1 + share) + SETTLING / MINUTE
            offset = random.uniform(0, EVERY)
            looks = [offset + EVERY * n for n in range(2 * WINDOW)]  # the schedule has started the watch by then
            if "p99" not in name:
                rung = RINGS + random.uniform(0, 1) + PROVISIONING
                looks += [rung + EVERY * n for n in range(LOOKS)]
            took.append(min(each for each in looks if each >= known) + JUDGING)
        median, late = np.percentile(took, (50, 95), method="higher")
        print(f"{name:<14}{len(took):>8}{median:>8.1f}{late:>8.1f}{aim:>6}", flush=True)


if __name__ == "__main__":
    main()
