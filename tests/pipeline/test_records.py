"""The bucket beside the journal: its files, and the jobs that may write each."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytestmark = pytest.mark.xdist_group("pipeline")  # one synthesis for all of them

PUBLISHING = ("analyze", "apply", "accept", "publish", "rollback", "watch", "measure-savings")


def bucket_id(pipeline: Any) -> str:
    found: str = pipeline.variables("tap-watch")["TAP_RECORDS_BUCKET"]["Ref"]
    return found


def test_every_version_is_kept_for_as_long_as_a_plan_can_last(pipeline: Any) -> None:
    bucket = pipeline.of_type("AWS::S3::Bucket")[bucket_id(pipeline)]
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    (rule,) = bucket["LifecycleConfiguration"]["Rules"]
    assert rule["ExpirationInDays"] == rule["NoncurrentVersionExpiration"]["NoncurrentDays"] == 400
    (encryption,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert encryption["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"


@pytest.mark.parametrize("job", ["build", "approve", "reconcile", *PUBLISHING])
def test_who_publishes_writes_plans_and_nobody_deletes(pipeline: Any, job: str) -> None:
    role = f"tap-job-{job}"
    writes = [
        json.dumps(each["Resource"])
        for each in pipeline.allowed(role)
        if "s3:PutObject" in each["Action"] and bucket_id(pipeline) in json.dumps(each["Resource"])
    ]
    assert any("/plans/*" in each for each in writes) is (job in PUBLISHING)
    deletes = [each for each in pipeline.allowed(role) if "Delete" in json.dumps(each["Action"])]
    assert not [each for each in deletes if bucket_id(pipeline) in json.dumps(each["Resource"])]
