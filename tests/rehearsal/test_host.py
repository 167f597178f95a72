"""`rehearse serve` as a process: the foundation exists, verbs run against it, and it ends on a signal."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OPTIMIZER = [sys.executable, "-m", "optimizer", "rehearse"]


@pytest.fixture(scope="module")
def port():
    process = subprocess.Popen(
        [*OPTIMIZER, "serve", "--port", "0"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    address = process.stdout.readline()
    assert address, process.stderr.read()
    yield re.fullmatch(r"http://127\.0\.0\.1:(\d+)\n", address)[1]
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 0


def run(port, *verb):
    return subprocess.run(
        [*OPTIMIZER, "exec", port, "--", *verb], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.slow
def test_a_verb_runs_in_its_own_process_at_the_accounts_time(port, tmp_path):
    done = run(port, "sizing", "--out", str(tmp_path / "sizing.json"))
    assert (done.returncode, "01 Mar 2027" in done.stderr) == (0, True), done.stderr
    assert (tmp_path / "sizing.json").exists()


@pytest.mark.slow
def test_what_one_process_writes_the_next_one_reads(port, tmp_path):
    analyzed = run(port, "analyze", "--out", str(tmp_path))
    assert analyzed.returncode == 0, analyzed.stderr
    approved = run(port, "approve", "--plan", str(tmp_path / "plan.json"))
    assert approved.returncode == 0, approved.stderr
    assert "approved" in run(port, "status").stdout


@pytest.mark.slow
def test_an_exit_code_comes_through(port, tmp_path):
    assert run(port, "apply", "--phase", "1", "--plan", str(tmp_path / "absent.json")).returncode == 64
