"""DynamoDB tables: found by tag or all, owned with their replicas."""

from __future__ import annotations

from collections.abc import Iterator

from optimizer.model.resource import Kind, Selection, Tags, Touched
from optimizer.ports.aws import Aws
from optimizer.resources.kind import Billed, Found, ResourceKind
from optimizer.resources.tables.actual_state import COMPARED
from optimizer.resources.tables.table import ALL
from optimizer.resources.tags import flat, tagged


def _find_tables(aws: Aws, selection: Selection) -> Iterator[Found]:
    for arn in _all_arns(aws) if selection.tag is None else tagged(aws, "dynamodb:table", selection.tag):
        yield arn.rsplit("/", 1)[1], arn, {}


def _all_arns(aws: Aws) -> Iterator[str]:
    for page in aws.dynamodb.get_paginator("list_tables").paginate():
        for name in page["TableNames"]:
            yield f"arn:{aws.partition}:dynamodb:{aws.region}:{aws.account}:table/{name}"


def _table_tags(aws: Aws, arn: str) -> Tags:
    pages = aws.dynamodb.get_paginator("list_tags_of_resource").paginate(ResourceArn=arn)
    return flat(tag for page in pages for tag in page["Tags"])


def _table_parts(aws: Aws, name: str) -> Iterator[Touched]:
    """The replicas of a global table: a change of one is a change of all."""
    for replica in aws.dynamodb.describe_table(TableName=name)["Table"].get("Replicas", []):
        if (region := replica["RegionName"]) != aws.region:
            yield touched_table(aws, f"arn:{aws.partition}:dynamodb:{region}:{aws.account}:table/{name}")


def touched_table(aws: Aws, arn: str) -> Touched:
    """A table, in the Region of its ARN."""
    there = aws.at(arn.split(":")[3])
    return Touched(arn, lambda: _table_tags(there, arn))


def touched_with_replicas(aws: Aws, arn: str) -> Iterator[Touched]:
    """A table, and its replicas."""
    yield touched_table(aws, arn)
    yield from _table_parts(aws, arn.rsplit("/", 1)[1])


def _billed(aws: Aws, name: str) -> Billed:
    """The customer key that encrypts a table; its requests follow the load."""
    table = aws.dynamodb.describe_table(TableName=name)["Table"]
    key = table.get("SSEDescription", {}).get("KMSMasterKeyArn")
    return Billed(keys=[key] if key else [])


KINDS = (
    ResourceKind(
        Kind.TABLE,
        words="DynamoDB table",
        arn=("dynamodb", "table"),
        part="tables",
        service="Amazon DynamoDB",
        find=_find_tables,
        tags=_table_tags,
        parts=_table_parts,
        sized=lambda sizing: sizing.tables,
        compared=COMPARED,
        billed=_billed,
        reads={"amazondynamodb": ("dynamodb:DescribeTable", "dynamodb:ListTagsOfResource")},
        readable=ALL,
        none="no DynamoDB table: nothing to decide about indexes, streams and merging",
    ),
)
