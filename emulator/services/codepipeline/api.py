"""CodePipeline, as far as jobs and functions use it: the state of the execution, gates, results of jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.core.errors import AwsError
from emulator.core.registry import Answer, emulates
from emulator.services.codepipeline.execution import Execution, Executions, GateRefused, JobAnswers

if TYPE_CHECKING:
    from emulator.core.call_record import Call
    from emulator.core.port import Account

API = "https://docs.aws.amazon.com/codepipeline/latest/APIReference"


@emulates(
    "codepipeline",
    "GetPipelineState",
    rule="A waiting approval has a token, an answered one shows the user who answered",
    source=f"{API}/API_GetPipelineState.html",
)
def get_pipeline_state(account: Account, call: Call) -> Answer:
    return _execution(account, call.parameters["name"]).describe()


@emulates(
    "codepipeline",
    "PutApprovalResult",
    rule="Needs the token of the waiting approval; each approval takes one answer",
    source=f"{API}/API_PutApprovalResult.html",
)
def put_approval_result(account: Account, call: Call) -> Answer:
    parameters = call.parameters
    result = parameters["result"]
    if len(result["summary"]) > 512:
        raise AwsError("ValidationException", "The summary must have length less than or equal to 512.")
    now = account.clock.now()
    try:
        _execution(account, parameters["pipelineName"]).answer(
            parameters["stageName"],
            parameters["actionName"],
            parameters["token"],
            result["status"] == "Approved",
            result["summary"],
            account.caller_arn(call),
            now,
        )
    except GateRefused as refused:
        raise AwsError(refused.code, str(refused)) from refused
    return {"approvedAt": now}


@emulates(
    "codepipeline",
    "ListActionExecutions",
    rule="The approvals of one execution, newest first; rejected and expired ones are both Failed",
    source=f"{API}/API_ListActionExecutions.html",
)
def list_action_executions(account: Account, call: Call) -> Answer:
    execution = _execution(account, call.parameters["pipelineName"])
    wanted = call.parameters.get("filter", {}).get("pipelineExecutionId", execution.id)
    if wanted != execution.id:
        raise AwsError("PipelineExecutionNotFoundException", f"There is no pipeline execution {wanted}.")
    return {"actionExecutionDetails": execution.approvals()}


@emulates(
    "codepipeline",
    "RetryStageExecution",
    rule="Retries a failed stage within its own execution",
    source=f"{API}/API_RetryStageExecution.html",
)
def retry_stage_execution(account: Account, call: Call) -> Answer:
    execution = _execution(account, call.parameters["pipelineName"])
    if call.parameters["pipelineExecutionId"] != execution.id:
        raise AwsError("NotLatestPipelineExecutionException", "The stage has failed in a later run of the pipeline.")
    try:
        execution.retry(call.parameters["stageName"])
    except GateRefused as refused:
        raise AwsError(refused.code, str(refused)) from refused
    return {"pipelineExecutionId": execution.id}


@emulates(
    "codepipeline",
    "PutJobSuccessResult",
    rule="A function reports success of its job",
    source=f"{API}/API_PutJobSuccessResult.html",
)
def put_job_success_result(account: Account, call: Call) -> Answer:
    account.part(JobAnswers).failures.pop(call.parameters["jobId"], None)
    return {}


@emulates(
    "codepipeline",
    "PutJobFailureResult",
    rule="A function reports failure of its job",
    source=f"{API}/API_PutJobFailureResult.html",
)
def put_job_failure_result(account: Account, call: Call) -> Answer:
    account.part(JobAnswers).failures[call.parameters["jobId"]] = call.parameters["failureDetails"]["message"]
    return {}


def _execution(account: Account, pipeline: str) -> Execution:
    try:
        return account.part(Executions).by_pipeline[pipeline]
    except KeyError:
        message = f"Account '{account.tooling}' does not have a pipeline with name '{pipeline}'"
        raise AwsError("PipelineNotFoundException", message) from None
