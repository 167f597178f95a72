"""The time that the product takes from the onset of an incident to its first undo call, and to the service as before.

One life is rehearsed until its first phase is applied. From there it forks once for each incident and onset: an
incident is a scenario file of benchmarks/incidents, its onset lies anywhere in the hours that follow. Builds need 90
seconds to start, CloudWatch's datapoints two minutes, alarms three to five; what AWS takes to undo is the phase's own.

    python benchmarks/reaction.py [--onsets 8] [--seed 1] [--only NAME ...] [--write benchmarks/reaction-figures.json]

Exit code 1 when an aim is not met, or an incident is not taken back.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

if not __package__:  # run as a file: beside it lies a module that is named like the package `rehearsal`
    sys.path[0] = str(Path(__file__).parents[1])

import numpy as np

from rehearsal.report import Progress
from rehearsal.run import spared_collector
from rehearsal.scenario import Scenario, load_scenario
from rehearsal.session import RehearsalSession
from rehearsal.summary import reactions_of
from rehearsal.workspace import PROJECT, RehearsalRequest, Workspace

INCIDENTS = PROJECT / "benchmarks" / "incidents"
AIMS = {"outage": 8, "errors-5-percent": 12, "errors-1-percent": 20, "twice-as-slow": 35}  # minutes, of the median
LATE = 1.5  # times the aim, of the 95th percentile
FORKS_AT = "phase1.applied"
SPREAD = (60.0, 660.0)  # minutes after it
Minutes = tuple[float, float]  # to the first undo call, and to the service as before


class Enough(BaseException):
    """All incidents are lived: the life that they parted from ends here. Nothing in a walk may catch it."""


@dataclass
class Forks:
    """The life that all incidents part from, and what each of them took."""

    life: RehearsalSession
    incidents: Sequence[tuple[Scenario, float]]
    took: dict[str, list[Minutes]] = field(default_factory=dict)
    writing: int | None = None  # where a fork says what it took; None in the life itself

    def part(self, moment: str) -> None:
        """At the moment at which all part: fork, and wait for each. Raises Enough in the life itself, at the end."""
        if moment != FORKS_AT:
            return
        for scenario, onset in self.incidents:
            reading, writing = os.pipe()
            child = os.fork()
            if not child:
                self._become(_at(scenario, onset), writing)
                return
            os.close(writing)
            with os.fdopen(reading) as told:
                answer = told.read()
            os.waitpid(child, 0)
            self._keep(scenario.name, onset, answer)
        raise Enough

    def _become(self, scenario: Scenario, writing: int) -> None:
        """This process lives on with the incident, and says at its end how long that took."""
        life, scratch = self.life, Path(tempfile.mkdtemp(dir=self.life.setting.scratch))
        life.parting = lambda _moment: None
        life.become(RehearsalRequest(scratch, scenario), scratch)
        self.writing = writing

    def tell(self) -> None:
        """Report the time of this fork to the life that waits for it. The fork's process ends with that."""
        assert self.writing is not None, "the life itself tells nobody"
        found = reactions_of(self.life.journal, self.life.workload.onsets())
        told = [found[0].undo_after_minutes, found[0].restored_after_minutes] if found else []
        os.write(self.writing, json.dumps(told).encode())
        os._exit(0)

    def _keep(self, name: str, onset: float, answer: str) -> None:
        found = json.loads(answer or "[]")
        minutes = (found[0], found[1] or float("inf")) if found else (float("inf"), float("inf"))
        self.took.setdefault(name, []).append(minutes)
        print(f"{name:<20}{onset:>8.1f}{minutes[0]:>8.1f}{minutes[1]:>8.1f}", flush=True)


def _at(scenario: Scenario, onset: float) -> Scenario:
    """The scenario with its incident so many minutes after the phase was applied."""
    (event,) = scenario.events
    return scenario.model_copy(update={"events": (event.model_copy(update={"after_minutes": onset}),)})


def lived(incidents: Sequence[tuple[Scenario, float]]) -> dict[str, list[Minutes]]:
    """The times of each incident, by its name."""
    with tempfile.TemporaryDirectory(prefix="reaction-") as scratch, spared_collector() as spare:
        request = RehearsalRequest(Path(scratch) / "out", incidents[0][0])
        setting = Workspace(request, PROJECT, Path(scratch), Progress((Path(scratch) / "progress").open("w")))
        assembly = setting.synthesize()
        with setting.account_of(assembly) as account:
            setting.progress.clock = account.clock
            life = RehearsalSession(setting, account, assembly)
            forks = Forks(life, incidents)
            life.parting = forks.part
            life.begin()
            spare()
            try:
                life.walk()
            except Enough:
                return forks.took
            except BaseException as problem:
                if forks.writing is None:
                    raise
                print(f"an incident's life ended with {problem!r}", file=sys.stderr)
            if forks.writing is not None:
                forks.tell()
    raise RuntimeError(f"the life never reached {FORKS_AT}")


def rows(took: dict[str, list[Minutes]]) -> list[dict[str, str | float]]:
    """The table: medians and 95th percentiles, one line an incident."""
    found: list[dict[str, str | float]] = []
    for name, minutes in took.items():
        undo, restored = (median_and_late(each) for each in zip(*minutes, strict=True))
        found.append(
            {
                "incident": name,
                "lives": len(minutes),
                "aim": AIMS[name],
                "undo begins, median": undo[0],
                "undo begins, 95th": undo[1],
                "as before, median": restored[0],
                "as before, 95th": restored[1],
            }
        )
    return found


def median_and_late(minutes: Sequence[float]) -> tuple[float, float]:
    """The median and the 95th percentile, which is one of the values."""
    return round(float(np.median(minutes)), 2), float(np.percentile(minutes, 95, method="higher"))


def is_late(minutes: Sequence[Minutes], aim: float) -> bool:
    """Whether the median until the first undo call is above the aim, or the 95th percentile above 1.5 times that."""
    median, late = median_and_late([undo for undo, _ in minutes])
    return median > aim or late > LATE * aim


def main() -> int:
    parser = argparse.ArgumentParser(description="From the onset to the first undo call, in minutes.")
    parser.add_argument("--onsets", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=list(AIMS))
    parser.add_argument("--write", type=Path)
    asked = parser.parse_args()
    random = np.random.default_rng(asked.seed)
    onsets = [round(random.uniform(*SPREAD), 1) for _ in range(asked.onsets)]
    scenarios = [load_scenario(str(INCIDENTS / f"{name}.yaml")) for name in asked.only]
    print(f"{'incident':<20}{'onset':>8}{'undo':>8}{'before':>8}")
    lived_minutes = lived([(scenario, onset) for scenario in scenarios for onset in onsets])
    table = rows(lived_minutes)
    for row in table:
        print("".join(f"{value:>22}" for value in row.values()))
    if asked.write:
        asked.write.write_text(json.dumps({"Minutes from the onset": table}, indent=1) + "\n")
    late = [name for name, minutes in lived_minutes.items() if is_late(minutes, AIMS[name])]
    return 1 if late else 0


if __name__ == "__main__":
    sys.exit(main())
