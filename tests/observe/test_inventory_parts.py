"""Parts that belong to a tenant exclude the whole resource: cache nodes, and the clusters of a global database."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from domain.names import GOVERNED_TAG, GOVERNED_VALUE
from emulator.account import EmulatedAccount
from optimizer.model.resource import Governed, Kind
from optimizer.observe.inventory import owner_of, take_inventory
from optimizer.ports.aws import Aws

PRODUCTION, REGIONS = "222222222222", ("us-east-1", "us-west-2")
TAGS = [{"Key": GOVERNED_TAG, "Value": GOVERNED_VALUE}]
TENANT = [{"Key": "TenantId", "Value": "acme"}]


@pytest.fixture
def aws() -> Iterator[Aws]:
    start = datetime(2027, 3, 1, tzinfo=UTC)
    with EmulatedAccount(start=start, tooling="111111111111", production=PRODUCTION) as account:
        yield Aws(account.session(PRODUCTION, REGIONS[0]), PRODUCTION, REGIONS[0], account.clock)


def excluded(aws: Aws, kind: Kind) -> dict[str, str]:
    return {each.name: each.reason for each in take_inventory(aws, REGIONS, kinds=(kind,)).excluded}


def test_a_cache_node_of_a_tenant_excludes_the_group(aws: Aws) -> None:
    aws.elasticache.create_replication_group(
        ReplicationGroupId="tap-cache",
        ReplicationGroupDescription="Sessions",
        Engine="redis",
        CacheNodeType="cache.r6g.large",
        NumNodeGroups=2,
        ReplicasPerNodeGroup=1,
        Tags=TAGS,
    )
    (group,) = take_inventory(aws, REGIONS, kinds=(Kind.CACHE,)).governed
    assert group.attributes["nodes"]["tap-cache-0002-001"] == "0002"
    (node,) = aws.elasticache.describe_cache_clusters(CacheClusterId="tap-cache-0002-001")["CacheClusters"]
    aws.elasticache.add_tags_to_resource(ResourceName=node["ARN"], Tags=TENANT)
    assert "tap-cache-0002-001 is owned by a tenant" in excluded(aws, Kind.CACHE)["tap-cache"]


@pytest.mark.parametrize("part", ["cluster:there", "db:there-1"])
def test_a_secondary_of_a_tenant_excludes_the_global_database(aws: Aws, part: str) -> None:
    aws.rds.create_global_cluster(GlobalClusterIdentifier="tap-global", Engine="aurora-postgresql", Tags=TAGS)
    for region, name in zip(REGIONS, ("here", "there"), strict=True):
        aws.at(region).rds.create_db_cluster(
            DBClusterIdentifier=name,
            Engine="aurora-postgresql",
            MasterUsername="tap",
            MasterUserPassword="rehearsal-password",
            GlobalClusterIdentifier="tap-global",
        )
    there = aws.at(REGIONS[1])
    there.rds.create_db_instance(
        DBInstanceIdentifier="there-1",
        DBClusterIdentifier="there",
        DBInstanceClass="db.r6g.large",
        Engine="aurora-postgresql",
    )
    (database,) = take_inventory(aws, REGIONS, kinds=(Kind.GLOBAL_DATABASE,)).governed
    arn = f"arn:aws:rds:{REGIONS[1]}:{PRODUCTION}:{part}"
    assert database.attributes["secondaries"] == [f"arn:aws:rds:{REGIONS[1]}:{PRODUCTION}:cluster:there"]
    there.rds.add_tags_to_resource(ResourceName=arn, Tags=TENANT)
    assert "is owned by a tenant" in excluded(aws, Kind.GLOBAL_DATABASE)["tap-global"]


def fleet(aws: Aws, **template: object) -> str:
    """A governed group of three instances; returns the id of one of them."""
    aws.ec2.create_launch_template(
        LaunchTemplateName="tap-fleet",
        LaunchTemplateData={"InstanceType": "m5.large", "ImageId": "ami-12345678", **template},  # type: ignore[typeddict-item]
    )
    aws.autoscaling.create_auto_scaling_group(
        AutoScalingGroupName="tap-fleet",
        LaunchTemplate={"LaunchTemplateName": "tap-fleet", "Version": "1"},
        MinSize=1,
        DesiredCapacity=3,
        MaxSize=5,
        AvailabilityZones=["us-east-1a"],
        Tags=[{**TAGS[0], "PropagateAtLaunch": True}],
    )
    aws.clock.sleep(3600)
    (group,) = aws.autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"]
    return group["Instances"][1]["InstanceId"]


@pytest.mark.parametrize("part", ["instance", "volume", "network interface", "launch template"])
def test_a_part_of_one_instance_that_a_tenant_owns_excludes_the_fleet(aws: Aws, part: str) -> None:
    instance = fleet(aws)
    assert [each.name for each in take_inventory(aws, REGIONS, kinds=(Kind.FLEET,)).governed] == ["tap-fleet"]
    (shown,) = aws.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"]
    owned = {
        "instance": instance,
        "volume": shown["BlockDeviceMappings"][0]["Ebs"]["VolumeId"],
        "network interface": shown["NetworkInterfaces"][0]["NetworkInterfaceId"],
        "launch template": aws.ec2.describe_launch_templates()["LaunchTemplates"][0]["LaunchTemplateId"],
    }[part]
    aws.ec2.create_tags(Resources=[owned], Tags=TENANT)
    assert f"its part {owned} is owned by a tenant" in excluded(aws, Kind.FLEET)["tap-fleet"]


@pytest.mark.parametrize("kind", ["instance", "volume"])
def test_a_template_that_gives_a_tenants_tag_excludes_the_fleet(aws: Aws, kind: str) -> None:
    fleet(aws, TagSpecifications=[{"ResourceType": kind, "Tags": TENANT}])
    assert f"tags of each {kind}) is owned by a tenant" in excluded(aws, Kind.FLEET)["tap-fleet"]


def test_a_target_group_of_a_tenant_excludes_the_fleet_that_is_registered_in_it(aws: Aws) -> None:
    fleet(aws)
    vpc = aws.ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    (theirs,) = aws.elbv2.create_target_group(Name="northwind", Protocol="HTTP", Port=80, VpcId=vpc)["TargetGroups"]
    arn = theirs["TargetGroupArn"]
    aws.autoscaling.attach_load_balancer_target_groups(AutoScalingGroupName="tap-fleet", TargetGroupARNs=[arn])
    assert excluded(aws, Kind.FLEET) == {}
    aws.elbv2.add_tags(ResourceArns=[arn], Tags=TENANT)
    assert "its part targetgroup/northwind/" in excluded(aws, Kind.FLEET)["tap-fleet"]


def test_a_part_that_is_gone_says_nothing_of_those_behind_it(aws: Aws) -> None:
    """The version that a group launches from can be deleted: whose its instances are is not known by that."""
    instance = fleet(aws)
    aws.ec2.create_launch_template_version(
        LaunchTemplateName="tap-fleet", SourceVersion="1", LaunchTemplateData={"InstanceType": "m5.xlarge"}
    )
    second: Any = {"LaunchTemplateName": "tap-fleet", "Version": "2"}
    aws.autoscaling.update_auto_scaling_group(AutoScalingGroupName="tap-fleet", LaunchTemplate=second)
    aws.ec2.delete_launch_template_versions(LaunchTemplateName="tap-fleet", Versions=["2"])
    aws.ec2.create_tags(Resources=[instance], Tags=TENANT)
    assert "not all of its parts can be read now" in excluded(aws, Kind.FLEET)["tap-fleet"]


def test_a_security_group_of_a_tenant_excludes_the_global_database(aws: Aws) -> None:
    there = aws.at(REGIONS[1])
    door = there.ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"]
    aws.rds.create_global_cluster(GlobalClusterIdentifier="tap-global", Engine="aurora-postgresql", Tags=TAGS)
    for region, name in zip(REGIONS, ("here", "there"), strict=True):
        aws.at(region).rds.create_db_cluster(
            DBClusterIdentifier=name,
            Engine="aurora-postgresql",
            MasterUsername="tap",
            MasterUserPassword="rehearsal-password",
            GlobalClusterIdentifier="tap-global",
            **({} if region == REGIONS[0] else {"VpcSecurityGroupIds": [door]}),  # type: ignore[arg-type]
        )
    assert excluded(aws, Kind.GLOBAL_DATABASE) == {}
    there.ec2.create_tags(Resources=[door], Tags=TENANT)
    assert f"its part {door} is owned by a tenant" in excluded(aws, Kind.GLOBAL_DATABASE)["tap-global"]


def test_a_cache_is_known_by_its_tags_while_it_is_being_changed(aws: Aws) -> None:
    aws.elasticache.create_replication_group(
        ReplicationGroupId="tap-cache",
        ReplicationGroupDescription="Sessions",
        Engine="redis",
        CacheNodeType="cache.r6g.large",
        NumNodeGroups=2,
        ReplicasPerNodeGroup=1,
        Tags=TAGS,
    )
    aws.elasticache.create_snapshot(ReplicationGroupId="tap-cache", SnapshotName="automatic-0300")
    (group,) = take_inventory(aws, REGIONS, kinds=(Kind.CACHE,)).governed
    with pytest.raises(aws.elasticache.exceptions.ClientError, match="InvalidReplicationGroupState"):
        aws.elasticache.list_tags_for_resource(ResourceName=group.arn)
    assert excluded(aws, Kind.CACHE) == {}


@pytest.mark.parametrize(("region", "partition"), [("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")])
def test_a_replica_of_a_tenant_is_found_in_every_partition(region: str, partition: str) -> None:
    """Its tags are read by its ARN, which begins with the partition of its Region."""
    arn = f"arn:{partition}:dynamodb:{region}:{PRODUCTION}:table/users"
    replica = f"arn:{partition}:dynamodb:{region}-2:{PRODUCTION}:table/users"
    tags = {arn: TAGS, replica: TENANT}
    dynamodb = SimpleNamespace(
        get_paginator=lambda _: SimpleNamespace(paginate=lambda **asked: [{"Tags": tags[asked["ResourceArn"]]}]),
        describe_table=lambda **_: {"Table": {"Replicas": [{"RegionName": f"{region}-2"}]}},
    )
    aws: Any = SimpleNamespace(dynamodb=dynamodb, region=region, account=PRODUCTION, partition=partition)
    aws.at = lambda _: aws
    reason = owner_of(aws, Governed(Kind.TABLE, "users", arn, region, {}))
    assert reason is not None
    assert f"{replica} is owned by a tenant" in reason
