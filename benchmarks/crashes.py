"""One rehearsal, and at many of its AWS calls a second one that branches off because the job died there.

The rehearsal runs once. At every chosen call it forks: the child's job dies at that call, the stage is
retried as CodePipeline does, and the child runs to the end, which must be the scenario's expected
end; the parent continues undisturbed. So a crash costs only the calls after it.

    python benchmarks/crashes.py [--scenario quiet] [--jobs Phase2 Phase3] [--every 100] [--from 0]

One line per crash: the call, its job, its operation, the child's end. Exit code 1 if one of them
differs. The folder --logs has each life's files, with the calls of each role: SCENARIO, and crashes/CALL/SCENARIO.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import current_thread, main_thread

if not __package__:  # run as a file: a module beside it has the name of the package `rehearsal`
    sys.path[0] = str(Path(__file__).parents[1])

from emulator.core.faults import Crash, Faults
from rehearsal.parting import parts_at
from rehearsal.scenario import Scenario, load_scenario
from rehearsal.session import BEGUN, RehearsalSession
from rehearsal.spent import Spent
from rehearsal.together import Together
from rehearsal.workspace import RehearsalRequest

NEVER = 1_000_000_000  # a number that no rehearsal reaches: the walker retries, and nothing dies by itself
CRASHES = "crashes"


@dataclass(frozen=True)
class Chosen:
    """Every `every`-th call of the jobs whose names begin with one of `jobs`, from call number `first` on."""

    jobs: tuple[str, ...]
    every: int
    first: int = 0


@dataclass
class Crashing(Together):
    """Scenarios of one trunk, and for each one in `chosen` the lives in which a job dies at a call of its life.

    Such a life is the trunk's until the scenario separates from it, also when its job dies before that.
    """

    chosen: Mapping[str, Chosen] = field(default_factory=dict)
    said: Callable[[str], object] = lambda _line: None
    bad: int = 0
    _since: dict[str, int] = field(default_factory=dict)
    _died_as: Scenario | None = None  # in the process of a crash: the scenario that it is about

    def _part(self, life: RehearsalSession, moment: str) -> None:
        dead = self._died_as
        if moment == BEGUN:
            life.account.faults = _AtCalls(lambda number: self._dies(life, number))
        if dead is None:
            super()._part(life, moment)
        elif life.scenario.name != dead.name and parts_at(dead) == moment:
            life.become(self._request(dead), Path(tempfile.mkdtemp(dir=life.setting.scratch)))

    def _forked(self, life: RehearsalSession, scenario: Scenario) -> bool:
        forked = super()._forked(life, scenario)
        if forked:
            self._children = []
        return forked

    def _end(self, life: RehearsalSession) -> None:
        try:
            super()._end(life)
        finally:
            if self._died_as is not None:
                os._exit(1)  # it could not even write its end

    def _request(self, scenario: Scenario) -> RehearsalRequest:
        request = super()._request(scenario)
        return request if self._died_as is None else replace(request, crash_at=NEVER)

    def _dies(self, life: RehearsalSession, number: int) -> bool:
        """Whether the job dies at this call: in each process that forks here, one for each scenario that chose it."""
        if self._died_as is not None:
            return False
        actor = life.account.calls[number - 1].actor
        due = [each for each in self._lived_by(life) if self._is_due(each.name, number, actor)]
        return any(self._crashed(life, number, each) for each in due)

    def _lived_by(self, life: RehearsalSession) -> list[Scenario]:
        """The scenarios with crashes that this process runs: its own, and those that have not separated from it."""
        parted = [each.name for each in self.scenarios] if self.is_child else self._parted
        own = life.scenario.name
        return [
            each
            for each in self.scenarios
            if each.name in self.chosen and (each.name == own or each.name not in parted)
        ]

    def _is_due(self, scenario: str, number: int, actor: str) -> bool:
        chosen = self.chosen[scenario]
        if number < chosen.first or not actor.startswith(chosen.jobs):
            return False
        self._since[scenario] = self._since.get(scenario, 0) + 1
        if self._since[scenario] < chosen.every or current_thread() is not main_thread():  # a fork has one thread only
            return False
        self._since[scenario] = 0
        return True

    def _crashed(self, life: RehearsalSession, number: int, scenario: Scenario) -> bool:
        """Fork; True in the child. The parent waits, for the child works in the same scratch folder."""
        while self._children:
            self._wait()
        here, scratch, folder = Path.cwd(), life.setting.scratch, self.folder / CRASHES / str(number)  # here: the job's
        kept = tempfile.mkdtemp(prefix="fork-")  # only the parent removes it: both leave this function
        shutil.copytree(scratch, f"{kept}/scratch", symlinks=True)
        stream, spent = life.progress.stream, Spent.so_far() - self.begun
        stream.flush()
        child = os.fork()
        if child == 0:
            self.is_child, self.begun = True, Spent.so_far() - spent
            so_far = (self.folder / life.scenario.name / "progress").read_text()
            self.folder, self._died_as = folder, scenario
            life.request = self._request(scenario)
            with self._progress_of(scenario, so_far) as own:
                own.flush()
                os.dup2(own.fileno(), stream.fileno())  # whatever holds the stream writes there from now on
            if life.engine is not None:
                life.engine.retry_failures = True
            return True
        self._children.append(child)
        while self._children:
            self._wait()
        call = life.account.calls[number - 1]
        self._tell(f"call {number:5} {call.actor:16} {call.service}:{call.operation}", folder / scenario.name)
        shutil.rmtree(scratch, ignore_errors=True)
        shutil.copytree(f"{kept}/scratch", scratch, symlinks=True)
        shutil.rmtree(kept)
        os.chdir(here)
        return False

    def _tell(self, crash: str, ended: Path) -> None:
        good = code_of(ended) == 0
        self.bad += not good
        (ended / "call").write_text(crash)
        self.said(f"{crash:70} {'as expected' if good else 'otherwise: see ' + str(ended)}")


def code_of(ended: Path) -> int | None:
    """The exit code of the life in this folder; None if it has not come to its end."""
    code = ended / "code"
    return int(code.read_text()) if code.is_file() else None


class _AtCalls(Faults):
    """The job dies at each call of which `dies` says so, after the call landed if its number is odd."""

    def __init__(self, dies: Callable[[int], bool]) -> None:
        super().__init__(None, 0.0, 0)
        self._dies = dies

    def around(self, number: int, land: Callable[[], object]) -> None:
        if not self._dies(number):
            land()
            return
        if number % 2:
            land()
        raise Crash(f"the job died at call {number}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenario", default="quiet")
    parser.add_argument("--jobs", nargs="*", default=["Phase2", "Phase3"], help="only calls of jobs that begin so")
    parser.add_argument("--every", type=int, default=100, help="of those calls, every how many-th")
    parser.add_argument("--from", type=int, default=0, dest="first", help="only calls from this number on")
    parser.add_argument("--logs", type=Path, default=Path("crash-logs"))
    asked = parser.parse_args()
    out, errors = sys.stdout, sys.stderr
    chosen = {asked.scenario: Chosen(tuple(asked.jobs), asked.every, asked.first)}
    lives = Crashing(
        asked.logs.resolve(),
        [load_scenario(asked.scenario)],
        Spent.so_far(),
        chosen=chosen,
        said=lambda line: print(line, file=out, flush=True),  # not to the job's own output
    )
    try:
        wrong = lives.live()
    finally:
        sys.stdout, sys.stderr = out, errors
    print(f"{'no crash':70} {'otherwise: see ' + str(lives.folder / asked.scenario) if wrong else 'as expected'}")
    return 1 if wrong or lives.bad else 0


if __name__ == "__main__":
    sys.exit(main())
