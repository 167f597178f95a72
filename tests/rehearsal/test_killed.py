"""A real `kill -9` of `apply`, again and again, against a served account: the same command finishes the phase."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import boto3
import pytest

OPTIMIZER = [sys.executable, "-m", "optimizer", "rehearse"]
PROJECT = Path(__file__).parents[2]
KILLS = 10


@pytest.fixture
def served() -> Iterator[str]:
    """The port of an account that another process serves."""
    server = subprocess.Popen(
        [*OPTIMIZER, "serve", "--port", "0"], cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert server.stdout is not None
    try:
        yield server.stdout.readline().strip().rsplit(":", 1)[1]
    finally:
        server.terminate()
        server.wait(30)


def _command(port: str, *verb: str) -> list[str]:
    return [*OPTIMIZER, "exec", port, "--", *verb]


def _run(port: str, *verb: str) -> str:
    ended = subprocess.run(_command(port, *verb), cwd=PROJECT, capture_output=True, text=True, check=False, timeout=300)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def _killed(port: str, *verb: str, after: float) -> bool:
    process = subprocess.Popen(_command(port, *verb), cwd=PROJECT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(after)
    process.kill()
    return process.wait() == -signal.SIGKILL


@pytest.mark.slow
def test_killed_at_ten_random_moments_the_same_command_finishes_the_phase(served: str, tmp_path: Path) -> None:
    plan = str(tmp_path / "plan.json")
    _run(served, "analyze", "--out", str(tmp_path))
    _run(served, "approve", "--plan", plan)
    apply = ("apply", "--phase", "1", "--plan", plan)
    started = time.monotonic()
    _run(served, "status")
    start_up = time.monotonic() - started  # of one command on this machine, now: kills fall after it
    random = Random(20270301)
    kills = [_killed(served, *apply, after=start_up * random.uniform(0.8, 1.8)) for _ in range(KILLS)]
    assert sum(kills) >= KILLS / 2, "most commands ended before they could be killed"

    _run(served, *apply)

    status = json.loads(_run(served, "status", "--json"))
    assert status["phases"][0]["state"] == "observing"
    # Writes to the two that became one are carried back by their streams.
    assert _streams(served) == {"tenants": True, "users": True, "audit_logs": False}


def _streams(port: str) -> dict[str, bool]:
    session = boto3.Session("AKIA0000222222222222", "secret", region_name="us-east-1")
    client = session.client("dynamodb", endpoint_url=f"http://127.0.0.1:{port}")
    tables = [client.describe_table(TableName=name)["Table"] for name in ("tenants", "users", "audit_logs")]
    return {each["TableName"]: each.get("StreamSpecification", {}).get("StreamEnabled", False) for each in tables}
