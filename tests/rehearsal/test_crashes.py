"""A job dies in the middle of a rehearsal: the retried stage goes on, and all ends as it would have."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.rehearsal.test_rehearse import not_permitted

PROJECT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scenario", "jobs", "every"),  # of the calls of these jobs: a few crashes; `make campaign` has many more
    [
        ("errors", ("Phase1", "Watch"), 300),
        ("regression", ("Phase1", "Phase2", "Watch"), 2500),
        ("quiet", ("Phase1", "Phase2", "Phase3", "Watch"), 3100),
    ],
)
def test_a_job_that_dies_is_carried_on_to_the_same_end(
    tmp_path: Path, scenario: str, jobs: tuple[str, ...], every: int
) -> None:
    command = [sys.executable, "benchmarks/crashes.py", "--scenario", scenario, "--every", str(every)]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    ended = subprocess.run(
        [*command, "--logs", str(tmp_path), "--jobs", *jobs],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    crashes = re.findall(r"^call +(\d+) (\w+).* as expected$", ended.stdout, re.MULTILINE)
    assert ended.returncode == 0, ended.stdout + ended.stderr[-2000:]
    assert len(crashes) >= 2, ended.stdout
    assert ended.stdout.splitlines()[-1].startswith("no crash")
    for number, _ in crashes:
        assert not_permitted(tmp_path / number) == {}
