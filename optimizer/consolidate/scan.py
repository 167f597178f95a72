"""One page of one segment of a table, without the beacons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optimizer.consolidate.item_size import Item
from optimizer.consolidate.merge import is_beacon
from optimizer.ports.aws import Aws

Key = Mapping[str, Any]


def scan_page(
    aws: Aws, table: str, segment: tuple[int, int], after: Key | None, limit: int, *, consistent: bool
) -> tuple[list[Item], Key | None]:
    """Up to `limit` items of a segment, given as its number and of how many, and after which key it goes on; None at
    its end. What is not `consistent` may miss the last second, and takes half the units."""
    start = {"ExclusiveStartKey": dict(after)} if after else {}
    number, of = segment
    answer = aws.dynamodb.scan(
        TableName=table,
        TotalSegments=of,
        Segment=number,
        Limit=limit,
        ConsistentRead=consistent,
        **start,  # type: ignore[arg-type]  # a key as an earlier page gave it
    )
    items: list[Item] = [item for item in answer["Items"] if not is_beacon(item)]
    return items, answer.get("LastEvaluatedKey")
