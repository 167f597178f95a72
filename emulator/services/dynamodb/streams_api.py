"""DynamoDB Streams: records that are removed after a day, iterators that expire, positions that were trimmed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from moto.dynamodb.models import dynamodb_backends

from emulator.core.call_record import REHEARSAL
from emulator.core.errors import AwsError
from emulator.core.registry import Answer, emulates

if TYPE_CHECKING:
    from emulator.core.call_record import Call
    from emulator.core.port import Account

API = "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference"

KEPT = timedelta(hours=24)
VALID = timedelta(minutes=15)
EMPTY = 4  # number of empty answers; AWS states none


@dataclass
class Iterators:
    """The time at which each iterator was issued, and the number of empty answers before its first records."""

    given: dict[str, datetime] = field(default_factory=dict)
    empty: dict[str, int] = field(default_factory=dict)


@emulates(
    "dynamodbstreams",
    "GetShardIterator",
    rule="Valid for 15 minutes; records older than 24 hours are trimmed; a disabled stream that is no longer the "
    "table's latest is not found.",
    source=f"{API}/API_streams_GetShardIterator.html",
)
def get_shard_iterator(account: Account, call: Call) -> Answer:
    asked = call.parameters
    shard = _shard(call, asked["StreamArn"])
    kind, sequence = asked["ShardIteratorType"], asked.get("SequenceNumber")
    first = _first_kept(account, shard)
    if sequence is not None and kind.endswith("SEQUENCE_NUMBER") and first and _place(shard, sequence) < first - 1:
        raise AwsError(
            "TrimmedDataAccessException",
            f"The operation attempted to read past the oldest stream record in shard {shard.id}: {sequence}",
        )
    if kind == "TRIM_HORIZON" and first:
        number = str(shard.starting_sequence_number + first)
        answer = call.forward({**asked, "ShardIteratorType": "AT_SEQUENCE_NUMBER", "SequenceNumber": number})
    else:
        answer = call.forward()
    iterators = account.part(Iterators)
    iterators.given[answer["ShardIterator"]] = account.clock.now()
    if call.actor != REHEARSAL:
        iterators.empty[answer["ShardIterator"]] = EMPTY
    return answer


@emulates(
    "dynamodbstreams",
    "GetRecords",
    rule="An iterator is valid for 15 minutes; several empty answers may precede existing records.",
    source=f"{API}/API_streams_GetRecords.html",
)
def get_records(account: Account, call: Call) -> Answer:
    iterators, asked, now = account.part(Iterators), call.parameters["ShardIterator"], account.clock.now()
    given = iterators.given
    at = given.pop(asked, None)
    if at is not None and now - at > VALID:
        raise AwsError(
            "ExpiredIteratorException", "Iterator expired. The iterator was created more than 15 minutes ago."
        )
    if left := iterators.empty.pop(asked, 0):
        iterators.empty[asked], given[asked] = left - 1, now
        return {"Records": [], "NextShardIterator": asked}
    answer = call.forward()
    if "NextShardIterator" in answer:
        given[answer["NextShardIterator"]] = now
    return answer


def _shard(call: Call, stream: str) -> Any:
    name, label = stream.split(":table/", 1)[1].split("/stream/")
    table = dynamodb_backends[call.account][call.region].tables.get(name)
    if table is None or table.stream_shard is None or table.latest_stream_label != label:
        raise AwsError("ResourceNotFoundException", f"Requested resource not found: Stream: {stream} not found")
    return table.stream_shard


def _first_kept(account: Account, shard: Any) -> int:
    """The position of the oldest record that is younger than a day."""
    oldest = account.clock.now() - KEPT
    low, high = 0, len(shard.items)
    while low < high:
        middle = (low + high) // 2
        made = shard.items[middle].record["dynamodb"]["ApproximateCreationDateTime"]
        if (made if made.tzinfo else made.replace(tzinfo=UTC)) < oldest:
            low = middle + 1
        else:
            high = middle
    return low


def _place(shard: Any, sequence: str) -> int:
    return int(sequence) - int(shard.starting_sequence_number)
