"""A whole rehearsal: synthesize, deploy, let the days pass, walk the pipeline, and report the end."""

from __future__ import annotations

import gc
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

from rich.console import Console

from domain.errors import UsageError
from optimizer.cli.output import require_writable
from rehearsal.pipeline.engine import Walk
from rehearsal.report import Progress, show
from rehearsal.scenario import Outcome, Scenario
from rehearsal.session import RehearsalSession
from rehearsal.spent import Spent
from rehearsal.summary import Summary, excluded_of, other_sizing, unexpected
from rehearsal.workspace import PROJECT, RehearsalRequest, Workspace

DURATIONS = ".rehearsal/durations"
UNFINISHED = (Outcome.ROLLED_BACK, Outcome.HELD)


def rehearse(
    request: RehearsalRequest, *, as_json: bool = False, project: Path = PROJECT, begun: Spent | None = None
) -> int:
    """Rehearse, write dashboard.html and summary.json; 0 if it ended as the scenario expects, else 1.

    `begun`: resources used when the command began, if that was before this function.
    """
    begun = begun or Spent.so_far()
    if not (project / "app.py").is_file():
        raise UsageError(f"{project} holds no app.py: rehearse from a clone, installed with `make setup`.")
    there = request.out.exists()
    require_writable(request.out)
    progress = Progress(sys.stderr, usual=usual_seconds(project, request.scenario.name))
    try:
        return _rehearse(request, project, progress, begun, as_json=as_json)
    except KeyboardInterrupt:
        if not there:
            shutil.rmtree(request.out)  # half a rehearsal shows nothing
        raise
    finally:
        progress.end()


def _rehearse(request: RehearsalRequest, project: Path, progress: Progress, begun: Spent, *, as_json: bool) -> int:
    with tempfile.TemporaryDirectory(prefix="rehearsal-") as scratch, spared_collector() as spare:
        setting = Workspace(request, project, Path(scratch), progress)
        assembly = setting.synthesize()
        with setting.account_of(assembly) as account:
            progress.clock = account.clock
            life = RehearsalSession(setting, account, assembly)
            life.begin()
            spare()
            summary, differences = end(life, life.walk())
    progress.end()
    remember_seconds(project, request.scenario.name, monotonic() - progress.begun)
    return tell(request, summary, differences, begun, as_json=as_json)


def end(life: RehearsalSession, walk: Walk) -> tuple[Summary, list[str]]:
    """Run everything after the walk; returns the figures, and the differences from the scenario's expectation."""
    request = life.request
    life.live_on(request.weeks_after)
    life.publish()
    (request.out / "calls.json").write_text(json.dumps(life.calls_by_role(), indent=2) + "\n")
    (request.out / "called-on.json").write_text(json.dumps(life.called_on(), indent=2) + "\n")
    summary = life.summary()
    differences = unexpected(summary, excluded_of(life.journal), request.scenario.expect)
    differences += other_sizing(life.journal.sizing(), request.scenario.expect.sizing)
    differences += broken_off(walk, summary, request.scenario)
    differences += life.writer.differences() if life.writer else []
    return summary, differences


def tell(
    request: RehearsalRequest, summary: Summary, differences: Sequence[str], begun: Spent, *, as_json: bool = False
) -> int:
    """Write summary.json and show it; 0 if there are no differences, else 1."""
    summary = summary.model_copy(update=Spent.so_far().since(begun))
    (request.out / "summary.json").write_text(summary.model_dump_json(indent=2) + "\n")
    if as_json:
        Console().print_json(summary.model_dump_json())
    else:
        show(summary, differences, request.out / "dashboard.html", Console())
    return 1 if differences else 0


def usual_seconds(project: Path, scenario: str) -> float | None:
    """Seconds that the scenario took here last time; None the first time."""
    try:
        return float((project / DURATIONS / scenario).read_text())
    except (OSError, ValueError):
        return None


def remember_seconds(project: Path, scenario: str, seconds: float) -> None:
    """Store a scenario's duration, for the remaining time that the next run shows."""
    (project / DURATIONS).mkdir(parents=True, exist_ok=True)
    (project / DURATIONS / scenario).write_text(f"{seconds:.1f}\n")


@contextmanager
def spared_collector() -> Iterator[Callable[[], None]]:
    """Spare the garbage collector the emulated account: its repeated passes take a third of the time.

    After the block it works as before, or a process of many rehearsals would keep them all in memory.
    """
    before = gc.get_threshold()

    def spare() -> None:
        gc.collect()
        gc.freeze()
        gc.set_threshold(100_000, 20, 50)

    try:
        yield spare
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)


def broken_off(walk: Walk, summary: Summary, scenario: Scenario) -> list[str]:
    """Reasons why the walk should not have ended at this stage; empty if the outcomes explain it."""
    failed = walk.failed
    person = scenario.person
    if failed is None or (failed.name == "Approve" and (person.confirms_alone or not person.approve_plan)):
        return []
    if scenario.false_drift and "drift-check" in failed.reason:
        return []
    outcomes = {f"Phase{each.phase}": each.outcome for each in summary.phases}
    if outcomes.get(failed.name) in UNFINISHED:
        return []
    return [f"the pipeline ended at {failed.name}: {failed.reason}"]
