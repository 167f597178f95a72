"""Stacks made and deleted by a call, without CDK."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from emulator.account import EmulatedAccount

PARAMETER = {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "/a", "Type": "String", "Value": "x"}}
TABLE = {
    "Type": "AWS::DynamoDB::Table",
    "Properties": {
        "TableName": "t",
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    },
}
ROLE = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {"Statement": []}}}


@pytest.fixture
def client(account: EmulatedAccount) -> Any:
    return account.client("cloudformation", account.production, "us-east-1")


def body(**resources: Any) -> str:
    return json.dumps({"Resources": resources})


def status(client: Any) -> str:
    return str(client.describe_stacks(StackName="one")["Stacks"][0]["StackStatus"])


def test_a_stack_and_what_it_made_come_and_go(account: EmulatedAccount, client: Any) -> None:
    ssm = account.client("ssm", account.production, "us-east-1")
    client.create_stack(StackName="one", TemplateBody=body(A=PARAMETER), Tags=[{"Key": "team", "Value": "b"}])
    assert (status(client), ssm.get_parameter(Name="/a")["Parameter"]["Value"]) == ("CREATE_COMPLETE", "x")
    client.delete_stack(StackName="one")
    client.delete_stack(StackName="one")
    with pytest.raises(ClientError, match="does not exist"):
        status(client)
    with pytest.raises(ClientError, match="ParameterNotFound"):
        ssm.get_parameter(Name="/a")


@pytest.mark.parametrize(
    ("resources", "code"),
    [({"A": PARAMETER}, "AlreadyExistsException"), ({"R": ROLE}, "InsufficientCapabilitiesException")],
)
def test_a_stack_is_refused(client: Any, resources: Any, code: str) -> None:
    if code == "AlreadyExistsException":
        client.create_stack(StackName="one", TemplateBody=body(A=PARAMETER))
    with pytest.raises(ClientError, match=code):
        client.create_stack(StackName="one", TemplateBody=body(**resources))


def test_what_the_template_retains_stays(account: EmulatedAccount, client: Any) -> None:
    client.create_stack(StackName="one", TemplateBody=body(T={**TABLE, "DeletionPolicy": "Retain"}))
    client.delete_stack(StackName="one")
    assert account.client("dynamodb", account.production, "us-east-1").list_tables()["TableNames"] == ["t"]


def test_a_resource_that_cannot_be_deleted_leaves_the_stack(client: Any) -> None:
    client.create_stack(StackName="one", TemplateBody=body(T=TABLE))
    client.delete_stack(StackName="one")
    assert status(client) == "DELETE_FAILED"
