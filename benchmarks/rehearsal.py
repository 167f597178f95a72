"""Cost of whole rehearsals: processor seconds, calls, memory, and the share of the emulated services.

Each scenario is rehearsed in a fresh process, once to fill the cache of assemblies and once to be measured. `services`
is the time inside the emulated operations and moto's own, of the same run: the rest is the product, the clients and
the walk. Memory is the peak of the process.

With --all every scenario of the product runs as in the tests: together with those that begin the same
(`rehearsal.together`). `alone` is the time that the scenarios of a trunk would take one by one.

    python benchmarks/rehearsal.py [--scenarios quiet ...] [--all]
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import multiprocessing
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

if not __package__:  # run as a file: a module beside it has the name of the package `rehearsal`
    sys.path[0] = str(Path(__file__).parents[1])

from emulator.core import registry
from emulator.core.direct_calls import DirectRequest
from rehearsal.parting import trunks
from rehearsal.run import rehearse
from rehearsal.scenario import known_scenarios, load_scenario
from rehearsal.spent import Spent
from rehearsal.workspace import PROJECT, RehearsalRequest


@dataclass
class Inside:
    """Seconds of this thread inside wrapped functions; calls within a call count once."""

    seconds: float = 0.0
    _depth: int = 0

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, with its time counted."""

        def timed(*args: Any) -> Any:
            begun, self._depth = time.thread_time(), self._depth + 1
            try:
                return function(*args)
            finally:
                self._depth -= 1
                if not self._depth:
                    self.seconds += time.thread_time() - begun

        return timed


@contextmanager
def services_timed() -> Iterator[Inside]:
    """The emulated operations and moto's, timed."""
    inside = Inside()
    timed = {key: replace(each, answer=inside.around(each.answer)) for key, each in registry.operations().items()}
    with (
        patch.object(registry, "operations", lambda: timed),
        patch.object(DirectRequest, "original", inside.around(DirectRequest.original)),
    ):
        yield inside


def measured(scenario: str) -> Mapping[str, Any]:
    """One warm rehearsal in this process."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
        out = Path(folder)
        with services_timed() as inside, contextlib.redirect_stdout(io.StringIO()):
            begun = Spent.so_far()
            code = rehearse(RehearsalRequest(out, load_scenario(scenario)))
            spent = Spent.so_far().since(begun)
        calls = json.loads((out / "summary.json").read_text())["api_calls"]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"code": code, **spent, "services": inside.seconds, "calls": calls, "mebibytes": peak}


def together(names: Sequence[str]) -> Mapping[str, float]:
    """The scenarios of one trunk, in a separate process: time used, time alone, number that ended wrong."""
    with tempfile.TemporaryDirectory() as folder:
        begun = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "-m", "rehearsal.together", folder, *names]
        subprocess.run(command, cwd=PROJECT, capture_output=True, check=False)
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        told = [Path(folder, name, "out", "summary.json") for name in names]
        summaries = [json.loads(each.read_text()) for each in told if each.is_file()]
        good = [name for name in names if _code(Path(folder, name, "code")) == "0"]
    return {
        "cpu": ended.ru_utime + ended.ru_stime - begun.ru_utime - begun.ru_stime,
        "alone": sum(each["cpu_seconds"] for each in summaries),
        "bad": len(names) - len(good),
    }


def _code(path: Path) -> str:
    return path.read_text() if path.is_file() else ""


def all_together() -> int:
    """Every scenario of the product, trunk by trunk; returns the number that did not end as expected."""
    bad, total, alone = 0, 0.0, 0.0
    print(f"{'lives, the trunk last':60} {'CPU s':>7} {'alone':>7}")
    for trunk in trunks(map(load_scenario, known_scenarios())):
        names = [each.name for each in trunk]
        found = together(names)
        bad, total, alone = bad + int(found["bad"]), total + found["cpu"], alone + found["alone"]
        told = names[-1] if len(names) == 1 else f"{len(names)} to {names[-1]}"
        wrong = "" if not found["bad"] else f"  {found['bad']:.0f} DID NOT END AS EXPECTED"
        print(f"{told:60} {found['cpu']:7.1f} {found['alone']:7.1f}{wrong}", flush=True)
    print(f"{'all of these':60} {total:7.1f} {alone:7.1f}")
    return bad


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenarios", nargs="*", default=["quiet"])
    parser.add_argument("--all", action="store_true", help="also every scenario that comes with the product")
    asked = parser.parse_args()
    fresh, bad, total = multiprocessing.get_context("spawn"), 0, 0.0
    print(f"{'scenario':20} {'CPU s':>7} {'services':>9} {'ratio':>6} {'calls':>7} {'MiB':>6}")
    for scenario in asked.scenarios:
        for _ in range(2):  # the first fills the cache
            with fresh.Pool(1) as pool:
                found = pool.apply(measured, (scenario,))
        bad += found["code"] != 0
        total += found["cpu_seconds"]
        ratio = found["cpu_seconds"] / found["services"]
        print(
            f"{scenario:20} {found['cpu_seconds']:7.1f} {found['services']:9.1f} {ratio:6.1f} {found['calls']:7,} "
            f"{found['mebibytes']:6.0f}{'' if found['code'] == 0 else '  DID NOT END AS EXPECTED'}",
            flush=True,
        )
    print(f"{'all of these':20} {total:7.1f}")
    if asked.all:
        bad += all_together()
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
