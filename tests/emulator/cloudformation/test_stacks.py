"""CloudFormation's read operations over the deployed stacks, through an ordinary client."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloudformation.assembly import Stack
from emulator.account import EmulatedAccount
from emulator.services.cloudformation import deploy

PRODUCTION = "222222222222"


def stack(value: str, count: int = 120) -> Stack:
    """Parameters enough for two pages, one output that is exported."""
    resources: dict[str, Any] = {f"Queue{number}": {"Type": "AWS::SQS::Queue"} for number in range(count)}
    resources["Pointer"] = {
        "Type": "AWS::SSM::Parameter",
        "Properties": {"Name": "/p", "Type": "String", "Value": value},
    }
    outputs = {"P": {"Value": {"Ref": "Pointer"}, "Export": {"Name": "pointer"}}}
    return Stack("tap", PRODUCTION, "us-east-1", "", {"Resources": resources, "Outputs": outputs}, {"a": "b"})


@pytest.fixture(scope="module")
def account() -> Iterator[EmulatedAccount]:
    start = datetime(2027, 1, 1, tzinfo=UTC)
    with EmulatedAccount(start=start, tooling="111111111111", production=PRODUCTION) as emulated:
        deploy(emulated, stack("1"))
        yield emulated


@pytest.fixture
def cloudformation(account: EmulatedAccount) -> Any:
    return account.client("cloudformation", PRODUCTION, "us-east-1")


def test_the_template_comes_back_as_it_was_deployed(cloudformation: Any) -> None:
    assert cloudformation.get_template(StackName="tap")["TemplateBody"] == stack("1").template


@pytest.mark.parametrize(
    ("wanted", "names"), [({}, ["tap"]), (["CREATE_COMPLETE"], ["tap"]), (["DELETE_COMPLETE"], [])]
)
def test_stacks_are_listed_by_their_status(cloudformation: Any, wanted: list[str], names: list[str]) -> None:
    listed = cloudformation.list_stacks(**({"StackStatusFilter": wanted} if wanted else {}))["StackSummaries"]
    assert [each["StackName"] for each in listed] == names
    assert all("Outputs" not in each for each in listed)


def test_a_stack_is_described_with_outputs_and_tags(cloudformation: Any) -> None:
    (by_name,) = cloudformation.describe_stacks(StackName="tap")["Stacks"]
    (by_id,) = cloudformation.describe_stacks(StackName=by_name["StackId"])["Stacks"]
    (among_all,) = cloudformation.describe_stacks()["Stacks"]
    assert by_name == by_id == among_all
    assert by_name["Outputs"] == [{"OutputKey": "P", "OutputValue": "/p", "ExportName": "pointer"}]
    assert by_name["Tags"] == [{"Key": "a", "Value": "b"}]
    assert by_name["StackStatus"] == "CREATE_COMPLETE"
    assert by_name["CreationTime"] == datetime(2027, 1, 1, tzinfo=UTC)


def test_resources_are_listed_in_pages_those_left_out_included(cloudformation: Any) -> None:
    pages = list(cloudformation.get_paginator("list_stack_resources").paginate(StackName="tap"))
    assert [len(page["StackResourceSummaries"]) for page in pages] == [100, 21]
    (pointer,) = cloudformation.describe_stack_resources(StackName="tap", LogicalResourceId="Pointer")["StackResources"]
    assert pointer["PhysicalResourceId"] == "/p"
    assert len(cloudformation.describe_stack_resources(StackName="tap")["StackResources"]) == 100


def test_exports_are_listed(cloudformation: Any) -> None:
    assert [each["Value"] for each in cloudformation.list_exports()["Exports"]] == ["/p"]


def test_a_stack_elsewhere_is_not_here(account: EmulatedAccount, cloudformation: Any) -> None:
    for client, name in [
        (cloudformation, "nothing"),
        (account.client("cloudformation", PRODUCTION, "eu-west-1"), "tap"),
        (account.client("cloudformation", account.tooling, "us-east-1"), "tap"),
    ]:
        with pytest.raises(ClientError, match=f"Stack with id {name} does not exist"):
            client.get_template(StackName=name)


def test_an_update_keeps_the_new_template_and_says_when(account: EmulatedAccount, cloudformation: Any) -> None:
    account.clock.sleep(60)
    deploy(account, stack("2"))
    (shown,) = cloudformation.describe_stacks(StackName="tap")["Stacks"]
    assert shown["StackStatus"] == "UPDATE_COMPLETE"
    assert (shown["LastUpdatedTime"] - shown["CreationTime"]).total_seconds() == 60
    assert cloudformation.get_template(StackName="tap")["TemplateBody"] == stack("2").template
