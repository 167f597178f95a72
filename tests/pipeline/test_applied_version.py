"""The code that the watch and the rollback run: the one that applied, if it is complete, else the branch's."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from emulator.account import EmulatedAccount
from optimizer.execute.applied_code import LOCK, archive
from rehearsal.pipeline.builds import INLINE
from rehearsal.pipeline.in_process import script_in_process

TOOLING, REGION = "111111111111", "us-east-1"
HASH = "a" * 64
SCRIPT = (Path(__file__).parents[2] / "pipeline" / "applied_version.py").read_text()
ENVIRON = {"TAP_JOURNAL_TABLE": "tap-journal", "TAP_RECORDS_BUCKET": "records"}


@dataclass
class Tooling:
    """The tooling account with its journal and bucket, and a job's folder that holds the branch."""

    account: EmulatedAccount
    folder: Path

    def put(self, pk: str, sk: str, **attributes: str) -> None:
        item = {name: {"S": value} for name, value in {"pk": pk, "sk": sk, **attributes}.items()}
        self.client("dynamodb").put_item(TableName="tap-journal", Item=item)

    def client(self, service: str) -> Any:
        return self.account.client(service, TOOLING, REGION)

    def applied(self, tmp_path: Path, state: str = "approved", plan: str = HASH) -> str:
        """A plan in that state, applied by a code that says so."""
        source = tmp_path / "applied-source"
        source.mkdir(exist_ok=True)
        (source / "code.txt").write_text("the code that applied")
        body = archive(source)
        digest = hashlib.sha256(body).hexdigest()
        self.client("s3").put_object(Bucket="records", Key=f"versions/{digest}.zip", Body=body)
        self.put("plan", "current", hash=HASH, state=state)
        self.put("code", "applied", plan=plan, sha256=digest, key=f"versions/{digest}.zip", revision="c0ffee")
        return digest

    def run(self) -> str:
        """The version text of the code in `applied`, after the script ran in the job's empty folder."""
        assert self.ends() == 0
        return (self.folder / "applied" / "code.txt").read_text()

    def ends(self) -> int:
        return script_in_process(self.account, REGION)(SCRIPT, ENVIRON, "Watch")


@pytest.fixture
def tooling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tooling]:
    folder = tmp_path / "job"
    folder.mkdir()
    monkeypatch.chdir(folder)
    start = datetime(2027, 3, 1, 8, tzinfo=UTC)
    with EmulatedAccount(start=start, tooling=TOOLING, production="222222222222") as account:
        made = Tooling(account, folder)
        made.client("dynamodb").create_table(
            TableName="tap-journal",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": each, "AttributeType": "S"} for each in ("pk", "sk")],
            BillingMode="PAY_PER_REQUEST",
        )
        made.client("s3").create_bucket(Bucket="records")
        yield made


def test_before_anything_was_applied_there_is_nothing_to_run(
    tooling: Tooling, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tooling.ends() == 1
    assert "nothing to watch or to undo" in capsys.readouterr().out


@pytest.mark.parametrize("state", ["approved", "stopped", "done"])
def test_the_code_that_applied_runs_in_every_state_of_its_plan(tooling: Tooling, tmp_path: Path, state: str) -> None:
    tooling.applied(tmp_path, state)
    for _ in range(2):  # a retried build finds it laid out
        assert tooling.run() == "the code that applied"


def test_what_applied_last_runs_until_something_else_applies(tooling: Tooling, tmp_path: Path) -> None:
    tooling.applied(tmp_path, plan="b" * 64)
    assert tooling.run() == "the code that applied"


def _gone(tooling: Tooling, key: str) -> None:
    tooling.client("s3").delete_object(Bucket="records", Key=key)


def _changed(tooling: Tooling, key: str) -> None:
    tooling.client("s3").put_object(Bucket="records", Key=key, Body=b"something else")


@pytest.mark.parametrize(("happened", "said"), [(_gone, "NoSuchKey"), (_changed, "is not what its hash says")])
def test_what_is_missing_or_changed_ends_the_job_and_says_what_to_do(
    tooling: Tooling,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    happened: Callable[[Tooling, str], None],
    said: str,
) -> None:
    happened(tooling, f"versions/{tooling.applied(tmp_path)}.zip")
    assert tooling.ends() == 1
    printed = capsys.readouterr().out
    assert said in printed
    assert "Roll back by hand" in printed


def test_it_needs_python_and_the_aws_cli_alone() -> None:
    imported = set(re.findall(r"^(?:import|from) (\w+)", SCRIPT, re.MULTILINE))
    assert imported <= {"__future__", *sys.stdlib_module_names}


@pytest.mark.xdist_group("pipeline")
@pytest.mark.parametrize("project", ["tap-watch", "tap-rollback"])
def test_who_undoes_has_no_source_and_asks_no_package_index(pipeline: Any, project: str) -> None:
    assert pipeline.project(project)["Source"]["Type"] == "NO_SOURCE"
    phases = pipeline.buildspec(project)["phases"]
    found = INLINE.fullmatch(phases["pre_build"]["commands"][0])
    assert found is not None
    assert found[2] == SCRIPT
    commands = [*phases["install"]["commands"], *phases["pre_build"]["commands"][1:]]
    installing = [each for each in commands if "pip" in each]
    assert len(installing) == 1
    assert {"--no-index", "--require-hashes", "applied/wheels", f"applied/{LOCK}"} <= set(installing[0].split())
    assert phases["build"]["commands"][0] == "cd applied"


@pytest.mark.xdist_group("pipeline")
def test_only_apply_keeps_code_and_only_who_undoes_fetches_it(pipeline: Any) -> None:
    def may(job: str, action: str) -> bool:
        allowed = pipeline.allowed(f"tap-job-{job}")
        return any(action in each["Action"] and "/versions/*" in str(each["Resource"]) for each in allowed)

    jobs = ("build", "analyze", "approve", "apply", "accept", "publish", "watch", "rollback")
    assert [job for job in jobs if may(job, "s3:PutObject")] == ["apply"]
    assert [job for job in jobs if may(job, "s3:GetObject")] == ["watch", "rollback"]
