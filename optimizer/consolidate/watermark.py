"""To be sure how far a stream was read: marked items, written to the table and taken away again.

An answer of GetRecords may be empty although there is more to come, and none says how far it is from the end
(Developer Guide, "Change data capture for DynamoDB Streams"; API Reference, "GetRecords"). But the changes of a
shard come in the order they were made: when a beacon has come out of it, so has all that was written there before.
Beacons have many partition keys, so that each shard gets some. They are in no index and nobody's data: the reader
of a stream leaves them out, and so does whatever reads the tables (docs/adr/0020).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from datetime import datetime
from itertools import chain, repeat

from domain.errors import MoveFailed
from optimizer.consolidate.merge import BEACON
from optimizer.consolidate.stream_reader import BETWEEN, Reader, Record
from optimizer.consolidate.writes import remove, set_down, write_all
from optimizer.ports.aws import Aws

COUNTS = (16, 64, 256)  # how many at first, and how many when a shard got none
LOOKS = 40  # at the stream, before more of them are tried


def to_now(aws: Aws, table: str, reader: Reader, deadline: datetime) -> Iterator[list[Record]]:
    """All changes that were made before this began, and perhaps later ones. Raises MoveFailed at the deadline."""
    beacons: dict[str, int] = {}
    for count in chain(COUNTS, repeat(COUNTS[-1])):
        beacons[token := secrets.token_hex(8)] = count
        _shine(aws, table, count, token)
        for _ in range(LOOKS):
            yield from reader.batches()
            if reader.is_past(beacons):
                return
            if aws.clock.now() >= deadline:
                raise MoveFailed(
                    f"{table}: its stream could not be read up to now by {deadline:%H:%M:%S} UTC. "
                    "Nothing was turned; run the same command again."
                )
            aws.clock.sleep(BETWEEN)


def put_out(aws: Aws, table: str, count: int = COUNTS[-1]) -> None:
    """Take away what a run that died may have left."""
    write_all(aws, (remove(table, _key(number)) for number in range(count)))


def _shine(aws: Aws, table: str, count: int, token: str) -> None:
    write_all(aws, (set_down(table, {**_key(number), BEACON: {"S": token}}) for number in range(count)))
    put_out(aws, table, count)


def _key(number: int) -> dict[str, dict[str, str]]:
    return {"pk": {"S": f"{BEACON}#{number}"}, "sk": {"S": BEACON}}
