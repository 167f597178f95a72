"""Recorded change sets in the form of DescribeChangeSet: only those that leave everything unchanged pass."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from optimizer.reconcile.harmless_changes import refusals
from optimizer.reconcile.stack_change_set import read_change

Json = dict[str, Any]

UNREAD = "PREVIOUS_DEPLOYMENT_STATE"


def change(action: str, type_name: str, logical_id: str = "It", **more: Any) -> Json:
    told = {"Action": action, "LogicalResourceId": logical_id, "ResourceType": type_name}
    if action not in ("Add", "Import"):
        told |= {"PhysicalResourceId": "tap-it", "ResourceDriftStatus": "IN_SYNC"}
    return {"Type": "Resource", "ResourceChange": {**told, **more}}


def modify(type_name: str, *details: Json, logical_id: str = "It", **more: Any) -> Json:
    basis = {"Replacement": "False", "Scope": ["Properties"], "Details": list(details)}
    return change("Modify", type_name, logical_id, **{**basis, **more})


def detail(name: str, before: str = "1", after: str = "2", **more: Any) -> Json:
    target = {"Attribute": "Properties", "Name": name, "RequiresRecreation": "Never", "Path": f"/Properties/{name}"}
    values = {
        "BeforeValue": before,
        "AfterValue": after,
        "BeforeValueFrom": "ACTUAL_STATE",
        "AfterValueFrom": "TEMPLATE",
    }
    told = {"Target": {**target, **values, "AttributeChangeType": "Modify"}, "Evaluation": "Static"}
    return {**told, "ChangeSource": "DirectModification", **more}


def dynamic(name: str, cause: str) -> Json:
    target = {"Attribute": "Properties", "Name": name, "RequiresRecreation": "Conditionally"}
    return {
        "Target": target,
        "Evaluation": "Dynamic",
        "ChangeSource": "ResourceAttribute",
        "CausingEntity": cause,
    }


def policy(before: Any, after: Any, **more: Any) -> Json:
    def context(statements: Any) -> str:
        return json.dumps({"Properties": {"PolicyDocument": {"Statement": statements}, "PolicyName": "fleet"}})

    contexts = {"BeforeContext": context(before), "AfterContext": context(after), "ResourceDriftStatus": "UNSUPPORTED"}
    return modify("AWS::IAM::Policy", detail("PolicyDocument"), **{**contexts, **more})


def allow(*resources: str, **more: Any) -> Json:
    return {"Effect": "Allow", "Action": ["dynamodb:Query"], "Resource": list(resources), **more}


def gone_role() -> Json:
    return change("Remove", "AWS::IAM::Role", PhysicalResourceId="monitoring", PolicyAction="Delete")


def detached(*from_roles: str) -> Json:
    context = json.dumps({"Properties": {"PolicyName": "p", "Roles": list(from_roles)}})
    return change("Remove", "AWS::IAM::Policy", PolicyAction="Delete", BeforeContext=context)


INDEX = "arn:aws:dynamodb:us-east-1:222222222222:table/users/index/by-day"
TABLE, CACHE = "AWS::DynamoDB::GlobalTable", "AWS::ElastiCache::ReplicationGroup"
CLUSTER, INSTANCE = "AWS::RDS::DBCluster", "AWS::RDS::DBInstance"
GROUP, TEMPLATE, ALARM = "AWS::AutoScaling::AutoScalingGroup", "AWS::EC2::LaunchTemplate", "AWS::CloudWatch::Alarm"
VERSION = modify(TEMPLATE, detail("LaunchTemplateData"), logical_id="Launch")
FOLLOWS = dynamic("LaunchTemplate", "Launch.LatestVersionNumber")
DENY = {"Effect": "Deny", "Action": "*", "Resource": "*"}


def refused(*changes: Json, resources: Json | None = None, unmoved: tuple[str, ...] = ()) -> list[str]:
    wanted = {"Resources": resources or {}}
    return [each.reason for each in refusals([*map(read_change, changes)], wanted, frozenset(unmoved))]


@pytest.mark.parametrize(
    "changes",
    [
        (change("SyncWithActual", TABLE, ResourceDriftStatus="MODIFIED"),),
        (change("SyncWithActual", INSTANCE),),
        (change("Import", TABLE, PhysicalResourceId="tenants-and-users"),),
        (change("Remove", CLUSTER, PolicyAction="Retain", ResourceDriftStatus="DELETED"),),
        (change("Remove", "AWS::Logs::LogGroup", PolicyAction="Retain"),),
        (VERSION,),
        (VERSION, modify(GROUP, FOLLOWS, Replacement="Conditional")),
        (VERSION, modify(GROUP, FOLLOWS, detail("DesiredCapacity", "7", "8"), Replacement="Conditional")),
        (modify(ALARM, detail("Metrics")),),
        (change("Add", ALARM),),
        (change("Remove", ALARM, PolicyAction="Delete"),),
        (change("Remove", "AWS::EC2::SecurityGroup", PolicyAction="Delete"),),
        (modify("AWS::CloudWatch::Dashboard", detail("DashboardBody"), ResourceDriftStatus="UNSUPPORTED"),),
        (policy([allow("a", INDEX)], [allow("a")]),),
        (policy([allow("a", INDEX), DENY], [DENY, allow("a")]),),
        (policy(allow("a", INDEX), allow("a")),),
        (detached("monitoring"), gone_role()),
    ],
)
def test_what_leaves_everything_as_it_is_passes(changes: tuple[Json, ...]) -> None:
    assert refused(*changes) == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ((modify(CACHE, detail("Port"), Replacement="True"),), "would be replaced .Replacement True"),
        ((modify(CLUSTER, detail("Engine"), Replacement="Conditional"),), "Replacement Conditional"),
        ((modify(CLUSTER, detail("Port"), Replacement=None),), "Replacement not told"),
        (
            (modify(INSTANCE, detail("DBInstanceClass", "db.r6g.xlarge", "db.r6g.4xlarge")),),
            "DBInstanceClass from db.r6g.x",
        ),
        ((modify(TABLE, detail("GlobalSecondaryIndexes", "[1]", "[1,2]")),), "GlobalSecondaryIndexes from .1. to"),
        (
            (
                modify(
                    CACHE,
                    detail("NumNodeGroups", "4", "2", Target={"BeforeValueFrom": UNREAD, "Name": "NumNodeGroups"}),
                ),
            ),
            "the actual value cannot be read",
        ),
        (
            (modify("AWS::SSM::Parameter", dynamic("Value", "Cache.Address")),),
            "Value is not known before the execution",
        ),
        ((modify(GROUP, FOLLOWS, Replacement="Conditional"),), "LaunchTemplate from"),  # no version of it in this set
        ((VERSION, modify(GROUP, FOLLOWS, Replacement="True")), "Replacement True"),
        ((VERSION, modify(GROUP, FOLLOWS, detail("DesiredCapacity", "9", "8"))), "from the recorded 8 to 9"),
        ((VERSION, modify(GROUP, FOLLOWS, detail("MinSize", "6", "12"))), "MinSize from 6 to 12"),
        ((modify(GROUP),), "no property named"),
        ((modify(TEMPLATE, detail("LaunchTemplateData"), detail("LaunchTemplateName")),), "would be changed"),
        ((change("Add", CLUSTER),), "it would be created"),
        ((change("Add", INSTANCE),), "it would be created"),
        ((change("Remove", TABLE, PolicyAction="Delete"),), "removed with Delete"),
        ((change("Remove", CLUSTER, PolicyAction="Snapshot"),), "removed with Snapshot"),
        ((change("Remove", TABLE),), "no policy told"),
        ((change("Remove", CLUSTER, PolicyAction="ReplaceAndRetain"),), "removed with ReplaceAndRetain"),
        ((change("Dynamic", CLUSTER),), "cannot tell what it would do to it .Dynamic"),
        ((change("Conjure", CLUSTER),), "cannot tell what it would do to it .Conjure"),
        ((change("SyncWithActual", CACHE, ResourceDriftStatus="UNSUPPORTED"),), "drift status UNSUPPORTED"),
        ((change("SyncWithActual", CACHE, ResourceDriftStatus="UNKNOWN"),), "drift status UNKNOWN"),
        ((change("SyncWithActual", CACHE, ResourceDriftStatus="NOT_CHECKED"),), "drift status NOT_CHECKED"),
        ((change("SyncWithActual", CACHE, ResourceDriftStatus=None),), "drift status absent"),  # not drift-aware
        ((modify(ALARM, detail("Metrics"), ResourceDriftStatus="UNKNOWN"),), "drift status UNKNOWN"),
        ((modify(TABLE, detail("Tags"), ResourceDriftStatus="DELETED"),), "deleted outside CloudFormation"),
        ((change("Modify", "AWS::CloudFormation::Stack", Replacement="False"),), "a nested stack"),
        ((modify(ALARM, detail("Metrics"), ChangeSetId="arn:aws:cloudformation:::changeSet/n"),), "a nested stack"),
        ((policy([allow("a", "b")], [allow("a")]),), "more than indexes"),  # it may be a table that serves
        ((policy([allow("a", f"{INDEX[:-3]}*")], [allow("a")]),), "more than indexes"),
        ((policy([allow("a")], []),), "more than indexes"),
        (
            (policy([allow("a"), {**DENY, "Resource": ["b", INDEX]}], [allow("a"), {**DENY, "Resource": "b"}]),),
            "more than",
        ),
        ((detached("fleet"),), "taken from a role that stays"),
        ((detached("fleet", "monitoring"), gone_role()), "taken from a role that stays"),
        ((change("Remove", "AWS::IAM::Policy", PolicyAction="Delete"),), "does not tell from which"),
        ((policy([allow("a")], [allow("a", INDEX)]),), "more than indexes"),
        ((policy([allow("a")], [allow("a", "b")]),), "more than indexes"),
        ((policy([allow("a")], [allow("a", Action=["dynamodb:*"])]),), "more than indexes"),
        ((policy([allow("a", Condition={"Bool": {"x": "1"}})], [allow("a")]),), "more than indexes"),
        ((policy([allow("a"), DENY], [allow("a")]),), "more than indexes"),
        ((policy([allow("a")], [allow("a")], AfterContext="{{truncated"),), "more than indexes"),
        ((policy([allow("a")], [allow("a")], Details=[detail("Roles")]),), "more than indexes"),
        (({"Type": "Hook"},), "cannot tell"),
    ],
)
def test_what_would_change_something_is_refused(changes: tuple[Json, ...], reason: str) -> None:
    said = refused(*changes)
    assert len(said) == 1
    assert re.search(reason, said[0])


FOLLOWERS = {
    ALARM: {"Add", "Modify", "Remove"},
    "AWS::CloudWatch::Dashboard": {"Modify"},
    "AWS::EC2::SecurityGroup": {"Remove"},
    "AWS::IAM::Role": {"Remove"},
    "AWS::RDS::DBClusterParameterGroup": {"Remove"},
    "AWS::RDS::DBSubnetGroup": {"Remove"},
    "AWS::SNS::Subscription": {"Remove"},
    "AWS::SNS::Topic": {"Remove"},
    "AWS::SNS::TopicPolicy": {"Remove"},
    "AWS::SSM::Parameter": set(),
    "AWS::KMS::Key": set(),
    "AWS::EC2::SecurityGroupIngress": set(),
}


@pytest.mark.parametrize("action", ["Add", "Modify", "Remove"])
@pytest.mark.parametrize("kind", FOLLOWERS)
def test_what_may_be_done_to_each_type(kind: str, action: str) -> None:
    """A security group is in the path of requests: one that nothing uses may go, none is changed."""
    made = modify(kind, detail("Property")) if action == "Modify" else change(action, kind, PolicyAction="Delete")
    assert (refused(made) == []) is (action in FOLLOWERS[kind])


@pytest.mark.parametrize("replacing", ["AutoScalingReplacingUpdate", "AutoScalingRollingUpdate"])
def test_a_group_that_replaces_its_instances_takes_no_version(replacing: str) -> None:
    resources = {"It": {"UpdatePolicy": {replacing: {}}}}
    (said,) = refused(VERSION, modify(GROUP, FOLLOWS, Replacement="Conditional"), resources=resources)
    assert replacing in said


def test_what_refers_to_an_import_passes_only_when_nothing_else_moves_it() -> None:
    pointer = modify(
        "AWS::SSM::Parameter", dynamic("Value", "Cache.ConfigurationEndPoint.Address"), logical_id="Pointer"
    )
    imported = change("Import", CACHE, "Cache")
    assert refused(imported, pointer, unmoved=("Pointer",)) == []
    assert len(refused(imported, pointer)) == 1
    assert len(refused(pointer, unmoved=("Pointer",))) == 1
    assert len(refused(imported, modify("AWS::SSM::Parameter", detail("Value"), logical_id="P"), unmoved=("P",))) == 1


def test_every_refusal_names_its_resource() -> None:
    (found,) = refusals([read_change(change("Add", CLUSTER, "Secondary"))], {"Resources": {}})
    assert str(found).startswith("Secondary (AWS::RDS::DBCluster, new): ")
