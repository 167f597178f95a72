"""Aurora as it really is, in the shape of its templates: clusters, instances, global databases."""

from __future__ import annotations

from optimizer.resources.actual_state import Actual, Comparable, Observed, same


def _cluster(observed: Observed, name: str) -> Actual | None:
    if (cluster := observed.by("DBClusterIdentifier", "rds", "describe_db_clusters", "DBClusters").get(name)) is None:
        return None
    groups = [each["VpcSecurityGroupId"] for each in cluster.get("VpcSecurityGroups", [])]
    return {
        **same(cluster, "CopyTagsToSnapshot", "DBClusterIdentifier", "DatabaseName", "DeletionProtection", "Engine"),
        **same(cluster, "EngineVersion", "KmsKeyId", "MasterUsername", "Port", "PreferredBackupWindow"),
        **same(cluster, "PreferredMaintenanceWindow", "StorageEncrypted", "StorageType", "GlobalClusterIdentifier"),
        **same(cluster, DBClusterParameterGroupName="DBClusterParameterGroup", DBSubnetGroupName="DBSubnetGroup"),
        **same(cluster, EnableCloudwatchLogsExports="EnabledCloudwatchLogsExports", Tags="TagList"),
        **same(cluster, EnableIAMDatabaseAuthentication="IAMDatabaseAuthenticationEnabled"),
        "BackupRetentionPeriod": cluster["BackupRetentionPeriod"],
        "VpcSecurityGroupIds": groups,
    }


def _instance(observed: Observed, name: str) -> Actual | None:
    if (
        instance := observed.by("DBInstanceIdentifier", "rds", "describe_db_instances", "DBInstances").get(name)
    ) is None:
        return None
    return {
        **same(instance, "AutoMinorVersionUpgrade", "AvailabilityZone", "DBClusterIdentifier", "DBInstanceIdentifier"),
        **same(instance, "Engine", "EngineVersion", "MonitoringInterval", "MonitoringRoleArn", "PubliclyAccessible"),
        **same(instance, "PerformanceInsightsRetentionPeriod", "CACertificateIdentifier", Tags="TagList"),
        **same(instance, EnablePerformanceInsights="PerformanceInsightsEnabled"),
        **same(instance, PerformanceInsightsKMSKeyId="PerformanceInsightsKMSKeyId"),
        "DBInstanceClass": instance["DBInstanceClass"],
        "PromotionTier": instance.get("PromotionTier"),
    }


def _global_cluster(observed: Observed, name: str) -> Actual | None:
    if (
        cluster := observed.by("GlobalClusterIdentifier", "rds", "describe_global_clusters", "GlobalClusters").get(name)
    ) is None:
        return None
    return {
        **same(cluster, "DeletionProtection", "Engine", "EngineVersion", "GlobalClusterIdentifier"),
        **same(cluster, "StorageEncrypted", Tags="TagList"),
    }


CLUSTER = Comparable(
    "DBClusterIdentifier",
    _cluster,
    not_compared={
        "MasterUserPassword": "a secret",
        "ManageMasterUserPassword": "only said at creation, no describe call shows it",
    },
)
INSTANCE = Comparable("DBInstanceIdentifier", _instance, unless_declared={"PromotionTier": 1})
GLOBAL_DATABASE = Comparable("GlobalClusterIdentifier", _global_cluster)
