"""Published files of a plan: the whole journal, under the plan's hash, in versions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from optimizer.execute.archive import _text, export, upload, write_export
from optimizer.execute.journal import packed
from optimizer.model.phase import Phase


def test_every_item_of_the_plan_is_exported_readable(world) -> None:
    plan = world.approved()
    world.fresh().apply(plan, Phase.COMPUTE)
    journal = world.fresh().journal
    exported = json.loads(json.dumps(export(journal)))
    kept = {item["sk"] for item in exported["items"] if item["pk"] == f"plan#{plan.hash}"}
    assert kept == {item["sk"]["S"] for item in journal.items(f"plan#{plan.hash}")}
    by_key = {item["sk"]: item for item in exported["items"]}
    assert exported["plan"] == plan.hash
    assert by_key["plan"]["document"]["plan"]["decisions"][0]["action"] == "tidy_table"
    assert by_key["phase#2"]["record"]["state"] == "observing"
    assert by_key["current"]["phases"] == [2]
    assert len(by_key["baseline"]["document"]["p99_ms"]) > 8000, "samples, unpacked"


def test_what_is_written_is_what_is_exported_one_item_per_line(world, tmp_path: Path) -> None:
    plan = world.approved()
    life = world.fresh()
    life.apply(plan, Phase.COMPUTE)
    write_export(life.journal, tmp_path)
    text = (tmp_path / "journal.json").read_text()
    assert json.loads(text) == json.loads(json.dumps(export(life.journal)))
    assert len(text.splitlines()) == len(export(life.journal)["items"]) + 2


@pytest.mark.parametrize("document", ['{"rate": NaN}', '{\n"rate": -Infinity\n}'])
def test_a_document_that_is_no_strict_json_is_made_so(document: str) -> None:
    assert _text(packed(document)) == '{"rate": null}'


def test_without_a_plan_the_export_says_so(world, tmp_path: Path) -> None:
    write_export(world.fresh().journal, tmp_path)
    assert json.loads((tmp_path / "journal.json").read_text()) == {"items": [], "plan": None}
    assert not (tmp_path / "plan.json").exists()


def test_a_second_publication_is_a_second_version(world, tmp_path: Path) -> None:
    s3 = world.account.client("s3", "111111111111", "us-east-1")
    s3.create_bucket(Bucket="records")
    s3.put_bucket_versioning(Bucket="records", VersioningConfiguration={"Status": "Enabled"})
    page = tmp_path / "dashboard.html"
    for text in ("first", "second"):
        page.write_text(text)
        assert upload(world.fresh().tooling, "records", "abc", [page]) == "s3://records/plans/abc/"
    found = s3.get_object(Bucket="records", Key="plans/abc/dashboard.html")
    assert (found["Body"].read(), found["ContentType"]) == (b"second", "text/html")
    assert len(s3.list_object_versions(Bucket="records")["Versions"]) == 2
