"""The pipeline's manual approvals, as far as the optimizer touches them: who approved, and rejecting one."""

from __future__ import annotations

from botocore.exceptions import ClientError

from optimizer.aws import Aws

SUMMARY_LIMIT = 512  # characters (CodePipeline API, ApprovalResult.summary)


def approver(aws: Aws, pipeline: str | None, stage: str) -> str:
    """Who approved the stage's gate, by ARN; "unknown" where the pipeline does not say."""
    if pipeline is None:
        return "unknown"
    for state in aws.codepipeline.get_pipeline_state(name=pipeline)["stageStates"]:
        if state.get("stageName") == stage:
            for action in state.get("actionStates", []):
                if by := action.get("latestExecution", {}).get("lastUpdatedBy"):
                    return by
    return "unknown"


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
