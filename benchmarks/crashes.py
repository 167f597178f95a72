"""One rehearsal, and at many of its AWS calls a second one that branches off because the job died there.

The rehearsal runs once. At every chosen call it forks: the child's job dies at that call, the stage is
retried as CodePipeline does, and the child runs to the end, which must be the scenario's expected
end; the parent continues undisturbed. So a crash costs only the calls after it.

    python benchmarks/crashes.py [--scenario quiet] [--jobs Phase2 Phase3] [--every 100] [--from 0]

One line per crash: the call, its job, its operation, the child's end. Exit code 1 if one of them
differs. The folder --logs has each child's output, with the calls of each role.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

if not __package__:  # run as a file: a module beside it has the name of the package `rehearsal`
    sys.path[0] = str(Path(__file__).parents[1])

from emulator.account import EmulatedAccount
from emulator.core.faults import Crash, Fault, Faults
from rehearsal.report import Progress
from rehearsal.run import broken_off
from rehearsal.scenario import load_scenario
from rehearsal.session import RehearsalSession
from rehearsal.summary import excluded_of, unexpected
from rehearsal.workspace import PROJECT, RehearsalRequest, Workspace

NEVER = 1_000_000_000  # a number that no rehearsal reaches: the walker retries, and nothing dies by itself


class Forks(Faults):
    """At every chosen call, forks a child whose job dies there. `died` is set in the child alone."""

    def __init__(self, account: EmulatedAccount, chosen: Callable[[int, str], bool], scratch: Path, logs: Path) -> None:
        super().__init__(None, 0.0, 0)
        self._account, self._chosen, self._scratch, self._logs = account, chosen, scratch, logs
        self.died: str | None = None
        self.bad = 0

    def around(self, number: int, land: Callable[[], object]) -> Fault | None:
        call = self._account.calls[number - 1]
        if self.died is None and self._chosen(number, call.actor):
            told = f"call {number:5} {call.actor:16} {call.service}:{call.operation}"
            if self._is_child(number):
                self.died = told
                if number % 2:
                    land()
                raise Crash(f"the job died at call {number}")
        land()
        return None

    def _is_child(self, number: int) -> bool:
        here = Path.cwd()  # the job's, in the scratch folder
        kept = tempfile.mkdtemp(prefix="fork-")  # only the parent removes it: both leave this function
        shutil.copytree(self._scratch, f"{kept}/scratch", symlinks=True)
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            log = os.open(self._logs / f"{number}.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(log, 2)
            return True
        _, status = os.waitpid(child, 0)
        self.bad += os.waitstatus_to_exitcode(status) != 0
        shutil.rmtree(self._scratch)
        shutil.copytree(f"{kept}/scratch", self._scratch, symlinks=True)
        shutil.rmtree(kept)
        os.chdir(here)
        return False


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenario", default="quiet")
    parser.add_argument("--jobs", nargs="*", default=["Phase2", "Phase3"], help="only calls of jobs that begin so")
    parser.add_argument("--every", type=int, default=100, help="of those calls, every how many-th")
    parser.add_argument("--from", type=int, default=0, dest="first", help="only calls from this number on")
    parser.add_argument("--logs", type=Path, default=Path("crash-logs"))
    asked = parser.parse_args()
    asked.logs.mkdir(parents=True, exist_ok=True)
    seen = 0

    def chosen(number: int, actor: str) -> bool:
        nonlocal seen
        if number < asked.first or not actor.startswith(tuple(asked.jobs)):
            return False
        seen += 1
        return seen % int(asked.every) == 0

    with tempfile.TemporaryDirectory(prefix="crashes-") as folder:
        scratch, out = Path(folder) / "scratch", Path(folder) / "out"
        scratch.mkdir()
        out.mkdir()
        request = RehearsalRequest(out, load_scenario(asked.scenario), crash_at=NEVER)
        setting = Workspace(request, PROJECT, scratch, Progress(sys.stderr))
        with setting.account_of(assembly := setting.synthesize()) as account:
            forks = Forks(account, chosen, scratch, asked.logs)
            account.faults = forks
            life = RehearsalSession(setting, account, assembly)
            setting.progress.clock = account.clock
            try:
                differences = _live(life)
                _keep_calls(life, asked.logs / (forks.died or "no crash").split()[1])
            except BaseException as error:
                if forks.died is None:
                    raise
                differences = [f"{type(error).__name__}: {error}"]
            print(
                f"{forks.died or 'no crash':70} {'as expected' if not differences else '; '.join(differences)}",
                flush=True,
            )
            if forks.died is not None:
                os._exit(1 if differences else 0)
    return 1 if forks.bad or differences else 0


def _live(life: RehearsalSession) -> list[str]:
    """Run the whole rehearsal; returns its differences from the expected end."""
    life.begin()
    walk = life.walk()
    summary = life.summary()
    expect = life.scenario.expect
    return [*unexpected(summary, excluded_of(life.journal), expect), *broken_off(walk, summary, life.scenario)]


def _keep_calls(life: RehearsalSession, folder: Path) -> None:
    """Store the calls of each role and their resources, like a rehearsal does."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "calls.json").write_text(json.dumps(life.calls_by_role()))
    (folder / "called-on.json").write_text(json.dumps(life.called_on()))


if __name__ == "__main__":
    sys.exit(main())
