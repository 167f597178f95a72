"""Reading a table's stream in order, from a position that can be kept, and knowing how far it was read.

Amazon DynamoDB Developer Guide, "Change data capture for DynamoDB Streams": the changes of one item are in order
within a shard; a shard is read after its parent; records are gone after 24 hours; an iterator is good for 15
minutes; an answer may be empty although there is more to come, and none says how far it is from the end. But when a
watermark, an item written to the table and taken away again, has come out of a shard, so has all that was written
there before it. Watermarks have many partition keys, so that each shard gets some. They are in no index and
nobody's data (docs/adr/0020).
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from itertools import count as counting
from typing import Any

from domain.errors import MoveFailed
from domain.indexes import WATERMARK, is_watermark
from optimizer.ports.aws import Aws
from optimizer.resources.tables.items import Address, Between, Write, write_all

Record = Mapping[str, Any]
Shard = Mapping[str, Any]

BETWEEN = 0.25  # seconds between two looks: GetRecords may be called five times a second and shard
COUNTS = (16, 64, 256, 1_024, 4_096)  # how many at first, and how many when a shard got none: a stream has many shards
LOOKS = 40  # at the stream, before more of them are tried; after the last, twice as many each time


class TooLate(MoveFailed):
    """Changes that were not read yet are older than the 24 hours that a stream keeps them."""


@dataclass(frozen=True)
class StreamPosition:
    """A position in a stream: per shard the last sequence number, and the shards that have ended.

    A shard that is in neither is read from its beginning.
    """

    stream: str
    read: Mapping[str, str] = field(default_factory=dict)
    ended: tuple[str, ...] = ()

    def after(self, shard: str, sequence: str) -> StreamPosition:
        return replace(self, read={**self.read, shard: sequence})

    def past(self, shard: str) -> StreamPosition:
        """The shard has ended and was read to its end."""
        return replace(self, read={k: v for k, v in self.read.items() if k != shard}, ended=tuple({*self.ended, shard}))


def readable(shards: Sequence[Shard], position: StreamPosition) -> list[str]:
    """The shards that may be read now: not at their end, and their parent is, or is gone."""
    listed = {each["ShardId"] for each in shards}
    return [
        each["ShardId"]
        for each in shards
        if each["ShardId"] not in position.ended
        and (each.get("ParentShardId") not in listed or each["ParentShardId"] in position.ended)
    ]


def childless(shards: Sequence[Shard], position: StreamPosition) -> list[str]:
    """The shards that have ended and whose children are not shown yet: what was written there is still to come."""
    parents = {each.get("ParentShardId") for each in shards}
    return [each["ShardId"] for each in shards if each["ShardId"] in position.ended and each["ShardId"] not in parents]


@dataclass
class Reader:
    """Reads one stream on from a position. Kept as long as it is of use: iterators carry it over empty answers."""

    aws: Aws
    position: StreamPosition
    _iterators: dict[str, str] = field(default_factory=dict)
    _marked: dict[str, set[str]] = field(default_factory=dict)  # by shard, the tokens of watermarks that came out of it
    _shown: Counter[str] = field(default_factory=Counter)  # how many watermarks of each token came out

    def batches(self, between: Between) -> Iterator[list[Record]]:
        """Records in order, until every shard answers with nothing. Raises TooLate.

        `position` counts a batch as read when the next one is asked for: keep it in between. `between` is called after
        each request.
        """
        while True:
            before = self.position
            for shard in readable(self._shards(), self.position):
                yield from self._shard(shard, between)
            if self.position.ended == before.ended:  # else there may be children to read
                return

    def is_past(self, watermarks: Mapping[str, int]) -> bool:
        """Whether some came out of every shard that can still show records, and of one token as many as were set.

        The latter because a shard may be there that is not listed yet; for the same reason no shard may have ended
        without children.
        """
        if not any(self._shown[token] >= count for token, count in watermarks.items()):
            return False
        shards = self._shards()
        if childless(shards, self.position):
            return False
        return not any(
            self._marked.get(shard, set()).isdisjoint(watermarks) for shard in readable(shards, self.position)
        )

    def _shard(self, shard: str, between: Between) -> Iterator[list[Record]]:
        while True:
            between()
            iterator = self._iterators.pop(shard, None) or self._iterator(shard)
            answer = self._records(shard, iterator)
            records: list[Record] = list(answer["Records"])
            if records:
                self.position = self.position.after(shard, records[-1]["dynamodb"]["SequenceNumber"])
                if own := [each for each in records if not self._noted(shard, each["dynamodb"])]:
                    yield own
            if "NextShardIterator" not in answer:
                self.position = self.position.past(shard)
                return
            self._iterators[shard] = answer["NextShardIterator"]
            if not records:
                return

    def _noted(self, shard: str, change: Mapping[str, Any]) -> bool:
        """Whether a change is of a watermark, which is then known to have come by."""
        if image := change.get("NewImage"):
            if not is_watermark(image):
                return False
            token = image[WATERMARK]["S"]
            self._marked.setdefault(shard, set()).add(token)
            self._shown[token] += 1
            return True
        return is_watermark(change.get("OldImage", {}))

    def _records(self, shard: str, iterator: str) -> Mapping[str, Any]:
        streams = self.aws.streams
        try:
            return streams.get_records(ShardIterator=iterator)
        except streams.exceptions.ExpiredIteratorException:
            return streams.get_records(ShardIterator=self._iterator(shard))
        except streams.exceptions.TrimmedDataAccessException as error:
            raise _too_late(self.position) from error

    def _iterator(self, shard: str) -> str:
        streams, sequence = self.aws.streams, self.position.read.get(shard)
        try:
            if sequence is None:
                answer = streams.get_shard_iterator(
                    StreamArn=self.position.stream, ShardId=shard, ShardIteratorType="TRIM_HORIZON"
                )
            else:
                answer = streams.get_shard_iterator(
                    StreamArn=self.position.stream,
                    ShardId=shard,
                    ShardIteratorType="AFTER_SEQUENCE_NUMBER",
                    SequenceNumber=sequence,
                )
        except streams.exceptions.TrimmedDataAccessException as error:
            raise _too_late(self.position) from error
        return answer["ShardIterator"]

    def _shards(self) -> list[Shard]:
        request: dict[str, Any] = {"StreamArn": self.position.stream}
        shards: list[Shard] = []
        while True:
            described = self.aws.streams.describe_stream(**request)["StreamDescription"]
            shards += described.get("Shards", [])
            if "LastEvaluatedShardId" not in described:
                break
            request["ExclusiveStartShardId"] = described["LastEvaluatedShardId"]
        listed = {each["ShardId"] for each in shards}
        if self.position.read.keys() - listed:  # it went before it was read to its end
            raise _too_late(self.position)
        self.position = replace(self.position, ended=tuple(each for each in self.position.ended if each in listed))
        return shards


def _too_late(position: StreamPosition) -> TooLate:
    table = position.stream.split(":table/", 1)[-1].split("/", 1)[0]
    return TooLate(
        f"{table}: changes that were not read yet are older than the 24 hours its stream keeps them. Run the same "
        "command again: it compares everything."
    )


def to_now(aws: Aws, table: str, reader: Reader, tag: str, between: Between) -> Iterator[list[Record]]:
    """All changes that were made before this began, and perhaps later ones; `between` raises when it takes too long.

    `tag` is part of the watermarks' keys: what a run that died may have left is found by it.
    """
    watermarks: dict[str, int] = {}
    for count, looks in chain(((count, LOOKS) for count in COUNTS), ((COUNTS[-1], LOOKS << n) for n in counting(1))):
        watermarks[token := secrets.token_hex(8)] = count
        items = ({**_address(table, tag, number).key, WATERMARK: {"S": token}} for number in range(count))
        write_all(aws, (Write(Address.of(table, item), item) for item in items), between)
        remove_watermarks(aws, table, tag, count, between)
        for _ in range(looks):
            yield from reader.batches(between)
            if reader.is_past(watermarks):
                return
            between()
            aws.clock.sleep(BETWEEN)


def remove_watermarks(aws: Aws, table: str, tag: str, count: int = COUNTS[-1], between: Between = lambda: None) -> None:
    """Take away what was set, and what a run that died may have left."""
    write_all(aws, (Write(_address(table, tag, number), None) for number in range(count)), between)


def _address(table: str, tag: str, number: int) -> Address:
    return Address(table, f"{WATERMARK}#{tag}#{number}", WATERMARK)
