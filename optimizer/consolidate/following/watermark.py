"""To be sure how far a stream was read: marked items, written to the table and taken away again.

An answer of GetRecords may be empty although there is more to come, and none says how far it is from the end
(Developer Guide, "Change data capture for DynamoDB Streams"; API Reference, "GetRecords"). But the changes of a
shard come in the order they were made: when a watermark has come out of it, so has all that was written there before.
Watermarks have many partition keys, so that each shard gets some. They are in no index and nobody's data: the reader
of a stream leaves them out, and so does whatever reads the tables (docs/adr/0020).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from itertools import chain
from itertools import count as counting

from optimizer.consolidate.following.stream_reader import BETWEEN, Reader, Record
from optimizer.consolidate.mapping import WATERMARK
from optimizer.consolidate.merge import Address
from optimizer.consolidate.scan import Between
from optimizer.consolidate.writes import Write, write_all
from optimizer.ports.aws import Aws

COUNTS = (16, 64, 256, 1_024, 4_096)  # how many at first, and how many when a shard got none: a stream has many shards
LOOKS = 40  # at the stream, before more of them are tried; after the last, twice as many each time


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
