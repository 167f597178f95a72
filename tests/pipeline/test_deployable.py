"""What is said before a deployment: the example is refused, a real environment gets its bootstrap commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from optimizer.observe.assembly import read_assembly
from pipeline.deployable import CONTEXT, main
from pipeline.environment import Environment


def _environment(folder: Path, **changes: object) -> Path:
    environment = json.loads(CONTEXT.read_text())["context"]["environment"] | changes
    file = folder / "environment.json"
    file.write_text(json.dumps(environment))
    return file


def test_the_example_is_refused_in_one_line(capsys):
    assert main([]) == 2
    said = capsys.readouterr()
    told = said.err.splitlines()
    assert len(told) == 1
    assert "example accounts" in told[0]
    for account in ("TOOLING", "PRODUCTION"):
        assert sum(f"aws://{account}/" in line for line in said.out.splitlines()) == 3


def test_the_refusal_names_every_field_to_fill_in(capsys):
    main([])
    said = capsys.readouterr().err
    kept_as_it_is = {"table_replicas", "second_approver", "committers", "weekly_start"}
    assert not [name for name in Environment.model_fields if name not in said and name not in kept_as_it_is]


def test_a_wrong_field_is_named(tmp_path, capsys):
    assert main(["--environment", str(_environment(tmp_path, alarm_email="nobody"))]) == 2
    assert "alarm_email" in capsys.readouterr().err


@pytest.mark.parametrize("account", ["333333333333", "444444444444"])
def test_a_real_environment_gets_a_bootstrap_command_per_account_and_region(tmp_path, capsys, account):
    accounts = {"tooling": "333333333333", "production": "444444444444"}
    assert main(["--environment", str(_environment(tmp_path, accounts=accounts))]) == 0
    commands = [line for line in capsys.readouterr().out.splitlines() if account in line and "aws://" in line]
    assert sum(f"aws://{account}/" in line for line in commands) == 3


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
