"""Permissions of people: who answers each gate, retries, and steers; none has a wildcard."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytestmark = pytest.mark.xdist_group("pipeline")  # one synthesis for all of them

APPROVER = {"Approve/ApprovePlan", "Phase1/Observe", "Phase2/Observe", "Phase3/Observe"}


def statements(pipeline: Any, policy: str) -> list[Any]:
    found = next(
        each for each in pipeline.of_type("AWS::IAM::ManagedPolicy").values() if each.get("ManagedPolicyName") == policy
    )
    return list(found["PolicyDocument"]["Statement"])


def places(pipeline: Any, policy: str, action: str) -> set[str]:
    """Resources on which the policy allows the action, below the pipeline."""
    return {
        json.dumps(arn).rsplit(":tap", 1)[1].rstrip('"]}').lstrip("/")
        for each in statements(pipeline, policy)
        if action in (each["Action"] if isinstance(each["Action"], list) else [each["Action"]])
        for arn in (each["Resource"] if isinstance(each["Resource"], list) else [each["Resource"]])
    }


@pytest.mark.parametrize(
    ("policy", "action", "where"),
    [
        ("tap-approver", "codepipeline:PutApprovalResult", APPROVER),
        ("tap-approver", "codepipeline:RetryStageExecution", {"Approve", "Phase1", "Phase2", "Phase3"}),
        ("tap-approver", "codepipeline:StartPipelineExecution", {""}),
        ("tap-second-approver", "codepipeline:PutApprovalResult", {"Approve/ConfirmPlan"}),
        ("tap-second-approver", "codepipeline:RetryStageExecution", set()),
        ("tap-steering", "codepipeline:PutApprovalResult", set()),
    ],
)
def test_who_may_do_what_where(pipeline: Any, policy: str, action: str, where: set[str]) -> None:
    assert places(pipeline, policy, action) == where


@pytest.mark.parametrize("policy", ["tap-approver", "tap-second-approver"])
def test_who_answers_a_gate_may_open_the_dashboard_it_links_to(pipeline: Any, policy: str) -> None:
    bucket = pipeline.variables("tap-analyze")["TAP_RECORDS_BUCKET"]["Ref"]
    allowed = {
        action: each
        for each in statements(pipeline, policy)
        for action in (each["Action"] if isinstance(each["Action"], list) else [each["Action"]])
    }
    read = allowed["s3:GetObject"]["Resource"]
    assert read == {"Fn::Join": ["", [{"Fn::GetAtt": [bucket, "Arn"]}, "/plans/*"]]}
    assert allowed["s3:ListBucket"]["Condition"] == {"StringLike": {"s3:prefix": "plans/*"}}
    properties = pipeline.of_type("AWS::S3::Bucket")[bucket]["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    (encrypted,) = [each["ServerSideEncryptionByDefault"]["KMSMasterKeyID"] for each in properties]
    assert allowed["kms:Decrypt"]["Resource"] == encrypted
    assert not [action for action in allowed if action.startswith("s3:Put")]


def test_only_steering_sets_parameters_and_no_job_does(pipeline: Any) -> None:
    (allowed,) = statements(pipeline, "tap-steering")
    assert "ssm:PutParameter" in allowed["Action"]
    assert len(allowed["Resource"]) == 3
    for policy in pipeline.of_type("AWS::IAM::Policy").values():
        assert "ssm:PutParameter" not in json.dumps(policy["PolicyDocument"])


def test_every_gate_may_be_answered_by_somebody(pipeline: Any) -> None:
    gates = {
        f"{stage['Name']}/{action['Name']}"
        for stage in pipeline.stages
        for action in stage["Actions"]
        if action["ActionTypeId"]["Category"] == "Approval"
    }
    first, second = (
        places(pipeline, policy, "codepipeline:PutApprovalResult") for policy in ("tap-approver", "tap-second-approver")
    )
    assert first | second == gates
    assert not first & second


def test_the_pipeline_starts_every_monday_morning(pipeline: Any) -> None:
    (rule,) = [each for each in pipeline.of_type("AWS::Events::Rule").values() if each["Name"] == "tap-weekly"]
    assert rule["ScheduleExpression"] == "cron(0 6 ? * MON *)"
    (target,) = rule["Targets"]
    assert "codepipeline" in json.dumps(target["Arn"])
