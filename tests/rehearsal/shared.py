"""Whole rehearsals, each made once and read by all tests that ask for it.

A rehearsal runs as the command does, in a process of its own, whose memory ends with it. What it left and what it said
is kept under the hash of all that it depends on, so that workers side by side share it, and so do runs of the suite
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
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[2]
LIVES = PROJECT / ".rehearsal" / "lives"
DEPENDS_ON = ("optimizer", "emulator", "rehearsal", "domain", "cloudformation", "stages", "pipeline", "buildspecs")
TOP = ("app.py", "cdk.json", "setup.py", "package.json")


@dataclass(frozen=True)
class Lived:
    """One rehearsal: its exit code, the folder it filled, and what it printed."""

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
    folder = LIVES / _sources() / "".join([scenario, *options]).replace("/", "_")
    with _alone(folder):
        if not (folder / "code").is_file():
            _rehearse(folder, scenario, options)
    texts = {name: (folder / name).read_text() for name in ("code", "told", "progress")}
    return Lived(int(texts["code"]), folder / "out", texts["told"], texts["progress"])


def _rehearse(folder: Path, scenario: str, options: tuple[str, ...]) -> None:
    shutil.rmtree(folder / "out", ignore_errors=True)
    command = [sys.executable, "-m", "optimizer", "rehearse", "--scenario", scenario, "--out", str(folder / "out")]
    done = subprocess.run([*command, *options], cwd=PROJECT, capture_output=True, text=True, check=False)
    (folder / "told").write_text(done.stdout)
    (folder / "progress").write_text(done.stderr)
    (folder / "code").write_text(str(done.returncode))


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One rehearsal of a kind at a time: another worker waits for it, and reads it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@cache
def _sources() -> str:
    """A hash over all that a rehearsal depends on. What was made from other sources is taken away."""
    digest = hashlib.sha256(sys.version.encode())
    digest.update(repr(sorted((each.name, each.version) for each in distributions())).encode())
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
