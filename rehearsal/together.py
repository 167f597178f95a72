"""Scenarios of one trunk: the shared part runs once, then each continues in a process that forks from it.

    python -m rehearsal.together FOLDER SCENARIO...

The scenarios must be of one trunk (`parting`). Each writes to FOLDER/NAME: `out`, as `rehearse --out` fills it,
the output of `rehearse` (`told`), its progress (`progress`) and, when all of that is complete, its exit code (`code`).
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from rehearsal.parting import parts_at, trunks
from rehearsal.report import Progress
from rehearsal.run import end, spared_collector, tell
from rehearsal.scenario import Scenario, load_scenario
from rehearsal.session import RehearsalSession
from rehearsal.spent import Spent
from rehearsal.workspace import PROJECT, RehearsalRequest, Workspace

AT_ONCE = 2  # separated scenarios that run at once: the trunk waits for them most of the time


@dataclass
class Together:
    """The scenarios of one trunk. This process runs the last of them, from which all others separate."""

    folder: Path
    scenarios: Sequence[Scenario]
    begun: Spent
    is_child: bool = False
    _children: list[int] = field(default_factory=list)
    _parted: set[str] = field(default_factory=set)

    def live(self) -> int:
        """Run all to their ends; returns the number that did not end as expected."""
        trunk = self.scenarios[-1]
        progress = Progress(self._progress_of(trunk))
        sys.stderr = progress.stream
        with tempfile.TemporaryDirectory(prefix="rehearsal-") as scratch, spared_collector() as spare:
            setting = Workspace(self._request(trunk), PROJECT, Path(scratch), progress)
            assembly = setting.synthesize()
            with setting.account_of(assembly) as account:
                progress.clock = account.clock
                life = RehearsalSession(setting, account, assembly)
                life.parting = lambda moment: self._part(life, moment)
                life.begin()
                spare()
                self._end(life)
            while self._children:
                self._wait()
        return sum((self.folder / each.name / "code").read_text() != "0" for each in self.scenarios)

    def _part(self, life: RehearsalSession, moment: str) -> None:
        """Let the scenarios that separate here continue, each in its own process; the trunk continues here."""
        for scenario in self.scenarios[:-1]:
            if self.is_child or scenario.name in self._parted or parts_at(scenario) != moment:
                continue
            self._parted.add(scenario.name)
            if self._forked(life, scenario):
                life.become(self._request(scenario), Path(tempfile.mkdtemp(dir=life.setting.scratch)))

    def _forked(self, life: RehearsalSession, scenario: Scenario) -> bool:
        """Fork; True in the new process, which runs this scenario from now on."""
        while len(self._children) >= AT_ONCE:
            self._wait()
        spent = Spent.so_far() - self.begun
        life.progress.stream.flush()
        child = os.fork()
        if child:
            self._children.append(child)
            return False
        self.is_child, self.begun = True, Spent.so_far() - spent
        trunk = self.folder / self.scenarios[-1].name / "progress"
        life.progress.stream = sys.stderr = self._progress_of(scenario, trunk.read_text())
        return True

    def _end(self, life: RehearsalSession) -> None:
        """Run the rest of this process's scenario, and write its files. A child's process ends with it."""
        try:
            walk = life.walk()
            sys.stdout = (self.folder / life.scenario.name / "told").open("w")
            summary, differences = end(life, walk)
            code = tell(life.request, summary, differences, self.begun)
        except BaseException:  # noqa: BLE001 -- whatever it was, this life ended by it, and the others go on
            traceback.print_exc()
            code = 1
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        ended = self.folder / life.scenario.name / "ended"
        ended.write_text(str(code))
        ended.rename(ended.with_name("code"))  # a reader that waits for it finds it complete
        if self.is_child:
            os._exit(0)

    def _wait(self) -> None:
        """Wait until one of the others has ended. Its resources do not count as this scenario's."""
        ended, _, used = os.wait4(-1, 0)
        if ended not in self._children:  # a process of another kind
            return
        self._children.remove(ended)
        self.begun = Spent(self.begun.wall_seconds, self.begun.cpu_seconds + used.ru_utime + used.ru_stime)

    def _request(self, scenario: Scenario) -> RehearsalRequest:
        return RehearsalRequest(self.folder / scenario.name / "out", scenario)

    def _progress_of(self, scenario: Scenario, so_far: str = "") -> TextIO:
        out = self._request(scenario).out
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        with suppress(FileNotFoundError):
            (out.parent / "code").unlink()
        (out.parent / "told").write_text("")
        stream = (out.parent / "progress").open("w")
        stream.write(so_far)
        return stream


def main(arguments: Sequence[str]) -> int:
    """Run as in the module's docstring. 1 if a scenario did not end as expected."""
    folder, *names = arguments
    ((*scenarios,),) = trunks(load_scenario(each) for each in names)
    return 1 if Together(Path(folder), scenarios, Spent.so_far()).live() else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
