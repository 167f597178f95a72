"""A production account with one fleet and one database cluster, and the way moves are carried out there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from optimizer.action import Move
from optimizer.aws import Aws
from optimizer.errors import MoveFailed
from optimizer.observe.inventory import GOVERNED_TAG, GOVERNED_VALUE, Governed, Kind
from optimizer.rehearsal.account import EmulatedAccount

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
    image = aws.ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    aws.ec2.create_launch_template(
        LaunchTemplateName="tap-fleet",
        LaunchTemplateData={
            "InstanceType": "m5.4xlarge",
            "ImageId": image,
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


def wait(move: Move, aws: Aws, reached: Callable[[Aws], bool]) -> None:
    """Poll as the engine does."""
    deadline = aws.clock.now() + move.deadline
    while not reached(aws):
        if aws.clock.now() >= deadline:
            raise MoveFailed(f"{move.name} did not end within {move.deadline}")
        aws.clock.sleep(move.poll.total_seconds())


def carry_out(moves: Sequence[Move], aws: Aws) -> None:
    for move in moves:
        if not move.is_done(aws):
            move.do(aws)
            wait(move, aws, move.is_done)


def take_back(moves: Sequence[Move], aws: Aws) -> None:
    for move in reversed(moves):
        assert move.undo is not None
        assert move.is_undone is not None
        if not move.is_undone(aws):
            move.undo(aws)
            wait(move, aws, move.is_undone)


def group_of(aws: Aws) -> dict[str, Any]:
    """The fleet in short: capacity, and how many instances of each type are in service."""
    (group,) = aws.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=["tap-fleet"])["AutoScalingGroups"]
    serving = [each["InstanceType"] for each in group["Instances"] if each["LifecycleState"] == "InService"]
    return {
        "capacity": (group["MinSize"], group["DesiredCapacity"], group["MaxSize"]),
        "serving": {kind: serving.count(kind) for kind in sorted(set(serving))},
    }
