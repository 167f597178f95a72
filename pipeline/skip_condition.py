"""Has this stage anything to do? The entry condition of Approve and of the phases asks the journal.

This file is the whole code of a Lambda function, deployed inline: it imports nothing of the project
and stays under the 4096 characters that CloudFormation takes inline. A clear no
skips the stage. When the journal cannot be read, the stage runs: its job reads the journal too, and fails for all to
see, where a skipped stage would be green. An alarm rings for the line that is logged.
"""

import json
import os
from collections.abc import Callable
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

FINISHED = ("reconciled", "empty", "rolled_back")


class NothingToDo(Exception):
    """The stage has nothing to do; says why."""


def check(read: Callable[[str, str], Any], stage: str) -> None:
    """Return when `stage` has something to do, else raise NothingToDo.

    `read(pk, sk)` gives one item of the journal, {} when there is none.
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
    """The stage that the rule's UserParameters name, wherever the event carries them.

    A Lambda action finds them under CodePipeline.job; for a Lambda rule their place is not documented.
    """
    for key, value in event.items():
        if key == "UserParameters":
            return str(json.loads(value)["stage"])
        if isinstance(value, dict) and (stage := stage_of(value)):
            return stage
    return None


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Answers CodePipeline's job when the event carries one, as a Lambda action must; else raises or returns."""
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
