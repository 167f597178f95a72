"""The load from which each action is kept, and its headroom before that: analysis alone, without a plan.

The foundation is loaded once. Each point has another past: its metrics are computed from its own load, and all actions
decide again.
"""

from __future__ import annotations

import csv
import math
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from emulator.workload.workload import Workload
from optimizer.actions import registry
from optimizer.analyze.analysis import without_conflicts
from optimizer.analyze.measure import measure
from optimizer.model.decision import Choice, Criterion, Decision, Verdict
from optimizer.observe.inventory import take_inventory
from rehearsal.report import Progress
from rehearsal.scenario import Scenario
from rehearsal.session import RehearsalSession
from rehearsal.sweep_axis import Point, points_of, unit_of
from rehearsal.workspace import PROJECT, RehearsalRequest, Workspace


@dataclass(frozen=True)
class Cell:
    """One decision at one point. `headroom` is the unused share of its tightest limit, below 0 when it is exceeded."""

    choice: Choice
    headroom: float | None
    tightest: str
    reason: str


@dataclass(frozen=True)
class Row:
    """One action on one resource, point by point."""

    action: str
    resource: str
    cells: tuple[Cell, ...]

    @property
    def turns(self) -> int | None:
        """The first point from which on the action is never applied; None if it is applied at the last."""
        last = max((n for n, cell in enumerate(self.cells) if cell.choice is Choice.APPLY), default=-1)
        return None if last == len(self.cells) - 1 else last + 1


@dataclass(frozen=True)
class Sweep:
    """The sweep's argument, the labels of its points, and all rows."""

    argument: str
    unit: str
    labels: tuple[str, ...]
    rows: tuple[Row, ...]


def sweep(argument: str, scenario: Scenario, seed: int) -> Sweep:
    """Decide at every point. Raises UsageError for an axis or value that cannot be swept."""
    points = points_of(argument, scenario.workload, scenario.begins)
    progress = Progress(sys.stderr)
    with tempfile.TemporaryDirectory(prefix="sweep-") as scratch:
        setting = Workspace(RehearsalRequest(Path(scratch), scenario, seed), PROJECT, Path(scratch), progress)
        assembly = setting.synthesize()
        with setting.account_of(assembly) as account:
            life = RehearsalSession(setting, account, assembly)
            life.begin()
            decided = []
            for point in points:
                decided.append(_decided(life, point, seed))
                progress.say(f"{point.label}: {sum(each.choice is Choice.APPLY for each in decided[-1])} to apply")
    return Sweep(argument, unit_of(argument), tuple(each.label for each in points), tuple(_rows(decided)))


def _decided(life: RehearsalSession, point: Point, seed: int) -> Sequence[Decision]:
    """All decisions on the account in its present state, under another past."""
    past = Workload(point.workload, life.account, seed, events=life.scenario.events, jobs=life.scenario.jobs)
    for at, present in life.workload.timeline:
        past.remember(datetime.fromtimestamp(at, UTC), present)
    actions, aws = registry(), life.aws
    regions = list(dict.fromkeys(stack.region for stack in life.production))
    inventory = take_inventory(aws, regions)
    pairs = [(a, each) for a in actions for each in inventory.of(a.kind) if a.applies_to(each)]
    measured = measure(aws, pairs, point.policy)
    decisions = [a.decide(a.collect(aws.at(each.region), each, measured), point.policy) for a, each in pairs]
    return without_conflicts(actions, decisions)


def _rows(decided: Sequence[Sequence[Decision]]) -> Iterator[Row]:
    for together in zip(*decided, strict=True):
        moving = _moving(together)
        first = together[0]
        yield Row(first.action, first.resource, tuple(_cell(each, moving) for each in together))


def _moving(decisions: Sequence[Decision]) -> frozenset[str]:
    """The criteria that the sweep changes: others have the same observation and limit at every point."""
    seen: dict[str, set[object]] = {}
    for criterion in (each for decision in decisions for each in decision.criteria):
        seen.setdefault(criterion.name, set()).add((criterion.observed, criterion.limit))
    return frozenset(name for name, values in seen.items() if len(values) > 1)


def _cell(decision: Decision, moving: frozenset[str]) -> Cell:
    left = {
        each.name: room for each in decision.criteria if each.name in moving and (room := headroom(each)) is not None
    }
    tightest = min(left, key=lambda name: left[name], default="")
    return Cell(decision.choice, left.get(tightest), tightest, decision.reason)


def headroom(criterion: Criterion) -> float | None:
    """The unused share of the limit; None if the limit is not a number, or nothing was measured."""
    observed, limit = criterion.observed, criterion.limit
    numbers = all(isinstance(each, int | float) and not isinstance(each, bool) for each in (observed, limit))
    if not numbers or criterion.verdict is Verdict.NO_DATA:
        return None
    value, mark = float(observed or 0), float(limit or 0)
    if criterion.comparison == "at least":
        return 1 - mark / value if value > 0 else -math.inf if mark > 0 else None
    return 1 - value / mark if mark > 0 and criterion.comparison in ("at most", "below") else None


def write_csv(swept: Sweep, path: Path) -> None:
    """Write one line for each action, resource and point."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["action", "resource", swept.unit, "decision", "headroom", "tightest limit", "reason"])
        for row in swept.rows:
            for label, cell in zip(swept.labels, row.cells, strict=True):
                room = "" if cell.headroom is None else f"{cell.headroom:.4f}"
                writer.writerow([row.action, row.resource, label, cell.choice.value, room, cell.tightest, cell.reason])


def in_words(row: Row, labels: Sequence[str]) -> Mapping[str, str]:
    """A row in words: the points where it is applied and kept, and the headroom at the first point."""
    applied = [n for n, cell in enumerate(row.cells) if cell.choice is Choice.APPLY]
    elsewhere = [n for n in range(len(row.cells)) if n not in applied]
    turns = row.turns
    first = turns if turns is not None else next(iter(elsewhere), None)
    last, kept = (row.cells[applied[-1]] if applied else None), row.cells[first] if first is not None else None
    here = [labels[applied[0]], labels[applied[-1]]] if applied else ["never"]
    return {
        "applied": " to ".join(dict.fromkeys(here)),
        "kept": labels[turns] if turns is not None else ", ".join(labels[n] for n in elsewhere) or "never",
        "first": _percent(row.cells[0].headroom),
        "last": _percent(last.headroom if last else None),
        "because": kept.reason if kept else (last.tightest if last else ""),
    }


def _percent(share: float | None) -> str:
    return "" if share is None or not math.isfinite(share) else f"{100 * share:.0f} %"
