"""Amazon DynamoDB: resource-based policies that take effect a moment later, and really deny."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from moto.dynamodb.models import ResourcePolicy, dynamodb_backends

from emulator.core.errors import AwsError
from emulator.core.policy_evaluation import denies
from emulator.core.registry import Answer, emulates
from emulator.services.dynamodb.index_keys import refuse_index_keys

if TYPE_CHECKING:
    from emulator.core.call_record import Call
    from emulator.core.port import Account

API = "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference"
GUIDE = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide"

LARGEST = 20 * 1024
IN_FORCE_AFTER = timedelta(seconds=4)
BLOCKED_FOR = timedelta(seconds=15)


@dataclass
class PolicyChanges:
    """The time of the last change of a table's policy, by the table's ARN.

    While `unseen`, no policy is applied to writes, not even once GetResourcePolicy returns it: "it will take some time
    to apply the policy to all requests to a resource" (API Reference, "GetResourcePolicy"), without a stated limit.
    """

    changed: dict[str, datetime] = field(default_factory=dict)
    unseen: bool = False


@emulates(
    "dynamodb",
    "PutResourcePolicy",
    rule="In force, and shown, a few seconds later. Refused while a change is pending and for 15 seconds after one, "
    "over 20 KB, and if the revision is not the expected one; NO_POLICY expects none. The same text keeps its "
    "revision.",
    source=f"{GUIDE}/rbac-considerations.html",
)
def put_resource_policy(account: Account, call: Call) -> Answer:
    asked = call.parameters
    text = asked["Policy"]
    policies, arn = _policies(call, asked["ResourceArn"])
    _check_document(text)
    _refuse_too_soon(account, arn)
    _check_revision(policies.get(arn), asked.get("ExpectedRevisionId"), arn)
    if arn in policies and policies[arn].policy_doc == text:
        return {"RevisionId": policies[arn].revision_id}
    policy = ResourcePolicy(arn, text)
    policy.revision_id = account.identifier()
    _change(account, arn, lambda: policies.__setitem__(arn, policy))
    return {"RevisionId": policy.revision_id}


@emulates(
    "dynamodb",
    "DeleteResourcePolicy",
    rule="In force a few seconds later, under the same rules as a change; a missing policy is no error, unless a "
    "revision is expected.",
    source=f"{API}/API_DeleteResourcePolicy.html",
)
def delete_resource_policy(account: Account, call: Call) -> Answer:
    policies, arn = _policies(call, call.parameters["ResourceArn"])
    _refuse_too_soon(account, arn)
    _check_revision(policies.get(arn), call.parameters.get("ExpectedRevisionId"), arn)
    if arn not in policies:
        return {}
    revision = policies[arn].revision_id
    _change(account, arn, lambda: policies.pop(arn, None))
    return {"RevisionId": revision}


@emulates(
    "dynamodb",
    "Query",
    rule="A policy's explicit deny on table or index binds every principal; an index that is being deleted cannot be "
    "read.",
    source="https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html",
)
def query(account: Account, call: Call) -> Answer | None:
    _refuse_denied(account, call, "dynamodb:Query")
    return None


@emulates(
    "dynamodb",
    "Scan",
    rule="A policy denies it under the same rules as Query.",
    source="https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html",
)
def scan(account: Account, call: Call) -> Answer | None:
    _refuse_denied(account, call, "dynamodb:Scan")
    return None


@emulates(
    "dynamodb",
    "PutItem",
    rule="A policy denies it under the same rules as Query; a condition can exempt a role. Refused for an invalid key "
    "of an index: of another type, empty or too long.",
    source="https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html",
)
def put_item(account: Account, call: Call) -> Answer | None:
    refuse_denied_write(account, call, "PutItem")
    refuse_index_keys(call)
    return None


@emulates(
    "dynamodb",
    "UpdateItem",
    rule="A policy denies it, and an index key refuses it, under the same rules as PutItem.",
    source="https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html",
)
def update_item(account: Account, call: Call) -> Answer | None:
    refuse_denied_write(account, call, "UpdateItem")
    refuse_index_keys(call)
    return None


@emulates(
    "dynamodb",
    "DeleteItem",
    rule="A policy denies it under the same rules as PutItem.",
    source="https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html",
)
def delete_item(account: Account, call: Call) -> Answer | None:
    refuse_denied_write(account, call, "DeleteItem")
    return None


@emulates(
    "dynamodb",
    "BatchWriteItem",
    rule="Denied as a whole if it is denied on one of its tables, refused as a whole for one invalid index key.",
    source="https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html",
)
def batch_write_item(account: Account, call: Call) -> Answer | None:
    refuse_denied_write(account, call, "BatchWriteItem")
    refuse_index_keys(call)
    return None


def refuse_denied_write(account: Account, call: Call, action: str) -> None:
    """Raises AwsError if the policy of a table that the call writes to denies the write to the caller."""
    backend = dynamodb_backends[call.account][call.region]
    if not backend.resource_policies or account.part(PolicyChanges).unseen:
        return
    asked: Mapping[str, Any] = call.parameters
    for name in asked.get("RequestItems", {asked.get("TableName"): None}):
        refuse_denied_by(account, call, f"dynamodb:{action}", name)


def refuse_denied_by(account: Account, call: Call, action: str, name: str) -> None:
    """Raises AwsError if the policy of this table denies the action to the caller."""
    backend = dynamodb_backends[call.account][call.region]
    table = backend.tables.get(name.rsplit("/", 1)[-1])
    policy = backend.resource_policies.get(table.table_arn) if table is not None else None
    if policy is not None and denies(policy.policy_doc, action, table.table_arn, account.caller_arn(call)):
        raise AwsError(
            "AccessDeniedException",
            f"User: {account.caller_arn(call)} is not authorized to perform: {action} on resource: "
            f"{table.table_arn} with an explicit deny in a resource-based policy",
        )


def _policies(call: Call, arn: str) -> tuple[dict[str, Any], str]:
    backend = dynamodb_backends[call.account][call.region]
    name = arn.split(":table/", 1)[-1]
    if name not in backend.tables:
        raise AwsError("ResourceNotFoundException", f"Requested resource not found: Table: {name} not found")
    return backend.resource_policies, arn


def _check_document(text: str) -> None:
    if len(text.encode()) > LARGEST:
        raise AwsError("ValidationException", f"The resource policy is larger than {LARGEST} bytes.")
    try:
        statements = json.loads(text)["Statement"]
    except (ValueError, KeyError, TypeError) as error:
        raise AwsError("ValidationException", "The resource policy is not a valid policy document.") from error
    if not statements:
        raise AwsError("ValidationException", "The resource policy has no statement.")


def _refuse_too_soon(account: Account, arn: str) -> None:
    name, now = arn.rsplit("/", 1)[-1], account.clock.now()
    changed = account.part(PolicyChanges).changed.get(arn)
    if changed is None or now >= changed + BLOCKED_FOR:
        return
    if now < changed + IN_FORCE_AFTER:
        raise AwsError(
            "ResourceInUseException",
            "Attempt to change a resource which is still in use: "
            f"Table is pending previous resource-based policy update: {name}",
        )
    raise AwsError(
        "ThrottlingException",
        f"Resource-based policy for table {name} modified within the previous 15000 milliseconds. "
        f"Please try again after {(changed + BLOCKED_FOR).isoformat()}.",
    )


def _check_revision(policy: Any, expected: str | None, arn: str) -> None:
    if expected is None:
        return
    present = policy.revision_id if policy is not None else "NO_POLICY"
    if expected != present:
        raise AwsError(
            "PolicyNotFoundException",
            f"Resource-based policy not found for the provided ResourceArn: {arn} has revision {present}, "
            f"expected was {expected}.",
        )


def _change(account: Account, arn: str, apply: Callable[[], object]) -> None:
    now = account.clock.now()
    account.part(PolicyChanges).changed[arn] = now
    account.schedule(now + IN_FORCE_AFTER, apply)


def _refuse_denied(account: Account, call: Call, action: str) -> None:
    asked: Mapping[str, Any] = call.parameters
    backend = dynamodb_backends[call.account][call.region]
    table = backend.tables.get(asked["TableName"].rsplit("/", 1)[-1])
    if table is None:
        return  # moto refuses it
    name = asked.get("IndexName")
    policy = backend.resource_policies.get(table.table_arn)
    resource = f"{table.table_arn}/index/{name}" if name else table.table_arn
    if policy is not None and denies(policy.policy_doc, action, resource, account.caller_arn(call)):
        raise AwsError(
            "AccessDeniedException",
            f"User: {account.caller_arn(call)} is not authorized to perform: {action} on resource: {resource} "
            "with an explicit deny in a resource-based policy",
        )
    index = next((each for each in table.global_indexes if each.name == name), None)
    if index is not None and index.status == "DELETING":
        raise AwsError("ValidationException", f"The table does not have the specified index: {name}")
