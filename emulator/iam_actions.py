"""Which IAM actions AWS checks for an API operation: the one table, for tests and for `calls.json`.

An action is called as its operation is, with the service's prefix, but where the Service Authorization
Reference says otherwise. What AWS checks on the caller beyond the operation called (as iam:PassRole)
no record can show: the actions declare it as `dependent`, with its source.
https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from emulator.core.call_record import Call
from emulator.core.credentials import Credentials

REFERENCE = "https://docs.aws.amazon.com/service-authorization/latest/reference"

# The IAM prefix of each service by boto3's name, where the two differ; with the page that names it.
PREFIXES: dict[str, tuple[str, str]] = {
    "dynamodbstreams": ("dynamodb", f"{REFERENCE}/list_amazondynamodb.html"),
    "elbv2": ("elasticloadbalancing", f"{REFERENCE}/list_awselasticloadbalancingv2.html"),
    "service-quotas": ("servicequotas", f"{REFERENCE}/list_servicequotas.html"),
    "resourcegroupstaggingapi": ("tag", f"{REFERENCE}/list_amazonresourcegrouptaggingapi.html"),
}
# Operations that are authorized as others, with the page that says so.
OTHERWISE: dict[tuple[str, str], tuple[tuple[str, ...], str]] = {
    ("sts", "GetCallerIdentity"): (
        (),  # "No permissions are required"
        f"{REFERENCE}/list_awssecuritytokenservice.html",
    ),
}
# A transaction is authorized by what is in it.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html
IN_TRANSACTION = {
    "ConditionCheck": "dynamodb:ConditionCheckItem",
    "Delete": "dynamodb:DeleteItem",
    "Get": "dynamodb:GetItem",
    "Put": "dynamodb:PutItem",
    "Update": "dynamodb:UpdateItem",
}


def iam_actions(service: str, operation: str, parameters: Mapping[str, Any]) -> tuple[str, ...]:
    """The IAM actions of one operation, by boto3's service name; `parameters` tell what a transaction does."""
    if (service, operation) in (("dynamodb", "TransactGetItems"), ("dynamodb", "TransactWriteItems")):
        kinds = {kind for item in parameters["TransactItems"] for kind in item}
        return tuple(IN_TRANSACTION[kind] for kind in sorted(kinds))
    if (service, operation) in OTHERWISE:
        return OTHERWISE[service, operation][0]
    prefix, _ = PREFIXES.get(service, (service, ""))
    return (f"{prefix}:{operation}",)


def by_role(calls: Iterable[Call], credentials: Credentials) -> dict[str, dict[str, int]]:
    """How often each IAM action was asked for, by the role that asked; own credentials are the role ''."""
    found: dict[str, Counter[str]] = {}
    for call in calls:
        asked = found.setdefault(_role(call, credentials), Counter())
        asked.update(iam_actions(call.service, call.operation, call.parameters))
    return {role: dict(sorted(counts.items())) for role, counts in sorted(found.items())}


def resources_by_role(calls: Iterable[Call], credentials: Credentials) -> dict[str, dict[str, list[str]]]:
    """On which resources each IAM action was asked for, by role: where `resource_of` can tell."""
    found: dict[str, dict[str, set[str]]] = {}
    for call in calls:
        if arn := resource_of(call):
            for action in iam_actions(call.service, call.operation, call.parameters):
                found.setdefault(_role(call, credentials), {}).setdefault(action, set()).add(arn)
    return {
        role: {action: sorted(arns) for action, arns in sorted(actions.items())}
        for role, actions in sorted(found.items())
    }


def resource_of(call: Call) -> str | None:
    """The ARN that AWS checks for a call to CloudFormation or CodePipeline; None for other services and lists.

    The resource types are those of the two services' pages in the Service Authorization Reference: a stack,
    a pipeline, its stages and actions.
    """
    asked, place = call.parameters, f"{call.region}:{call.account}"
    match call.service:
        case "cloudformation" if "StackName" in asked:
            name = str(asked["StackName"])
            return name if name.startswith("arn:") else f"arn:aws:cloudformation:{place}:stack/{name}/id"
        case "codepipeline" if pipeline := asked.get("pipelineName", asked.get("name")):
            parts = (pipeline, asked.get("stageName"), asked.get("actionName"))
            return f"arn:aws:codepipeline:{place}:" + "/".join(str(each) for each in parts if each)
    return None


def _role(call: Call, credentials: Credentials) -> str:
    key = credentials.find(call.access_key)
    return key.role_arn.rsplit("/", 1)[-1] if key is not None and key.role_arn else ""
