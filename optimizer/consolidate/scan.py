"""Reading both sides: a table page by page in segments, or single items by their addresses."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from optimizer.consolidate.item_size import Item
from optimizer.consolidate.mapping import is_watermark
from optimizer.consolidate.merge import Address, Speed
from optimizer.consolidate.parallel import Spread, side_by_side
from optimizer.ports.aws import Aws

MOST_KEYS = 100  # of one BatchGetItem

Key = Mapping[str, Any]
Between = Callable[[], object]
"""Called between two requests: renews the lease, and raises MoveFailed when a deadline has passed."""


@dataclass(frozen=True)
class Page:
    """What one Scan request shows: the items of a segment after a key. `last` is None at the segment's end."""

    table: str
    segment: int
    items: list[Item]
    last: Key | None


def scan_page(
    aws: Aws, table: str, segment: tuple[int, int], after: Key | None, limit: int, *, consistent: bool
) -> Page:
    """Up to `limit` items of a segment, given as its number and of how many, without watermarks.

    What is not `consistent` may miss the last second, and takes half the units.
    """
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
    items: list[Item] = [item for item in answer["Items"] if not is_watermark(item)]
    return Page(table, number, items, answer.get("LastEvaluatedKey"))


def pages(aws: Aws, tables: Iterable[str], speed: Speed, between: Between) -> Iterator[Page]:
    """Every page of these tables, read consistently, a round of all segments after the other."""
    ahead: list[tuple[str, int, Key | None]] = [(table, n, None) for table in tables for n in range(speed.segments)]

    def read(part: tuple[str, int, Key | None]) -> Page:
        table, number, after = part
        return scan_page(aws, table, (number, speed.segments), after, speed.page, consistent=True)

    with side_by_side(speed.workers) as spread:
        while ahead:
            round_ = list(_in_turn(spread, read, ahead))
            yield from round_
            ahead = [(page.table, page.segment, page.last) for page in round_ if page.last]
            between()


def _in_turn(
    spread: Spread, read: Callable[[tuple[str, int, Key | None]], Page], parts: list[tuple[str, int, Key | None]]
) -> Iterator[Page]:
    return iter(spread(read, parts))


def count_items(aws: Aws, tables: Iterable[str], between: Between) -> int:
    """How many items these tables hold now."""
    count = 0
    for table in tables:
        start: dict[str, Any] = {}
        while True:
            answer = aws.dynamodb.scan(TableName=table, Select="COUNT", ConsistentRead=True, **start)
            count += answer["Count"]
            between()
            if "LastEvaluatedKey" not in answer:
                break
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}
    return count


def read_items(aws: Aws, addresses: Iterable[Address]) -> dict[Address, Item]:
    """The items at these addresses, read consistently; what AWS leaves unprocessed is asked for again."""
    found: dict[Address, Item] = {}
    wanted = list(dict.fromkeys(addresses))
    for start in range(0, len(wanted), MOST_KEYS):
        asked: Any = {}
        for address in wanted[start : start + MOST_KEYS]:
            asked.setdefault(address.table, {"Keys": [], "ConsistentRead": True})["Keys"].append(address.key)
        wait = 0.1
        while asked:
            answer = aws.dynamodb.batch_get_item(RequestItems=asked)
            for table, items in answer["Responses"].items():
                found |= {Address.of(table, item): item for item in items}
            asked = answer.get("UnprocessedKeys")
            if asked:
                aws.clock.sleep(wait)
                wait = min(2 * wait, 20.0)
    return found
