"""DynamoDB tables as the actions on them see them: description, state, consumption."""

from __future__ import annotations

from typing import TYPE_CHECKING

from optimizer.aws import Aws
from optimizer.observe.metrics import Query

if TYPE_CHECKING:
    from types_boto3_dynamodb.type_defs import TableDescriptionTypeDef

NAMESPACE = "AWS/DynamoDB"
ACTIVE = "ACTIVE"


def read_table(aws: Aws, name: str) -> TableDescriptionTypeDef:
    """The table as DescribeTable shows it; raises ResourceNotFoundException."""
    return aws.dynamodb.describe_table(TableName=name)["Table"]


def is_settled(table: TableDescriptionTypeDef) -> bool:
    """Whether the table and all its indexes are ACTIVE: only then does UpdateTable take another change."""
    indexes = table.get("GlobalSecondaryIndexes", [])
    return table["TableStatus"] == ACTIVE and all(each["IndexStatus"] == ACTIVE for each in indexes)


def stream_view(table: TableDescriptionTypeDef) -> str | None:
    """What the table's stream shows of a changed item; None when the stream is off."""
    stream = table.get("StreamSpecification", {})
    return stream.get("StreamViewType") if stream.get("StreamEnabled") else None


def replica_regions(table: TableDescriptionTypeDef, home: str) -> list[str]:
    """The Regions of the table's other replicas."""
    found = {each["RegionName"] for each in table.get("Replicas", [])}
    return sorted(found - {home})


def in_region(arn: str, region: str) -> str:
    """The ARN of the same table's replica in another Region."""
    parts = arn.split(":")
    return ":".join([*parts[:3], region, *parts[4:]])


def consumed(table: str, region: str, units: str, index: str | None = None, period: int = 300) -> Query:
    """Consumed capacity, `units` being Read or Write, of a table or of one of its indexes."""
    dimensions = (("TableName", table), *((("GlobalSecondaryIndexName", index),) if index else ()))
    return Query(NAMESPACE, f"Consumed{units}CapacityUnits", dimensions, ("Sum",), period, region)
