"""The change-set model's lists from CloudFormation's resource schemas equal those of cfn-lint's copies."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

from emulator.services.cloudformation.schemas import PERHAPS_REPLACING, REPLACING, UNREAD

TABLES: Mapping[str, Mapping[str, frozenset[str]]] = {
    "writeOnlyProperties": UNREAD,
    "createOnlyProperties": REPLACING,
    "conditionalCreateOnlyProperties": PERHAPS_REPLACING,
}


@pytest.mark.parametrize(
    ("kind", "type_name"), [(kind, type_name) for kind, table in TABLES.items() for type_name in table]
)
def test_the_schema_says_so(kind: str, type_name: str) -> None:
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", type_name).schema
    said = {path.split("/")[2] for path in schema[kind]}
    assert TABLES[kind][type_name] <= said


def test_the_optimizer_s_own_changes_are_readable_but_for_shards_and_launch_template_data() -> None:
    """No other property that an action changes is write-only: this decides the path of a reconcile."""
    changed = {
        "AWS::AutoScaling::AutoScalingGroup": {"MinSize", "MaxSize", "DesiredCapacity", "LaunchTemplate"},
        "AWS::DynamoDB::GlobalTable": {"GlobalSecondaryIndexes", "StreamSpecification", "AttributeDefinitions"},
        "AWS::ElastiCache::ReplicationGroup": {"CacheNodeType", "NumNodeGroups", "ReplicasPerNodeGroup"},
        "AWS::EC2::LaunchTemplate": {"LaunchTemplateData"},
        "AWS::RDS::DBCluster": {"BackupRetentionPeriod"},
        "AWS::RDS::DBInstance": {"DBInstanceClass", "PromotionTier"},
    }
    unread = {}
    for type_name, properties in changed.items():
        schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", type_name).schema
        write_only = {path.removeprefix("/properties/") for path in schema.get("writeOnlyProperties", [])}
        if found := properties & write_only:
            unread[type_name] = found
    assert unread == {
        "AWS::ElastiCache::ReplicationGroup": {"NumNodeGroups"},
        "AWS::EC2::LaunchTemplate": {"LaunchTemplateData"},
    }
