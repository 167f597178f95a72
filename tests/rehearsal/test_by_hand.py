"""A served account driven by hand: the AWS CLI, the wrapper `tap`, and the clock."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
AWS = shutil.which("aws")
PRODUCTION = {"AWS_ACCESS_KEY_ID": "AKIA0000222222222222", "AWS_SECRET_ACCESS_KEY": "secret"}


@pytest.fixture(scope="module")
def port() -> Iterator[str]:
    command = [sys.executable, "-m", "optimizer", "rehearse", "serve", "--port", "0"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stderr is not None
    address = process.stdout.readline().strip()
    assert address, process.stderr.read()
    yield address.rsplit(":", 1)[1]
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 0


def tap(port: str, folder: Path, *verb: str) -> subprocess.CompletedProcess[str]:
    """The wrapper, from a folder elsewhere and with no virtual environment active."""
    environ = {"PATH": "/usr/bin:/bin", "TAP_PYTHON": sys.executable, "HOME": str(folder)}
    command = [str(ROOT / "tap"), "rehearse", *verb]
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=280, check=False)


def aws(port: str, *arguments: str) -> Any:
    environ = {"PATH": os.environ["PATH"], **PRODUCTION, "AWS_DEFAULT_REGION": "us-east-1", "AWS_PAGER": ""}
    environ |= {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "HOME": "/nonexistent"}
    command = [str(AWS), *arguments, "--output", "json"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120, check=False)
    return json.loads(done.stdout) if done.returncode == 0 else done.stderr


@pytest.mark.slow
def test_the_wrapper_runs_a_verb_from_anywhere(port: str, tmp_path: Path) -> None:
    done = tap(port, tmp_path, "exec", port, "--", "status")
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "Plan       There is no plan yet."), done.stderr


@pytest.mark.slow
@pytest.mark.skipif(AWS is None, reason="the AWS CLI is not installed")
def test_the_aws_cli_is_answered_as_aws_would(port: str, tmp_path: Path) -> None:
    stacks = aws(port, "cloudformation", "list-stacks", "--stack-status-filter", "CREATE_COMPLETE", "UPDATE_COMPLETE")
    assert "tap-primary" in [each["StackName"] for each in stacks["StackSummaries"]]
    metrics = aws(port, "cloudwatch", "list-metrics", "--namespace", "AWS/EC2", "--metric-name", "CPUUtilization")
    assert {"Name": "AutoScalingGroupName", "Value": "tap-fleet"} in [
        each for metric in metrics["Metrics"] for each in metric["Dimensions"]
    ]
    terms = '{AWS/EC2,AutoScalingGroupName} MetricName="CPUUtilization"'
    queries = tmp_path / "queries.json"
    queries.write_text(json.dumps([{"Id": "cpu", "Expression": f"SEARCH('{terms}', 'Average', 300)"}]))
    span = ["--start-time", "2027-03-01T06:00:00Z", "--end-time", "2027-03-01T07:00:00Z"]
    found = aws(port, "cloudwatch", "get-metric-data", "--metric-data-queries", f"file://{queries}", *span)
    assert [(each["Id"], len(each["Values"])) for each in found["MetricDataResults"]] == [("cpu", 12)]
    period = ["--time-period", "Start=2027-01-15,End=2027-02-15", "--metrics", "UnblendedCost"]
    refused = aws(port, "ce", "get-cost-and-usage", "--granularity", "WEEKLY", *period)
    assert "ValidationException" in refused
    assert "Results" not in refused
    assert aws(port, "ce", "get-cost-and-usage", "--granularity", "MONTHLY", *period)["ResultsByTime"]


@pytest.mark.slow
def test_the_clock_moves_by_a_verb_and_by_a_good_body_only(port: str, tmp_path: Path) -> None:
    before = tap(port, tmp_path, "advance", port, "0").stdout
    after = tap(port, tmp_path, "advance", port, "1")
    assert (after.returncode, before != after.stdout) == (0, True), after.stderr
    assert after.stdout.startswith(f"The account on port {port} is at ")
    for body in ("", "{", "[]", "{}", '{"sleep": "an hour"}', '{"sleep": -1}', '{"sleep": NaN}', '{"sleep": true}'):
        request = urllib.request.Request(f"http://127.0.0.1:{port}/rehearsal/clock", body.encode(), method="POST")
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=30)
        assert refused.value.code == 400, body
        assert "a number from 0" in refused.value.read().decode()
    assert tap(port, tmp_path, "advance", port, "0").stdout == after.stdout


def test_without_a_virtual_environment_the_wrapper_says_what_to_do(tmp_path: Path) -> None:
    environ = {"PATH": "/usr/bin:/bin", "TAP_PYTHON": str(tmp_path / "python")}
    done = subprocess.run([str(ROOT / "tap"), "status"], env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 69
    assert "make setup" in done.stderr
