"""The pipeline's manual approvals, as far as the optimizer touches them: who approved, and rejecting one."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from botocore.exceptions import ClientError

from domain.errors import WrongState
from optimizer.ports.aws import Aws

SUMMARY_LIMIT = 512  # characters (CodePipeline API, ApprovalResult.summary)
NEAR = timedelta(minutes=5)  # a gate that failed this near to its timeout counts as one that nobody answered


@dataclass(frozen=True)
class FailedGate:
    """A failed gate: by an answer, or because its time ran out. `id` is of the action's execution."""

    id: str
    rejected: bool
    by: str
    opened: datetime


def answered(aws: Aws, pipeline: str | None, stage: str) -> dict[str, str]:
    """The ARN of the person who answered each gate of the stage last, by gate; none where the pipeline does not say."""
    if pipeline is None:
        return {}
    return {
        action["actionName"]: by
        for state in aws.codepipeline.get_pipeline_state(name=pipeline)["stageStates"]
        if state.get("stageName") == stage
        for action in state.get("actionStates", [])
        if (by := action.get("latestExecution", {}).get("lastUpdatedBy"))
    }


def reject(aws: Aws, pipeline: str | None, stage: str, reason: str) -> bool:
    """Reject the stage's waiting gate; False when none waits or somebody answered it first."""
    if pipeline is None:
        return False
    for state in aws.codepipeline.get_pipeline_state(name=pipeline)["stageStates"]:
        if state.get("stageName") != stage:
            continue
        for action in state.get("actionStates", []):
            latest = action.get("latestExecution", {})
            if latest.get("status") != "InProgress" or "token" not in latest:
                continue
            try:
                aws.codepipeline.put_approval_result(
                    pipelineName=pipeline,
                    stageName=stage,
                    actionName=action["actionName"],
                    result={"summary": reason[:SUMMARY_LIMIT], "status": "Rejected"},
                    token=latest["token"],
                )
            except ClientError as error:
                if error.response["Error"]["Code"] in (
                    "ApprovalAlreadyCompletedException",
                    "InvalidApprovalTokenException",
                ):
                    return False
                raise
            return True
    return False


def failed_gate(aws: Aws, pipeline: str | None, stage: str, execution: str, timeout: timedelta) -> FailedGate:
    """The last failure of the stage's approval in this execution of the pipeline.

    CodePipeline gives both the same status. What differs for certain is the time: a gate that ended
    before its timeout was answered (CodePipeline API, ListActionExecutions: startTime, lastUpdateTime).
    """
    assert pipeline is not None, "only the pipeline's own job asks"
    pages = aws.codepipeline.get_paginator("list_action_executions").paginate(
        pipelineName=pipeline, filter={"pipelineExecutionId": execution}
    )
    ended = [
        each
        for page in pages
        for each in page["actionExecutionDetails"]
        if each.get("stageName") == stage
        and each.get("input", {}).get("actionTypeId", {}).get("category") == "Approval"
        and each.get("status") == "Failed"
    ]
    if not ended:
        raise WrongState(f"CodePipeline shows no failed gate of {stage} in execution {execution}: run this again.")
    last = max(ended, key=lambda each: each["startTime"])
    waited = last["lastUpdateTime"] - last["startTime"]
    rejected = waited < timeout - NEAR
    return FailedGate(last["actionExecutionId"], rejected, last.get("updatedBy", ""), last["startTime"])


def rejected_since(
    aws: Aws, pipeline: str | None, stage: str, since: datetime, timeout: timedelta | None
) -> FailedGate | None:
    """The stage's gate, when a person has rejected it and it opened after `since`; None otherwise.

    For whoever was not told: an event that starts a job may be lost.
    """
    if pipeline is None or timeout is None:
        return None
    for state in aws.codepipeline.get_pipeline_state(name=pipeline)["stageStates"]:
        execution = state.get("latestExecution", {}).get("pipelineExecutionId")
        executions = [each.get("latestExecution", {}) for each in state.get("actionStates", [])]
        failed = any(each.get("status") == "Failed" for each in executions)
        if state.get("stageName") != stage or execution is None or not failed:
            continue
        with suppress(WrongState):  # another action of the stage failed
            gate = failed_gate(aws, pipeline, stage, execution, timeout)
            return gate if gate.rejected and gate.opened >= since else None
    return None


def ask_again(aws: Aws, pipeline: str | None, stage: str, execution: str) -> bool:
    """Retry the stage with all actions: what is applied finds itself done, and the gate waits anew.

    False when this execution's stage cannot be retried any more.
    """
    assert pipeline is not None, "only the pipeline's own job asks"
    try:
        aws.codepipeline.retry_stage_execution(
            pipelineName=pipeline, stageName=stage, pipelineExecutionId=execution, retryMode="ALL_ACTIONS"
        )
    except ClientError as error:
        if error.response["Error"]["Code"] in ("StageNotRetryableException", "NotLatestPipelineExecutionException"):
            return False
        raise
    return True
