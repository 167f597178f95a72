"""Entry conditions run the inline function of the template against the emulated account."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from emulator.account import EmulatedAccount
from rehearsal.pipeline.conditions import enter, in_process
from rehearsal.pipeline.definition import Condition, Function, PipelineStage, Rule, SynthesizedPipeline
from rehearsal.pipeline.errors import WalkFailed

READS_THE_JOURNAL = """
import os, json, boto3
def handler(event, context):
    job = event["CodePipeline.job"]
    stage = json.loads(job["data"]["actionConfiguration"]["configuration"]["UserParameters"])["stage"]
    key = {"pk": {"S": "plan"}, "sk": {"S": stage}}
    item = boto3.client("dynamodb").get_item(TableName=os.environ["JOURNAL_TABLE"], Key=key).get("Item")
    answer = boto3.client("codepipeline")
    if item:
        answer.put_job_success_result(jobId=job["id"])
    else:
        answer.put_job_failure_result(
            jobId=job["id"], failureDetails={"type": "JobFailed", "message": "there is no plan"}
        )
"""


@pytest.fixture(scope="module")
def account() -> Iterator[EmulatedAccount]:
    start = datetime(2027, 3, 1, 8, tzinfo=UTC)
    with EmulatedAccount(start=start, tooling="111111111111", production="222222222222") as made:
        dynamodb = made.client("dynamodb", made.tooling, "us-east-1")
        keys = ("pk", "sk")
        dynamodb.create_table(
            TableName="journal",
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": k, "KeyType": t} for k, t in zip(keys, ("HASH", "RANGE"), strict=True)],
            AttributeDefinitions=[{"AttributeName": each, "AttributeType": "S"} for each in keys],
        )
        dynamodb.put_item(TableName="journal", Item={"pk": {"S": "plan"}, "sk": {"S": "Phase1"}})
        yield made


def stage_with(
    code: str, *, name: str = "Phase1", provider: str = "LambdaInvoke", result: str = "SKIP"
) -> tuple[PipelineStage, SynthesizedPipeline]:
    rule = Rule("Check", provider, {"FunctionName": {"Ref": "Skip"}, "UserParameters": f'{{"stage": "{name}"}}'})
    stage = PipelineStage(name, (Condition(result, (rule,)),), ())
    function = Function("Skip", code, "index.handler", {"JOURNAL_TABLE": "journal"})
    return stage, SynthesizedPipeline("tap", (stage,), {}, {"Skip": function}, (), ())


@pytest.mark.parametrize(
    ("code", "name", "reason"),
    [
        (READS_THE_JOURNAL, "Phase1", None),
        (READS_THE_JOURNAL, "Phase2", "there is no plan"),
        ("def handler(event, context): raise ValueError('no')", "Phase1", "ValueError: no"),
        ("def other(event, context): pass", "Phase1", "KeyError: 'handler'"),
    ],
)
def test_a_stage_is_entered_when_the_function_says_so(
    account: EmulatedAccount, code: str, name: str, reason: str | None
) -> None:
    before = dict(os.environ)
    failed = enter(*stage_with(code, name=name), in_process(account, "us-east-1"))
    assert (failed.reason if failed else None) == reason
    assert failed is None or failed.result == "SKIP"
    assert dict(os.environ) == before
    assert len(account.calls) == 0, "no job called: neither crash nor fault may hit a condition"


@pytest.mark.parametrize(("provider", "result"), [("VariableCheck", "SKIP"), ("LambdaInvoke", "RETRY")])
def test_what_codepipeline_or_the_walk_does_not_know_fails(
    account: EmulatedAccount, provider: str, result: str
) -> None:
    stage, pipeline = stage_with("def handler(event, context): pass", provider=provider, result=result)
    with pytest.raises(WalkFailed):
        enter(stage, pipeline, in_process(account, "us-east-1"))
