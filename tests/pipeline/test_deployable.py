"""What is said before a deployment: the example is refused, a real environment gets its bootstrap commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.deployable import CONTEXT, main


def _environment(folder: Path, **changes: object) -> Path:
    environment = json.loads(CONTEXT.read_text())["context"]["environment"] | changes
    file = folder / "environment.json"
    file.write_text(json.dumps(environment))
    return file


def test_the_example_is_refused_in_one_line(capsys):
    assert main([]) == 2
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1
    assert "example accounts" in told[0]


def test_a_wrong_field_is_named(tmp_path, capsys):
    assert main(["--environment", str(_environment(tmp_path, alarm_email="nobody"))]) == 2
    assert "alarm_email" in capsys.readouterr().err


@pytest.mark.parametrize("account", ["333333333333", "444444444444"])
def test_a_real_environment_gets_a_bootstrap_command_per_account_and_region(tmp_path, capsys, account):
    accounts = {"tooling": "333333333333", "production": "444444444444"}
    assert main(["--environment", str(_environment(tmp_path, accounts=accounts))]) == 0
    commands = [line for line in capsys.readouterr().out.splitlines() if account in line and "aws://" in line]
    assert sum(f"aws://{account}/" in line for line in commands) == 3


def test_destroy_says_what_it_leaves(capsys):
    assert main(["--leaves"]) == 0
    assert "tap-journal" in capsys.readouterr().out
