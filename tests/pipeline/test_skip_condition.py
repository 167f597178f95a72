"""The skip condition: its rule as a table, and the inline code of the template run against a journal."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import boto3
import pytest
from moto import mock_aws

from pipeline.skip_condition import NothingToDo, check, stage_of

pytestmark = pytest.mark.xdist_group("pipeline")  # one synthesis for all of them

RUNS = None
HASH = "abc"


def plan_item(state: str, *phases: int) -> dict[str, Any]:
    item: dict[str, Any] = {"pk": {"S": "plan"}, "sk": {"S": "current"}, "hash": {"S": HASH}, "state": {"S": state}}
    if phases:
        item["phases"] = {"NS": [str(phase) for phase in phases]}
    return item


def phase_item(number: int, state: str) -> dict[str, Any]:
    return {"pk": {"S": f"plan#{HASH}"}, "sk": {"S": f"phase#{number}"}, "state": {"S": state}}


@pytest.mark.parametrize(
    ("stage", "items", "skipped_because"),
    [
        ("Approve", [], "there is no plan"),
        ("Phase1", [], "there is no plan"),
        ("Approve", [plan_item("proposed", 2)], RUNS),
        ("Approve", [plan_item("proposed")], "the plan changes nothing"),
        ("Approve", [plan_item("approved", 2)], "the plan is approved, not proposed"),
        ("Approve", [plan_item("stopped", 2)], "the plan is stopped, not proposed"),
        ("Approve", [plan_item("done", 2)], "the plan is done, not proposed"),
        ("Phase2", [plan_item("proposed", 2)], "the plan is proposed, not approved"),
        ("Phase2", [plan_item("stopped", 2)], "the plan is stopped, not approved"),
        ("Phase2", [plan_item("approved", 2)], RUNS),
        ("Phase1", [plan_item("approved", 2, 3)], "the plan changes nothing in phase 1"),
        *(
            ("Phase2", [plan_item("approved", 2), phase_item(2, state)], RUNS)
            for state in ("waiting", "applying", "observing", "accepting", "accepted", "rolling_back")
        ),
        *(
            ("Phase2", [plan_item("approved", 2), phase_item(2, state)], f"phase 2 is {state}")
            for state in ("reconciled", "empty", "rolled_back")
        ),
        ("Phase3", [plan_item("approved", 2, 3), phase_item(2, "reconciled")], RUNS),
    ],
)
def test_a_stage_runs_only_when_the_journal_says_so(
    stage: str, items: list[dict[str, Any]], skipped_because: str | None
) -> None:
    journal = {(item["pk"]["S"], item["sk"]["S"]): item for item in items}

    def read(pk: str, sk: str) -> Any:
        return journal.get((pk, sk))

    if skipped_because is RUNS:
        check(read, stage)
    else:
        with pytest.raises(NothingToDo, match=f"^{skipped_because}$"):
            check(read, stage)


@pytest.mark.parametrize(
    ("event", "stage"),
    [
        ({"CodePipeline.job": {"data": {"actionConfiguration": {"configuration": USER}}}}, "Phase2")
        for USER in [{"FunctionName": "f", "UserParameters": '{"stage": "Phase2"}'}]
    ]
    + [({"UserParameters": '{"stage": "Approve"}'}, "Approve"), ({"CodePipeline.job": {"id": "1"}}, None)],
)
def test_the_stage_is_found_wherever_the_event_carries_it(event: dict[str, Any], stage: str | None) -> None:
    assert stage_of(event) == stage


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("JOURNAL_TABLE", "tap-journal")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        client = boto3.client("dynamodb", region_name="us-east-1")
        client.create_table(
            TableName="tap-journal",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        )
        yield client


@pytest.fixture
def codepipeline() -> Mock:
    return Mock(spec=["put_job_success_result", "put_job_failure_result"])


@pytest.fixture
def handler(skip_function: Mapping[str, Any], dynamodb: Any, codepipeline: Mock) -> Any:
    """The function as Lambda would run it: the template's own inline code, its handler by name."""
    module, name = skip_function["Handler"].split(".")
    namespace: dict[str, Any] = {"__name__": module}
    exec(compile(skip_function["Code"]["ZipFile"], f"{module}.py", "exec"), namespace)
    clients = {"dynamodb": dynamodb, "codepipeline": codepipeline}
    namespace["boto3"] = SimpleNamespace(client=clients.__getitem__)
    return namespace[name]


def job(stage: str) -> dict[str, Any]:
    configuration = {"FunctionName": "tap-skip-condition", "UserParameters": json.dumps({"stage": stage})}
    return {"CodePipeline.job": {"id": "job-1", "data": {"actionConfiguration": {"configuration": configuration}}}}


def test_inline_code_fits_and_imports_nothing_of_the_project(skip_function: Mapping[str, Any]) -> None:
    code = skip_function["Code"]["ZipFile"]
    assert len(code.encode()) < 4096
    assert "import pipeline" not in code
    assert "from pipeline" not in code
    assert "from optimizer" not in code


def test_a_job_with_something_to_do_is_answered_with_success(handler: Any, dynamodb: Any, codepipeline: Mock) -> None:
    dynamodb.put_item(TableName="tap-journal", Item=plan_item("approved", 2))
    assert handler(job("Phase2"), None) == {"run": True, "stage": "Phase2"}
    codepipeline.put_job_success_result.assert_called_once_with(jobId="job-1")
    codepipeline.put_job_failure_result.assert_not_called()


def test_a_job_with_nothing_to_do_is_answered_with_failure_and_why(
    handler: Any, dynamodb: Any, codepipeline: Mock
) -> None:
    dynamodb.put_item(TableName="tap-journal", Item=plan_item("approved", 2))
    dynamodb.put_item(TableName="tap-journal", Item=phase_item(2, "reconciled"))
    assert handler(job("Phase2"), None)["run"] is False
    codepipeline.put_job_failure_result.assert_called_once_with(
        jobId="job-1", failureDetails={"type": "JobFailed", "message": "phase 2 is reconciled"}
    )
    codepipeline.put_job_success_result.assert_not_called()


def test_without_a_job_the_function_raises_or_returns(handler: Any, dynamodb: Any) -> None:
    event = {"UserParameters": '{"stage": "Approve"}'}
    with pytest.raises(Exception, match="there is no plan"):
        handler(event, None)
    dynamodb.put_item(TableName="tap-journal", Item=plan_item("proposed", 1))
    assert handler(event, None)["run"] is True


@pytest.mark.parametrize("stage", ["Phase1", "Approve"])
def test_an_unreadable_journal_is_no_green_skip_and_rings(
    handler: Any, dynamodb: Any, codepipeline: Mock, pipeline: Any, capsys: pytest.CaptureFixture[str], stage: str
) -> None:
    """The stage runs, and its first job refuses: it reads the journal as well. A skipped stage would be green."""
    dynamodb.delete_table(TableName="tap-journal")
    assert handler(job(stage), None)["run"] is True
    codepipeline.put_job_success_result.assert_called_once_with(jobId="job-1")
    said = capsys.readouterr().out
    assert "ResourceNotFoundException" in said
    patterns = [
        each["FilterPattern"]
        for each in pipeline.of_type("AWS::Logs::MetricFilter").values()
        if each["MetricTransformations"][0]["MetricName"] == "SkipConditionUnsure"
    ]
    assert [pattern for pattern in patterns if '"JOURNAL NOT READ"' in pattern]
    assert "JOURNAL NOT READ" in said
    ringing = [
        each for each in pipeline.of_type("AWS::CloudWatch::Alarm").values() if each["AlarmName"] == "tap-skip-unsure"
    ]
    assert ringing[0]["AlarmActions"]


def test_an_item_that_cannot_be_understood_is_no_green_skip(handler: Any, dynamodb: Any) -> None:
    dynamodb.put_item(TableName="tap-journal", Item={"pk": {"S": "plan"}, "sk": {"S": "current"}})
    assert handler(job("Phase1"), None)["run"] is True
    assert handler({"CodePipeline.job": {"id": "job-1"}}, None)["run"] is True  # the rule names no stage


def test_the_function_only_reads_the_journal(pipeline: Any, skip_function: Mapping[str, Any]) -> None:
    (role, _) = skip_function["Role"]["Fn::GetAtt"]
    actions = {
        action
        for policy in pipeline.of_type("AWS::IAM::Policy").values()
        if {"Ref": role} in policy["Roles"]
        for statement in policy["PolicyDocument"]["Statement"]
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }
    assert {action for action in actions if action.startswith("dynamodb:")} == {"dynamodb:GetItem", "dynamodb:Query"}
