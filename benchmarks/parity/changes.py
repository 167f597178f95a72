"""Drift-aware change sets, of a stack with one table and of one that takes a value from it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from benchmarks.parity.asking import TAG, Answers, Sandbox, refused

NOTHING = "The submitted information didn't contain changes"
STREAM = {"StreamViewType": "NEW_AND_OLD_IMAGES"}
Template = Mapping[str, Any]


@dataclass(frozen=True)
class Proposal:
    """A change set as CloudFormation completed it: its status, and its changes by action."""

    name: str
    status: str
    changes: list[Any]

    @property
    def actions(self) -> str:
        """Such as "Modify", or "none" with the reason that nothing changed."""
        return ", ".join(each["Action"] for each in self.changes) or f"none: {self.status}"


def ask_changes(sandbox: Sandbox) -> Answers:
    name = f"tap-parity-{sandbox.suffix}"
    with _stacks(sandbox, name) as (client, dynamodb):
        client.create_stack(StackName=name, TemplateBody=json.dumps(_owner(sandbox, name)), Tags=[TAG])
        created = sandbox.until(lambda: _status(client, name) == "CREATE_COMPLETE", 900)
        client.create_stack(StackName=f"{name}-user", TemplateBody=json.dumps(_user(sandbox, name)), Tags=[TAG])
        sandbox.until(lambda: _status(client, f"{name}-user") == "CREATE_COMPLETE", 900)

        def propose(template: Template, number: int, mode: str | None = None, stack: str = name) -> Proposal:
            return _propose(sandbox, client, stack, template, f"number-{number}", mode)

        unchanged = propose(_owner(sandbox, name), 1, "REVERT_DRIFT")
        imported = propose(_user(sandbox, name), 2, "REVERT_DRIFT", f"{name}-user")
        _without_stream(sandbox, dynamodb, name)
        plain = propose(_owner(sandbox, name), 3)
        drifted = propose(_owner(sandbox, name), 4, "REVERT_DRIFT")
        client.execute_change_set(StackName=name, ChangeSetName=drifted.name)
        sandbox.until(lambda: _status(client, name) == "UPDATE_COMPLETE", 900)
        reverted = dynamodb.describe_table(TableName=name)["Table"].get("StreamSpecification", {})
        _without_stream(sandbox, dynamodb, name)
        followed = propose(_owner(sandbox, name, stream=False), 5, "REVERT_DRIFT")
        return {
            "a stack is created": created is not None,
            "an unchanged stack": unchanged.actions,
            "an unchanged stack with a value of another stack": imported.actions,
            "a plain change set after a direct change": plain.actions,
            "a drift-aware one after a direct change": drifted.actions,
            "the value before comes from": _origin(drifted),
            "executing it brings the template's value back": reverted.get("StreamEnabled", False),
            "a template that follows the direct change": followed.actions,
            "a second stack of the same name": refused(
                lambda: client.create_stack(StackName=name, TemplateBody=json.dumps(_owner(sandbox, name)))
            ),
        }


@contextmanager
def _stacks(sandbox: Sandbox, name: str) -> Iterator[tuple[Any, Any]]:
    """The clients of CloudFormation and DynamoDB; afterwards both stacks and the table, which its stack keeps, go."""
    client, dynamodb = sandbox.client("cloudformation"), sandbox.client("dynamodb")
    try:
        yield client, dynamodb
    finally:
        for stack in (f"{name}-user", name):
            client.delete_stack(StackName=stack)
            sandbox.until(lambda stack=stack: _status(client, stack) == "gone", 900)  # type: ignore[misc]
        with suppress(ClientError):  # its stack may never have made it
            dynamodb.delete_table(TableName=name)


def _owner(sandbox: Sandbox, name: str, *, stream: bool = True) -> Template:
    table = {
        "TableName": name,
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "BillingMode": "PAY_PER_REQUEST",
        "Replicas": [{"Region": sandbox.region, "Tags": [TAG]}],
        **({"StreamSpecification": STREAM} if stream else {}),
    }
    kept = {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}
    return {
        "Resources": {"Table": {"Type": "AWS::DynamoDB::GlobalTable", "Properties": table, **kept}},
        "Outputs": {"Name": {"Value": {"Ref": "Table"}}},
    }


def _user(sandbox: Sandbox, owner: str) -> Template:
    value = {"Fn::GetStackOutput": {"StackName": owner, "Region": sandbox.region, "OutputName": "Name"}}
    return {"Resources": {"Name": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": value}}}}


def _propose(sandbox: Sandbox, client: Any, stack: str, template: Template, name: str, mode: str | None) -> Proposal:
    client.create_change_set(
        StackName=stack,
        ChangeSetName=name,
        TemplateBody=json.dumps(template),
        **({"DeploymentMode": mode} if mode else {}),
    )

    def shown() -> Any:
        return client.describe_change_set(StackName=stack, ChangeSetName=name)

    sandbox.until(lambda: shown()["Status"] in ("CREATE_COMPLETE", "FAILED"), 900)
    answer = shown()
    status = "unchanged" if NOTHING in answer.get("StatusReason", "") else answer["Status"]
    return Proposal(name, status, [each["ResourceChange"] for each in answer["Changes"]])


def _origin(proposal: Proposal) -> str:
    targets = [detail["Target"] for change in proposal.changes for detail in change.get("Details", ())]
    return ", ".join(sorted({each.get("BeforeValueFrom", "nowhere") for each in targets}))


def _without_stream(sandbox: Sandbox, dynamodb: Any, name: str) -> None:
    """A person's direct change: the stream is switched off."""
    dynamodb.update_table(TableName=name, StreamSpecification={"StreamEnabled": False})
    sandbox.until(lambda: bool(dynamodb.describe_table(TableName=name)["Table"]["TableStatus"] == "ACTIVE"))


def _status(client: Any, stack: str) -> str:
    """The stack's status; "gone" where there is none."""
    try:
        return str(client.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"])
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":
            raise
        return "gone"
