"""Actual state of governed resources, in the shape of their templates, as CloudFormation's handlers read it.

Each type has one reader. It calls the emulated services themselves, independently of the optimizer's own
readers: a rehearsal compares the two results.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from cloudformation.template import Place

if TYPE_CHECKING:
    from emulator.core.port import Account

State = Mapping[str, Any]


@dataclass(frozen=True)
class RegionState:
    """One Region of one account. Each list is read once."""

    account: Account
    place: Place

    def client(self, service: str) -> Any:
        return self.account.client(service, self.place.account, self.place.region)

    def listed(self, service: str, operation: str, key: str, name: str) -> Mapping[str, Any]:
        """All items of a list, by their name."""
        pages = self.client(service).get_paginator(operation).paginate()
        return {each[name]: each for page in pages for each in page[key]}

    @cached_property
    def groups(self) -> Mapping[str, Any]:
        return self.listed("autoscaling", "describe_auto_scaling_groups", "AutoScalingGroups", "AutoScalingGroupName")

    @cached_property
    def policies(self) -> Mapping[str, Any]:
        return self.listed("autoscaling", "describe_policies", "ScalingPolicies", "PolicyARN")

    @cached_property
    def clusters(self) -> Mapping[str, Any]:
        return self.listed("rds", "describe_db_clusters", "DBClusters", "DBClusterIdentifier")

    @cached_property
    def instances(self) -> Mapping[str, Any]:
        return self.listed("rds", "describe_db_instances", "DBInstances", "DBInstanceIdentifier")

    @cached_property
    def global_clusters(self) -> Mapping[str, Any]:
        return self.listed("rds", "describe_global_clusters", "GlobalClusters", "GlobalClusterIdentifier")

    @cached_property
    def caches(self) -> Mapping[str, Any]:
        return self.listed("elasticache", "describe_replication_groups", "ReplicationGroups", "ReplicationGroupId")

    @cached_property
    def balancers(self) -> Mapping[str, Any]:
        return self.listed("elbv2", "describe_load_balancers", "LoadBalancers", "LoadBalancerName")

    @cached_property
    def tables(self) -> Sequence[str]:
        pages = self.client("dynamodb").get_paginator("list_tables").paginate()
        return [name for page in pages for name in page["TableNames"]]


def _copied(shown: State, names: str, **elsewhere: str) -> dict[str, Any]:
    """The properties `names`, and those with another name in the API: property="name in the answer"."""
    pairs = {**{name: name for name in names.split()}, **elsewhere}
    return {ours: shown[theirs] for ours, theirs in pairs.items() if theirs in shown}


def _auto_scaling_group(region: RegionState, name: str) -> State | None:
    shown = region.groups.get(name)
    if shown is None:
        return None
    names = (
        "AutoScalingGroupName MinSize MaxSize DesiredCapacity HealthCheckType HealthCheckGracePeriod CapacityRebalance "
        "TerminationPolicies DefaultInstanceWarmup NewInstancesProtectedFromScaleIn TargetGroupARNs "
        "MaxInstanceLifetime Tags"
    )
    template = {key: value for key, value in shown.get("LaunchTemplate", {}).items() if key != "Version"}
    zones = shown.get("VPCZoneIdentifier", "").split(",")
    return {
        **_copied(shown, names, Cooldown="DefaultCooldown"),
        "VPCZoneIdentifier": zones,
        "LaunchTemplate": template,
    }


def _scaling_policy(region: RegionState, arn: str) -> State | None:
    shown = region.policies.get(arn)
    if shown is None:
        return None
    tracking = {"DisableScaleIn": False, **shown.get("TargetTrackingConfiguration", {})}
    named = _copied(shown, "AutoScalingGroupName PolicyType EstimatedInstanceWarmup")
    return {**named, "TargetTrackingConfiguration": tracking}


def _launch_template(region: RegionState, name: str) -> State | None:
    """The version that the group in this Region launches from, else the default one."""
    using = (each.get("LaunchTemplate", {}) for each in region.groups.values())
    version = next((each.get("Version") for each in using if each.get("LaunchTemplateName") == name), None)
    try:
        (shown,) = region.client("ec2").describe_launch_template_versions(
            LaunchTemplateName=name, Versions=[version or "$Default"]
        )["LaunchTemplateVersions"]
    except ClientError as error:
        _only_if(error, "InvalidLaunchTemplateName.NotFoundException")
        return None
    return {"LaunchTemplateName": name, "LaunchTemplateData": shown["LaunchTemplateData"]}


def _table(region: RegionState, name: str) -> State | None:
    dynamodb = region.client("dynamodb")
    try:
        shown = dynamodb.describe_table(TableName=name)["Table"]
    except ClientError as error:
        _only_if(error, "ResourceNotFoundException")
        return None
    recovery = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    recovery = recovery.get("PointInTimeRecoveryDescription", {})
    lifetime = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    indexes: Sequence[Any] = shown.get("GlobalSecondaryIndexes", [])
    key, stream = shown.get("SSEDescription", {}), shown.get("StreamSpecification", {})
    here = {
        "Region": region.place.region,
        "DeletionProtectionEnabled": shown.get("DeletionProtectionEnabled", False),
        "TableClass": shown.get("TableClassSummary", {}).get("TableClass", "STANDARD"),
        "PointInTimeRecoverySpecification": {
            "PointInTimeRecoveryEnabled": recovery.get("PointInTimeRecoveryStatus") == "ENABLED",
            **_copied(recovery, "RecoveryPeriodInDays"),
        },
        "SSESpecification": {"KMSMasterKeyId": key.get("KMSMasterKeyArn")},
        "GlobalSecondaryIndexes": [{"IndexName": each["IndexName"]} for each in indexes],
        "Tags": dynamodb.list_tags_of_resource(ResourceArn=shown["TableArn"])["Tags"],
    }
    replicas = [{"Region": each["RegionName"]} for each in shown.get("Replicas", [])]
    on = key.get("Status") in {"ENABLED", "ENABLING", "UPDATING"}
    return {
        **_copied(shown, "TableName AttributeDefinitions KeySchema"),
        "BillingMode": shown.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED"),
        "GlobalSecondaryIndexes": [_copied(each, "IndexName KeySchema Projection") for each in indexes],
        "StreamSpecification": _copied(stream, "StreamViewType") if stream.get("StreamEnabled") else None,
        "SSESpecification": {"SSEEnabled": on, "SSEType": key.get("SSEType")},
        "TimeToLiveSpecification": {
            "Enabled": lifetime.get("TimeToLiveStatus") in {"ENABLED", "ENABLING"},
            **_copied(lifetime, "AttributeName"),
        },
        "Replicas": [here, *(each for each in replicas if each["Region"] != region.place.region)],
    }


def _replication_group(region: RegionState, name: str) -> State | None:
    shown = region.caches.get(name)
    if shown is None:
        return None
    names = (
        "ReplicationGroupId AtRestEncryptionEnabled AutoMinorVersionUpgrade Engine KmsKeyId SnapshotWindow "
        "CacheNodeType SnapshotRetentionLimit TransitEncryptionEnabled TransitEncryptionMode UserGroupIds"
    )
    shards: Sequence[Any] = shown.get("NodeGroups", [])
    replicas = sorted({len(each.get("NodeGroupMembers", ())) - 1 for each in shards})
    tagged = {}
    if shown["Status"] == "available":  # AWS shows the tags of groups in this status alone
        tagged["Tags"] = region.client("elasticache").list_tags_for_resource(ResourceName=shown["ARN"])["TagList"]
    return {
        **_copied(shown, names, ReplicationGroupDescription="Description"),
        "NumNodeGroups": len(shards),
        "ReplicasPerNodeGroup": replicas[0] if len(replicas) == 1 else replicas,  # unequal shards have no one number
        "AutomaticFailoverEnabled": shown.get("AutomaticFailover") in {"enabled", "enabling"},
        "MultiAZEnabled": shown.get("MultiAZ") == "enabled",
        **tagged,
    }


def _cluster(region: RegionState, name: str) -> State | None:
    shown = region.clusters.get(name)
    if shown is None:
        return None
    names = (
        "BackupRetentionPeriod CopyTagsToSnapshot DBClusterIdentifier DatabaseName DeletionProtection Engine "
        "EngineVersion KmsKeyId MasterUsername Port PreferredBackupWindow PreferredMaintenanceWindow StorageEncrypted "
        "StorageType GlobalClusterIdentifier"
    )
    renamed = {
        "DBClusterParameterGroupName": "DBClusterParameterGroup",
        "DBSubnetGroupName": "DBSubnetGroup",
        "EnableCloudwatchLogsExports": "EnabledCloudwatchLogsExports",
        "EnableIAMDatabaseAuthentication": "IAMDatabaseAuthenticationEnabled",
        "Tags": "TagList",
    }
    groups = [each["VpcSecurityGroupId"] for each in shown.get("VpcSecurityGroups", [])]
    return {**_copied(shown, names, **renamed), "VpcSecurityGroupIds": groups}


def _instance(region: RegionState, name: str) -> State | None:
    shown = region.instances.get(name)
    if shown is None:
        return None
    names = (
        "AutoMinorVersionUpgrade AvailabilityZone DBClusterIdentifier DBInstanceIdentifier DBInstanceClass Engine "
        "EngineVersion MonitoringInterval MonitoringRoleArn PubliclyAccessible PerformanceInsightsRetentionPeriod "
        "PerformanceInsightsKMSKeyId CACertificateIdentifier"
    )
    renamed = {"EnablePerformanceInsights": "PerformanceInsightsEnabled", "Tags": "TagList"}
    return {**_copied(shown, names, **renamed), "PromotionTier": shown.get("PromotionTier")}


def _global_cluster(region: RegionState, name: str) -> State | None:
    shown = region.global_clusters.get(name)
    names = "DeletionProtection Engine EngineVersion GlobalClusterIdentifier StorageEncrypted"
    return None if shown is None else _copied(shown, names, Tags="TagList")


def _load_balancer(region: RegionState, name: str) -> State | None:
    shown = region.balancers.get(name)
    if shown is None:
        return None
    elbv2, arn = region.client("elbv2"), shown["LoadBalancerArn"]
    return {
        **_copied(shown, "Scheme SecurityGroups Type IpAddressType", Name="LoadBalancerName"),
        "Subnets": [each["SubnetId"] for each in shown["AvailabilityZones"]],
        "LoadBalancerAttributes": elbv2.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"],
        "Tags": elbv2.describe_tags(ResourceArns=[arn])["TagDescriptions"][0]["Tags"],
    }


def _parameter(region: RegionState, name: str) -> State | None:
    try:
        return _copied(region.client("ssm").get_parameter(Name=name)["Parameter"], "Name Type Value")
    except ClientError as error:
        _only_if(error, "ParameterNotFound")
        return None


def _only_if(error: ClientError, code: str) -> None:
    """Raise the error again unless its code says that the resource does not exist."""
    if error.response["Error"]["Code"] != code:
        raise error


@dataclass(frozen=True)
class Readable:
    """One governed type. `name` is the property that sets the physical name, if there is one.

    `absent` holds the meaning of properties that a template leaves out. Under the properties in `whole`,
    a value absent from the state is not set; elsewhere it cannot be read.
    """

    name: str | None
    read: Callable[[RegionState, str], State | None]
    absent: State = field(default_factory=dict)
    whole: tuple[str, ...] = ()


READABLE: Mapping[str, Readable] = {
    "AWS::AutoScaling::AutoScalingGroup": Readable("AutoScalingGroupName", _auto_scaling_group),
    "AWS::AutoScaling::ScalingPolicy": Readable(
        None,
        _scaling_policy,
        {"TargetTrackingConfiguration": {"DisableScaleIn": False}},
        whole=("TargetTrackingConfiguration",),
    ),
    "AWS::EC2::LaunchTemplate": Readable("LaunchTemplateName", _launch_template, whole=("LaunchTemplateData",)),
    "AWS::DynamoDB::GlobalTable": Readable(
        "TableName", _table, {"StreamSpecification": None, "GlobalSecondaryIndexes": []}
    ),
    "AWS::ElastiCache::ReplicationGroup": Readable("ReplicationGroupId", _replication_group),
    "AWS::RDS::DBCluster": Readable("DBClusterIdentifier", _cluster),
    "AWS::RDS::DBInstance": Readable("DBInstanceIdentifier", _instance, {"PromotionTier": 1}),
    "AWS::RDS::GlobalCluster": Readable("GlobalClusterIdentifier", _global_cluster),
    "AWS::ElasticLoadBalancingV2::LoadBalancer": Readable("Name", _load_balancer),
    "AWS::SSM::Parameter": Readable("Name", _parameter),
}
