"""A production account with one fleet and one database cluster."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from domain.names import GOVERNED_TAG, GOVERNED_VALUE
from emulator.account import EmulatedAccount
from optimizer.model.resource import Governed, Kind
from optimizer.ports.aws import Aws

START = datetime(2027, 3, 1, 8, tzinfo=UTC)
PRODUCTION, REGION = "222222222222", "us-east-1"
TAGS = {GOVERNED_TAG: GOVERNED_VALUE}


@pytest.fixture
def account() -> Iterator[EmulatedAccount]:
    with EmulatedAccount(start=START, tooling="111111111111", production=PRODUCTION) as emulated:
        yield emulated


@pytest.fixture
def aws(account: EmulatedAccount) -> Aws:
    return Aws(account.session(PRODUCTION, REGION), PRODUCTION, REGION, account.clock)


@pytest.fixture
def fleet(account: EmulatedAccount, aws: Aws) -> Governed:
    """15 x m5.4xlarge in three zones, target tracking that never scales in."""
    subnets = [
        each["SubnetId"]
        for each in aws.ec2.describe_subnets()["Subnets"]
        if each["AvailabilityZone"] in ("us-east-1a", "us-east-1b", "us-east-1c")
    ]
    aws.ec2.create_launch_template(
        LaunchTemplateName="tap-fleet",
        LaunchTemplateData={
            "InstanceType": "m5.4xlarge",
            "ImageId": "ami-12345678",
            "EbsOptimized": True,
            "Monitoring": {"Enabled": True},
        },
    )
    aws.autoscaling.create_auto_scaling_group(
        AutoScalingGroupName="tap-fleet",
        LaunchTemplate={"LaunchTemplateName": "tap-fleet", "Version": "1"},
        MinSize=12,
        DesiredCapacity=15,
        MaxSize=25,
        VPCZoneIdentifier=",".join(subnets),
        DefaultInstanceWarmup=300,
        Tags=[{"Key": GOVERNED_TAG, "Value": GOVERNED_VALUE, "PropagateAtLaunch": True}],
    )
    aws.autoscaling.put_scaling_policy(
        AutoScalingGroupName="tap-fleet",
        PolicyName="cpu",
        PolicyType="TargetTrackingScaling",
        TargetTrackingConfiguration={
            "PredefinedMetricSpecification": {"PredefinedMetricType": "ASGAverageCPUUtilization"},
            "TargetValue": 50.0,
            "DisableScaleIn": True,
        },
    )
    account.clock.sleep(timedelta(hours=1).total_seconds())
    (group,) = aws.autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"]
    return Governed(Kind.FLEET, "tap-fleet", group["AutoScalingGroupARN"], REGION, TAGS)


@pytest.fixture
def database(account: EmulatedAccount, aws: Aws) -> Governed:
    """An Aurora cluster that keeps its backups for 30 days."""
    cluster = aws.rds.create_db_cluster(
        DBClusterIdentifier="tap-database",
        Engine="aurora-postgresql",
        MasterUsername="tap",
        MasterUserPassword="not-a-secret-here",
        BackupRetentionPeriod=30,
        Tags=[{"Key": GOVERNED_TAG, "Value": GOVERNED_VALUE}],
    )["DBCluster"]
    account.clock.sleep(timedelta(days=1).total_seconds())
    aws.rds.describe_db_clusters()
    return Governed(Kind.DATABASE, "tap-database", cluster["DBClusterArn"], REGION, TAGS)
