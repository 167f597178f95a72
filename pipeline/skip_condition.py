"""Checks in the journal whether a stage has anything to do: the entry condition of Approve and of the phases.

This file is the whole code of a Lambda function, deployed inline: it imports nothing of the project
and stays under the 4096 characters that CloudFormation takes inline. Only a clear no skips the
stage. If the journal cannot be read, the stage runs: its job reads the journal too and fails visibly,
while a skipped stage would be green. The logged line raises an alarm.
"""

import json
import os
from collections.abc import Callable
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

FINISHED = ("reconciled", "empty", "rolled_back")


class NothingToDo(Exception):
    """The stage has nothing to do; the message is the reason."""


def check(read: Callable[[str, str], Any], stage: str) -> None:
    """Return if `stage` has something to do, else raise NothingToDo.

    `read(pk, sk)` returns one item of the journal, {} if there is none.
    """
    plan = read("plan", "current")
    if not plan:
        raise NothingToDo("there is no plan")
    state = plan["state"]["S"]
    phases = {int(number) for number in plan.get("phases", {}).get("NS", ())}
    wanted = "proposed" if stage == "Approve" else "approved"
    if state != wanted:
        raise NothingToDo(f"the plan is {state}, not {wanted}")
    if not phases:
        raise NothingToDo("the plan changes nothing")
    if stage == "Approve":
        return
    number = int(stage.removeprefix("Phase"))
    if number not in phases:
        raise NothingToDo(f"the plan changes nothing in phase {number}")
    phase = read("plan#" + plan["hash"]["S"], f"phase#{number}")
    if phase and phase["state"]["S"] in FINISHED:
        raise NothingToDo(f"phase {number} is {phase['state']['S']}")


def stage_of(event: dict[str, Any]) -> str | None:
    """The stage in the rule's UserParameters, at any place in the event.

    A Lambda action has them under CodePipeline.job; for a Lambda rule their place is not documented.
    """
    for key, value in event.items():
        if key == "UserParameters":
            return str(json.loads(value)["stage"])
        if isinstance(value, dict) and (stage := stage_of(value)):
            return stage
    return None


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Answers CodePipeline's job if the event has one, as a Lambda action must; else raises or returns."""
    dynamodb = boto3.client("dynamodb")
    job = event.get("CodePipeline.job", {}).get("id")

    def read(pk: str, sk: str) -> Any:
        key = {"pk": {"S": pk}, "sk": {"S": sk}}
        return dynamodb.get_item(TableName=os.environ["JOURNAL_TABLE"], Key=key, ConsistentRead=True).get("Item")

    try:
        stage = stage_of(event)
        if stage is None:
            raise ValueError("the rule names no stage")
        check(read, stage)
    except (BotoCoreError, ClientError, KeyError, ValueError) as error:
        print(f"JOURNAL NOT READ: {error!r}")  # noqa: T201 -- the function's log; an alarm looks for these words
    except NothingToDo as reason:
        if not job:
            raise
        boto3.client("codepipeline").put_job_failure_result(
            jobId=job, failureDetails={"type": "JobFailed", "message": str(reason)[:1000]}
        )
        return {"run": False, "reason": str(reason)}
    if job:
        boto3.client("codepipeline").put_job_success_result(jobId=job)
    return {"run": True, "stage": stage}
