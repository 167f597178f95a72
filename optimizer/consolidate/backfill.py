"""The copying: both sources in segments side by side, page by page, never over what is there already.

An item that is in the target came by a change, which is newer, or by an earlier run; a tombstone
says that it was deleted since. So the copying only ever inserts. What it reads a moment too early is
put right by the change itself, which follows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from domain.clock import Clock
from optimizer.consolidate.item_size import Item, item_size
from optimizer.consolidate.mapping import Entity
from optimizer.consolidate.merge import Merge
from optimizer.consolidate.parallel import Spread
from optimizer.consolidate.scan import scan_page
from optimizer.consolidate.writes import insert, write_all
from optimizer.ports.aws import Aws

UNIT = 1_024  # bytes of a write unit
IN_TRANSACTION = 2  # units for one
CREDIT = 5.0  # seconds


@dataclass(frozen=True)
class Segment:
    """One part of one source, and how far it was copied: `after` is the last key read."""

    source: Entity
    number: int
    of: int
    after: Mapping[str, Any] | None = None
    items: int = 0
    done: bool = False


@dataclass
class Pace:
    """Holds the copying to so many write units a second. What a slow stretch left over is gone after `CREDIT`."""

    clock: Clock
    units: float
    _due: float | None = None  # when what was taken so far is paid for

    def take(self, units: float) -> None:
        """Wait until so many units are due."""
        now = self.clock.now().timestamp()
        begun = now if self._due is None else max(self._due, now - CREDIT)
        self._due = begun + units / self.units
        if self._due > now:
            self.clock.sleep(self._due - now)


def segments_of(merge: Merge, count: int) -> tuple[Segment, ...]:
    return tuple(Segment(source, number, count) for source in merge.sources for number in range(count))


def copy_round(
    aws: Aws, merge: Merge, segments: Sequence[Segment], page: int, pace: Pace, spread: Spread
) -> tuple[Segment, ...]:
    """One page of every segment that is not done; the segments as they stand afterwards."""

    def one(segment: Segment) -> tuple[Segment, float]:
        return (segment, 0.0) if segment.done else copy_page(aws, merge, segment, page)

    results = list(spread(one, segments))
    pace.take(sum(units for _, units in results))
    return tuple(segment for segment, _ in results)


def copy_page(aws: Aws, merge: Merge, segment: Segment, page: int) -> tuple[Segment, float]:
    """Read a page and insert what is not there yet; returns the write units it took as well.

    The read is eventually consistent: it may miss the last second, which is in the stream.
    """
    read, last = scan_page(aws, segment.source, (segment.number, segment.of), segment.after, page, consistent=False)
    items = [merge.merged(segment.source, item) for item in read]
    write_all(aws, (insert(merge.target, item) for item in items))
    copied = replace(segment, after=last, items=segment.items + len(items), done=last is None)
    return copied, sum(map(_units, items))


def _units(item: Item) -> float:
    return IN_TRANSACTION * -(-item_size(item) // UNIT)
