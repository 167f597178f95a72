"""The code that is kept: the same files are the same archive, and the journal names it before the first change."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

import pytest

from domain.errors import Breach, Refused
from optimizer.execute.applied_code import LOCK, archive
from optimizer.model.phase import Phase


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    for name in ("optimizer/cli/verbs.py", "wheels/boto3.whl", "build/lib/x.py", ".git/HEAD", "a/__pycache__/x.pyc"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (folder / LOCK).parent.mkdir()
    (folder / LOCK).write_text(f"boto3==1 --hash=sha256:{hashlib.sha256(b'wheels/boto3.whl').hexdigest()}\n")
    (folder / "plan").symlink_to(tmp_path)
    return folder


def test_an_archive_holds_the_commit_and_its_wheels_and_nothing_that_was_made(source: Path) -> None:
    names = zipfile.ZipFile(io.BytesIO(archive(source))).namelist()
    assert names == ["optimizer/cli/verbs.py", LOCK, "wheels/boto3.whl"]


def test_the_same_files_are_the_same_bytes_whenever_they_were_written(source: Path) -> None:
    first = archive(source)
    for path in source.rglob("*.py"):
        path.write_text(path.read_text())
    assert archive(source) == first
    (source / "optimizer" / "optimize.py").write_text("changed")
    assert archive(source) != first


def _applied(world, source: Path):
    world.environ = {**world.environ, "TAP_RECORDS_BUCKET": "records", "CODEBUILD_RESOLVED_SOURCE_VERSION": "c0ffee"}
    world.account.client("s3", "111111111111", "us-east-1").create_bucket(Bucket="records")
    plan = world.approved()
    world.fresh().apply(plan, Phase.COMPUTE, source)
    return plan


def test_the_journal_names_the_code_before_the_first_change(world, source: Path) -> None:
    plan = _applied(world, source)
    journal = world.fresh().journal
    version = journal.phase(plan, Phase.COMPUTE).version
    body = world.account.client("s3", "111111111111", "us-east-1").get_object(Bucket="records", Key=version.key)
    assert hashlib.sha256(body["Body"].read()).hexdigest() == version.sha256
    (pointer,) = journal.items("code")
    assert (pointer["sha256"]["S"], pointer["plan"]["S"]) == (version.sha256, plan.hash)
    texts = [event.text for event in journal.history().events]
    kept = next(n for n, text in enumerate(texts) if "by the code of commit c0ffee" in text)
    assert kept < next(n for n, text in enumerate(texts) if "protect the table" in text)


def test_an_apply_that_finds_itself_done_leaves_the_first_code_named(world, source: Path) -> None:
    plan = _applied(world, source)
    first = world.fresh().journal.phase(plan, Phase.COMPUTE).version
    (source / "optimizer" / "optimize.py").write_text("a newer commit")
    world.fresh().apply(plan, Phase.COMPUTE, source)
    assert world.fresh().journal.phase(plan, Phase.COMPUTE).version == first


def test_where_the_code_cannot_be_kept_nothing_is_applied(world, source: Path) -> None:
    world.environ = {**world.environ, "TAP_RECORDS_BUCKET": "missing"}
    plan, before = world.approved(), world.table()
    life = world.fresh()
    with pytest.raises(life.tooling.s3.exceptions.NoSuchBucket):
        life.apply(plan, Phase.COMPUTE, source)
    assert world.table() == before


def test_with_wheels_that_are_not_all_of_the_lock_nothing_is_applied(world, source: Path) -> None:
    before = world.table()
    with (source / LOCK).open("a") as lock:
        lock.write(f"numpy==2 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(Refused, match="numpy==2"):
        _applied(world, source)
    assert world.table() == before
    assert world.fresh().journal.items("code") == []


def test_the_record_survives_a_rollback(world, source: Path) -> None:
    plan = _applied(world, source)
    world.service.p99_ms, world.service.since = 300.0, world.account.clock.now()
    world.account.clock.sleep(3600)
    with pytest.raises(Breach):
        world.fresh().watch()
    assert world.fresh().journal.phase(plan, Phase.COMPUTE).version is not None
