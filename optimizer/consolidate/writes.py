"""Conditional writes in batches: what its condition refuses is left out, everything else lands.

BatchWriteItem knows no conditions, so these are transactions: all or nothing each, and twice the
write units (Amazon DynamoDB Developer Guide, "DynamoDB Transactions: How it works"). A cancelled one
says per item why; what was refused is taken out and the rest is sent again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import ClientError

from domain.errors import MoveFailed
from optimizer.consolidate.item_size import Item, item_size
from optimizer.consolidate.merge import GONE, VERSION, key_of
from optimizer.ports.aws import Aws, failed_conditions

if TYPE_CHECKING:
    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

T = TypeVar("T")

MOST_WRITES = 100  # in one transaction, and 4 MB (DynamoDB quotas)
MOST_BYTES = 3_500_000
PASSING = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})
ATTEMPTS = 12
LONGEST_WAIT = 20.0  # seconds

OLDER = f"attribute_not_exists({VERSION}) OR {VERSION} < :version"


def insert(table: str, item: Item) -> TransactWriteItemTypeDef:
    """Put an item where there is none, not even a tombstone."""
    return {"Put": {"TableName": table, "Item": dict(item), "ConditionExpression": "attribute_not_exists(pk)"}}


def put(table: str, item: Item, version: str) -> TransactWriteItemTypeDef:
    """Put an item, unless what is there was written from a later change."""
    return {
        "Put": {
            "TableName": table,
            "Item": {**item, VERSION: {"S": version}},
            "ConditionExpression": OLDER,
            "ExpressionAttributeValues": {":version": {"S": version}},
        }
    }


def bury(table: str, key: Item, version: str) -> TransactWriteItemTypeDef:
    """Put a tombstone: nothing may be inserted there any more."""
    return put(table, {**key, GONE: {"BOOL": True}}, version)


def delete(table: str, key: Item, version: str) -> TransactWriteItemTypeDef:
    """Delete an item, unless it was written from a later change."""
    return {
        "Delete": {
            "TableName": table,
            "Key": dict(key),
            "ConditionExpression": OLDER,
            "ExpressionAttributeValues": {":version": {"S": version}},
        }
    }


def set_down(table: str, item: Item) -> TransactWriteItemTypeDef:
    """Put an item, whatever is there."""
    return {"Put": {"TableName": table, "Item": dict(item)}}


def remove(table: str, key: Item) -> TransactWriteItemTypeDef:
    """Delete an item, whatever it is."""
    return {"Delete": {"TableName": table, "Key": dict(key)}}


def unbury(table: str, key: Item) -> TransactWriteItemTypeDef:
    """Take a tombstone away."""
    return {
        "Delete": {
            "TableName": table,
            "Key": key_of(key),
            "ConditionExpression": f"attribute_exists({GONE}) OR attribute_not_exists(pk)",
        }
    }


def write_all(aws: Aws, writes: Iterable[TransactWriteItemTypeDef]) -> int:
    """Send all, each key once at most; returns how many their conditions refused."""
    return sum(_write(aws, batch) for batch in in_batches(writes, MOST_WRITES, MOST_BYTES, _size))


def in_batches(each: Iterable[T], most: int, most_bytes: int, size: Any) -> Iterator[list[T]]:
    """In the order they come, as many together as one request takes."""
    batch: list[T] = []
    held = 0
    for one in each:
        weight = size(one)
        if batch and (len(batch) == most or held + weight > most_bytes):
            yield batch
            batch, held = [], 0
        batch.append(one)
        held += weight
    if batch:
        yield batch


def _size(write: TransactWriteItemTypeDef) -> int:
    item: Any = write["Put"]["Item"] if "Put" in write else {}
    return item_size(item) if item else 1_024


def _write(aws: Aws, batch: Sequence[TransactWriteItemTypeDef]) -> int:
    left, refused = list(batch), 0
    for attempt in range(ATTEMPTS):
        try:
            aws.dynamodb.transact_write_items(TransactItems=left)
        except ClientError as error:
            reasons = failed_conditions(error)
            if error.response["Error"]["Code"] != "TransactionCanceledException" or len(reasons) != len(left):
                raise
            if not {*reasons} <= {"None", "ConditionalCheckFailed", *PASSING}:
                raise
            stay = [write for write, reason in zip(left, reasons, strict=True) if reason != "ConditionalCheckFailed"]
            refused, left = refused + len(left) - len(stay), stay
            if not left:
                return refused
            if PASSING & {*reasons}:
                aws.clock.sleep(min(0.1 * 2**attempt, LONGEST_WAIT))
            continue
        return refused
    raise MoveFailed(
        f"{len(left)} writes, the first to {_named(left[0])}, were in conflict or throttled {ATTEMPTS} times in a row. "
        "Lower the copying's share of the capacity, then run the same command again."
    )


def _named(write: Mapping[str, Any]) -> str:
    ((_, asked),) = write.items()
    return f"{asked['TableName']} {asked.get('Key') or key_of(asked['Item'])}"
