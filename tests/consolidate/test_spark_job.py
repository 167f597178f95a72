"""The Spark job and the local engine give the same table from the same export.

Spark runs here in local mode: one machine, the real engine. Without Java or the extra [spark] the tests are skipped on
a laptop, and fail in CI.
"""

from __future__ import annotations

import gzip
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from domain.indexes import INDEXES, MERGED, merged_indexes
from emulator.account import EmulatedAccount
from examples.spark.export_format import read_line, write_line
from optimizer.consolidate import copy as copying
from optimizer.consolidate.mapping import Entity, merged, table_shape
from optimizer.consolidate.merge import Merge, Speed
from optimizer.consolidate.state import MergeProgress
from optimizer.ports.aws import Aws
from tests.consolidate.items import items
from tests.consolidate.made_platform import platform
from tests.consolidate.platform import MemoryNotes

pytestmark = [pytest.mark.spark, pytest.mark.slow, pytest.mark.xdist_group("spark")]  # one Java at a time

ROOT = Path(__file__).parents[2]
PRODUCTION, REGION = "222222222222", "us-east-1"
KEPT = ("by-domain", "by-email", "by-role", "by-status")
ON_DEMAND: Mapping[str, Any] = {"BillingMode": "PAY_PER_REQUEST"}
STREAM: Any = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
# The account's store does not keep every made-up item as DynamoDB does: these are beside the platform's own.
OF_ALL_TYPES: dict[str, Any] = {
    "raw": {"B": b"\0\xff"},
    "tiny": {"N": "1e-9"},
    "tags": {"SS": ["a", "ä"]},
    "nested": {"M": {"list": {"L": [{"BOOL": False}, {"M": {"deep": {"N": "1"}}}, {"S": "x"}]}}},
}
MISSING = [
    what
    for what, found in {"java": shutil.which("java"), "pyspark": importlib.util.find_spec("pyspark")}.items()
    if not found
]


@pytest.fixture(scope="module")
def environment() -> Iterator[Mapping[str, str]]:
    """Variables with which Spark finds this Python and this code; on loopback alone."""
    if MISSING and os.environ.get("CI") != "true":
        pytest.skip(f"no {' and no '.join(MISSING)}: pip install -e '.[spark]', and a Java runtime (17)")
    assert not MISSING, f"CI runs Spark: .ci/run installs {' and '.join(MISSING)}"
    added = {"SPARK_LOCAL_IP": "127.0.0.1", "PYTHONPATH": str(ROOT), "PYSPARK_PYTHON": sys.executable}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in added.items():
            patch.setenv(name, value)
        yield added


@pytest.fixture(scope="module")
def spark(environment: Mapping[str, str]) -> Iterator[Any]:
    from pyspark.sql import SparkSession

    session = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").getOrCreate()
    yield session
    session.stop()


def any_items(count: int) -> list[tuple[Entity, dict[str, Any]]]:
    """Items of all types, the same in every run, with one key once."""
    found: dict[tuple[Entity, str, str], dict[str, Any]] = {}

    @settings(
        max_examples=count,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.sampled_from(list(Entity)), items())
    def collect(entity: Entity, item: dict[str, Any]) -> None:
        found[entity, item["pk"]["S"], item["sk"]["S"]] = item

    collect()
    return [(entity, item) for (entity, *_), item in found.items()]


def export(folder: Path, held: Sequence[Mapping[str, Any]], files: int = 3) -> Path:
    """A full export as DynamoDB writes it: a file a partition, which may be empty, and manifests."""
    (folder / "data").mkdir(parents=True)
    for number in range(files):
        lines = "".join(f"{write_line(item)}\n" for item in held[number::files])
        (folder / "data" / f"{number:026}.json.gz").write_bytes(gzip.compress(lines.encode()))
    (folder / "data" / "empty.json.gz").write_bytes(gzip.compress(b""))
    (folder / "manifest-summary.json").write_text(json.dumps({"itemCount": len(held), "outputFormat": "DYNAMODB_JSON"}))
    return folder


def exported(folder: Path, held: Sequence[tuple[Entity, Mapping[str, Any]]]) -> dict[Entity, str]:
    return {each: str(export(folder / each, [item for entity, item in held if entity is each])) for each in Entity}


def lines_of(folder: Path) -> Iterator[str]:
    for file in sorted(folder.glob("part-*.gz")):
        yield from gzip.decompress(file.read_bytes()).decode().split("\n")[:-1]


def test_the_job_and_the_local_mapping_give_the_same_table(spark: Any, tmp_path: Path) -> None:
    from examples.spark.job import merge_exports

    held = any_items(400)
    target = tmp_path / "merged"
    assert merge_exports(spark, exported(tmp_path, held), KEPT, str(target)) == len(held)
    by_spark = {key_of(item): item for item in map(read_line, lines_of(target))}
    by_hand = {key_of(made): made for made in (merged(entity, item, KEPT) for entity, item in held)}
    assert by_spark == by_hand
    assert len(by_hand) == len(held)
    assert {each.name for each in target.iterdir() if not each.name.startswith(".")} == {"part-00000.gz"}


def test_a_part_of_an_export_is_refused(spark: Any, tmp_path: Path) -> None:
    from examples.spark.job import merge_exports

    held = any_items(60)
    exports = exported(tmp_path, held)
    lost = sorted((Path(exports[Entity.USERS]) / "data").iterdir())[0]
    lost.unlink()
    with pytest.raises(ValueError, match=rf"the manifests promise {len(held)}\. Export again"):
        merge_exports(spark, exports, KEPT, str(tmp_path / "merged"))


def run_job(exports: Mapping[Entity, str], target: Path, environment: Mapping[str, str]) -> str:
    """As Glue runs it: a process of its own, with arguments of Glue's among them; what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "examples.spark.job", "--JOB_NAME", "tap-consolidation"]
        + [part for entity, folder in exports.items() for part in (f"--{entity}", folder)]
        + ["--kept", ",".join(KEPT), "--target", str(target)],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_imported_table_is_the_one_that_is_copied(environment: Mapping[str, str], tmp_path: Path) -> None:
    """Through the account: exported, merged by Spark and imported; and copied by the local engine."""
    with EmulatedAccount(start=datetime(2027, 3, 1, tzinfo=UTC), tooling="111111111111", production=PRODUCTION) as made:
        aws = Aws(made.session(PRODUCTION, REGION), PRODUCTION, REGION, made.clock)
        for name in Entity:
            shape = table_shape(name, INDEXES[name])
            aws.dynamodb.create_table(TableName=name, **ON_DEMAND, StreamSpecification=STREAM, **shape)
        for entity, item in platform():
            aws.dynamodb.put_item(TableName=entity, Item={**item, **OF_ALL_TYPES})
        made.clock.sleep(25 * 3600)  # the streams have forgotten how the items were made
        held = [(each, item) for each in Entity for item in rows(aws, each)]
        assert run_job(exported(tmp_path, held), tmp_path / "merged", environment).split() == [str(len(held))]
        import_files(aws, tmp_path / "merged", "imported")
        copy(aws, "copied")
        assert rows(aws, "imported") == rows(aws, "copied")
        assert len(rows(aws, "copied")) == len(list(platform()))


def rows(aws: Aws, table: str) -> list[dict[str, Any]]:
    found = aws.dynamodb.get_paginator("scan").paginate(TableName=table)
    return sorted((item for page in found for item in page["Items"]), key=key_of)


def import_files(aws: Aws, folder: Path, table: str) -> None:
    s3 = aws.session.client("s3")
    s3.create_bucket(Bucket="merged")
    for file in folder.glob("part-*.gz"):
        s3.put_object(Bucket="merged", Key=f"run/{file.name}", Body=file.read_bytes())
    started = aws.dynamodb.import_table(
        S3BucketSource={"S3Bucket": "merged", "S3KeyPrefix": "run/"},
        InputFormat="DYNAMODB_JSON",
        InputCompressionType="GZIP",
        TableCreationParameters={
            "TableName": table,
            **ON_DEMAND,
            **table_shape(MERGED, merged_indexes(KEPT)),
        },
    )["ImportTableDescription"]["ImportArn"]
    while (shown := aws.dynamodb.describe_import(ImportArn=started)["ImportTableDescription"])[
        "ImportStatus"
    ] == "IN_PROGRESS":
        time.sleep(0.05)  # a thread of moto's
    assert shown["ImportStatus"] == "COMPLETED", shown.get("FailureMessage")


def copy(aws: Aws, table: str) -> None:
    shape = table_shape(MERGED, merged_indexes(KEPT))
    aws.dynamodb.create_table(TableName=table, **ON_DEMAND, **shape)
    merge, speed = Merge(KEPT, target=table), Speed(units=1e9)
    progress = MergeProgress(MemoryNotes(), copying.begin(aws, merge, speed), aws.clock)
    copying.copy(aws, merge, speed, progress)


def key_of(item: Mapping[str, Any]) -> tuple[str, str]:
    return item["pk"]["S"], item["sk"]["S"]
