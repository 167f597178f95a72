"""The resolver of intrinsics, as tables: a template's value, and its meaning at a place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from cloudformation.template import Place, Resolver, Unresolved, references

PLACE = Place(account="222222222222", region="us-west-2", stack="tap-replica-2")
TEMPLATE: dict[str, Any] = {
    "Parameters": {
        "Size": {"Type": "Number", "Default": 3},
        "Given": {"Type": "String"},
        "Bootstrap": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/cdk-bootstrap/version"},
    },
    "Mappings": {"Zones": {"us-west-2": {"count": "3"}}},
    "Conditions": {
        "IsWest": {"Fn::Equals": [{"Ref": "AWS::Region"}, "us-west-2"]},
        "IsEast": {"Fn::Not": [{"Condition": "IsWest"}]},
        "Both": {"Fn::And": [{"Condition": "IsWest"}, {"Condition": "IsEast"}]},
        "Either": {"Fn::Or": [{"Condition": "IsWest"}, {"Condition": "IsEast"}]},
    },
}


class Fixed:
    """A deployment of one VPC and one key."""

    def ref(self, logical_id: str) -> str:
        if logical_id != "Vpc":
            raise Unresolved(logical_id)
        return "vpc-1"

    def attribute(self, logical_id: str, name: str) -> str:
        return f"{logical_id}/{name}"

    def export(self, name: str) -> str:
        return f"exported {name}"

    def output(self, stack: str, region: str, name: str) -> str:
        return f"{stack}@{region}:{name}"

    def zones(self, region: str) -> Sequence[str]:
        return [f"{region}{letter}" for letter in "abc"]


def resolver(**parameters: str) -> Resolver:
    return Resolver(TEMPLATE, PLACE, Fixed(), parameters)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("plain", "plain"),
        (7, 7),
        ({"Ref": "Vpc"}, "vpc-1"),
        ({"Ref": "Size"}, 3),
        ({"Ref": "AWS::Region"}, "us-west-2"),
        ({"Ref": "AWS::Partition"}, "aws"),
        ({"Fn::GetAtt": ["Key", "Arn"]}, "Key/Arn"),
        ({"Fn::GetAtt": "Cluster.Endpoint.Address"}, "Cluster/Endpoint.Address"),
        ({"Fn::Join": ["-", ["a", {"Ref": "Vpc"}, 3]]}, "a-vpc-1-3"),
        ({"Fn::Sub": "${AWS::AccountId}/${Key.Arn}/${Vpc}/${!Literal}"}, "222222222222/Key/Arn/vpc-1/${Literal}"),
        ({"Fn::Sub": ["${a}-${AWS::Region}", {"a": {"Ref": "Vpc"}}]}, "vpc-1-us-west-2"),
        ({"Fn::Select": ["1", {"Fn::GetAZs": ""}]}, "us-west-2b"),
        ({"Fn::Select": [0, {"Fn::Split": ["|", "x|y"]}]}, "x"),
        ({"Fn::GetAZs": "eu-west-1"}, ["eu-west-1a", "eu-west-1b", "eu-west-1c"]),
        ({"Fn::FindInMap": ["Zones", {"Ref": "AWS::Region"}, "count"]}, "3"),
        ({"Fn::ImportValue": {"Fn::Sub": "x-${AWS::Region}"}}, "exported x-us-west-2"),
        (
            {"Fn::GetStackOutput": {"StackName": "tap-keys", "Region": "us-east-1", "OutputName": "K"}},
            "tap-keys@us-east-1:K",
        ),
        ({"Fn::GetStackOutput": {"StackName": "tap-keys", "OutputName": "K"}}, "tap-keys@us-west-2:K"),
        ({"Fn::If": ["IsWest", "yes", "no"]}, "yes"),
        ({"Fn::If": ["IsEast", "yes", "no"]}, "no"),
        ({"Fn::If": ["Both", 1, 2]}, 2),
        ({"Fn::If": ["Either", 1, 2]}, 1),
        ({"Fn::Base64": "x"}, "eA=="),
        ({"kept": 1, "gone": {"Ref": "AWS::NoValue"}}, {"kept": 1}),
        ([1, {"Fn::If": ["IsEast", 2, {"Ref": "AWS::NoValue"}]}], [1]),
        ({"Ref": "AWS::NoValue"}, None),
        ({"Condition": {"StringEquals": {"a": {"Ref": "Vpc"}}}}, {"Condition": {"StringEquals": {"a": "vpc-1"}}}),
    ],
)
def test_an_intrinsic_resolves(said: Any, meant: Any) -> None:
    assert resolver().resolve(said) == meant


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"Ref": "Nothing"}, "Nothing"),
        ({"Ref": "Given"}, "no value and no default"),
        ({"Ref": "Bootstrap"}, "SSM"),
        ({"Fn::Transform": {}}, "Fn::Transform is not resolved here"),
        ({"Fn::Select": [3, ["a"]]}, "list of 1"),
        ({"Fn::FindInMap": ["Zones", "eu-west-1", "count"]}, "eu-west-1"),
        ({"Fn::If": ["Nowhere", 1, 2]}, "no condition Nowhere"),
    ],
)
def test_what_cannot_be_known_is_said(said: Any, message: str) -> None:
    with pytest.raises(Unresolved, match=message):
        resolver().resolve(said)


def test_a_given_parameter_wins_over_its_default() -> None:
    assert resolver(Size="9").resolve({"Ref": "Size"}) == "9"


def test_references_are_found_at_any_depth() -> None:
    said = {
        "a": [{"Ref": "One"}, {"Fn::GetAtt": ["Two", "Arn"]}],
        "b": {"Fn::Sub": ["${Three}-${Four.Arn}-${!Not}", {"x": {"Fn::GetAtt": "Five.Name"}}]},
    }
    assert references(said) == {"One", "Two", "Three", "Four", "Five"}


def test_a_stack_id_is_an_arn_that_never_changes() -> None:
    assert PLACE.stack_id == Place("222222222222", "us-west-2", "tap-replica-2").stack_id
    assert PLACE.stack_id.startswith("arn:aws:cloudformation:us-west-2:222222222222:stack/tap-replica-2/")
    assert Place("1", "cn-north-1", "s").partition == "aws-cn"
