"""Later deployments of the types the optimizer touches, as CloudFormation would carry them out."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from emulator.services.cloudformation import LoadRefused, deploy

IGNORES_SIZES = {"AutoScalingScheduledAction": {"IgnoreUnmodifiedGroupSizeProperties": True}}


def fleet(name: str, *, update_policy: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}},
        "A": {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.0.0.0/24"}},
        "Template": {
            "Type": "AWS::EC2::LaunchTemplate",
            "Properties": {
                "LaunchTemplateName": name,
                "LaunchTemplateData": {"InstanceType": "m5.4xlarge", "ImageId": "ami-0123456789abcdef0"},
            },
        },
        "Group": {
            "Type": "AWS::AutoScaling::AutoScalingGroup",
            "Properties": {
                "AutoScalingGroupName": name,
                "MinSize": "2",
                "MaxSize": "5",
                "DesiredCapacity": "3",
                "VPCZoneIdentifier": [{"Ref": "A"}],
                "LaunchTemplate": {
                    "LaunchTemplateId": {"Ref": "Template"},
                    "Version": {"Fn::GetAtt": ["Template", "LatestVersionNumber"]},
                },
            },
            "UpdatePolicy": update_policy or {},
        },
    }


def group(emulated: Any, name: str) -> Any:
    return emulated.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[name])[
        "AutoScalingGroups"
    ][0]


@pytest.mark.parametrize(("policy", "desired"), [(IGNORES_SIZES, 5), (None, 3)])
def test_a_new_type_makes_a_version_and_the_group_follows(emulated: Any, policy: Any, desired: int) -> None:
    """Without the update policy CloudFormation sends the sizes too, and resets the changes of scaling."""
    name = f"fleet-{desired}"
    before = fleet(name, update_policy=policy)
    deploy(emulated.account, emulated.stack(before, name=name))
    emulated.client("autoscaling").set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=5)
    after = copy.deepcopy(before)
    after["Template"]["Properties"]["LaunchTemplateData"]["InstanceType"] = "m5.2xlarge"
    done = deploy(emulated.account, emulated.stack(after, name=name))
    assert done.updated == ("Template", "Group")
    assert group(emulated, name)["LaunchTemplate"]["Version"] == "2"
    assert group(emulated, name)["DesiredCapacity"] == desired


def test_new_limits_leave_the_rest_of_the_group_alone(emulated: Any) -> None:
    before = fleet("limits", update_policy=IGNORES_SIZES)
    deploy(emulated.account, emulated.stack(before, name="limits"))
    after = copy.deepcopy(before)
    after["Group"]["Properties"]["MaxSize"] = "9"
    deploy(emulated.account, emulated.stack(after, name="limits"))
    shown = group(emulated, "limits")
    assert (shown["MinSize"], shown["DesiredCapacity"], shown["MaxSize"]) == (2, 3, 9)


def table(*indexes: str, stream: bool) -> dict[str, Any]:
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
        "Replicas": [{"Region": "us-east-1"}],
    }
    if stream:
        properties["StreamSpecification"] = {"StreamViewType": "NEW_IMAGE"}
    return {"Type": "AWS::DynamoDB::GlobalTable", "Properties": properties}


def test_a_table_loses_one_index_at_a_time_and_its_stream(emulated: Any) -> None:
    def bring(*indexes: str, stream: bool) -> None:
        deploy(emulated.account, emulated.stack({"Orders": table(*indexes, stream=stream)}, name="orders"))
        emulated.account.clock.sleep(3600)

    def shown() -> Any:
        return emulated.client("dynamodb").describe_table(TableName="orders")["Table"]

    bring("one", "two", "six", stream=True)
    with pytest.raises(LoadRefused, match="more than one GSI creation or deletion"):
        bring("one", stream=True)
    bring("one", "two", stream=True)
    assert [each["IndexName"] for each in shown()["GlobalSecondaryIndexes"]] == ["one", "two"]
    bring("one", "two", stream=False)
    assert not shown().get("StreamSpecification", {}).get("StreamEnabled", False)


def database(*, retention: int, size: str) -> dict[str, Any]:
    return {
        "Cluster": {
            "Type": "AWS::RDS::DBCluster",
            "Properties": {
                "DBClusterIdentifier": "tap-database",
                "Engine": "aurora-postgresql",
                "EngineVersion": "17.9",
                "MasterUsername": "tap_admin",
                "MasterUserPassword": "{{resolve:secretsmanager:tap}}",
                "BackupRetentionPeriod": retention,
            },
        },
        "Instance": {
            "Type": "AWS::RDS::DBInstance",
            "Properties": {
                "DBInstanceIdentifier": "tap-database-1",
                "DBClusterIdentifier": {"Ref": "Cluster"},
                "DBInstanceClass": size,
                "Engine": "aurora-postgresql",
            },
        },
    }


def test_a_database_takes_another_retention_and_class(emulated: Any) -> None:
    rds = emulated.client("rds")
    deploy(emulated.account, emulated.stack(database(retention=30, size="db.r6g.4xlarge"), name="database"))
    done = deploy(emulated.account, emulated.stack(database(retention=14, size="db.r6g.xlarge"), name="database"))
    emulated.account.clock.sleep(3600)
    assert done.updated == ("Cluster", "Instance")
    assert rds.describe_db_clusters()["DBClusters"][0]["BackupRetentionPeriod"] == 14
    assert rds.describe_db_instances()["DBInstances"][0]["DBInstanceClass"] == "db.r6g.xlarge"


def cache(**changed: Any) -> dict[str, Any]:
    properties = {
        "ReplicationGroupId": "tap-cache",
        "ReplicationGroupDescription": "cache",
        "Engine": "redis",
        "CacheNodeType": "cache.r6g.4xlarge",
        "NumNodeGroups": 4,
        "ReplicasPerNodeGroup": 2,
        "AutomaticFailoverEnabled": True,
    }
    return {"Cache": {"Type": "AWS::ElastiCache::ReplicationGroup", "Properties": {**properties, **changed}}}


def test_a_cache_takes_another_node_type_and_refuses_to_be_replaced(emulated: Any) -> None:
    deploy(emulated.account, emulated.stack(cache(), name="cache"))
    with pytest.raises(LoadRefused, match="UseOnlineResharding"):
        deploy(emulated.account, emulated.stack(cache(NumNodeGroups=2), name="cache"))
    deploy(emulated.account, emulated.stack(cache(CacheNodeType="cache.r6g.xlarge"), name="cache"))
    (shown,) = emulated.client("elasticache").describe_replication_groups()["ReplicationGroups"]
    assert shown["CacheNodeType"] == "cache.r6g.xlarge"
