"""DynamoDB tables as the actions on them see them: description, state, consumption."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from domain.indexes import MERGED
from domain.sizing import Sizing
from optimizer.model.resource import Governed, Kind
from optimizer.observe.metrics import Query
from optimizer.ports.aws import Aws

if TYPE_CHECKING:
    from types_boto3_dynamodb.type_defs import KeySchemaElementTypeDef, TableDescriptionTypeDef

NAMESPACE = "AWS/DynamoDB"
ACTIVE = "ACTIVE"
ALL = ("arn:{partition}:dynamodb:{region}:{account}:table/*",)
DESIGNED = tuple(ALL[0].replace("*", name) for name in (*Sizing.AS_DESIGNED.tables, MERGED))
"""The tables that may be changed, for permissions: by name, those of the design and what they are merged into."""


def read_table(aws: Aws, name: str) -> TableDescriptionTypeDef:
    """The table as DescribeTable shows it; raises ResourceNotFoundException."""
    return aws.dynamodb.describe_table(TableName=name)["Table"]


def tables_there(aws: Aws, names: Iterable[str]) -> dict[str, TableDescriptionTypeDef]:
    """Those of the tables that are there, by name."""
    described = {}
    for name in names:
        try:
            described[name] = read_table(aws, name)
        except aws.dynamodb.exceptions.ResourceNotFoundException:
            continue
    return described


def sibling(table: Governed, name: str) -> Governed:
    """Another table of the same account and Region."""
    return Governed(Kind.TABLE, name, f"{table.arn.rsplit('/', 1)[0]}/{name}", table.region, {})


def design(aws: Aws, table: TableDescriptionTypeDef) -> Mapping[str, Any]:
    """The table's design apart from its items: keys, protection, recovery and what follows its changes."""
    name = table["TableName"]
    backups = aws.dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    recovery = backups.get("PointInTimeRecoveryDescription", {})
    lifetime = aws.dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    return {
        "keys": typed(table, table.get("KeySchema", [])),  # none while the table is deleted
        "indexes": sorted(each["IndexName"] for each in table.get("GlobalSecondaryIndexes", [])),
        "encryption": table.get("SSEDescription", {}).get("KMSMasterKeyArn"),
        "recovery": recovery.get("PointInTimeRecoveryStatus"),
        "recovery_days": recovery.get("RecoveryPeriodInDays"),
        "class": table.get("TableClassSummary", {}).get("TableClass", "STANDARD"),
        "protected": table.get("DeletionProtectionEnabled", False),
        "replicas": replica_regions(table, aws.region),
        "expiry": lifetime.get("AttributeName"),
        "stream": stream_view(table),
    }


def is_recoverable(aws: Aws, table: str) -> bool:
    """Whether point-in-time recovery is enabled, and so billed."""
    backups = aws.dynamodb.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
    return backups.get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus") == "ENABLED"


def typed(table: TableDescriptionTypeDef, keys: Iterable[KeySchemaElementTypeDef]) -> list[dict[str, Any]]:
    """The keys of the table or of one of its indexes, each with the type of its attribute."""
    types = {each["AttributeName"]: each["AttributeType"] for each in table.get("AttributeDefinitions", [])}
    return [{**key, "AttributeType": types.get(key["AttributeName"])} for key in keys]


def contributor_insights(aws: Aws, table: str) -> dict[str, str]:
    """The indexes with Contributor Insights, and their status. A page may be empty and not the last."""
    request: dict[str, Any] = {"TableName": table}
    statuses: dict[str, str] = {}
    while True:
        page = aws.dynamodb.list_contributor_insights(**request)
        for each in page.get("ContributorInsightsSummaries", []):
            if "IndexName" in each:
                statuses[each["IndexName"]] = each.get("ContributorInsightsStatus", "DISABLED")
        if not page.get("NextToken"):
            return statuses
        request["NextToken"] = page["NextToken"]


def is_settled(table: TableDescriptionTypeDef) -> bool:
    """Whether the table and all its indexes are ACTIVE: only then does UpdateTable take another change."""
    indexes = table.get("GlobalSecondaryIndexes", [])
    return table["TableStatus"] == ACTIVE and all(each["IndexStatus"] == ACTIVE for each in indexes)


def stream_view(table: TableDescriptionTypeDef) -> str | None:
    """The view type of the table's stream; None when the stream is off."""
    stream = table.get("StreamSpecification", {})
    return stream.get("StreamViewType") if stream.get("StreamEnabled") else None


def replica_regions(table: TableDescriptionTypeDef, home: str) -> list[str]:
    """The Regions of the table's other replicas."""
    regions = {each["RegionName"] for each in table.get("Replicas", [])}
    return sorted(regions - {home})


def in_region(arn: str, region: str) -> str:
    """The ARN of the same table's replica in another Region."""
    parts = arn.split(":")
    return ":".join([*parts[:3], region, *parts[4:]])


def consumed(table: str, region: str, units: str, index: str | None = None, period: int = 300) -> Query:
    """Consumed capacity, `units` being Read or Write, of a table or of one of its indexes."""
    dimensions = (("TableName", table), *((("GlobalSecondaryIndexName", index),) if index else ()))
    return Query(NAMESPACE, f"Consumed{units}CapacityUnits", dimensions, ("Sum",), period, region)
