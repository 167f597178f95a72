"""Features of a table beside its items, keys and indexes: a table made anew would silently lack them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from optimizer.ports.aws import Aws
from optimizer.resources.tables.resource_policy import read_policy
from optimizer.resources.tables.table import read_table

if TYPE_CHECKING:
    from types_boto3_dynamodb.type_defs import TableDescriptionTypeDef

ENDED = ("DISABLED", "DISABLING", "ENABLE_FAILED")
UNLIMITED = -1  # of the on-demand maximum (API Reference, OnDemandThroughput)


def beyond_items(aws: Aws, table: str) -> tuple[str, ...]:
    """Each thing by name: resource policy, Kinesis destination, limits, Contributor Insights, and others."""
    described = read_table(aws, table)
    return tuple(
        f"{table}: {each}"
        for each in (
            *_of_description(described),
            *_policy(aws, described),
            *_destinations(aws, table),
            *_insights(aws, table),
        )
    )


def _of_description(described: TableDescriptionTypeDef) -> Iterator[str]:
    if (mode := described.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED")) != "PAY_PER_REQUEST":
        yield f"billed as {mode}"
    if local := described.get("LocalSecondaryIndexes"):
        yield f"the local index {', '.join(each['IndexName'] for each in local)}"
    parts: list[tuple[str, Any]] = [("", described)]
    parts += [(f" of {each['IndexName']}", each) for each in described.get("GlobalSecondaryIndexes", [])]
    for whose, part in parts:
        limits = part.get("OnDemandThroughput", {})
        for name in ("MaxReadRequestUnits", "MaxWriteRequestUnits"):
            if (limit := limits.get(name, UNLIMITED)) != UNLIMITED:
                yield f"{name} {limit}{whose}"


def _policy(aws: Aws, described: TableDescriptionTypeDef) -> Iterator[str]:
    if read_policy(aws, described["TableArn"]).text is not None:
        yield "a resource policy"


def _destinations(aws: Aws, table: str) -> Iterator[str]:
    answer = aws.dynamodb.describe_kinesis_streaming_destination(TableName=table)
    for each in answer.get("KinesisDataStreamDestinations", []):
        if each.get("DestinationStatus") not in ENDED:
            yield f"its changes go to {each.get('StreamArn', 'a Kinesis data stream')}"


def _insights(aws: Aws, table: str) -> Iterator[str]:
    """A page may be empty and not the last."""
    request: dict[str, Any] = {"TableName": table}
    while True:
        page = aws.dynamodb.list_contributor_insights(**request)
        for each in page.get("ContributorInsightsSummaries", []):
            if each.get("ContributorInsightsStatus", "DISABLED") not in ("DISABLED", "DISABLING"):
                yield f"Contributor Insights{' of ' + each['IndexName'] if 'IndexName' in each else ''}"
        if not page.get("NextToken"):
            return
        request["NextToken"] = page["NextToken"]
