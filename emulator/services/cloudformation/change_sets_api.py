"""CloudFormation's change sets: computed by three-way comparison, executed through the loader, in simulated time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from cloudformation.assembly import Stack
from cloudformation.template import Place
from emulator.core.errors import AwsError
from emulator.core.registry import Answer, emulates
from emulator.core.resource_type import LoadRefused
from emulator.services.cloudformation import moto_backend as cloudformation_service
from emulator.services.cloudformation.change_set import Update
from emulator.services.cloudformation.deploy import Planned, deploy
from emulator.services.cloudformation.stacks import DeployedStack, StackEvents, deployed, deployed_stack
from emulator.services.cloudformation.submitted import new_template, refuse_incapable

if TYPE_CHECKING:
    from emulator.core.call_record import Call
    from emulator.core.port import Account

cloudformation_service.take_place()

_API = "https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference"
_GUIDE = "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide"
MADE_IN, EXECUTED_IN = timedelta(seconds=45), timedelta(minutes=2)
PAGE = 25  # changes; AWS cuts at 1 MB
NOTHING = "The submitted information didn't contain changes. Submit different information to create a change set."


@dataclass
class Proposed:
    """A change set of one stack. `ready` is the time at which CloudFormation completes it."""

    id: str
    name: str
    token: str | None
    stack: Stack
    update: Update
    changes: list[dict[str, Any]]
    created: datetime
    ready: datetime
    executed: bool = False


@dataclass
class ChangeSets:
    """The change sets of the account, by stack and name."""

    by_stack: dict[tuple[Place, str], Proposed] = field(default_factory=dict)


@emulates(
    "cloudformation",
    "CreateChangeSet",
    rule="Compares the new template with the deployed one and, with REVERT_DRIFT, with the actual state, in which a "
    "value from another stack (Fn::GetStackOutput) always counts as changed. Refuses a used name, and a stack that is "
    "changing. UsePreviousTemplate takes the deployed template; templates over 51,200 bytes come by URL, read with "
    "the caller's credentials; IAM resources need a capability. Without changes, or with changed Metadata alone, it "
    "is FAILED.",
    source=f"{_GUIDE}/drift-aware-change-sets.html",
)
def create_change_set(account: Account, call: Call) -> Answer:
    asked, before = call.parameters, deployed_stack(account, call)
    if asked.get("ChangeSetType", "UPDATE") != "UPDATE":
        raise AwsError("ValidationError", f"Stack {before.place.stack} already exists")
    existing = account.part(ChangeSets).by_stack.get((before.place, asked["ChangeSetName"]))
    if existing is not None:
        if existing.token is not None and existing.token == asked.get("ClientToken"):
            return {"Id": existing.id, "StackId": before.place.stack_id}
        raise AwsError("AlreadyExistsException", f"ChangeSet {asked['ChangeSetName']} already exists")
    _refuse_busy(account, before)
    template = new_template(account, call, before)
    refuse_incapable(template, asked.get("Capabilities", []))
    tags = {each["Key"]: each["Value"] for each in asked.get("Tags", [])} or before.tags
    place = before.place
    stack = Stack(place.stack, place.account, place.region, "", template, tags)
    aware = asked.get("DeploymentMode") == "REVERT_DRIFT"
    update = Update(account, before, stack, aware, bool(asked.get("ImportExistingResources", False)))
    now = account.clock.now()
    made = Proposed(
        id=f"arn:{place.partition}:cloudformation:{place.region}:{place.account}:changeSet/"
        f"{asked['ChangeSetName']}/{account.identifier()}",
        name=asked["ChangeSetName"],
        token=asked.get("ClientToken"),
        stack=stack,
        update=update,
        changes=update.changes(),
        created=now,
        ready=now + MADE_IN,
    )
    account.part(ChangeSets).by_stack[place, made.name] = made
    return {"Id": made.id, "StackId": place.stack_id}


@emulates(
    "cloudformation",
    "DescribeChangeSet",
    rule="In progress for a while, then complete or FAILED; changes come in pages; values with IncludePropertyValues.",
    source=f"{_API}/API_DescribeChangeSet.html",
)
def describe_change_set(account: Account, call: Call) -> Answer:
    made, now = _change_set(account, call), account.clock.now()
    status, reason = _status(made, now)
    shown: dict[str, Any] = {
        "ChangeSetName": made.name,
        "ChangeSetId": made.id,
        "StackId": made.update.before.place.stack_id,
        "StackName": made.stack.name,
        "CreationTime": made.created,
        "Status": status,
        "ExecutionStatus": _execution_status(made, status),
        "Changes": [],
        **({"StatusReason": reason} if reason else {}),
        **({"DeploymentMode": "REVERT_DRIFT"} if made.update.drift_aware else {}),
    }
    if status != "CREATE_COMPLETE":
        return shown
    start = int(call.parameters.get("NextToken", 0))
    values = bool(call.parameters.get("IncludePropertyValues", False))
    shown["Changes"] = [_described_change(each, values) for each in made.changes[start : start + PAGE]]
    return {**shown, "NextToken": str(start + PAGE)} if start + PAGE < len(made.changes) else shown


@emulates(
    "cloudformation",
    "ExecuteChangeSet",
    rule="Needs a complete change set whose stack has not changed since. SyncWithActual and Import touch no resource, "
    "Remove with Retain leaves it, every other action changes it. A failure rolls the stack back; success deletes the "
    "stack's change sets.",
    source=f"{_API}/API_ExecuteChangeSet.html",
)
def execute_change_set(account: Account, call: Call) -> Answer:
    made = _change_set(account, call)
    before = deployed(account, made.update.before.place)
    status, _ = _status(made, account.clock.now())
    if status != "CREATE_COMPLETE" or before is not made.update.before or made.executed:
        raise AwsError(
            "InvalidChangeSetStatus",
            f"ChangeSet [{made.id}] cannot be executed in its current status of [{status}]",
        )
    _refuse_busy(account, before)
    made.executed = True
    events = account.part(StackEvents)
    events.begin(before.place, account.clock.now() + EXECUTED_IN)
    try:
        deploy(account, made.stack, _planned(made))
    except LoadRefused as refused:
        events.fail(before.place, str(refused), account.clock.now())
    except ClientError as error:
        events.fail(before.place, error.response["Error"]["Message"], account.clock.now())
    else:
        sets = account.part(ChangeSets).by_stack
        for key in [key for key in sets if key[0] == before.place]:
            del sets[key]
    return {}


@emulates(
    "cloudformation",
    "DeleteChangeSet",
    rule="Refused while the change set is created or executed; a missing one is no error.",
    source=f"{_API}/API_DeleteChangeSet.html",
)
def delete_change_set(account: Account, call: Call) -> Answer:
    try:
        made = _change_set(account, call)
    except AwsError as error:
        if error.code != "ChangeSetNotFound":
            raise
        return {}
    status, _ = _status(made, account.clock.now())
    if status == "CREATE_IN_PROGRESS":
        raise AwsError("InvalidChangeSetStatus", f"ChangeSet [{made.id}] is in progress, it cannot be deleted")
    del account.part(ChangeSets).by_stack[made.update.before.place, made.name]
    return {}


@emulates(
    "cloudformation",
    "DescribeStackEvents",
    rule="Failures of the stack's last operation, newest first.",
    source=f"{_API}/API_DescribeStackEvents.html",
)
def describe_stack_events(account: Account, call: Call) -> Answer:
    place = deployed_stack(account, call).place
    failure = account.part(StackEvents).failure(place)
    if failure is None:
        return {"StackEvents": []}
    reason, at = failure
    event = {
        "StackId": place.stack_id,
        "EventId": f"failure-{at:%Y%m%d%H%M%S}",
        "StackName": place.stack,
        "LogicalResourceId": place.stack,
        "ResourceType": "AWS::CloudFormation::Stack",
        "Timestamp": at,
        "ResourceStatus": "UPDATE_FAILED",
        "ResourceStatusReason": reason,
    }
    return {"StackEvents": [event]}


def _planned(made: Proposed) -> Mapping[str, Planned] | None:
    """The loader's treatment of each resource; without drift awareness it compares templates alone (None)."""
    if not made.update.drift_aware:
        imports = {each["LogicalResourceId"]: Planned("Import") for each in made.changes if each["Action"] == "Import"}
        return imports or None
    planned = {}
    for each in made.changes:
        if each["Action"] == "Remove":
            continue
        of_actual = {
            detail["Target"]["Name"]
            for detail in each.get("Details", ())
            if detail["Target"].get("BeforeValueFrom") == "ACTUAL_STATE"
        }
        actual = made.update.actual(each["LogicalResourceId"]) if of_actual else {}
        there = {name: actual[name] for name in of_actual if name in actual}
        planned[each["LogicalResourceId"]] = Planned(each["Action"], there)
    return planned


def _status(made: Proposed, now: datetime) -> tuple[str, str | None]:
    if now < made.ready:
        return "CREATE_IN_PROGRESS", None
    if not made.changes and _said(made.update.before.template) == _said(made.stack.template):
        return "FAILED", NOTHING
    return "CREATE_COMPLETE", None


def _said(template: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: part for name, part in template.items() if name != "Metadata"}


def _execution_status(made: Proposed, status: str) -> str:
    if made.executed:
        return "EXECUTE_FAILED"  # a successful one is deleted with the stack's other change sets
    return "AVAILABLE" if status == "CREATE_COMPLETE" else "UNAVAILABLE"


def _described_change(change: Mapping[str, Any], values: bool) -> dict[str, Any]:
    if values:
        return {"Type": "Resource", "ResourceChange": dict(change)}
    hidden = ("BeforeContext", "AfterContext")
    kept = {name: part for name, part in change.items() if name not in hidden}
    return {"Type": "Resource", "ResourceChange": kept}


def _refuse_busy(account: Account, stack: DeployedStack) -> None:
    status, _ = account.part(StackEvents).status(stack, account.clock.now())
    if status.endswith("_IN_PROGRESS"):
        raise AwsError("ValidationError", f"Stack:{stack.place.stack_id} is in {status} state and can not be updated.")


def _change_set(account: Account, call: Call) -> Proposed:
    asked = call.parameters
    name = asked["ChangeSetName"]
    for made in account.part(ChangeSets).by_stack.values():
        place = made.update.before.place
        here = (place.account, place.region) == (call.account, call.region)
        of_stack = asked.get("StackName") in (None, place.stack, place.stack_id)
        if here and (name == made.id or (name == made.name and of_stack)):
            return made
    raise AwsError("ChangeSetNotFound", f"ChangeSet [{name}] does not exist", 404)
