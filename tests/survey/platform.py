"""A platform that is not made by this project's templates: other names, one Region, by plain AWS calls."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from emulator.account import EmulatedAccount
from emulator.core.call_record import Call
from emulator.workload.spec import WorkloadSpec
from emulator.workload.workload import Workload
from optimizer.cli.verbs import main
from optimizer.dashboard.export import read_evidence
from optimizer.model.plan import Plan
from optimizer.ports.sessions import World
from rehearsal.job_world import job_world

START = datetime(2027, 3, 1, 8, tzinfo=UTC)
TOOLING, OWNER, REGION = "111111111111", "222222222222", "us-east-1"
DAYS = timedelta(days=61)


@contextmanager
def empty_account() -> Iterator[EmulatedAccount]:
    """An account with nothing in it, whose users are quiet."""
    with EmulatedAccount(start=START, tooling=TOOLING, production=OWNER) as account:
        Workload(WorkloadSpec(tenants=2500, requests_per_day=2_000_000), account, 0, events=())
        yield account


@contextmanager
def shop() -> Iterator[EmulatedAccount]:
    """Two groups, a Valkey, an Aurora MySQL, provisioned and on-demand tables, no other Region; 61 days old."""
    with empty_account() as account:
        build(account)
        account.clock.sleep(DAYS.total_seconds())
        yield account


def world_of(account: EmulatedAccount, key: dict[str, str] | None = None) -> World:
    """The view of the owner's own shell."""
    user = account.credentials.of_user(OWNER)
    return job_world(account, {**(key or user.variables), "AWS_REGION": REGION})


def run(
    account: EmulatedAccount, arguments: Sequence[str], key: dict[str, str] | None = None
) -> tuple[int, list[Call]]:
    """The exit code and the calls of one survey."""
    before = len(account.calls)
    with account.acting("survey"):
        code = main(["survey", *arguments], world=world_of(account, key))
    return code, list(account.calls)[before:]


def role(account: EmulatedAccount, name: str, document: str) -> dict[str, str]:
    """The variables of a session of a new role with this policy and no other."""
    iam = account.client("iam", OWNER, "us-east-1")
    trust = {"Version": "2012-10-17", "Statement": []}
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
    iam.put_role_policy(RoleName=name, PolicyName="survey", PolicyDocument=document)
    until = account.clock.now() + timedelta(hours=1)
    return account.credentials.assume(f"arn:aws:iam::{OWNER}:role/{name}", "person", until).variables


def plan_in(out: Path) -> Plan:
    record = read_evidence(out / "evidence.json").record
    assert record is not None
    return record.plan


def build(account: EmulatedAccount) -> None:
    """Everything of the shop."""
    subnets, group = _network(account)
    _fleets(account, subnets, group)
    _cache(account)
    _database(account)
    _tables(account)


def _client(account: EmulatedAccount, service: str) -> Any:
    return account.client(service, OWNER, REGION)


def _network(account: EmulatedAccount) -> tuple[list[str], str]:
    ec2 = _client(account, "ec2")
    vpc = ec2.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.8.{n}.0/24", AvailabilityZone=f"{REGION}{zone}")["Subnet"][
            "SubnetId"
        ]
        for n, zone in enumerate("abc")
    ]
    elb = _client(account, "elbv2")
    balancer = elb.create_load_balancer(Name="shop-web", Subnets=subnets)["LoadBalancers"][0]["LoadBalancerArn"]
    target = elb.create_target_group(Name="shop-web", Protocol="HTTP", Port=80, VpcId=vpc)["TargetGroups"][0]
    elb.create_listener(
        LoadBalancerArn=balancer,
        Protocol="HTTP",
        Port=80,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": target["TargetGroupArn"]}],
    )
    return subnets, target["TargetGroupArn"]


def _fleets(account: EmulatedAccount, subnets: list[str], target: str) -> None:
    """The web servers behind the load balancer, and workers without clients."""
    ec2, scaling = _client(account, "ec2"), _client(account, "autoscaling")
    for name, kind, count, targets in (("shop-web", "m5.4xlarge", 12, [target]), ("shop-worker", "m5.4xlarge", 2, [])):
        template = ec2.create_launch_template(
            LaunchTemplateName=name, LaunchTemplateData={"InstanceType": kind, "ImageId": "ami-0abcdef0123456789"}
        )["LaunchTemplate"]["LaunchTemplateId"]
        scaling.create_auto_scaling_group(
            AutoScalingGroupName=name,
            MinSize=0,
            DesiredCapacity=count,
            MaxSize=2 * count,
            LaunchTemplate={"LaunchTemplateId": template, "Version": "1"},
            VPCZoneIdentifier=",".join(subnets),
            TargetGroupARNs=targets,
            Tags=[{"Key": "team", "Value": name.partition("-")[2], "PropagateAtLaunch": True}],
        )


def _cache(account: EmulatedAccount) -> None:
    _client(account, "elasticache").create_replication_group(
        ReplicationGroupId="sessions",
        ReplicationGroupDescription="sessions of the shop",
        Engine="valkey",
        EngineVersion="8.0",
        CacheNodeType="cache.r6g.2xlarge",
        NumNodeGroups=2,
        ReplicasPerNodeGroup=1,
        AutomaticFailoverEnabled=True,
        Tags=[{"Key": "team", "Value": "web"}],
    )


def _database(account: EmulatedAccount) -> None:
    rds = _client(account, "rds")
    rds.create_db_cluster(
        DBClusterIdentifier="orders",
        Engine="aurora-mysql",
        EngineVersion="8.0.mysql_aurora.3.08.0",
        MasterUsername="shop",
        MasterUserPassword="not-a-secret-1",
        BackupRetentionPeriod=21,
    )
    for name, zone in (("orders-a", "a"), ("orders-b", "b"), ("orders-c", "c")):
        rds.create_db_instance(
            DBInstanceIdentifier=name,
            DBClusterIdentifier="orders",
            DBInstanceClass="db.r6g.4xlarge",
            Engine="aurora-mysql",
            AvailabilityZone=f"{REGION}{zone}",
        )


def _tables(account: EmulatedAccount) -> None:
    dynamodb = _client(account, "dynamodb")
    capacity = {"ReadCapacityUnits": 100, "WriteCapacityUnits": 50}
    for name, billing in (("carts", "PROVISIONED"), ("wishes", "PAY_PER_REQUEST"), ("tenant-nine", "PAY_PER_REQUEST")):
        throughput = {"ProvisionedThroughput": capacity} if billing == "PROVISIONED" else {}
        dynamodb.create_table(
            TableName=name,
            BillingMode=billing,
            AttributeDefinitions=[{"AttributeName": each, "AttributeType": "S"} for each in ("id", "owner")],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "by-owner",
                    "KeySchema": [{"AttributeName": "owner", "KeyType": "HASH"}],
                    "Projection": {"ProjectionType": "ALL"},
                    **throughput,
                }
            ],
            Tags=[{"Key": "TenantId", "Value": "nine"}] if name == "tenant-nine" else [{"Key": "team", "Value": "web"}],
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
            **throughput,
        )
