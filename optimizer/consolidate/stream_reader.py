"""Reading a table's stream in order, from a position that can be kept.

Amazon DynamoDB Developer Guide, "Change data capture for DynamoDB Streams": the changes of one item
are in order within a shard; a shard is read after its parent; records are gone after 24 hours; an
iterator is good for 15 minutes; an answer may be empty although there is more to come.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from domain.errors import MoveFailed
from optimizer.consolidate.merge import BEACON, is_beacon
from optimizer.ports.aws import Aws

Record = Mapping[str, Any]
Shard = Mapping[str, Any]

EMPTY_ANSWERS = 3  # in a row, before a shard counts as read to its end for now
BETWEEN = 0.25  # seconds: GetRecords may be called five times a second and shard


@dataclass(frozen=True)
class Position:
    """How far a stream was read: per shard the last sequence number, and the shards that have ended.

    A shard that is in neither is read from its beginning.
    """

    stream: str
    read: Mapping[str, str] = field(default_factory=dict)
    ended: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The stream's label, a time: a table's later stream has a later one."""
        return self.stream.rsplit("/stream/", 1)[-1]

    def after(self, shard: str, sequence: str) -> Position:
        return replace(self, read={**self.read, shard: sequence})

    def past(self, shard: str) -> Position:
        """The shard has ended and was read to its end."""
        return replace(self, read={k: v for k, v in self.read.items() if k != shard}, ended=tuple({*self.ended, shard}))

    def version(self, record: Record) -> str:
        """A text that orders the changes of one item; those of a later stream come after."""
        return f"{self.label}#{record['dynamodb']['SequenceNumber']:0>40}"


def readable(shards: Sequence[Shard], position: Position) -> list[str]:
    """The shards that may be read now: not at their end, and their parent is, or is gone."""
    listed = {each["ShardId"] for each in shards}
    return [
        each["ShardId"]
        for each in shards
        if each["ShardId"] not in position.ended
        and (each.get("ParentShardId") not in listed or each["ParentShardId"] in position.ended)
    ]


@dataclass
class Reader:
    """Reads one stream on from a position. Kept as long as it is of use: iterators carry it over empty answers."""

    aws: Aws
    position: Position
    _iterators: dict[str, str] = field(default_factory=dict)
    _lit: dict[str, set[str]] = field(default_factory=dict)  # by shard, the beacons that came out of it
    _shown: Counter[str] = field(default_factory=Counter)  # how many of each token

    def batches(self, most: int | None = None) -> Iterator[list[Record]]:
        """Records in order, until every shard answers with nothing or `most` were read.

        `position` counts a batch as read when the next one is asked for: keep it in between.
        """
        count = 0
        while True:
            before = self.position
            for shard in readable(self._shards(), self.position):
                for records in self._shard(shard):
                    yield records
                    count += len(records)
                    if most is not None and count >= most:
                        return
            if self.position.ended == before.ended:  # else there may be children to read
                return

    def is_past(self, beacons: Mapping[str, int]) -> bool:
        """Whether some have come out of every shard that is not at its end, and of one token as many as were set.

        The latter because a shard may be there that is not listed yet.
        """
        if not any(self._shown[token] >= count for token, count in beacons.items()):
            return False
        lit = (self._lit.get(shard, set()) for shard in readable(self._shards(), self.position))
        return not any(tokens.isdisjoint(beacons) for tokens in lit)

    def _shard(self, shard: str) -> Iterator[list[Record]]:
        empty, patience = 0, 1 if shard in self._iterators else EMPTY_ANSWERS
        while empty < patience:
            iterator = self._iterators.pop(shard, None) or self._iterator(shard)
            answer = self._records(shard, iterator)
            records: list[Record] = list(answer["Records"])
            if records:
                empty = 0
                self.position = self.position.after(shard, records[-1]["dynamodb"]["SequenceNumber"])
                if own := [each for each in records if not self._noted(shard, each["dynamodb"])]:
                    yield own
            if "NextShardIterator" not in answer:
                self.position = self.position.past(shard)
                return
            self._iterators[shard] = answer["NextShardIterator"]
            if not records:
                empty += 1
                if empty < patience:
                    self.aws.clock.sleep(BETWEEN)

    def _noted(self, shard: str, change: Mapping[str, Any]) -> bool:
        """Whether a change is of a beacon, which is then known to have come by."""
        if not is_beacon(change["Keys"]):
            return False
        if image := change.get("NewImage"):  # it was set; else it was taken away
            token = image[BEACON]["S"]
            self._lit.setdefault(shard, set()).add(token)
            self._shown[token] += 1
        return True

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
            shown = self.aws.streams.describe_stream(**request)["StreamDescription"]
            shards += shown.get("Shards", [])
            if "LastEvaluatedShardId" not in shown:
                break
            request["ExclusiveStartShardId"] = shown["LastEvaluatedShardId"]
        listed = {each["ShardId"] for each in shards}
        if self.position.read.keys() - listed:  # it went before it was read to its end
            raise _too_late(self.position)
        self.position = replace(self.position, ended=tuple(each for each in self.position.ended if each in listed))
        return shards


def _too_late(position: Position) -> MoveFailed:
    table = position.stream.split(":table/", 1)[-1].split("/", 1)[0]
    return MoveFailed(
        f"{table}: changes that were not read yet are older than the 24 hours its stream keeps them. "
        "They cannot be followed any more: roll the phase back before acceptance, and propose anew."
    )
