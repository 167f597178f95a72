"""CloudFormation's read operations, answered from the deployed stacks: moto's hold only half the types."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from emulator.core.registry import Answer, emulates
from emulator.services.cloudformation import moto_backend as cloudformation_service
from emulator.services.cloudformation.stacks import (
    DeployedResource,
    DeployedStack,
    StackEvents,
    StackStore,
    deployed_stack,
)

if TYPE_CHECKING:
    from emulator.core.call_record import Call
    from emulator.core.port import Account

cloudformation_service.take_place()

_SUMMARY = ("StackId", "StackName", "CreationTime", "LastUpdatedTime", "StackStatus", "StackStatusReason")
_API = "https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference"


@emulates(
    "cloudformation",
    "GetTemplate",
    rule="The body is the template of the last deployment; a stack that was never deployed is a ValidationError.",
    source=f"{_API}/API_GetTemplate.html",
)
def get_template(account: Account, call: Call) -> Answer:
    stack = deployed_stack(account, call)
    return {"TemplateBody": json.dumps(stack.template), "StagesAvailable": ["Original", "Processed"]}


@emulates(
    "cloudformation",
    "DescribeStacks",
    rule="Without a name, all stacks of the account and Region; an unknown name is a ValidationError.",
    source=f"{_API}/API_DescribeStacks.html",
)
def describe_stacks(account: Account, call: Call) -> Answer:
    if "StackName" in call.parameters:
        return {"Stacks": [_described(account, deployed_stack(account, call))]}
    here = account.part(StackStore).of(call.account, call.region)
    return {"Stacks": [_described(account, each) for each in here]}


@emulates(
    "cloudformation",
    "ListStacks",
    rule="Summaries of all stacks of the account and Region, with their status; StackStatusFilter selects by status.",
    source=f"{_API}/API_ListStacks.html",
)
def list_stacks(account: Account, call: Call) -> Answer:
    wanted = call.parameters.get("StackStatusFilter")
    described = [_described(account, each) for each in account.part(StackStore).of(call.account, call.region)]
    summaries = [{name: each[name] for name in _SUMMARY if name in each} for each in described]
    return {"StackSummaries": [each for each in summaries if not wanted or each["StackStatus"] in wanted]}


@emulates(
    "cloudformation",
    "DescribeStackResources",
    rule="Logical and physical ids of all resources, at most 100 a stack; those the rehearsal leaves out are included.",
    source=f"{_API}/API_DescribeStackResources.html",
)
def describe_stack_resources(account: Account, call: Call) -> Answer:
    stack = deployed_stack(account, call)
    wanted = call.parameters.get("LogicalResourceId")
    named = {"StackName": stack.place.stack, "StackId": stack.place.stack_id}
    shown = [
        {**named, **_resource(each), "Timestamp": each.since}
        for each in stack.resources.values()
        if wanted in (None, each.logical_id)
    ]
    # "For more than 100 resources use ListStackResources instead."
    return {"StackResources": shown[:100]}


@emulates(
    "cloudformation",
    "ListStackResources",
    rule="Logical and physical ids of all resources, in pages of 100.",
    source=f"{_API}/API_ListStackResources.html",
)
def list_stack_resources(account: Account, call: Call) -> Answer:
    everything = list(deployed_stack(account, call).resources.values())
    start = int(call.parameters.get("NextToken", 0))
    page: dict[str, Any] = {
        "StackResourceSummaries": [
            {**_resource(each), "LastUpdatedTimestamp": each.since} for each in everything[start : start + 100]
        ]
    }
    return {**page, "NextToken": str(start + 100)} if start + 100 < len(everything) else page


@emulates(
    "cloudformation",
    "ListExports",
    rule="Exports of the stacks of the account and Region, each with its stack.",
    source=f"{_API}/API_ListExports.html",
)
def list_exports(account: Account, call: Call) -> Answer:
    stacks = account.part(StackStore).of(call.account, call.region)
    return {
        "Exports": [
            {"ExportingStackId": stack.place.stack_id, "Name": name, "Value": str(value)}
            for stack in stacks
            for name, value in stack.exports.items()
        ]
    }


def _resource(resource: DeployedResource) -> dict[str, Any]:
    return {
        "LogicalResourceId": resource.logical_id,
        "PhysicalResourceId": resource.physical_id,
        "ResourceType": resource.type,
        "ResourceStatus": "CREATE_COMPLETE",
    }


def _described(account: Account, stack: DeployedStack) -> dict[str, Any]:
    events = account.part(StackEvents)
    status, reason = events.status(stack, account.clock.now())
    updated = events.updated(stack)
    names = {value: name for name, value in stack.exports.items()}
    outputs = [
        {"OutputKey": name, "OutputValue": str(value), **({"ExportName": names[value]} if value in names else {})}
        for name, value in stack.outputs.items()
    ]
    described: dict[str, Any] = {
        "StackName": stack.place.stack,
        "StackId": stack.place.stack_id,
        "CreationTime": stack.created,
        "StackStatus": status,
        "Tags": [{"Key": key, "Value": value} for key, value in stack.tags.items()],
        "Outputs": outputs,
    }
    described |= {"StackStatusReason": reason} if reason else {}
    return {**described, "LastUpdatedTime": updated} if updated else described
