"""Before a plan's first move, a check whether CloudFormation would change untouched resources."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from cloudformation.assembly import Stack
from emulator.account import EmulatedAccount
from emulator.services.cloudformation import deploy
from emulator.services.cloudformation.false_drift import FalseDrift
from optimizer.ports.aws import Aws
from optimizer.reconcile.drift_check import DriftAnswer, ask_stacks, held_text, plan_held
from optimizer.reconcile.harmless_changes import doubts
from optimizer.reconcile.stack_change_set import read_change

PRODUCTION, REGION = "222222222222", "us-east-1"
TARGETS = "AWS::ElasticLoadBalancingV2::TargetGroup"
KEY = {"Fn::GetStackOutput": {"StackName": "tap-keys", "Region": REGION, "OutputName": "Key"}}


def table(**more: Any) -> dict[str, Any]:
    properties = {
        "TableName": "orders",
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "Replicas": [{"Region": REGION}],
        **more,
    }
    return {"Type": "AWS::DynamoDB::GlobalTable", "DeletionPolicy": "Retain", "Properties": properties}


def topic(key: Any) -> dict[str, Any]:
    return {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "tap-alarms", "KmsMasterKeyId": key}}


@pytest.fixture
def account() -> Iterator[EmulatedAccount]:
    with EmulatedAccount(
        start=datetime(2027, 1, 1, tzinfo=UTC), tooling="111111111111", production=PRODUCTION
    ) as account:
        yield account


def bring(account: EmulatedAccount, name: str, **resources: Any) -> None:
    outputs = {"Key": {"Value": "alias/tap"}} if name == "tap-keys" else {}
    deploy(
        account,
        Stack(name, PRODUCTION, REGION, "", {"Resources": resources, "Outputs": outputs}, {"tap:governed": "true"}),
    )
    account.clock.sleep(3600)


def ask(account: EmulatedAccount) -> DriftAnswer:
    aws = Aws(account.session(PRODUCTION, REGION), PRODUCTION, REGION, account.clock)
    with account.acting("drift-check"):
        return ask_stacks(aws, (REGION,))


def test_a_stack_that_is_as_deployed_would_not_be_changed(account: EmulatedAccount) -> None:
    bring(account, "tap-primary", Orders=table())
    assert ask(account) == DriftAnswer(("tap-primary",), ())


def test_only_what_the_optimizer_changes_is_asked(account: EmulatedAccount) -> None:
    for name in ("tap-primary", "tap-replica-2", "tap-roles", "tap-keys-2"):
        bring(account, name, **{"Topic": topic(f"alias/{name}")} if name == "tap-roles" else {})
    assert ask(account).stacks == ("tap-primary", "tap-replica-2")


def test_the_change_set_is_thrown_away_and_nothing_else_is_called(account: EmulatedAccount) -> None:
    bring(account, "tap-primary", Orders=table())
    before = len(list(account.calls.mutating()))
    ask(account)
    asked = list(account.calls.mutating())[before:]
    assert {(each.service, each.operation) for each in asked} <= {
        ("cloudformation", "CreateChangeSet"),
        ("cloudformation", "DeleteChangeSet"),
    }
    assert all(each.parameters["ChangeSetName"].startswith("tap-reconcile-") for each in asked)
    aws = Aws(account.session(PRODUCTION, REGION), PRODUCTION, REGION, account.clock)
    with pytest.raises(Exception, match="does not exist"):
        aws.session.client("cloudformation", region_name=REGION).describe_change_set(
            StackName="tap-primary", ChangeSetName=asked[-1].parameters["ChangeSetName"]
        )


def test_real_drift_is_named_with_resource_and_property(account: EmulatedAccount) -> None:
    bring(account, "tap-primary", Orders=table())
    account.client("dynamodb", PRODUCTION, REGION).update_table(
        TableName="orders", StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}
    )
    account.client("dynamodb", PRODUCTION, REGION).update_table(
        TableName="orders",
        BillingMode="PROVISIONED",
        ProvisionedThroughput={"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
    )
    account.clock.sleep(3600)
    (found,) = ask(account).found
    assert "Orders" in str(found)
    assert "BillingMode" in str(found)


def test_a_value_of_another_stack_holds_the_plan_as_it_does_on_aws(account: EmulatedAccount) -> None:
    bring(account, "tap-keys", Topic=topic("alias/aws/sns"))
    bring(account, "tap-primary", Topic={"Type": "AWS::SNS::Topic", "Properties": {"KmsMasterKeyId": KEY}})
    (found,) = ask(account).found
    assert "KmsMasterKeyId from alias/tap to {{changeSet:KNOWN_AFTER_APPLY}}" in str(found)


def test_a_switched_false_positive_is_named_and_told(account: EmulatedAccount) -> None:
    targets = {"Name": "tap-api", "Port": 80, "Protocol": "HTTP", "TargetType": "instance"}
    attributes = [{"Key": "deregistration_delay.timeout_seconds", "Value": "300"}]
    vpc = {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}}
    properties = {**targets, "VpcId": {"Ref": "Vpc"}, "TargetGroupAttributes": attributes}
    bring(account, "tap-primary", Vpc=vpc, Targets={"Type": TARGETS, "Properties": properties})
    assert ask(account).found == ()
    account.part(FalseDrift).switch_on("tap-primary", TARGETS, "TargetGroupAttributes")
    found = ask(account).found
    assert "Targets" in held_text(found)
    assert "TargetGroupAttributes" in held_text(found)
    assert "docs/runbook.md, The plan is held" in held_text(found)
    assert plan_held(found) == plan_held(found)
    assert "tap-primary" in plan_held(found).subject


def modified(kind: str, before: str, after: str, name: str = "DesiredCapacity") -> Any:
    target = {"Attribute": "Properties", "Name": name, "BeforeValue": before, "AfterValue": after}
    change = {
        "Action": "Modify",
        "LogicalResourceId": "Group",
        "ResourceType": kind,
        "Replacement": "False",
        "Details": [{"Target": target, "Evaluation": "Static"}],
    }
    return read_change({"ResourceChange": change})


@pytest.mark.parametrize(
    ("change", "held"),
    [
        (modified("AWS::AutoScaling::AutoScalingGroup", "8", "15"), False),
        (modified("AWS::AutoScaling::AutoScalingGroup", "17", "15"), True),
        (modified("AWS::AutoScaling::AutoScalingGroup", "8", "15", "MaxSize"), True),
        (modified("AWS::CloudWatch::Alarm", "1", "2", "Threshold"), True),
    ],
)
def test_only_a_capacity_that_reconcile_takes_is_no_reason_to_hold(change: Any, held: bool) -> None:
    assert bool(doubts([change])) is held
