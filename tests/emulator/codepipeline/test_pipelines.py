"""Small pipelines, made by a call: sources run, gates wait, and an answer lets the next stage begin."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from emulator.account import EmulatedAccount

SOURCE, APPROVAL = ("Source", "S3"), ("Approval", "Manual")


@pytest.fixture
def client(account: EmulatedAccount) -> Any:
    s3 = account.client("s3", account.tooling, "us-east-1")
    s3.create_bucket(Bucket="sources")
    s3.put_bucket_versioning(Bucket="sources", VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket="sources", Key="there", Body=b"")
    return account.client("codepipeline", account.tooling, "us-east-1")


def make(client: Any, *kinds: tuple[str, str], key: str = "there") -> None:
    where = {"S3Bucket": "sources", "S3ObjectKey": key}
    stages = [
        {
            "name": f"Stage{number}",
            "actions": [
                {
                    "name": "Only",
                    "actionTypeId": {"category": category, "owner": "AWS", "provider": provider, "version": "1"},
                    "configuration": where if provider == "S3" else {},
                }
            ],
        }
        for number, (category, provider) in enumerate(kinds)
    ]
    store = {"type": "S3", "location": "sources"}
    role = "arn:aws:iam::111111111111:role/x"
    client.create_pipeline(pipeline={"name": "small", "roleArn": role, "artifactStore": store, "stages": stages})


def statuses(client: Any) -> list[str | None]:
    stages = client.get_pipeline_state(name="small")["stageStates"]
    return [stage["actionStates"][0].get("latestExecution", {}).get("status") for stage in stages]


def test_an_approved_gate_lets_the_next_stage_begin(client: Any) -> None:
    make(client, SOURCE, APPROVAL, APPROVAL)
    assert statuses(client) == ["Succeeded", "InProgress", None]
    waiting = client.get_pipeline_state(name="small")["stageStates"][1]["actionStates"][0]["latestExecution"]
    client.put_approval_result(
        pipelineName="small",
        stageName="Stage1",
        actionName="Only",
        token=waiting["token"],
        result={"summary": "good", "status": "Approved"},
    )
    assert statuses(client) == ["Succeeded", "Succeeded", "InProgress"]


def test_a_source_that_is_not_there_fails_and_nothing_follows(client: Any) -> None:
    make(client, SOURCE, APPROVAL, key="absent")
    assert statuses(client) == ["Failed", None]


@pytest.mark.parametrize(
    ("kinds", "error"),
    [
        ((SOURCE,), "InvalidStructureException"),
        ((APPROVAL, APPROVAL), "InvalidStructureException"),
        ((SOURCE, SOURCE), "InvalidStructureException"),
    ],
)
def test_a_pipeline_is_refused(client: Any, kinds: tuple[tuple[str, str], ...], error: str) -> None:
    with pytest.raises(ClientError, match=error):
        make(client, *kinds)


def test_a_name_is_taken_once_and_free_again_after_deletion(client: Any) -> None:
    make(client, SOURCE, APPROVAL)
    with pytest.raises(ClientError, match="PipelineNameInUseException"):
        make(client, SOURCE, APPROVAL)
    client.delete_pipeline(name="small")
    client.delete_pipeline(name="small")
    make(client, SOURCE, APPROVAL)
