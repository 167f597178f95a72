"""Reading both sides: a table page by page in segments, or single items by their addresses."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from random import Random
from typing import Any, TypeVar

from domain.errors import MoveFailed
from optimizer.consolidate.item_size import Item
from optimizer.consolidate.mapping import is_watermark
from optimizer.consolidate.merge import Address, Speed
from optimizer.ports.aws import Aws

MOST_KEYS = 100  # of one BatchGetItem
ATTEMPTS = 12  # in a row, of a request of which nothing is processed
LONGEST_WAIT = 20.0  # seconds
MOST_SEGMENTS = 1_000_000  # of one parallel scan
SAMPLE_PAGE = 100

Part = TypeVar("Part")
Result = TypeVar("Result")
Key = Mapping[str, Any]
Between = Callable[[], object]
"""Called between two requests: renews the lease, and raises MoveFailed when a deadline has passed."""


@dataclass(frozen=True)
class Page:
    """The answer to one Scan request: the items of a segment after a key. `last` is None at the segment's end."""

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

    def read(part: tuple[str, int, Key | None]) -> Page:
        table, number, after = part
        return scan_page(aws, table, (number, speed.segments), after, speed.page, consistent=True)

    ahead: list[tuple[str, int, Key | None]] = [(table, n, None) for table in tables for n in range(speed.segments)]
    while ahead:
        round_ = side_by_side(read, ahead, speed.workers)
        yield from round_
        ahead = [(page.table, page.segment, page.last) for page in round_ if page.last]
        between()


def sample_items(aws: Aws, table: str, items: int, most: int, chance: Random) -> list[Item]:
    """About `most` items, from anywhere in a table that holds about so many; all of them where it holds fewer."""
    parts = min(max(1, items // SAMPLE_PAGE), MOST_SEGMENTS)
    chosen = chance.sample(range(parts), min(parts, most // SAMPLE_PAGE))
    read = (scan_page(aws, table, (part, parts), None, SAMPLE_PAGE, consistent=False) for part in chosen)
    return [item for page in read for item in page.items]


def side_by_side(work: Callable[[Part], Result], parts: Sequence[Part], workers: int) -> list[Result]:
    """The results in the order of the parts, of so many threads; of this one for one worker."""
    if workers == 1:
        return [work(part) for part in parts]
    with ThreadPoolExecutor(workers) as threads:
        return list(threads.map(work, parts))


def count_items(aws: Aws, tables: Iterable[str], between: Between) -> int:
    """The number of items in these tables now."""
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


def read_items(aws: Aws, addresses: Iterable[Address], between: Between = lambda: None) -> dict[Address, Item]:
    """The items at these addresses, read consistently; what AWS leaves unprocessed is asked for again.

    `between` is called after each answer. Raises MoveFailed when a dozen in a row held nothing.
    """
    found: dict[Address, Item] = {}
    wanted = list(dict.fromkeys(addresses))
    for start in range(0, len(wanted), MOST_KEYS):
        asked: Any = {}
        for address in wanted[start : start + MOST_KEYS]:
            asked.setdefault(address.table, {"Keys": [], "ConsistentRead": True})["Keys"].append(address.key)
        left, idle = _keys(asked), 0
        while asked:
            answer = aws.dynamodb.batch_get_item(RequestItems=asked)
            for table, items in answer["Responses"].items():
                found |= {Address.of(table, item): item for item in items}
            between()
            asked = answer.get("UnprocessedKeys")
            idle = idle + 1 if _keys(asked) == left else 0
            left = _keys(asked)
            if idle == ATTEMPTS:
                raise MoveFailed(
                    f"Reads, the first of {wanted[start]}, were throttled {ATTEMPTS} times in a row. "
                    "Run the same command again when the tables are read less."
                )
            if asked:
                aws.clock.sleep(min(0.1 * 2**idle, LONGEST_WAIT))
    return found


def _keys(asked: Mapping[str, Any] | None) -> int:
    return sum(len(each["Keys"]) for each in (asked or {}).values())
