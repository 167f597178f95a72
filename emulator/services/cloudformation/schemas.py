"""CloudFormation's resource schemas of the governed types: properties that it cannot read, or that replace a resource.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/resource-type-schemas.html, for the
properties that the foundation declares.
"""

from __future__ import annotations

from collections.abc import Mapping

TABLE, GROUP, TEMPLATE = "AWS::DynamoDB::GlobalTable", "AWS::AutoScaling::AutoScalingGroup", "AWS::EC2::LaunchTemplate"
CACHE = "AWS::ElastiCache::ReplicationGroup"
# writeOnlyProperties.
UNREAD: Mapping[str, frozenset[str]] = {
    TEMPLATE: frozenset({"LaunchTemplateData", "VersionDescription", "TagSpecifications"}),
    CACHE: frozenset(
        {"AuthToken", "CacheParameterGroupName", "CacheSubnetGroupName", "EngineVersion", "KmsKeyId", "NumNodeGroups"}
    )
    | {"PreferredMaintenanceWindow", "SecurityGroupIds"},
    "AWS::RDS::DBCluster": frozenset({"MasterUserPassword"}),
}
# createOnlyProperties.
REPLACING: Mapping[str, frozenset[str]] = {
    TABLE: frozenset({"TableName"}),
    GROUP: frozenset({"AutoScalingGroupName"}),
    TEMPLATE: frozenset({"LaunchTemplateName"}),
    CACHE: frozenset({"AtRestEncryptionEnabled", "CacheSubnetGroupName", "KmsKeyId", "Port", "ReplicationGroupId"}),
    "AWS::RDS::DBCluster": frozenset({"DBClusterIdentifier", "DBSubnetGroupName", "KmsKeyId", "StorageEncrypted"}),
    "AWS::RDS::DBInstance": frozenset({"DBClusterIdentifier", "DBInstanceIdentifier"}),
    "AWS::RDS::GlobalCluster": frozenset({"Engine", "GlobalClusterIdentifier", "StorageEncrypted"}),
}
# conditionalCreateOnlyProperties.
PERHAPS_REPLACING: Mapping[str, frozenset[str]] = {
    TABLE: frozenset({"KeySchema", "LocalSecondaryIndexes"}),
    GROUP: frozenset({"LaunchTemplate", "VPCZoneIdentifier"}),
    "AWS::RDS::DBCluster": frozenset({"Engine", "GlobalClusterIdentifier", "MasterUsername"}),
    "AWS::RDS::DBInstance": frozenset({"AvailabilityZone", "AutoMinorVersionUpgrade", "Engine"}),
}
# No read handler to compare with (resource-import-supported-resources lists what drift detection supports).
UNSUPPORTED = ("AWS::IAM::Policy", "AWS::SNS::TopicPolicy")
