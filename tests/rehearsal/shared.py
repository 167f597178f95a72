"""Whole rehearsals, each made once and read by all tests that use it.

A rehearsal runs as the command does, in a process of its own, whose memory ends with it. Scenarios that begin as one
life are lived together up to the moment at which they part (`rehearsal.together`), and so are the lives in which a job
dies (`tests/rehearsal/dying.py`). What it left and what it said is
kept under the hash of all that it depends on, so that workers side by side share it, and so do runs of the suite
between which nothing changed.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from benchmarks.crashes import CRASHES
from rehearsal.parting import trunks
from rehearsal.scenario import known_scenarios, load_scenario
from tests.rehearsal.dying import DYING

PROJECT = Path(__file__).parents[2]
LIVES = PROJECT / ".rehearsal" / "lives"
DEPENDS_ON = ("optimizer", "emulator", "rehearsal", "domain", "cloudformation", "stages", "pipeline", "buildspecs")
MINUTES = 30  # for all lives of a trunk, on a busy machine
TOP = ("app.py", "cdk.json", "setup.py", "package.json", "benchmarks/crashes.py", "tests/rehearsal/dying.py")


@dataclass(frozen=True)
class Lived:
    """One rehearsal: its exit code, its folder, and its output."""

    code: int
    out: Path
    told: str
    progress: str

    @property
    def summary(self) -> dict[str, Any]:
        found: dict[str, Any] = self.json("summary.json")
        return found

    def json(self, name: str) -> Any:
        return json.loads((self.out / name).read_text())


def lived(scenario: str, *options: str) -> Lived:
    """`python -m optimizer rehearse --scenario SCENARIO OPTIONS`, made now or before. Read its files only."""
    trunk = [] if options else next(each for each in _trunks() if scenario in each)
    folder = LIVES / _sources() / "".join([scenario, *options]).replace("/", "_")
    ended = folder / "code"
    with _unless(ended, folder.parent / f"from {trunk[-1]}" if trunk else folder) as alone:
        if alone and not ended.is_file():
            together = len(trunk) > 1 or (scenario in DYING and not options)
            _rehearse_together(folder.parent, trunk) if together else _rehearse(folder, scenario, options)
    return _read(folder)


def crashed(scenario: str) -> list[Lived]:
    """The lives that branch off from this one because a job died, by `tests/rehearsal/dying.py`."""
    lived(scenario)
    return [_read(each) for each in sorted((LIVES / _sources() / CRASHES).glob(f"*/{scenario}"))]


def _read(folder: Path) -> Lived:
    texts = {name: (folder / name).read_text() for name in ("code", "told", "progress")}
    return Lived(int(texts["code"]), folder / "out", texts["told"], texts["progress"])


def _rehearse(folder: Path, scenario: str, options: tuple[str, ...]) -> None:
    shutil.rmtree(folder / "out", ignore_errors=True)
    command = [sys.executable, "-m", "optimizer", "rehearse", "--scenario", scenario, "--out", str(folder / "out")]
    done = subprocess.run([*command, *options], cwd=PROJECT, capture_output=True, text=True, check=False)
    (folder / "told").write_text(done.stdout)
    (folder / "progress").write_text(done.stderr)
    (folder / "code").write_text(str(done.returncode))


def _rehearse_together(folder: Path, scenarios: list[str]) -> None:
    """The scenarios: alone, those that never separated, and those that ended wrong, each with its report."""
    command = [sys.executable, "-m", "tests.rehearsal.dying", str(folder), *scenarios]
    with suppress(subprocess.TimeoutExpired):
        subprocess.run(command, cwd=PROJECT, capture_output=True, check=False, timeout=MINUTES * 60)
    for each in scenarios:
        code = folder / each / "code"
        if not code.is_file() or code.read_text() != "0":
            code.unlink(missing_ok=True)
            _rehearse(folder / each, each, ())


@contextmanager
def _unless(ended: Path, folder: Path) -> Iterator[bool]:
    """True for the one process that may rehearse now; False as soon as another one has made the result, and well.

    What ended wrong is told when nobody is at work on it any more.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        while not (ended.is_file() and ended.read_text() == "0"):
            with suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                yield True
                return
            time.sleep(0.2)
        yield False


@cache
def _trunks() -> list[list[str]]:
    return [[each.name for each in trunk] for trunk in trunks(map(load_scenario, known_scenarios()))]


@cache
def _sources() -> str:
    """A hash over all inputs of a rehearsal. Results from other sources are removed."""
    digest = hashlib.sha256(sys.version.encode())
    digest.update(repr(sorted({(each.name, each.version) for each in distributions()})).encode())
    digest.update(repr(sorted((name, os.environ[name]) for name in os.environ if name.startswith("TAP_"))).encode())
    files = [path for name in DEPENDS_ON for path in (PROJECT / name).rglob("*") if path.is_file()]
    for path in sorted([*files, *(PROJECT / name for name in TOP)]):
        if "__pycache__" not in path.parts:
            digest.update(f"\0{path.relative_to(PROJECT).as_posix()}\0".encode())
            digest.update(path.read_bytes())
    found = digest.hexdigest()[:16]
    for old in LIVES.iterdir() if LIVES.is_dir() else ():
        if old.name != found:
            shutil.rmtree(old, ignore_errors=True)
    return found
