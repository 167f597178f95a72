"""Output before a deployment: the example is refused, a real environment gets its bootstrap commands."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cloudformation.assembly import read_assembly
from domain.environment import Environment
from pipeline.deployable import main
from tests.environments import EXAMPLE, moved


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository whose cdk.json holds the example."""
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    (tmp_path / "cdk.json").write_text(json.dumps({"context": {"environment": EXAMPLE}}))
    return tmp_path


def holds(repository: Path, environment: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The repository has another environment in a file, and that file is named."""
    (repository / "own.json").write_text(json.dumps(environment))
    subprocess.run(["git", "-C", repository, "add", "own.json"], check=True)
    monkeypatch.setenv("TAP_ENVIRONMENT", "own.json")


def test_the_example_is_refused_in_one_line(repository, capsys):
    assert main([], project=repository) == 2
    said = capsys.readouterr()
    told = said.err.splitlines()
    assert len(told) == 1
    assert "example accounts" in told[0]
    for account in ("TOOLING", "PRODUCTION"):
        assert sum(f"aws://{account}/" in line for line in said.out.splitlines()) == 3


def test_the_refusal_names_every_field_to_fill_in(repository, capsys):
    main([], project=repository)
    said = capsys.readouterr().err
    kept_as_it_is = {"table_replicas", "second_approver", "weekly_start"}
    assert not [name for name in Environment.model_fields if name not in said and name not in kept_as_it_is]


def test_a_wrong_field_is_named(repository, monkeypatch, capsys):
    holds(repository, {**EXAMPLE, "alarm_email": "nobody"}, monkeypatch)
    assert main([], project=repository) == 2
    assert "alarm_email" in capsys.readouterr().err


@pytest.mark.parametrize("account", ["333333333333", "444444444444"])
def test_a_real_environment_gets_a_bootstrap_command_per_account_and_region(repository, monkeypatch, capsys, account):
    holds(repository, moved("333333333333", "444444444444"), monkeypatch)
    assert main([], project=repository) == 0
    commands = [line for line in capsys.readouterr().out.splitlines() if account in line and "aws://" in line]
    assert sum(f"aws://{account}/" in line for line in commands) == 3


def test_production_is_bootstrapped_under_a_boundary_that_is_made_first(repository, monkeypatch, capsys):
    holds(repository, moved("333333333333", "444444444444"), monkeypatch)
    assert main([], project=repository) == 0
    commands = capsys.readouterr().out.splitlines()
    made = next(number for number, line in enumerate(commands) if "create-policy" in line)
    assert "pipeline.deployment_boundary 444444444444" in commands[made]
    bound = [number for number, line in enumerate(commands) if "--custom-permissions-boundary tap-dep" in line]
    assert bound == [number for number, line in enumerate(commands) if "aws://444444444444/" in line]
    assert min(bound) > made


def test_whoever_pushes_may_not_confirm(repository, monkeypatch, capsys):
    holds(repository, {**moved("333333333333", "444444444444"), "committers": []}, monkeypatch)
    assert main([], project=repository) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "committers names nobody" in line


@pytest.mark.parametrize(
    ("named", "said"), [("../own.json", "is not inside the repository"), ("new.json", "is not committed")]
)
def test_a_file_that_a_build_would_not_have_is_refused_in_one_line(repository, monkeypatch, capsys, named, said):
    (repository / "new.json").write_text(json.dumps(moved("333333333333", "444444444444")))
    monkeypatch.setenv("TAP_ENVIRONMENT", named)
    assert main([], project=repository) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


@pytest.mark.xdist_group("pipeline")
def test_destroy_says_what_it_leaves(capsys, assembly):
    assert main(["--leaves"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    stacks = read_assembly(assembly).stacks
    assert not [stack.name for stack in stacks if stack.name not in said and "-support-" not in stack.name]
    assert "tap-pipeline-support-REGION" in said
    pipeline = read_assembly(assembly).stack("tap-pipeline").template["Resources"].values()
    words = {
        "AWS::DynamoDB::GlobalTable": "tap-journal",
        "AWS::KMS::Key": "key tap-pipeline",
        "AWS::Logs::LogGroup": "/tap/jobs",
        "AWS::S3::Bucket": "buckets of artifacts, of records",
    }
    kept = {each["Type"] for each in pipeline if each.get("DeletionPolicy", "Delete") != "Delete"}
    assert kept - {"AWS::S3::BucketPolicy"} == words.keys()
    assert all(word in said for word in words.values())
