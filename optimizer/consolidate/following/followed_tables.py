"""Changes found in the streams: for tables that are too large to be compared within a pause.

A record of a stream says only which item was changed. What is carried over is the item as it is now, on both sides, so
that the order of records, and records that come twice, do not matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from random import Random

from domain.errors import ItemRefused, MoveFailed
from optimizer.consolidate.comparison import compare_page, content_hash, make_equal, reconcile
from optimizer.consolidate.following.streams import Reader, Record, StreamPosition, TooLate, remove_watermarks, to_now
from optimizer.consolidate.merge import Direction, Speed
from optimizer.consolidate.state import MergeProgress, named
from optimizer.consolidate.switches import Deadline
from optimizer.ports.aws import Aws
from optimizer.resources.tables.items import Address, Between, scan_page
from optimizer.resources.tables.table import read_table

HORIZON = timedelta(hours=23)  # a stream keeps a change for 24 hours
UP_TO_NOW = timedelta(minutes=10)  # the longest that a stream is read until it shows what was written just now
SOON = timedelta(minutes=1)
SAMPLE, PARTS = 200, 16  # items of each leading table that are looked at behind the write block, and of how many parts


@dataclass
class FollowedTables:
    """Makes the following side equal to the leading one at the addresses that its streams name."""

    aws: Aws
    direction: Direction
    speed: Speed
    progress: MergeProgress
    random: Random

    @cached_property
    def _readers(self) -> dict[str, Reader]:
        return {table: Reader(self.aws, self._position(table)) for table in self.direction.leading}

    def catch_up(self) -> None:
        """Follow until what is new was made during the look before; all is compared first where that is too late."""
        equal_at, now = self.progress.state.equal_at, self.aws.clock.now()
        if equal_at is None or now - equal_at > HORIZON:
            self._compare_all()
        while True:
            begun = self.aws.clock.now()
            try:
                self.follow()
            except TooLate:
                self._compare_all()
            if self.aws.clock.now() - begun < SOON:
                break
        late = (
            f"{', '.join(self.direction.leading)}: the stream could not be read up to now. Run the same command again."
        )
        self._to_now(Deadline(self.aws.clock, UP_TO_NOW, late))
        self.progress.keep(equal_at=begun)

    def follow(self) -> None:
        """Carry over what the streams show. Raises TooLate."""
        for table, reader in self._readers.items():
            for records in reader.batches(self.progress.renew):
                self._carry(table, reader, records, self.progress.renew)

    def _compare_all(self) -> None:
        """Make all equal; what changes meanwhile is read afterwards, from the oldest record on: twice is no harm."""
        begun = self.aws.clock.now()
        for table in self._readers:
            self._readers[table] = Reader(self.aws, StreamPosition(_stream(self.aws, table)))
        comparison = make_equal(self.aws, self.direction, self.speed, self.progress.renew)
        self.progress.set_aside(comparison.refused)
        self.progress.keep(equal_at=begun)

    def settle(self, deadline: Deadline) -> None:
        """Behind the write block: follow to the last change, and look at a sample."""
        between = self._checked(deadline)
        self._to_now(deadline)
        for table in self.direction.leading:
            part = (self.random.randrange(PARTS), PARTS)
            page = scan_page(self.aws, table, part, None, SAMPLE, consistent=True)
            result = compare_page(self.aws, self.direction, page, between)
            if result.different:
                raise MoveFailed(
                    f"{len(result.different)} items of a sample differ after the last change was followed: "
                    f"{named(result.different)}. Nothing was turned. Find out who writes there, then run this again."
                )
            deadline.check()
        self.progress.keep(proof=dict.fromkeys(self.direction.leading, "followed to its end"))

    def late(self) -> Mapping[Address, int | None]:
        """Items that the streams show since they were settled, each with the hash of that time."""
        deadline = Deadline(self.aws.clock, UP_TO_NOW, "The streams could not be read up to now. Run this again.")
        late: dict[Address, int | None] = {}
        for table, reader in self._readers.items():
            for records in to_now(self.aws, table, reader, self._tag, self._checked(deadline)):
                for record in records:
                    leader = Address.of(table, record["dynamodb"]["Keys"])
                    late.setdefault(leader, self._before(leader, record))
            remove_watermarks(self.aws, table, self._tag)
        return late

    @property
    def _tag(self) -> str:
        return f"{self.progress.state.begun:%Y%m%dT%H%M%S}"

    def _position(self, table: str) -> StreamPosition:
        """The position to which the table's stream was followed; its oldest record when the stream was replaced."""
        stream = _stream(self.aws, table)
        position = self.progress.state.read.get(table)
        return position if position and position.stream == stream else StreamPosition(stream)

    def _to_now(self, deadline: Deadline) -> None:
        between = self._checked(deadline)
        for table, reader in self._readers.items():
            for records in to_now(self.aws, table, reader, self._tag, between):
                self._carry(table, reader, records, between)
            self.progress.keep(read={**self.progress.state.read, table: reader.position})

    def _checked(self, deadline: Deadline) -> Between:
        def between() -> None:
            deadline.check()
            self.progress.renew()

        return between

    def _carry(self, table: str, reader: Reader, records: Iterable[Record], between: Between) -> None:
        """Carry a batch over, with what was set aside before, and write down how far that is."""
        named_ = {Address.of(table, record["dynamodb"]["Keys"]) for record in records}
        looked_at = named_ | {each.address for each in self.progress.state.aside}
        self.progress.set_aside(reconcile(self.aws, self.direction, looked_at, between), looked_at)
        self.progress.keep(read={**self.progress.state.read, table: reader.position})

    def _before(self, leader: Address, record: Record) -> int | None:
        image = record["dynamodb"].get("OldImage")
        try:
            return None if image is None else content_hash(self.direction.mapped(leader, image))
        except ItemRefused:
            return None


def _stream(aws: Aws, table: str) -> str:
    return read_table(aws, table)["LatestStreamArn"]
