"""CodePipeline's description of an execution, the answers to its gates, and their effect."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from emulator.account import EmulatedAccount
from emulator.services.codepipeline.execution import Execution, Executions, Gate
from emulator.services.eventbridge.event_patterns import Reaction, gate_failed

NOW = datetime(2027, 3, 1, 8, tzinfo=UTC)


@pytest.fixture
def gate(account: EmulatedAccount) -> Gate:
    execution = Execution("tap", "id-1", {"Phase1": ("Apply", "Observe"), "Publish": ("Publish",)})
    account.part(Executions).by_pipeline["tap"] = execution
    execution.begin("Phase1", "Apply")
    execution.end("Phase1", "Apply", succeeded=True)
    return execution.open("Phase1", "Observe", "look", NOW)


@pytest.fixture
def codepipeline(account: EmulatedAccount, gate: Gate) -> Any:
    return account.client("codepipeline", account.tooling, "us-east-1")


def reject(codepipeline: Any, **changed: Any) -> None:
    asked = {
        "pipelineName": "tap",
        "stageName": "Phase1",
        "actionName": "Observe",
        "result": {"summary": "p99 rose", "status": "Rejected"},
        "token": "",
        **changed,
    }
    codepipeline.put_approval_result(**asked)


def token(codepipeline: Any) -> str:
    stage = codepipeline.get_pipeline_state(name="tap")["stageStates"][0]
    found: str = stage["actionStates"][1]["latestExecution"]["token"]
    return found


def test_a_waiting_gate_shows_its_token_and_an_answered_one_its_answer(codepipeline: Any, gate: Gate) -> None:
    reject(codepipeline, token=token(codepipeline))
    assert (gate.approved, gate.summary) == (False, "p99 rose")
    first, last = codepipeline.get_pipeline_state(name="tap")["stageStates"]
    latest = first["actionStates"][1]["latestExecution"]
    assert (latest["status"], latest["summary"], "token" in latest) == ("Failed", "p99 rose", False)
    assert first["latestExecution"]["status"] == "Failed"
    assert "latestExecution" not in last


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        (lambda valid: {"token": "00000000-0000-0000-0000-000000000000"}, "InvalidApprovalTokenException"),
        (lambda valid: {"token": valid, "actionName": "Other"}, "ActionNotFoundException"),
        (lambda valid: {"token": valid, "actionName": "Apply"}, "InvalidApprovalTokenException"),
        (lambda valid: {"token": valid, "pipelineName": "other"}, "PipelineNotFoundException"),
        (lambda valid: {"token": valid, "result": {"summary": "x" * 513, "status": "Rejected"}}, "ValidationException"),
    ],
)
def test_a_wrong_answer_is_refused(
    codepipeline: Any, gate: Gate, changed: Callable[[str], dict[str, Any]], code: str
) -> None:
    with pytest.raises(ClientError) as error:
        reject(codepipeline, **changed(token(codepipeline)))
    assert error.value.response["Error"]["Code"] == code
    assert gate.approved is None


def test_a_gate_is_answered_once(codepipeline: Any) -> None:
    valid = token(codepipeline)
    reject(codepipeline, token=valid)
    with pytest.raises(ClientError, match="ApprovalAlreadyCompletedException"):
        reject(codepipeline, token=valid)


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ({"source": ["aws.codepipeline"], "detail": {"action": ["Observe"], "type": {"category": ["Approval"]}}}, True),
        ({"source": ["aws.codepipeline"], "detail": {"action": ["ApprovePlan"]}}, False),
        ({"source": ["aws.codebuild"]}, False),
        ({"detail": {"missing": {"deeper": ["x"]}}}, False),
    ],
)
def test_a_rule_reacts_to_the_events_its_pattern_names(gate: Gate, pattern: dict[str, Any], matches: bool) -> None:
    template = '{"environmentVariablesOverride":[{"name":"STAGE","type":"PLAINTEXT","value":<stage>}]}'
    reaction = Reaction(pattern, "Rollback", {"stage": "$.detail.stage"}, template)
    event = gate_failed("tap", "id-1", gate)
    assert reaction.matches(event) is matches
    assert reaction.overrides(event) == {"STAGE": "Phase1"}


def approvals(codepipeline: Any) -> list[dict[str, Any]]:
    found = codepipeline.list_action_executions(pipelineName="tap", filter={"pipelineExecutionId": "id-1"})
    return list(found["actionExecutionDetails"])


def test_rejected_and_expired_gates_are_both_failed_and_differ_in_their_time(
    account: EmulatedAccount, codepipeline: Any, gate: Gate
) -> None:
    account.clock.sleep(3600)
    reject(codepipeline, token=token(codepipeline))
    execution = account.part(Executions).by_pipeline["tap"]
    again = execution.open("Phase1", "Observe", "look", account.clock.now())
    account.clock.sleep(14 * 86400)
    execution.expire(again, account.clock.now())
    last, first = approvals(codepipeline)
    assert (last["status"], first["status"]) == ("Failed", "Failed")
    assert [(each["lastUpdateTime"] - each["startTime"]).total_seconds() for each in (first, last)] == [
        3600,
        14 * 86400,
    ]
    assert ("updatedBy" in first, "updatedBy" in last) == (True, False)


def test_an_expired_gate_cannot_be_answered(account: EmulatedAccount, codepipeline: Any, gate: Gate) -> None:
    valid = token(codepipeline)
    account.part(Executions).by_pipeline["tap"].expire(gate, NOW)
    with pytest.raises(ClientError, match="InvalidApprovalTokenException"):
        reject(codepipeline, token=valid)


def test_a_stage_is_retried_only_after_it_failed(account: EmulatedAccount, codepipeline: Any, gate: Gate) -> None:
    asked = {"pipelineName": "tap", "stageName": "Phase1", "pipelineExecutionId": "id-1", "retryMode": "ALL_ACTIONS"}
    with pytest.raises(ClientError, match="StageNotRetryableException"):
        codepipeline.retry_stage_execution(**asked)
    execution = account.part(Executions).by_pipeline["tap"]
    execution.expire(gate, NOW)
    codepipeline.retry_stage_execution(**asked)
    assert execution.to_retry == {"Phase1"}
    with pytest.raises(ClientError, match="NotLatestPipelineExecutionException"):
        codepipeline.retry_stage_execution(**{**asked, "pipelineExecutionId": "id-0"})
