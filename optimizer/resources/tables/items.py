"""Items of tables, read and written: pages of a table, single items by address, writes in batches.

What AWS leaves unprocessed is asked for again, with `between` called after each answer: it renews a lease, or
raises when a deadline has passed. A dozen answers in a row without progress raise MoveFailed. One item that
DynamoDB refuses never stops the others. Watermarks are nobody's items, and are left out of every page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from random import Random
from typing import Any, NamedTuple, TypeVar

from botocore.exceptions import ClientError

from domain.errors import MoveFailed
from domain.indexes import is_watermark
from domain.item_size import Item, Value, item_size
from optimizer.ports.aws import Aws

MOST_KEYS = 100  # of one BatchGetItem
MOST_WRITES = 25  # of one BatchWriteItem, and 16 MB (DynamoDB quotas)
MOST_BYTES = 3_500_000
ATTEMPTS = 12  # in a row, of a request of which nothing is processed
LONGEST_WAIT = 20.0  # seconds
MOST_SEGMENTS = 1_000_000  # of one parallel scan
SAMPLE_PAGE = 100
REFUSED = "ValidationException"
# By somebody else's newer item, by a transaction that writes it just now, or because it is not valid.
NOT_WRITTEN = ("ConditionalCheckFailedException", "TransactionConflictException", REFUSED)
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
MOST_EXPRESSION = 4_096  # bytes
MOST_OPERATORS = 300

Part = TypeVar("Part")
Result = TypeVar("Result")
Key = Mapping[str, Any]
Between = Callable[[], object]


class Address(NamedTuple):
    """The place of an item: a table and a key."""

    table: str
    pk: str
    sk: str

    @classmethod
    def of(cls, table: str, item: Item) -> Address:
        """The address of an item, or of its key, in a table."""
        return cls(str(table), item["pk"]["S"], item["sk"]["S"])

    @property
    def key(self) -> dict[str, Value]:
        return {"pk": {"S": self.pk}, "sk": {"S": self.sk}}

    def __str__(self) -> str:
        return f"{self.table} {self.pk}, {self.sk}"


@dataclass(frozen=True)
class Page:
    """The answer to one Scan request: the items of a segment after a key. `last` is None at the segment's end."""

    table: str
    segment: int
    items: list[Item]
    last: Key | None


@dataclass(frozen=True)
class Scans:
    """The way to scan a table: in so many segments, by so many threads, so many items in one request."""

    segments: int = 8
    workers: int = 8
    page: int = 400


@dataclass(frozen=True)
class Write:
    """Put an item at its address, or delete what is there when there is none; whatever was there before."""

    address: Address
    item: Item | None

    @property
    def size(self) -> int:
        return item_size(self.item) if self.item else 1_024

    @property
    def request(self) -> dict[str, Any]:
        if self.item is None:
            return {"DeleteRequest": {"Key": self.address.key}}
        return {"PutRequest": {"Item": dict(self.item)}}


def scan_page(
    aws: Aws, table: str, segment: tuple[int, int], after: Key | None, limit: int, *, consistent: bool
) -> Page:
    """Up to `limit` items of a segment, given as its number and of how many.

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


def pages(aws: Aws, tables: Iterable[str], scans: Scans, between: Between) -> Iterator[Page]:
    """Every page of these tables, read consistently: a small table at once, else all segments, round after round."""

    def read(part: tuple[str, int, Key | None]) -> Page:
        table, number, after = part
        return scan_page(aws, table, (number, scans.segments), after, scans.page, consistent=True)

    ahead: list[tuple[str, int, Key | None]] = []
    for table in tables:
        whole = scan_page(aws, table, (0, 1), None, scans.page * scans.segments, consistent=True)
        if whole.last is None:
            yield whole
            between()
        else:
            ahead += [(table, number, None) for number in range(scans.segments)]
    while ahead:
        round_ = side_by_side(read, ahead, scans.workers)
        yield from round_
        ahead = [(page.table, page.segment, page.last) for page in round_ if page.last]
        between()


def sample_items(aws: Aws, table: str, items: int, most: int, chance: Random) -> list[Item]:
    """About `most` items, from anywhere in a table that holds about so many; all of them where it holds fewer.

    The first items of the table where the chosen segments are empty: a partition lies in one of them as a whole, so
    that few partitions leave most segments empty.
    """
    parts = min(max(1, items // SAMPLE_PAGE), MOST_SEGMENTS)
    chosen = chance.sample(range(parts), min(parts, most // SAMPLE_PAGE))
    read = (scan_page(aws, table, (part, parts), None, SAMPLE_PAGE, consistent=False) for part in chosen)
    found = [item for page in read for item in page.items]
    return found or scan_page(aws, table, (0, 1), None, most, consistent=False).items


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
    """The items at these addresses, read consistently. Raises MoveFailed when throttled a dozen times in a row."""
    by_address: dict[Address, Item] = {}
    wanted = list(dict.fromkeys(addresses))
    for start in range(0, len(wanted), MOST_KEYS):
        batch: Any = {}
        for address in wanted[start : start + MOST_KEYS]:
            batch.setdefault(address.table, {"Keys": [], "ConsistentRead": True})["Keys"].append(address.key)
        left, idle = _keys(batch), 0
        while batch:
            answer = aws.dynamodb.batch_get_item(RequestItems=batch)
            for table, items in answer["Responses"].items():
                by_address |= {Address.of(table, item): item for item in items}
            between()
            batch = answer.get("UnprocessedKeys")
            idle = idle + 1 if _keys(batch) == left else 0
            left = _keys(batch)
            if idle == ATTEMPTS:
                raise MoveFailed(
                    f"Reads, the first of {wanted[start]}, were throttled {ATTEMPTS} times in a row. "
                    "Run the same command again when the tables are read less."
                )
            if batch:
                aws.clock.sleep(min(0.1 * 2**idle, LONGEST_WAIT))
    return by_address


def write_all(aws: Aws, writes: Iterable[Write], between: Between = lambda: None) -> dict[Address, str]:
    """Send all, each address once at most; what DynamoDB refused, with its reason. Raises MoveFailed when throttled."""
    refused: dict[Address, str] = {}
    for batch in _batches(writes):
        try:
            _send(aws, batch, between)
        except ClientError as error:
            if error.response["Error"]["Code"] != REFUSED:
                raise
            refused |= _one_by_one(aws, batch)  # BatchWriteItem refuses all of them for one that is not valid
    return refused


def write_unless_changed(aws: Aws, write: Write, seen: Item | None) -> bool:
    """Write where the item there is still the one that was `seen`; whether it was, and is written now."""
    condition, more = _unchanged(seen)
    if len(condition) > MOST_EXPRESSION or len(more["ExpressionAttributeNames"]) > MOST_OPERATORS:
        return False
    try:
        _write(aws, write, ConditionExpression=condition, **more)
    except ClientError as error:
        if error.response["Error"]["Code"] not in NOT_WRITTEN:
            raise
        return False
    return True


def _keys(batch: Mapping[str, Any] | None) -> int:
    return sum(len(each["Keys"]) for each in (batch or {}).values())


def _unchanged(seen: Item | None) -> tuple[str, dict[str, Any]]:
    """The condition that an item has every attribute as it was seen. One that came to it since escapes it."""
    if seen is None:
        return "attribute_not_exists(#a0)", {"ExpressionAttributeNames": {"#a0": "pk"}}
    names = {f"#a{n}": name for n, name in enumerate(seen)}
    values = {f":a{n}": value for n, value in enumerate(seen.values())}
    terms = " AND ".join(f"{name} = :a{n}" for n, name in enumerate(names))
    return terms, {"ExpressionAttributeNames": names, "ExpressionAttributeValues": values}


def _batches(writes: Iterable[Write]) -> Iterator[list[Write]]:
    """In the order they come, as many together as one request takes."""
    batch: list[Write] = []
    held = 0
    for write in writes:
        weight = write.size
        if batch and (len(batch) == MOST_WRITES or held + weight > MOST_BYTES):
            yield batch
            batch, held = [], 0
        batch.append(write)
        held += weight
    if batch:
        yield batch


def _send(aws: Aws, batch: Sequence[Write], between: Between) -> None:
    left: Any = {}
    for write in batch:
        left.setdefault(write.address.table, []).append(write.request)
    for attempt in range(ATTEMPTS):
        left = aws.dynamodb.batch_write_item(RequestItems=left).get("UnprocessedItems")
        between()
        if not left:
            return
        aws.clock.sleep(min(0.1 * 2**attempt, LONGEST_WAIT))
    raise MoveFailed(
        f"Writes, the first to {batch[0].address}, were throttled {ATTEMPTS} times in a row. "
        "Lower the copying's share of the capacity, then run the same command again."
    )


def _one_by_one(aws: Aws, batch: Sequence[Write]) -> dict[Address, str]:
    refused: dict[Address, str] = {}
    for write in batch:
        try:
            _write(aws, write)
        except ClientError as error:
            if error.response["Error"]["Code"] != REFUSED:
                raise
            refused[write.address] = error.response["Error"].get("Message", REFUSED)
    return refused


def _write(aws: Aws, write: Write, **condition: Any) -> None:
    if write.item is None:
        aws.dynamodb.delete_item(TableName=write.address.table, Key=write.address.key, **condition)
    else:
        aws.dynamodb.put_item(TableName=write.address.table, Item=dict(write.item), **condition)
