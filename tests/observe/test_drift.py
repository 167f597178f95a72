"""Drift is 0 right after a deployment, and not 0 after each edit by hand that could undo the optimizer."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloudformation.assembly import Stack
from emulator.account import EmulatedAccount
from emulator.services.cloudformation import deploy
from optimizer.model.resource import Kind
from optimizer.ports.aws import Aws
from optimizer.reconcile.drift import DriftReport, differences
from optimizer.resources.registry import compared_types

RESOURCE: dict[str, Any] = {
    "Type": "AWS::DynamoDB::GlobalTable",
    "Properties": {
        "TableName": "users",
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "email")],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "GlobalSecondaryIndexes": [
            {
                "IndexName": "by-email",
                "KeySchema": [{"AttributeName": "email", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        "StreamSpecification": {"StreamViewType": "NEW_AND_OLD_IMAGES"},
        "Replicas": [{"Region": "eu-central-1"}],
    },
}


def compare(aws: Aws, stack: Stack) -> DriftReport:
    return differences([stack], aws.at)


def shown(aws: Aws, stack: Stack) -> set[tuple[str, str]]:
    return {
        (each.logical_id if each.logical_id != "-" else each.name, each.property)
        for each in compare(aws, stack).differences
    }


@pytest.fixture(scope="module")
def fresh(deployed: Aws, stack: Stack) -> DriftReport:
    """The comparison before any test edited the account that they share."""
    return compare(deployed, stack)


def test_every_kind_the_optimizer_changes_is_compared() -> None:
    assert {kind.value for kind in Kind} <= set(compared_types())


def test_a_fresh_deployment_agrees(fresh: DriftReport) -> None:
    assert fresh.differences == ()
    assert fresh.compared > 90
    assert "AWS::AutoScaling::AutoScalingGroup.LaunchTemplate.Version" in fresh.not_compared


def resize_group(aws: Aws) -> None:
    aws.autoscaling.update_auto_scaling_group(AutoScalingGroupName="tap-fleet", MinSize=1, MaxSize=9)


def new_version(aws: Aws) -> None:
    """Another type, and nothing else from the version before."""
    aws.ec2.create_launch_template_version(
        LaunchTemplateName="tap-fleet", LaunchTemplateData={"InstanceType": "m5.2xlarge"}
    )
    aws.autoscaling.update_auto_scaling_group(
        AutoScalingGroupName="tap-fleet", LaunchTemplate={"LaunchTemplateName": "tap-fleet", "Version": "2"}
    )


def scale_in(aws: Aws) -> None:
    (policy,) = aws.autoscaling.describe_policies()["ScalingPolicies"]
    tracking: Any = policy["TargetTrackingConfiguration"]
    aws.autoscaling.put_scaling_policy(
        AutoScalingGroupName="tap-fleet",
        PolicyName=policy["PolicyName"],
        PolicyType="TargetTrackingScaling",
        TargetTrackingConfiguration={**tracking, "DisableScaleIn": False},
    )


def delete_index(aws: Aws) -> None:
    aws.dynamodb.update_table(TableName="users", GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "by-role"}}])


def stream_off(aws: Aws) -> None:
    aws.dynamodb.update_table(TableName="users", StreamSpecification={"StreamEnabled": False})


def recovery_off(aws: Aws) -> None:
    aws.dynamodb.update_continuous_backups(
        TableName="users", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False}
    )


def untag_table(aws: Aws) -> None:
    arn = aws.dynamodb.describe_table(TableName="users")["Table"]["TableArn"]
    aws.dynamodb.untag_resource(ResourceArn=arn, TagKeys=["tap:governed"])


def node_type(aws: Aws) -> None:
    aws.elasticache.modify_replication_group(
        ReplicationGroupId="tap-cache", CacheNodeType="cache.r6g.xlarge", ApplyImmediately=True
    )


def retention(aws: Aws) -> None:
    aws.rds.modify_db_cluster(DBClusterIdentifier="tap-database", BackupRetentionPeriod=14, ApplyImmediately=True)


def instance_class(aws: Aws) -> None:
    aws.rds.modify_db_instance(
        DBInstanceIdentifier="tap-database-1", DBInstanceClass="db.r6g.xlarge", ApplyImmediately=True
    )


def promotion_tier(aws: Aws) -> None:
    """The reader declares no tier, and that means tier 1."""
    aws.rds.modify_db_instance(DBInstanceIdentifier="tap-database-2", PromotionTier=0, ApplyImmediately=True)


def delete_reader(aws: Aws) -> None:
    aws.rds.delete_db_instance(DBInstanceIdentifier="tap-database-2", SkipFinalSnapshot=True)


def forgotten_reader(aws: Aws) -> None:
    aws.rds.create_db_instance(
        DBInstanceIdentifier="tap-database-9",
        DBClusterIdentifier="tap-database",
        DBInstanceClass="db.r6g.4xlarge",
        Engine="aurora-postgresql",
        Tags=[{"Key": "tap:governed", "Value": "true"}],
    )


def unprotect_balancer(aws: Aws) -> None:
    (balancer,) = aws.elbv2.describe_load_balancers()["LoadBalancers"]
    aws.elbv2.modify_load_balancer_attributes(
        LoadBalancerArn=balancer["LoadBalancerArn"],
        Attributes=[{"Key": "deletion_protection.enabled", "Value": "false"}],
    )


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize(
    ("edit", "found"),
    [
        (resize_group, {("Fleet", "MinSize"), ("Fleet", "MaxSize")}),
        (
            new_version,
            {
                ("Template", f"LaunchTemplateData.{name}")
                for name in ("InstanceType", "ImageId", "MetadataOptions", "SecurityGroupIds", "UserData")
            },
        ),
        (scale_in, {("Policy", "TargetTrackingConfiguration.DisableScaleIn")}),
        (delete_index, {("Users", "GlobalSecondaryIndexes"), ("Users", "AttributeDefinitions")}),
        (stream_off, {("Users", "StreamSpecification")}),
        (
            recovery_off,
            {("Users", "Replicas[us-east-1].PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled")},
        ),
        (untag_table, {("Users", "Replicas[us-east-1].Tags")}),
        (node_type, {("Cache", "CacheNodeType")}),
        (retention, {("Cluster", "BackupRetentionPeriod")}),
        (instance_class, {("Writer", "DBInstanceClass")}),
        (promotion_tier, {("Reader", "PromotionTier")}),
        (delete_reader, {("Reader", "(resource)")}),
        (forgotten_reader, {("tap-database-9", "(resource)")}),
        (unprotect_balancer, {("Balancer", "LoadBalancerAttributes[deletion_protection.enabled].Value")}),
    ],
)
def test_an_edit_by_hand_shows(
    deployed: Aws, stack: Stack, edit: Callable[[Aws], None], found: set[tuple[str, str]]
) -> None:
    before = shown(deployed, stack)
    edit(deployed)
    deployed.clock.sleep(3600)  # AWS takes its time
    assert shown(deployed, stack) - before == found


@pytest.mark.parametrize(("desired", "agrees"), [(2, True), (5, True), (1, False), (6, False)])
def test_the_desired_capacity_may_stand_anywhere_between_the_limits(
    deployed: Aws, stack: Stack, desired: int, agrees: bool
) -> None:
    """The limits in the account are wider here, so that scaling itself cannot stop at them."""
    resize_group(deployed)
    deployed.autoscaling.set_desired_capacity(AutoScalingGroupName="tap-fleet", DesiredCapacity=desired)
    assert (("Fleet", "DesiredCapacity") not in shown(deployed, stack)) is agrees


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize(
    ("logical_id", "name", "value", "found"),
    [
        ("Users", "KeySchema", [{"AttributeName": "id", "KeyType": "HASH"}], True),
        ("Cache", "NumNodeGroups", 2, True),
        ("Cache", "ReplicasPerNodeGroup", 1, True),
        ("Cache", "EngineVersion", "6.2", False),  # shown on the nodes only: listed, not compared
        ("Fleet", "VPCZoneIdentifier", [{"Ref": "A"}], True),
        ("Fleet", "VPCZoneIdentifier", [{"Ref": "A"}, {"Ref": "B"}], False),
        ("Balancer", "LoadBalancerAttributes", None, False),
    ],
)
def test_what_the_code_declares_is_what_counts(
    deployed: Aws, stack: Stack, logical_id: str, name: str, value: Any, found: bool
) -> None:
    template = copy.deepcopy(dict(stack.template))
    properties = template["Resources"][logical_id]["Properties"]
    properties.pop(name)
    if value is not None:
        properties[name] = value
    report = compare(deployed, replace(stack, template=template))
    assert ((logical_id, name) in {(each.logical_id, each.property) for each in report.differences}) is found


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize("name", ["StreamSpecification", "GlobalSecondaryIndexes"])
def test_a_table_without_stream_or_indexes_means_that_there_are_none(
    account: EmulatedAccount, deployed: Aws, stack: Stack, name: str
) -> None:
    bare, full = copy.deepcopy(RESOURCE), copy.deepcopy(RESOURCE)
    del bare["Properties"][name]
    where = replace(stack, region="eu-central-1", name=f"tap-{name}")
    for each in (bare, full):
        each["Properties"]["TableName"] = f"users-{name}"
    deploy(account, replace(where, template={"Resources": {"Users": full}}))
    report = compare(deployed, replace(where, template={"Resources": {"Users": bare}}))
    assert {each.property for each in report.differences if each.logical_id == "Users"} == {name}


def test_a_cache_is_compared_while_its_backup_is_taken(account: EmulatedAccount, deployed: Aws, stack: Stack) -> None:
    """ElastiCache does not list tags then (API Reference, ListTagsForResource)."""
    body = copy.deepcopy(stack.template["Resources"]["Cache"])
    body["Properties"] = {key: value for key, value in body["Properties"].items() if key != "CacheSubnetGroupName"}
    body["Properties"]["ReplicationGroupId"] = "busy-cache"
    alone = replace(stack, region="eu-central-1", name="tap-busy", template={"Resources": {"Busy": body}})
    deploy(account, alone)
    deployed.at("eu-central-1").elasticache.create_snapshot(ReplicationGroupId="busy-cache", SnapshotName="nightly")
    assert [each for each in compare(deployed, alone).differences if each.logical_id == "Busy"] == []


def test_a_stack_that_was_never_deployed_is_all_absent(account: EmulatedAccount, deployed: Aws, stack: Stack) -> None:
    elsewhere = replace(stack, region="ap-south-1")
    found = compare(deployed, elsewhere).differences
    assert {each.actual for each in found} == {"absent"}
    assert {each.logical_id for each in found} == {
        name for name, body in stack.template["Resources"].items() if body["Type"] in compared_types()
    } - {"Global"}  # a global cluster is seen from every Region


def test_an_account_that_cannot_be_read_does_not_agree(
    account: EmulatedAccount, deployed: Aws, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "DescribeTable")

    blind = replace(deployed, session=account.session("222222222222", "us-east-1"))
    monkeypatch.setattr(blind.dynamodb, "describe_table", refuse)
    with pytest.raises(ClientError, match="AccessDenied"):
        compare(blind, stack)
