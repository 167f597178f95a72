"""The watch beside the pipeline: its starts, its variables, and the notification when it stops."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytestmark = pytest.mark.xdist_group("pipeline")  # one synthesis for all of them


def rule(pipeline: Any, name: str) -> Any:
    return next(each for each in pipeline.of_type("AWS::Events::Rule").values() if each["Name"] == name)


def project_id(pipeline: Any, name: str) -> str:
    return next(id for id, each in pipeline.of_type("AWS::CodeBuild::Project").items() if each.get("Name") == name)


def test_savings_are_measured_every_week_by_a_job_that_only_reads_production(pipeline: Any) -> None:
    schedule = rule(pipeline, "tap-measure-savings")
    assert (schedule["ScheduleExpression"], schedule["State"]) == ("rate(7 days)", "ENABLED")
    (target,) = schedule["Targets"]
    assert target["Arn"] == {"Fn::GetAtt": [project_id(pipeline, "tap-measure-savings"), "Arn"]}
    told = {
        each["Name"]: each["Value"]
        for each in pipeline.project("tap-measure-savings")["Environment"]["EnvironmentVariables"]
    }
    assert "role/tap-analyze" in json.dumps(told["TAP_ROLE_ARN"])


def test_the_watch_runs_every_five_minutes_once_apply_has_switched_it_on(pipeline: Any) -> None:
    schedule = rule(pipeline, "tap-watch")
    assert (schedule["ScheduleExpression"], schedule["State"]) == ("rate(5 minutes)", "DISABLED")
    (target,) = schedule["Targets"]
    assert target["Arn"] == {"Fn::GetAtt": [project_id(pipeline, "tap-watch"), "Arn"]}


@pytest.mark.parametrize(
    ("job", "actions"),
    [
        ("apply", {"events:EnableRule", "cloudwatch:EnableAlarmActions", "codebuild:StartBuild"}),
        ("watch", {"events:DisableRule", "cloudwatch:DisableAlarmActions", "cloudwatch:PutMetricData"}),
    ],
)
def test_apply_switches_the_schedule_on_and_the_watch_off_and_no_other(
    pipeline: Any, job: str, actions: set[str]
) -> None:
    allowed = [each for each in pipeline.allowed(f"tap-job-{job}") if str(each["Action"]) in actions]
    assert {each["Action"] for each in allowed} == actions
    for each in allowed:
        if each["Action"] == "cloudwatch:PutMetricData":  # a datapoint belongs to no resource
            assert each["Condition"] == {"StringEquals": {"cloudwatch:namespace": "Tap"}}
        else:
            assert json.dumps(each["Resource"]).rstrip('"}]').endswith(("tap-watch", "tap-watch-silent"))
    told = pipeline.variables("tap-watch" if job == "watch" else "tap-phase1-apply")
    assert told["TAP_WATCH_NAME"] == "tap-watch"
    assert project_id(pipeline, told["TAP_WATCH_NAME"])


def test_a_build_that_cannot_start_is_told_within_a_minute(pipeline: Any) -> None:
    for name in ("tap-watch", "tap-gate-failed"):
        alarm = next(
            each
            for each in pipeline.of_type("AWS::CloudWatch::Alarm").values()
            if each["AlarmName"] == f"{name}-not-started"
        )
        assert (alarm["Namespace"], alarm["MetricName"], alarm["Period"]) == ("AWS/Events", "FailedInvocations", 60)
        assert alarm["Dimensions"] == [{"Name": "RuleName", "Value": name}]
        assert (alarm["EvaluationPeriods"], alarm["TreatMissingData"]) == (1, "notBreaching")


def test_a_failed_observe_gate_starts_the_job_that_knows_why(pipeline: Any) -> None:
    rejected = rule(pipeline, "tap-gate-failed")
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


def test_an_event_that_starts_no_build_is_kept(pipeline: Any) -> None:
    (target,) = rule(pipeline, "tap-gate-failed")["Targets"]
    queue = target["DeadLetterConfig"]["Arn"]["Fn::GetAtt"][0]
    assert pipeline.of_type("AWS::SQS::Queue")[queue]["QueueName"] == "tap-gate-failed-undelivered"


def test_stage_and_execution_of_the_failed_gate_are_passed_on(pipeline: Any) -> None:
    (target,) = rule(pipeline, "tap-gate-failed")["Targets"]
    transformer = target["InputTransformer"]
    assert set(transformer["InputPathsMap"].values()) == {"$.detail.stage", "$.detail.execution-id"}
    values = {"$.detail.stage": '"Phase2"', "$.detail.execution-id": '"1-2"'}  # EventBridge quotes them
    text = transformer["InputTemplate"]
    for name, path in transformer["InputPathsMap"].items():
        text = text.replace(f"<{name}>", values[path])
    given = {each["name"]: each["value"] for each in json.loads(text)["environmentVariablesOverride"]}
    assert given == {"STAGE": "Phase2", "EXECUTION": "1-2"}


def test_the_job_after_a_failed_gate_knows_the_gates_own_timeout(pipeline: Any) -> None:
    timeouts = {str(pipeline.action(f"Phase{n}", "Observe")["TimeoutInMinutes"]) for n in (1, 2, 3)}
    assert {pipeline.variables("tap-rollback")["GATE_TIMEOUT_MINUTES"]} == timeouts


def test_only_the_rollback_may_retry_a_stage_and_only_those_of_the_phases(pipeline: Any) -> None:
    asking = [
        each for each in pipeline.allowed("tap-job-rollback") if each["Action"] == "codepipeline:RetryStageExecution"
    ]
    (statement,) = asking
    assert [json.dumps(arn).rsplit(":", 1)[1].strip('"]}') for arn in statement["Resource"]] == [
        "tap/Phase1",
        "tap/Phase2",
        "tap/Phase3",
    ]
    assert "codepipeline:RetryStageExecution" not in pipeline.actions_allowed("tap-job-watch")


@pytest.mark.parametrize("project", ["tap-measure-savings", "tap-reconcile"])
def test_the_other_projects_read_the_branch_by_the_connection(pipeline: Any, project: str) -> None:
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
    ("alarm", "metric", "operator", "periods", "missing"),
    [
        ("tap-watch-failed", "FailedBuilds", "GreaterThanOrEqualToThreshold", 2, "notBreaching"),
        ("tap-rollback-failed", "FailedBuilds", "GreaterThanOrEqualToThreshold", 1, "notBreaching"),
    ],
)
def test_alarms_on_the_watch_itself(
    pipeline: Any, alarm: str, metric: str, operator: str, periods: int, missing: str
) -> None:
    found = next(each for each in pipeline.of_type("AWS::CloudWatch::Alarm").values() if each["AlarmName"] == alarm)
    assert (found["Namespace"], found["MetricName"], found["Statistic"]) == ("AWS/CodeBuild", metric, "Sum")
    assert (found["ComparisonOperator"], found["Threshold"], found["EvaluationPeriods"]) == (operator, 1, periods)
    assert found["TreatMissingData"] == missing
    assert found["AlarmActions"] == [{"Ref": next(iter(pipeline.of_type("AWS::SNS::Topic")))}]


def test_the_heartbeat_is_quiet_between_runs_and_rings_when_they_stop(pipeline: Any) -> None:
    """Runs come every five minutes; one may take ten before it has judged. The alarm wants one in 25 minutes."""
    silent = next(
        each for each in pipeline.of_type("AWS::CloudWatch::Alarm").values() if each["AlarmName"] == "tap-watch-silent"
    )
    assert (silent["Namespace"], silent["MetricName"], silent["Statistic"]) == ("Tap", "WatchJudged", "Sum")
    assert (silent["TreatMissingData"], silent["ActionsEnabled"]) == ("breaching", False)
    assert rule(pipeline, "tap-watch")["ScheduleExpression"] == "rate(5 minutes)"
    every, period = 5, silent["Period"] // 60 * silent["EvaluationPeriods"]

    def rings(stopped_at: int, begins: int) -> bool:
        beats = [start + 10 * (start % 2) for start in range(0, stopped_at, every)]
        return len([each for each in beats if begins <= each < begins + period]) < silent["Threshold"]

    assert not any(rings(24 * 60, begins) for begins in range(20 * 60))
    assert rings(stopped_at=6 * 60, begins=6 * 60 + 10)
    assert period + silent["Period"] // 60 <= 30, "rings within half an hour, wherever a period begins"


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


@pytest.mark.parametrize("project", ["tap-watch", "tap-rollback"])
def test_what_rolls_back_tells_people(pipeline: Any, project: str) -> None:
    assert pipeline.variables(project)["TAP_TOPIC_ARN"] == {"Ref": next(iter(pipeline.of_type("AWS::SNS::Topic")))}
    assert "sns:Publish" in pipeline.actions_allowed(f"tap-job-{project.removeprefix('tap-')}")
