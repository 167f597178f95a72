"""Deployments of hand-made stacks: resources that are created, updated, left out and refused."""

from __future__ import annotations

from typing import Any

import pytest

from cloudformation.assembly import Stack
from cloudformation.template import Place
from emulator.core.call_record import Call
from emulator.services.cloudformation import Deployment, LoadRefused, deploy
from emulator.services.cloudformation.stacks import StackStore

VPC: dict[str, Any] = {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}}


def subnet(zone: int = 0, **more: Any) -> dict[str, Any]:
    properties = {
        "VpcId": {"Ref": "Vpc"},
        "CidrBlock": f"10.0.{zone}.0/24",
        "AvailabilityZone": {"Fn::Select": [zone, {"Fn::GetAZs": ""}]},
    }
    return {"Type": "AWS::EC2::Subnet", "Properties": properties, **more}


def parameter(value: Any, **more: Any) -> dict[str, Any]:
    return {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": value, **more}}


def table(*indexes: str, stream: bool = True) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "TableName": "orders",
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in ("pk", *indexes)],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "GlobalSecondaryIndexes": [
            {
                "IndexName": name,
                "KeySchema": [{"AttributeName": name, "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
            for name in indexes
        ],
        "Replicas": [{"Region": "us-east-1", "Tags": [{"Key": "tap:part", "Value": "tables"}]}],
    }
    if stream:
        properties["StreamSpecification"] = {"StreamViewType": "NEW_IMAGE"}
    return {"Type": "AWS::DynamoDB::GlobalTable", "Properties": properties, "DeletionPolicy": "Retain"}


def watched(emulated: Any, stack: Stack) -> tuple[Deployment, list[Call]]:
    """A deployment and the calls it made: those of the rehearsal itself are counted, not recorded."""
    calls = len(emulated.account.calls)
    with emulated.account.acting("deployment"):
        done = deploy(emulated.account, stack)
    return done, list(emulated.account.calls)[calls:]


def test_resources_are_made_in_the_order_of_their_references(emulated: Any) -> None:
    done = deploy(emulated.account, emulated.stack({"Subnet": subnet(), "Vpc": VPC}, name="order"))
    assert done.created == ("Vpc", "Subnet")
    assert done.left_out == {}


def test_stack_tags_reach_what_can_carry_them(emulated: Any) -> None:
    """A GlobalTable cannot: its schema has no tagging, only its replicas' tags count."""
    deploy(emulated.account, emulated.stack({"Vpc": VPC, "Orders": table("by_day")}, name="tags"))
    vpcs = emulated.client("ec2").describe_vpcs(Filters=[{"Name": "tag:tap:governed", "Values": ["true"]}])["Vpcs"]
    assert len(vpcs) >= 1
    arn = emulated.client("dynamodb").describe_table(TableName="orders")["Table"]["TableArn"]
    tags = emulated.client("dynamodb").list_tags_of_resource(ResourceArn=arn)["Tags"]
    assert tags == [{"Key": "tap:part", "Value": "tables"}]


def test_what_is_left_out_is_counted_and_can_be_referred_to(emulated: Any) -> None:
    resources = {
        "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "jobs"}},
        "Other": {"Type": "AWS::SQS::Queue"},
        "Address": {"Type": "AWS::EC2::EIP"},
        "Arn": parameter({"Fn::GetAtt": ["Queue", "Arn"]}, Name="/arn"),
        "Id": parameter({"Ref": "Address"}, Name="/id"),
    }
    done = deploy(emulated.account, emulated.stack(resources, name="left-out"))
    assert done.left_out == {"AWS::EC2::EIP": 1, "AWS::SQS::Queue": 2}
    read = {name: emulated.client("ssm").get_parameter(Name=name)["Parameter"]["Value"] for name in ("/arn", "/id")}
    assert read["/arn"] == "arn:aws:sqs:us-east-1:222222222222:queue/jobs"
    assert read["/id"].startswith("eipalloc-")


def test_the_same_template_again_changes_nothing(emulated: Any) -> None:
    stack = emulated.stack({"Vpc": VPC, "Subnet": subnet()}, name="again")
    deploy(emulated.account, stack)
    done, calls = watched(emulated, stack)
    assert (done.created, done.updated) == ((), ())
    assert not any(call.mutating for call in calls)


def test_exports_and_outputs_cross_stacks_and_regions(emulated: Any) -> None:
    keys = {"Key": {"Type": "AWS::KMS::Key", "Properties": {"MultiRegion": True}}}
    value = {"Fn::GetAtt": ["Key", "Arn"]}
    outputs = {"KeyArn": {"Value": value, "Export": {"Name": {"Fn::Sub": "${AWS::StackName}:KeyArn"}}}}
    deploy(emulated.account, emulated.stack(keys, name="keys", Outputs=outputs))
    imported = {"Here": parameter({"Fn::ImportValue": "keys:KeyArn"}, Name="/here")}
    deploy(emulated.account, emulated.stack(imported, name="importing"))
    elsewhere = {"StackName": "keys", "Region": "us-east-1", "OutputName": "KeyArn"}
    replica = {
        "Replica": {"Type": "AWS::KMS::ReplicaKey", "Properties": {"PrimaryKeyArn": {"Fn::GetStackOutput": elsewhere}}}
    }
    deploy(emulated.account, emulated.stack(replica, name="replica", region="eu-west-1"))
    arn = emulated.client("ssm").get_parameter(Name="/here")["Parameter"]["Value"]
    found = emulated.account.part(StackStore).find(Place("222222222222", "eu-west-1", "replica"))
    assert found.resources["Replica"].attributes["Arn"] == arn.replace("us-east-1", "eu-west-1")


def test_a_condition_that_does_not_hold_makes_no_resource(emulated: Any) -> None:
    conditions = {"Never": {"Fn::Equals": [{"Ref": "AWS::Region"}, "mars-1"]}}
    resources = {"Vpc": {**VPC, "Condition": "Never"}}
    assert deploy(emulated.account, emulated.stack(resources, name="never", Conditions=conditions)).created == ()


@pytest.mark.parametrize(
    ("resources", "message"),
    [
        ({"Subnet": subnet()}, "Subnet .*Vpc is not in the template"),
        ({"A": parameter({"Ref": "B"}), "B": parameter({"Ref": "A"})}, "depends on itself"),
        ({"A": parameter({"Fn::ImportValue": "nothing"})}, "exports nothing"),
    ],
)
def test_a_template_that_cannot_be_resolved_is_refused(emulated: Any, resources: Any, message: str) -> None:
    with pytest.raises(LoadRefused, match=message):
        deploy(emulated.account, emulated.stack(resources, name=f"bad-{len(message)}"))


def test_only_what_the_template_changed_is_changed_in_the_account(emulated: Any) -> None:
    """Manual changes stay, as in CloudFormation."""
    ssm = emulated.client("ssm")
    before = {"A": parameter("1", Name="/a"), "B": parameter("1", Name="/b")}
    deploy(emulated.account, emulated.stack(before, name="partly"))
    for name in ("/a", "/b"):
        ssm.put_parameter(Name=name, Value="by hand", Overwrite=True)
    done, calls = watched(emulated, emulated.stack({**before, "B": parameter("2", Name="/b")}, name="partly"))
    assert done.updated == ("B",)
    assert [call.operation for call in calls if call.mutating] == ["PutParameter"]
    assert [ssm.get_parameter(Name=name)["Parameter"]["Value"] for name in ("/a", "/b")] == ["by hand", "2"]


@pytest.mark.parametrize(
    ("after", "message"),
    [
        ({"Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.9.0.0/16"}}}, "another CidrBlock is beyond"),
        ({}, "gone from the template without DeletionPolicy"),
        ({"Vpc": parameter("x")}, "cannot change its type"),
    ],
)
def test_what_the_loader_cannot_change_is_refused_before_anything_is(emulated: Any, after: Any, message: str) -> None:
    name = f"refused-{len(message)}"
    deploy(emulated.account, emulated.stack({"Vpc": VPC}, name=name))
    calls = len(emulated.account.calls)
    with pytest.raises(LoadRefused, match=message):
        watched(emulated, emulated.stack({"P": parameter("new"), **after}, name=name))
    assert len(emulated.account.calls) == calls


def test_a_retained_resource_that_leaves_the_template_stays(emulated: Any) -> None:
    retained = {**VPC, "DeletionPolicy": "Retain"}
    deploy(emulated.account, emulated.stack({"Vpc": retained, "P": parameter("1")}, name="retained"))
    vpcs = len(emulated.client("ec2").describe_vpcs()["Vpcs"])
    assert deploy(emulated.account, emulated.stack({"P": parameter("1")}, name="retained")).updated == ()
    assert len(emulated.client("ec2").describe_vpcs()["Vpcs"]) == vpcs
