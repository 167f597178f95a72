"""How governed resources really are, read by describe calls and put into the shape of their templates.

One entry a type in `TYPES`: how the resource is read, which declared properties are compared, and
which are not, with the reason. A property whose place in the answer AWS left empty is None here; one
that the answer does not hold at all is left out, and reported as not compared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from botocore.exceptions import ClientError

from optimizer.ports.aws import Aws

Actual = Mapping[str, Any]

_AT_CREATION = "only said at creation, no describe call shows it"


@dataclass(frozen=True)
class Observed:
    """One Region, described: each list is read once, when first asked for."""

    aws: Aws

    @cached_property
    def groups(self) -> Mapping[str, Any]:
        pages = self.aws.autoscaling.get_paginator("describe_auto_scaling_groups").paginate()
        return {each["AutoScalingGroupName"]: each for page in pages for each in page["AutoScalingGroups"]}

    @cached_property
    def policies(self) -> Mapping[str, Any]:
        pages = self.aws.autoscaling.get_paginator("describe_policies").paginate()
        return {each["PolicyARN"]: each for page in pages for each in page["ScalingPolicies"]}

    @cached_property
    def clusters(self) -> Mapping[str, Any]:
        pages = self.aws.rds.get_paginator("describe_db_clusters").paginate()
        return {each["DBClusterIdentifier"]: each for page in pages for each in page["DBClusters"]}

    @cached_property
    def instances(self) -> Mapping[str, Any]:
        pages = self.aws.rds.get_paginator("describe_db_instances").paginate()
        return {each["DBInstanceIdentifier"]: each for page in pages for each in page["DBInstances"]}

    @cached_property
    def global_clusters(self) -> Mapping[str, Any]:
        pages = self.aws.rds.get_paginator("describe_global_clusters").paginate()
        return {each["GlobalClusterIdentifier"]: each for page in pages for each in page["GlobalClusters"]}

    @cached_property
    def replication_groups(self) -> Mapping[str, Any]:
        pages = self.aws.elasticache.get_paginator("describe_replication_groups").paginate()
        return {each["ReplicationGroupId"]: each for page in pages for each in page["ReplicationGroups"]}

    @cached_property
    def balancers(self) -> Mapping[str, Any]:
        pages = self.aws.elbv2.get_paginator("describe_load_balancers").paginate()
        return {each["LoadBalancerName"]: each for page in pages for each in page["LoadBalancers"]}


Read = Callable[[Observed, str], "Actual | None"]


@dataclass(frozen=True)
class Comparable:
    """One CloudFormation type. `name` is the property that fixes the physical name, if one does.

    `read(observed, name)` gives the resource in its template's shape, None when it does not exist.
    `unless_declared` holds what an absent property means, where that absence says something. Under
    the properties in `complete`, what the answer does not hold is not set; elsewhere it is not known.
    """

    name: str | None
    read: Read
    not_compared: Mapping[str, str]
    unless_declared: Mapping[str, Any] = field(default_factory=dict)
    complete: tuple[str, ...] = ()


def _same(answer: Mapping[str, Any], *names: str, **renamed: str) -> dict[str, Any]:
    """Properties that are called alike in the answer, and those that are not: property=name there."""
    pairs = {**{name: name for name in names}, **renamed}
    return {name: answer[there] for name, there in pairs.items() if there in answer}


def _group(observed: Observed, name: str) -> Actual | None:
    if (group := observed.groups.get(name)) is None:
        return None
    return {
        **_same(group, "AutoScalingGroupName", "HealthCheckType", "HealthCheckGracePeriod", "TerminationPolicies"),
        **_same(group, "DefaultInstanceWarmup", "NewInstancesProtectedFromScaleIn", "TargetGroupARNs", "Tags"),
        **_same(group, "CapacityRebalance", "MaxInstanceLifetime", Cooldown="DefaultCooldown"),
        "MinSize": group["MinSize"],
        "MaxSize": group["MaxSize"],
        "DesiredCapacity": group["DesiredCapacity"],
        "VPCZoneIdentifier": group.get("VPCZoneIdentifier", "").split(","),
        "LaunchTemplate": _same(group.get("LaunchTemplate", {}), "LaunchTemplateId", "LaunchTemplateName"),
    }


def _policy(observed: Observed, arn: str) -> Actual | None:
    if (policy := observed.policies.get(arn)) is None:
        return None
    tracking = policy.get("TargetTrackingConfiguration", {})
    return {
        **_same(policy, "AutoScalingGroupName", "PolicyType", "EstimatedInstanceWarmup"),
        # The API leaves the flag out when it is off.
        "TargetTrackingConfiguration": {"DisableScaleIn": False, **tracking},
    }


def _launch_template(observed: Observed, name: str) -> Actual | None:
    """The version that an Auto Scaling group uses, which is the one that matters; else the default one."""
    used = [
        group["LaunchTemplate"].get("Version", "$Default")
        for group in observed.groups.values()
        if group.get("LaunchTemplate", {}).get("LaunchTemplateName") == name
    ]
    try:
        shown = observed.aws.ec2.describe_launch_template_versions(
            LaunchTemplateName=name, Versions=[used[0] if used else "$Default"]
        )["LaunchTemplateVersions"]
    except ClientError as error:
        if "NotFound" in error.response["Error"]["Code"]:
            return None
        raise
    return {"LaunchTemplateName": name, "LaunchTemplateData": shown[0]["LaunchTemplateData"]}


def _table(observed: Observed, name: str) -> Actual | None:
    dynamodb, region = observed.aws.dynamodb, observed.aws.region
    try:
        table = dynamodb.describe_table(TableName=name)["Table"]
    except dynamodb.exceptions.ResourceNotFoundException:
        return None
    backups = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    lifetime = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    tags = dynamodb.list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"]
    recovery = backups.get("PointInTimeRecoveryDescription", {})
    encryption = table.get("SSEDescription", {})
    stream = table.get("StreamSpecification", {})
    indexes = table.get("GlobalSecondaryIndexes", [])
    here = {
        "Region": region,
        "DeletionProtectionEnabled": table.get("DeletionProtectionEnabled", False),
        "TableClass": table.get("TableClassSummary", {}).get("TableClass", "STANDARD"),
        "PointInTimeRecoverySpecification": {
            "PointInTimeRecoveryEnabled": recovery.get("PointInTimeRecoveryStatus") == "ENABLED",
            **_same(recovery, "RecoveryPeriodInDays"),
        },
        "SSESpecification": {"KMSMasterKeyId": encryption.get("KMSMasterKeyArn")},
        "GlobalSecondaryIndexes": [{"IndexName": each["IndexName"]} for each in indexes],
        "Tags": tags,
    }
    elsewhere = [{"Region": replica["RegionName"]} for replica in table.get("Replicas", [])]
    return {
        **_same(table, "TableName", "AttributeDefinitions", "KeySchema"),
        "BillingMode": table.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED"),
        "GlobalSecondaryIndexes": [_same(each, "IndexName", "KeySchema", "Projection") for each in indexes],
        "StreamSpecification": _same(stream, "StreamViewType") if stream.get("StreamEnabled") else None,
        "SSESpecification": {
            "SSEEnabled": encryption.get("Status") in ("ENABLED", "ENABLING", "UPDATING"),
            "SSEType": encryption.get("SSEType"),
        },
        "TimeToLiveSpecification": {
            "Enabled": lifetime.get("TimeToLiveStatus") in ("ENABLED", "ENABLING"),
            **_same(lifetime, "AttributeName"),
        },
        "Replicas": [here, *(each for each in elsewhere if each["Region"] != region)],
    }


def _replication_group(observed: Observed, name: str) -> Actual | None:
    if (group := observed.replication_groups.get(name)) is None:
        return None
    nodes = group.get("NodeGroups", [])
    replicas = {len(each.get("NodeGroupMembers", [])) - 1 for each in nodes}
    tags = observed.aws.elasticache.list_tags_for_resource(ResourceName=group["ARN"])["TagList"]
    return {
        **_same(group, "AtRestEncryptionEnabled", "AutoMinorVersionUpgrade", "Engine", "KmsKeyId", "SnapshotWindow"),
        **_same(group, "SnapshotRetentionLimit", "TransitEncryptionEnabled", "TransitEncryptionMode", "UserGroupIds"),
        **_same(group, "ReplicationGroupId", ReplicationGroupDescription="Description"),
        "CacheNodeType": group["CacheNodeType"],
        "NumNodeGroups": len(nodes),
        # Shards that differ among each other are shown as they are: no declared number equals a list.
        "ReplicasPerNodeGroup": replicas.pop() if len(replicas) == 1 else sorted(replicas),
        "AutomaticFailoverEnabled": group.get("AutomaticFailover") in ("enabled", "enabling"),
        "MultiAZEnabled": group.get("MultiAZ") == "enabled",
        "Tags": tags,
    }


def _cluster(observed: Observed, name: str) -> Actual | None:
    if (cluster := observed.clusters.get(name)) is None:
        return None
    groups = [each["VpcSecurityGroupId"] for each in cluster.get("VpcSecurityGroups", [])]
    return {
        **_same(cluster, "CopyTagsToSnapshot", "DBClusterIdentifier", "DatabaseName", "DeletionProtection", "Engine"),
        **_same(cluster, "EngineVersion", "KmsKeyId", "MasterUsername", "Port", "PreferredBackupWindow"),
        **_same(cluster, "PreferredMaintenanceWindow", "StorageEncrypted", "StorageType", "GlobalClusterIdentifier"),
        **_same(cluster, DBClusterParameterGroupName="DBClusterParameterGroup", DBSubnetGroupName="DBSubnetGroup"),
        **_same(cluster, EnableCloudwatchLogsExports="EnabledCloudwatchLogsExports", Tags="TagList"),
        **_same(cluster, EnableIAMDatabaseAuthentication="IAMDatabaseAuthenticationEnabled"),
        "BackupRetentionPeriod": cluster["BackupRetentionPeriod"],
        "VpcSecurityGroupIds": groups,
    }


def _instance(observed: Observed, name: str) -> Actual | None:
    if (instance := observed.instances.get(name)) is None:
        return None
    return {
        **_same(instance, "AutoMinorVersionUpgrade", "AvailabilityZone", "DBClusterIdentifier", "DBInstanceIdentifier"),
        **_same(instance, "Engine", "EngineVersion", "MonitoringInterval", "MonitoringRoleArn", "PubliclyAccessible"),
        **_same(instance, "PerformanceInsightsRetentionPeriod", "CACertificateIdentifier", Tags="TagList"),
        **_same(instance, EnablePerformanceInsights="PerformanceInsightsEnabled"),
        **_same(instance, PerformanceInsightsKMSKeyId="PerformanceInsightsKMSKeyId"),
        "DBInstanceClass": instance["DBInstanceClass"],
        "PromotionTier": instance.get("PromotionTier"),
    }


def _global_cluster(observed: Observed, name: str) -> Actual | None:
    if (cluster := observed.global_clusters.get(name)) is None:
        return None
    same = _same(cluster, "DeletionProtection", "Engine", "EngineVersion", "GlobalClusterIdentifier")
    return {**same, **_same(cluster, "StorageEncrypted", Tags="TagList")}


def _balancer(observed: Observed, name: str) -> Actual | None:
    if (balancer := observed.balancers.get(name)) is None:
        return None
    elbv2, arn = observed.aws.elbv2, balancer["LoadBalancerArn"]
    return {
        **_same(balancer, "Scheme", "SecurityGroups", "Type", "IpAddressType", Name="LoadBalancerName"),
        "Subnets": [each["SubnetId"] for each in balancer["AvailabilityZones"]],
        "LoadBalancerAttributes": elbv2.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"],
        "Tags": elbv2.describe_tags(ResourceArns=[arn])["TagDescriptions"][0]["Tags"],
    }


def _pointer(observed: Observed, name: str) -> Actual | None:
    """A parameter that the application follows; the optimizer turns those of tables that it merged."""
    ssm = observed.aws.ssm
    try:
        return _same(ssm.get_parameter(Name=name)["Parameter"], "Name", "Type", "Value")
    except ssm.exceptions.ParameterNotFound:
        return None


TYPES: Mapping[str, Comparable] = {
    "AWS::AutoScaling::AutoScalingGroup": Comparable(
        "AutoScalingGroupName",
        _group,
        not_compared={
            "LaunchTemplate.Version": "versions are numbered by AWS; the content of the version in use is compared",
            "MetricsCollection": "the answer lists metrics, the template a granularity",
        },
    ),
    "AWS::AutoScaling::ScalingPolicy": Comparable(
        None,
        _policy,
        not_compared={},
        unless_declared={"TargetTrackingConfiguration": {"DisableScaleIn": False}},
        complete=("TargetTrackingConfiguration.",),
    ),
    "AWS::EC2::LaunchTemplate": Comparable(
        "LaunchTemplateName",
        _launch_template,
        not_compared={"TagSpecifications": "said when the template was created, not a state"},
        complete=("LaunchTemplateData.",),
    ),
    "AWS::DynamoDB::GlobalTable": Comparable(
        "TableName", _table, {}, {"StreamSpecification": None, "GlobalSecondaryIndexes": []}
    ),
    "AWS::ElastiCache::ReplicationGroup": Comparable(
        "ReplicationGroupId",
        _replication_group,
        not_compared={
            "AuthToken": "a secret",
            "CacheParameterGroupName": "shown on the member nodes only",
            "CacheSubnetGroupName": "shown on the member nodes only",
            "EngineVersion": "shown on the member nodes only",
            "LogDeliveryConfigurations": "carries states of its own, and no action changes it",
            "Port": "shown on endpoints only",
            "PreferredMaintenanceWindow": "shown on the member nodes only",
            "SecurityGroupIds": "shown on the member nodes only",
        },
    ),
    "AWS::RDS::DBCluster": Comparable(
        "DBClusterIdentifier", _cluster, {"MasterUserPassword": "a secret", "ManageMasterUserPassword": _AT_CREATION}
    ),
    "AWS::RDS::DBInstance": Comparable("DBInstanceIdentifier", _instance, {}, {"PromotionTier": 1}),
    "AWS::RDS::GlobalCluster": Comparable("GlobalClusterIdentifier", _global_cluster, {}),
    "AWS::ElasticLoadBalancingV2::LoadBalancer": Comparable("Name", _balancer, {}),
    "AWS::SSM::Parameter": Comparable("Name", _pointer, {}),
}
