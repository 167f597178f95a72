"""A job whose folder holds other code runs that code: in a separate process, against the same account."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from emulator.account import EmulatedAccount
from rehearsal.other_code import is_other_code
from rehearsal.pipeline.in_process import in_process
from rehearsal.synthesis import copy_sources
from rehearsal.workspace import PROJECT

ENVIRON = {
    "TAP_JOURNAL_TABLE": "tap-journal",
    "TAP_PRODUCTION_ACCOUNT": "222222222222",
    "TAP_PRIMARY_REGION": "us-east-1",
    "AWS_REGION": "us-east-1",
}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    to = tmp_path / "copy"
    copy_sources(PROJECT, to)
    return to


def test_a_copy_is_the_same_code_and_a_folder_without_the_project_is_no_other(copy: Path, tmp_path: Path) -> None:
    assert not is_other_code(copy)
    assert not is_other_code(tmp_path)


@pytest.mark.parametrize(
    ("changed", "other"),
    [("optimizer/execute/engine.py", True), ("domain/sizing.py", True), ("rehearsal/run.py", False)],
)
def test_what_the_verbs_run_makes_it_other_code(copy: Path, changed: str, other: bool) -> None:
    with (copy / changed).open("a") as file:
        file.write("# changed\n")
    assert is_other_code(copy) is other


@pytest.mark.slow
def test_other_code_is_what_runs(
    copy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = copy / "optimizer" / "cli" / "status_text.py"
    command.write_text(command.read_text().replace("There is no plan yet.", "So speaks the other code."))
    monkeypatch.chdir(copy)
    start = datetime(2027, 3, 1, 8, tzinfo=UTC)
    with EmulatedAccount(start=start, tooling="111111111111", production="222222222222") as account:
        account.client("dynamodb", account.tooling, "us-east-1").create_table(
            TableName="tap-journal",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": each, "AttributeType": "S"} for each in ("pk", "sk")],
            BillingMode="PAY_PER_REQUEST",
        )
        assert in_process(account)(["status"], ENVIRON, "Watch") == 0
    assert "So speaks the other code." in capsys.readouterr().out
