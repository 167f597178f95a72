"""Streams that record a table's changes with both images, switched on and off again."""

from __future__ import annotations

from collections.abc import Iterable

from botocore.exceptions import ClientError

from optimizer.ports.aws import Aws
from optimizer.resources.tables.table import is_settled, read_table, stream_view

VIEW = "NEW_AND_OLD_IMAGES"


def set_streams(aws: Aws, tables: Iterable[str], *, on: bool) -> None:
    """Ask for it, table by table; returns before it is so."""
    for table in tables:
        if (stream_view(read_table(aws, table)) is not None) is on:
            continue
        try:
            if on:
                wanted = {"StreamEnabled": True, "StreamViewType": VIEW}
                aws.dynamodb.update_table(TableName=table, StreamSpecification=wanted)  # type: ignore[arg-type]
            else:
                aws.dynamodb.update_table(TableName=table, StreamSpecification={"StreamEnabled": False})
        except ClientError:
            # botocore repeats a call whose answer was lost: then it is refused because it is under way.
            if (stream_view(read_table(aws, table)) is not None) is not on:
                raise


def is_streaming(aws: Aws, table: str, *, on: bool) -> bool:
    """Whether the table's stream shows both images, or is off, and the table takes another change."""
    shown = read_table(aws, table)
    return stream_view(shown) == (VIEW if on else None) and is_settled(shown)
