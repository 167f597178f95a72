"""One stack with one resource of each compared type, deployed into an emulated account."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from cloudformation.assembly import Stack
from emulator.account import EmulatedAccount
from emulator.services.cloudformation import deploy
from optimizer.ports.aws import Aws

TAGS = [{"Key": "tap:governed", "Value": "true"}]


def _resource(type_name: str, **properties: Any) -> dict[str, Any]:
    return {"Type": type_name, "Properties": properties, "DeletionPolicy": "Retain"}


def _get(logical_id: str, name: str) -> dict[str, Any]:
    return {"Fn::GetAtt": [logical_id, name]}


RESOURCES: dict[str, Any] = {
    "Vpc": _resource("AWS::EC2::VPC", CidrBlock="10.0.0.0/16"),
    "A": _resource("AWS::EC2::Subnet", VpcId={"Ref": "Vpc"}, CidrBlock="10.0.0.0/24", AvailabilityZone="us-east-1a"),
    "B": _resource("AWS::EC2::Subnet", VpcId={"Ref": "Vpc"}, CidrBlock="10.0.1.0/24", AvailabilityZone="us-east-1b"),
    "Door": _resource("AWS::EC2::SecurityGroup", VpcId={"Ref": "Vpc"}, GroupDescription="door"),
    "Key": _resource("AWS::KMS::Key", MultiRegion=True),
    "Template": _resource(
        "AWS::EC2::LaunchTemplate",
        LaunchTemplateName="tap-fleet",
        LaunchTemplateData={
            "InstanceType": "m5.4xlarge",
            "ImageId": "ami-0123456789abcdef0",
            "MetadataOptions": {"HttpTokens": "required"},
            "SecurityGroupIds": [_get("Door", "GroupId")],
            "UserData": {"Fn::Base64": "#!/bin/sh"},
        },
    ),
    "Fleet": _resource(
        "AWS::AutoScaling::AutoScalingGroup",
        AutoScalingGroupName="tap-fleet",
        MinSize="2",
        MaxSize="5",
        DesiredCapacity="3",
        VPCZoneIdentifier=[{"Ref": "B"}, {"Ref": "A"}],
        LaunchTemplate={"LaunchTemplateId": {"Ref": "Template"}, "Version": _get("Template", "LatestVersionNumber")},
        Tags=[{**TAGS[0], "PropagateAtLaunch": True}],
    ),
    "Policy": _resource(
        "AWS::AutoScaling::ScalingPolicy",
        AutoScalingGroupName={"Ref": "Fleet"},
        PolicyType="TargetTrackingScaling",
        TargetTrackingConfiguration={
            "DisableScaleIn": True,
            "TargetValue": 50,
            "PredefinedMetricSpecification": {"PredefinedMetricType": "ASGAverageCPUUtilization"},
        },
    ),
    "Balancer": _resource(
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        Name="tap",
        Subnets=[{"Ref": "A"}, {"Ref": "B"}],
        LoadBalancerAttributes=[{"Key": "deletion_protection.enabled", "Value": "true"}],
        Tags=TAGS,
    ),
    "Users": _resource(
        "AWS::DynamoDB::GlobalTable",
        TableName="users",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "email", "role")],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": f"by-{name}",
                "KeySchema": [{"AttributeName": name, "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
            for name in ("email", "role")
        ],
        StreamSpecification={"StreamViewType": "NEW_AND_OLD_IMAGES"},
        SSESpecification={"SSEEnabled": True, "SSEType": "KMS"},
        Replicas=[
            {
                "Region": "us-east-1",
                "DeletionProtectionEnabled": True,
                "SSESpecification": {"KMSMasterKeyId": _get("Key", "Arn")},
                "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
                "Tags": TAGS,
            }
        ],
    ),
    "CacheSubnets": _resource(
        "AWS::ElastiCache::SubnetGroup", Description="cache", SubnetIds=[{"Ref": "A"}, {"Ref": "B"}]
    ),
    "Cache": _resource(
        "AWS::ElastiCache::ReplicationGroup",
        ReplicationGroupId="tap-cache",
        ReplicationGroupDescription="cache",
        Engine="redis",
        EngineVersion="7.1",
        CacheNodeType="cache.r6g.4xlarge",
        NumNodeGroups=4,
        ReplicasPerNodeGroup=2,
        AutomaticFailoverEnabled=True,
        CacheSubnetGroupName={"Ref": "CacheSubnets"},
        Tags=TAGS,
    ),
    "Global": _resource(
        "AWS::RDS::GlobalCluster",
        GlobalClusterIdentifier="tap-global",
        Engine="aurora-postgresql",
        EngineVersion="17.9",
        StorageEncrypted=True,
        Tags=TAGS,
    ),
    "Cluster": _resource(
        "AWS::RDS::DBCluster",
        DBClusterIdentifier="tap-database",
        Engine="aurora-postgresql",
        EngineVersion="17.9",
        MasterUsername="tap_admin",
        MasterUserPassword="{{resolve:secretsmanager:tap:SecretString:password::}}",
        BackupRetentionPeriod=30,
        StorageEncrypted=True,
        KmsKeyId=_get("Key", "Arn"),
        GlobalClusterIdentifier={"Ref": "Global"},
        Tags=TAGS,
    ),
    "Writer": _resource(
        "AWS::RDS::DBInstance",
        DBInstanceIdentifier="tap-database-1",
        DBClusterIdentifier={"Ref": "Cluster"},
        DBInstanceClass="db.r6g.4xlarge",
        Engine="aurora-postgresql",
        PromotionTier=1,
        Tags=TAGS,
    ),
    "Reader": _resource(
        "AWS::RDS::DBInstance",
        DBInstanceIdentifier="tap-database-2",
        DBClusterIdentifier={"Ref": "Cluster"},
        DBInstanceClass="db.r6g.4xlarge",
        Engine="aurora-postgresql",
        Tags=TAGS,
    ),
}


@pytest.fixture(scope="session")
def stack() -> Stack:
    template = {"Metadata": {"tap:sizing-revision": 0}, "Resources": RESOURCES}
    return Stack("tap-primary", "222222222222", "us-east-1", "Production", template, tags={})


@pytest.fixture(scope="module")
def account() -> Iterator[EmulatedAccount]:
    start = datetime(2027, 1, 1, tzinfo=UTC)
    with EmulatedAccount(start=start, tooling="111111111111", production="222222222222") as emulated:
        yield emulated


@pytest.fixture(scope="module")
def deployed(account: EmulatedAccount, stack: Stack) -> Aws:
    """The production account with the stack deployed in it."""
    deploy(account, stack)
    return Aws(account.session("222222222222", "us-east-1"), "222222222222", "us-east-1", account.clock)
