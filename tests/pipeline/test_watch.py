"""The watch beside the pipeline: what starts it, what it passes on, and who is told when it stops."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytestmark = pytest.mark.xdist_group("pipeline")  # one synthesis for all of them


def rule(pipeline: Any, name: str) -> Any:
    return next(each for each in pipeline.of_type("AWS::Events::Rule").values() if each["Name"] == name)


def project_id(pipeline: Any, name: str) -> str:
    return next(id for id, each in pipeline.of_type("AWS::CodeBuild::Project").items() if each.get("Name") == name)


def test_the_watch_runs_every_quarter_of_an_hour(pipeline: Any) -> None:
    schedule = rule(pipeline, "tap-watch")
    assert (schedule["ScheduleExpression"], schedule["State"]) == ("rate(15 minutes)", "ENABLED")
    (target,) = schedule["Targets"]
    assert target["Arn"] == {"Fn::GetAtt": [project_id(pipeline, "tap-watch"), "Arn"]}


def test_a_rejected_observe_gate_rolls_its_phase_back(pipeline: Any) -> None:
    rejected = rule(pipeline, "tap-gate-rejected")
    assert rejected["EventPattern"] == {
        "source": ["aws.codepipeline"],
        "detail-type": ["CodePipeline Action Execution State Change"],
        "detail": {
            "pipeline": ["tap"],
            "action": ["Observe"],
            "state": ["FAILED"],
            "type": {"category": ["Approval"]},
        },
    }
    (target,) = rejected["Targets"]
    assert target["Arn"] == {"Fn::GetAtt": [project_id(pipeline, "tap-rollback"), "Arn"]}


def test_the_stage_of_the_rejected_gate_is_passed_on(pipeline: Any) -> None:
    (target,) = rule(pipeline, "tap-gate-rejected")["Targets"]
    transformer = target["InputTransformer"]
    ((name, path),) = transformer["InputPathsMap"].items()
    assert path == "$.detail.stage"
    started_with = json.loads(transformer["InputTemplate"].replace(f"<{name}>", '"Phase2"'))  # EventBridge quotes it
    assert started_with == {"environmentVariablesOverride": [{"name": "STAGE", "type": "PLAINTEXT", "value": "Phase2"}]}


@pytest.mark.parametrize("project", ["tap-watch", "tap-rollback"])
def test_both_projects_read_the_branch_by_the_connection(pipeline: Any, project: str) -> None:
    source = pipeline.project(project)["Source"]
    assert (source["Type"], source["Location"]) == ("GITHUB", "https://github.com/example/tap-optimizer.git")
    assert source["Auth"]["Type"] == "CODECONNECTIONS"
    assert pipeline.project(project)["SourceVersion"] == "main"
    allowed = pipeline.allowed(f"tap-job-{project.removeprefix('tap-')}")
    assert any(
        "codeconnections:GetConnectionToken" in each["Action"] and each["Resource"] == source["Auth"]["Resource"]
        for each in allowed
    )


@pytest.mark.parametrize(
    ("alarm", "metric", "operator", "missing"),
    [
        ("tap-watch-silent", "Builds", "LessThanThreshold", "breaching"),
        ("tap-watch-failed", "FailedBuilds", "GreaterThanOrEqualToThreshold", "notBreaching"),
        ("tap-rollback-failed", "FailedBuilds", "GreaterThanOrEqualToThreshold", "notBreaching"),
    ],
)
def test_alarms_on_the_watch_itself(pipeline: Any, alarm: str, metric: str, operator: str, missing: str) -> None:
    found = next(each for each in pipeline.of_type("AWS::CloudWatch::Alarm").values() if each["AlarmName"] == alarm)
    assert (found["Namespace"], found["MetricName"], found["Statistic"]) == ("AWS/CodeBuild", metric, "Sum")
    assert (found["ComparisonOperator"], found["Threshold"]) == (operator, 1)
    assert found["TreatMissingData"] == missing
    assert found["AlarmActions"] == [{"Ref": next(iter(pipeline.of_type("AWS::SNS::Topic")))}]


def test_notifications_are_encrypted_and_alarms_may_publish(pipeline: Any) -> None:
    topic = pipeline.only("AWS::SNS::Topic")
    (key,) = pipeline.of_type("AWS::KMS::Key")
    assert topic["KmsMasterKeyId"] == {"Fn::GetAtt": [key, "Arn"]}
    assert pipeline.only("AWS::SNS::Subscription")["Endpoint"] == "platform@example.com"
    statements = pipeline.only("AWS::SNS::TopicPolicy")["PolicyDocument"]["Statement"]
    assert any(each["Effect"] == "Deny" and "aws:SecureTransport" in str(each["Condition"]) for each in statements)
    alarms = {"Service": "cloudwatch.amazonaws.com"}
    assert any(each["Effect"] == "Allow" and each["Principal"] == alarms for each in statements)
    key_statements = pipeline.only("AWS::KMS::Key")["KeyPolicy"]["Statement"]
    assert any(each["Principal"] == alarms for each in key_statements)
