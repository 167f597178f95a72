"""A job of phase 2 or 3 dies in the middle of a rehearsal: the retried stage goes on, and all ends as it would have."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
EVERY = 800  # of the calls of these jobs: a few crashes; `make campaign` has many more


@pytest.mark.slow
def test_a_job_that_dies_is_carried_on_to_the_same_end(tmp_path: Path) -> None:
    command = [sys.executable, "benchmarks/crashes.py", "--every", str(EVERY), "--logs", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    ended = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    crashes = re.findall(r"^call +\d+ (Phase[23])\.\w+ .* as expected$", ended.stdout, re.MULTILINE)
    assert ended.returncode == 0, ended.stdout
    assert len(crashes) >= 2, ended.stdout
    assert ended.stdout.splitlines()[-1].startswith("no crash")
