"""A manual approval: its token, and the caller whom CodePipeline names when it is answered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from botocore.exceptions import ClientError

from benchmarks.parity.asking import TAG, Answers, Sandbox, refused

SETTLED = 15  # seconds until a new role can be assumed everywhere
ANOTHER = "00000000-0000-4000-8000-000000000000"


def ask_gate(sandbox: Sandbox) -> Answers:
    with _pipeline(sandbox) as (client, name):

        def latest() -> Any:
            stages = client.get_pipeline_state(name=name)["stageStates"]
            return stages[1]["actionStates"][0].get("latestExecution", {})

        def answer(token: str) -> str:
            result = {"summary": "as a trial", "status": "Rejected"}
            gate = {"pipelineName": name, "stageName": "Gate", "actionName": "Approve"}
            return refused(lambda: client.put_approval_result(**gate, token=token, result=result))

        waits = sandbox.until(lambda: "token" in latest(), 600)
        waiting = latest()
        wrong, own, again = answer(ANOTHER), answer(waiting["token"]), answer(waiting["token"])
        sandbox.until(lambda: latest()["status"] == "Failed", 300)
        answered, caller = latest(), sandbox.client("sts").get_caller_identity()["Arn"]
        stage = client.get_pipeline_state(name=name)["stageStates"][1]
        listed = client.list_action_executions(pipelineName=name)["actionExecutionDetails"]
        gate = next(each for each in listed if each["actionName"] == "Approve")
        client.retry_stage_execution(
            pipelineName=name,
            stageName="Gate",
            pipelineExecutionId=stage["latestExecution"]["pipelineExecutionId"],
            retryMode="ALL_ACTIONS",
        )
        sandbox.until(lambda: "token" in latest(), 300)
        return {
            "a waiting gate has a token": waits is not None,
            "a waiting gate names nobody": "lastUpdatedBy" not in waiting,
            "an answer with another token": wrong,
            "an answer with its token": own,
            "the same answer again is refused": again
            in ("ApprovalAlreadyCompletedException", "InvalidApprovalTokenException"),
            "an answered gate has a token": "token" in answered,
            "an answered gate names its caller's ARN": answered.get("lastUpdatedBy") == caller,
            "the list of actions names the same": gate.get("updatedBy") == caller,
            "a rejected gate is": gate["status"],
            "a retry asks with a new token": latest().get("token") not in (None, waiting["token"]),
        }


@contextmanager
def _pipeline(sandbox: Sandbox) -> Iterator[tuple[Any, str]]:
    """A pipeline of one source in S3 and one approval: the client and its name."""
    name = f"tap-parity-{sandbox.suffix}"
    client, iam, s3 = sandbox.client("codepipeline"), sandbox.client("iam"), sandbox.client("s3")
    account = sandbox.client("sts").get_caller_identity()["Account"]
    bucket = f"{name}-{account}"
    elsewhere = {"CreateBucketConfiguration": {"LocationConstraint": sandbox.region}}
    s3.create_bucket(Bucket=bucket, **({} if sandbox.region == "us-east-1" else elsewhere))
    try:
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        s3.put_object(Bucket=bucket, Key="source.zip", Body=b"nothing reads it")
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(_trust()), Tags=[TAG])["Role"]["Arn"]
        iam.put_role_policy(RoleName=name, PolicyName="source", PolicyDocument=json.dumps(_rights(bucket)))
        sandbox.sleep(SETTLED)
        client.create_pipeline(pipeline=_declared(name, role, bucket), tags=[{"key": "tap:parity", "value": "delete"}])
        yield client, name
    finally:
        client.delete_pipeline(name=name)
        with suppress(ClientError):  # it may never have been made
            iam.delete_role_policy(RoleName=name, PolicyName="source")
        with suppress(ClientError):
            iam.delete_role(RoleName=name)
        versions = s3.list_object_versions(Bucket=bucket)
        for each in (*versions.get("Versions", []), *versions.get("DeleteMarkers", [])):
            s3.delete_object(Bucket=bucket, Key=each["Key"], VersionId=each["VersionId"])
        s3.delete_bucket(Bucket=bucket)


def _declared(name: str, role: str, bucket: str) -> Any:
    def action(named: str, category: str, owner: str, provider: str, **more: Any) -> Any:
        kind = {"category": category, "owner": owner, "provider": provider, "version": "1"}
        return {"name": named, "actionTypeId": kind, "runOrder": 1, **more}

    where = {"S3Bucket": bucket, "S3ObjectKey": "source.zip", "PollForSourceChanges": "false"}
    source = action("Source", "Source", "AWS", "S3", configuration=where, outputArtifacts=[{"name": "source"}])
    return {
        "name": name,
        "roleArn": role,
        "pipelineType": "V2",
        "artifactStore": {"type": "S3", "location": bucket},
        "stages": [
            {"name": "Source", "actions": [source]},
            {"name": "Gate", "actions": [action("Approve", "Approval", "AWS", "Manual")]},
        ],
    }


def _trust() -> Any:
    principal = {"Service": "codepipeline.amazonaws.com"}
    return _policy({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"})


def _rights(bucket: str) -> Any:
    arns = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    return _policy({"Effect": "Allow", "Action": ["s3:Get*", "s3:ListBucket", "s3:PutObject"], "Resource": arns})


def _policy(statement: Any) -> Any:
    return {"Version": "2012-10-17", "Statement": [statement]}
