"""Writing the side that follows: in batches, and one item that DynamoDB refuses never stops the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from domain.errors import MoveFailed
from optimizer.consolidate.item_size import Item, item_size
from optimizer.consolidate.merge import Address
from optimizer.consolidate.scan import ATTEMPTS, LONGEST_WAIT, Between
from optimizer.ports.aws import Aws

MOST_WRITES = 25  # of one BatchWriteItem, and 16 MB (DynamoDB quotas)
MOST_BYTES = 3_500_000
REFUSED = "ValidationException"
# By somebody else's newer item, by a transaction that writes it just now, or because it is not valid.
NOT_WRITTEN = ("ConditionalCheckFailedException", "TransactionConflictException", REFUSED)
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
MOST_EXPRESSION = 4_096  # bytes
MOST_OPERATORS = 300


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


def write_all(aws: Aws, writes: Iterable[Write], between: Between = lambda: None) -> dict[Address, str]:
    """Send all, each address once at most; what DynamoDB refused, with its reason. Raises MoveFailed when throttled.

    `between` is called after each answer.
    """
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
        if write.item is None:
            aws.dynamodb.delete_item(
                TableName=write.address.table, Key=write.address.key, ConditionExpression=condition, **more
            )
        else:
            aws.dynamodb.put_item(
                TableName=write.address.table, Item=dict(write.item), ConditionExpression=condition, **more
            )
    except ClientError as error:
        if error.response["Error"]["Code"] not in NOT_WRITTEN:
            raise
        return False
    return True


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
            if write.item is None:
                aws.dynamodb.delete_item(TableName=write.address.table, Key=write.address.key)
            else:
                aws.dynamodb.put_item(TableName=write.address.table, Item=dict(write.item))
        except ClientError as error:
            if error.response["Error"]["Code"] != REFUSED:
                raise
            refused[write.address] = error.response["Error"].get("Message", REFUSED)
    return refused
