"""A table's stream, switched on and off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from optimizer.ports.aws import Aws
from optimizer.resources.tables.table import is_settled, read_table, stream_view

if TYPE_CHECKING:
    from types_boto3_dynamodb.type_defs import StreamSpecificationTypeDef

BOTH_IMAGES = "NEW_AND_OLD_IMAGES"


def set_stream(aws: Aws, table: str, view: str | None) -> None:
    """Ask for a stream that shows `view` of a change, or for none; returns before it is so."""
    if stream_view(read_table(aws, table)) == view:
        return
    wanted: StreamSpecificationTypeDef = {"StreamEnabled": view is not None}
    if view is not None:
        wanted["StreamViewType"] = view  # type: ignore[typeddict-item]  # as DescribeTable shows it
    try:
        aws.dynamodb.update_table(TableName=table, StreamSpecification=wanted)
    except ClientError:
        # botocore repeats a call whose answer was lost: then it is refused because it is under way.
        if stream_view(read_table(aws, table)) != view:
            raise


def has_stream(aws: Aws, table: str, view: str | None) -> bool:
    """Whether the stream shows that, or is off, and the table takes another change."""
    described = read_table(aws, table)
    return stream_view(described) == view and is_settled(described)
