"""A repository with real values: every job synthesizes the deployed app, by either route, and the checks pass."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from app import HERE, make_app
from domain.environment import VARIABLE, EnvironmentInvalid
from rehearsal.synthesis import copy_sources
from tests.environments import EXAMPLE, moved

OWN = moved("333333333333", "444444444444")
FILE = "environments/own.json"
SYNTHESIZING = {"tap-build", "tap-reconcile", *(f"tap-phase{number}-accept" for number in (1, 2, 3))}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A copy of this one, with another environment in a file."""
    to = tmp_path / "repository"
    copy_sources(HERE, to)
    (to / FILE).parent.mkdir()
    (to / FILE).write_text(json.dumps(OWN))
    return to


def synthesized(repository: Path, told: Mapping[str, str]) -> Path:
    """`python app.py`, as a job runs it."""
    environ = {**os.environ, "CDK_VALIDATION": "false", **told}
    done = subprocess.run([sys.executable, "app.py"], cwd=repository, env=environ, text=True, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return repository / "cdk.out"


def templates(assembly: Path) -> dict[str, str]:
    return {path.relative_to(assembly).as_posix(): path.read_text() for path in assembly.rglob("*.template.json")}


def told_to_synthesize(template: str) -> dict[str, dict[str, str]]:
    """The variable that names a file, of each project that runs app.py."""
    projects = [
        each["Properties"]
        for each in json.loads(template)["Resources"].values()
        if each["Type"] == "AWS::CodeBuild::Project" and "python app.py" in json.dumps(each["Properties"]["Source"])
    ]
    return {
        each["Name"]: {
            variable["Name"]: variable["Value"]
            for variable in each["Environment"]["EnvironmentVariables"]
            if variable["Name"] == VARIABLE
        }
        for each in projects
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    "named",
    [{VARIABLE: FILE}, {"CDK_CONTEXT_JSON": json.dumps({"environment": FILE})}],
    ids=["by make", "by -c environment=FILE"],  # the CLI hands its context on in that variable
)
def test_what_build_synthesizes_is_what_was_deployed(repository: Path, named: Mapping[str, str]) -> None:
    first = templates(synthesized(repository, named))
    everything = "".join(first.values())
    assert not [account for account in EXAMPLE["accounts"].values() if account in everything]
    told = told_to_synthesize(first["tap-pipeline.template.json"])
    assert told.keys() == SYNTHESIZING
    assert all(each == {VARIABLE: FILE} for each in told.values())
    shutil.rmtree(repository / "cdk.out")
    assert templates(synthesized(repository, told["tap-build"])) == first


@pytest.mark.slow
def test_the_checks_of_build_pass_with_own_values_in_cdk_json(repository: Path) -> None:
    document = json.loads((repository / "cdk.json").read_text())
    document["context"]["environment"] = OWN
    (repository / "cdk.json").write_text(json.dumps(document))
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-m",
        "not slow",
        "-p",
        "no:cacheprovider",
        "tests/pipeline",
        "tests/stages",
    ]
    done = subprocess.run(command, cwd=repository, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]


def test_no_job_is_told_a_file_when_cdk_json_holds_the_environment(pipeline: Any) -> None:
    assert all(VARIABLE not in pipeline.variables(project) for project in SYNTHESIZING)


def test_a_file_outside_of_the_repository_is_no_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own.json").write_text(json.dumps(OWN))
    monkeypatch.setenv(VARIABLE, str(tmp_path / "own.json"))
    with pytest.raises(EnvironmentInvalid, match="is not inside the repository"):
        make_app(str(tmp_path / "out"))
