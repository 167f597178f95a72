"""Carrying changes over: from the sources to the target before the flip, back again after it.

Both ways a change is one record of a stream and becomes one write, of the whole image it left. The
record's version goes with it, so that a change that comes late, or twice, is refused by what is there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from domain.errors import MoveFailed
from optimizer.consolidate.item_size import Item
from optimizer.consolidate.mapping import Entity, merged_key, split_key
from optimizer.consolidate.merge import GONE, VERSION, Merge, told
from optimizer.consolidate.stream_reader import Reader, Record
from optimizer.consolidate.writes import bury, delete, put, write_all
from optimizer.ports.aws import Aws

if TYPE_CHECKING:
    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_Record.html (there is no DELETE)
WRITTEN = ("INSERT", "MODIFY")
REMOVED = "REMOVE"

Written = Callable[[Record], "TransactWriteItemTypeDef"]


def forward(aws: Aws, merge: Merge, entity: Entity, reader: Reader, records: Iterable[Record], since: datetime) -> None:
    """Carry a source's changes to the target. Those from well before the copying began are in the copy.

    A removal leaves a tombstone: a page that was read before it, or a call whose sender died, may land later.
    """

    def write(record: Record) -> TransactWriteItemTypeDef:
        change, version = record["dynamodb"], reader.position.version(record)
        if _is_removal(record):
            return bury(merge.target, merged_key(entity, change["Keys"]), version)
        return put(merge.target, merge.merged(entity, change["NewImage"]), version)

    _carry(aws, (each for each in records if created(each) >= since), write)


def backward(aws: Aws, merge: Merge, reader: Reader, records: Iterable[Record]) -> None:
    """Carry the target's changes back to the sources they belong to."""

    def write(record: Record) -> TransactWriteItemTypeDef:
        change, version = record["dynamodb"], reader.position.version(record)
        if _is_removal(record):
            entity, key = split_key(change["Keys"])
            return delete(entity, key, version)
        entity, item = merge.split(change["NewImage"])
        return put(entity, item, version)

    _carry(aws, records, write)


def buried(records: Iterable[Record]) -> list[Item]:
    """Of changes in the target before the flip, the keys of those that left a tombstone."""
    return [
        change["Keys"] for change in (record["dynamodb"] for record in records) if GONE in change.get("NewImage", {})
    ]


def foreign(merge: Merge, records: Iterable[Record], labels: Iterable[str]) -> list[str]:
    """Of changes in the target before the flip, the keys of those that the following did not make.

    What it writes it marks with the source's stream, and each time anew; a removal can only be its own
    as long as the application's role cannot write there.
    """
    origins = tuple(labels)
    strangers = []
    for record in records:
        change = record["dynamodb"]
        if record["eventName"] in WRITTEN and not _is_marked_anew(change, origins):
            strangers.append(f"{merge.target}: {told(change['Keys'])}")
    return strangers


def created(record: Record) -> datetime:
    """When the change was made, to the second."""
    moment: datetime = record["dynamodb"]["ApproximateCreationDateTime"]
    return moment


def _carry(aws: Aws, records: Iterable[Record], write: Written) -> None:
    newest = {_key(record["dynamodb"]["Keys"]): record for record in records}  # the image is whole: the last one counts
    write_all(aws, (write(record) for record in newest.values()))


def _is_removal(record: Record) -> bool:
    if record["eventName"] == REMOVED:
        return True
    if record["eventName"] in WRITTEN:
        return False
    raise MoveFailed(f"A stream shows the change {record['eventName']!r}, which is none of INSERT, MODIFY and REMOVE.")


def _is_marked_anew(change: Mapping[str, Any], labels: tuple[str, ...]) -> bool:
    mark: str = change["NewImage"].get(VERSION, {}).get("S", "")
    before: str | None = change.get("OldImage", {}).get(VERSION, {}).get("S")
    return mark.startswith(labels) and mark != before


def _key(keys: Mapping[str, Any]) -> tuple[str, str]:
    return keys["pk"]["S"], keys["sk"]["S"]
