"""The first copy into a table that is empty: both sources in segments side by side, page by page, with checkpoints.

The sources are written meanwhile, so what is copied may be older than what is there. That is no harm: what counts is
the comparison behind the write block.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from domain.clock import Clock
from domain.errors import ItemRefused
from domain.item_size import item_size
from optimizer.consolidate.merge import Merge, Speed
from optimizer.consolidate.state import MergeProgress, MergeStage, MergeState, Segment
from optimizer.ports.aws import Aws
from optimizer.resources.tables.items import Address, Write, scan_page, side_by_side, write_all
from optimizer.resources.tables.table import read_table

UNIT = 1_024  # bytes of a write unit
CREDIT = 5.0  # seconds
TOLD_EVERY = timedelta(minutes=1)


@dataclass
class Pace:
    """Holds the copying to so many write units a second. What a slow stretch left over is gone after `CREDIT`."""

    clock: Clock
    units: float
    _due: float | None = None  # when what was taken so far is paid for

    def take(self, units: float) -> None:
        """Wait until so many units are due."""
        now = self.clock.now().timestamp()
        begun = now if self._due is None else min(max(self._due, now - CREDIT), now + CREDIT)
        self._due = begun + units / self.units
        if self._due > now:
            self.clock.sleep(self._due - now)


def begin(aws: Aws, merge: Merge, speed: Speed) -> MergeState:
    """The state from which everything follows: written down before the first item is read.

    A target that holds items already, as one that was imported, is not copied into but compared.
    """
    filled = bool(scan_page(aws, merge.target, (0, 1), None, 1, consistent=True).items)
    segments = tuple(
        Segment(source, number, speed.segments, done=filled)
        for source in merge.there.leading
        for number in range(speed.segments)
    )
    return MergeState(aws.clock.now(), MergeStage.COPYING, segments)


def copy(aws: Aws, merge: Merge, speed: Speed, progress: MergeProgress) -> None:
    """Copy until every segment is done."""
    lines, pace = _Progress(aws, merge, progress.notes.say), Pace(aws.clock, speed.units)

    def one(segment: Segment) -> tuple[Segment, int]:
        return copy_page(aws, merge, segment, speed.page)

    while ahead := [each for each in progress.state.segments if not each.done]:
        results = side_by_side(one, ahead, speed.workers)
        pace.take(sum(units for _, units in results))
        copied = {(segment.source, segment.number): segment for segment, _ in results}
        segments = tuple(copied.get((each.source, each.number), each) for each in progress.state.segments)
        progress.keep(segments=segments)
        lines.tell(progress.state)
    progress.keep(stage=MergeStage.COPIED)


def copy_page(aws: Aws, merge: Merge, segment: Segment, limit: int) -> tuple[Segment, int]:
    """Read a page and put it into the target; returns the write units it took as well.

    What the target does not take is left out here: the comparison sets it aside. The read is eventually consistent.
    """
    part = (segment.number, segment.of)
    page = scan_page(aws, segment.source, part, segment.after, limit, consistent=False)
    writes = []
    for item in page.items:
        try:
            mapped = merge.there.mapped(Address.of(segment.source, item), item)
        except ItemRefused:
            continue
        writes.append(Write(Address.of(merge.target, mapped), mapped))
    write_all(aws, writes)
    units = sum(-(-item_size(write.item or {}) // UNIT) for write in writes)
    copied = replace(segment, after=page.last, items=segment.items + len(page.items), done=page.last is None)
    return copied, units


@dataclass
class _Progress:
    """Says once a minute how far the copying is; of how many is an estimate, which AWS renews every six hours."""

    aws: Aws
    merge: Merge
    say: Callable[[str], None]

    def __post_init__(self) -> None:
        self._since = self._told = self.aws.clock.now()
        self._expected = sum(read_table(self.aws, each).get("ItemCount", 0) for each in self.merge.sources)
        self._before: int | None = None

    def tell(self, state: MergeState) -> None:
        now = self.aws.clock.now()
        self._before = state.copied if self._before is None else self._before
        if now - self._told < TOLD_EVERY:
            return
        self._told = now
        rate = (state.copied - self._before) / (now - self._since).total_seconds()
        left = max(0, self._expected - state.copied)
        time = f"about {timedelta(seconds=round(left / rate))} left" if rate else "no item yet in this run"
        self.say(f"copied {state.copied:,} of about {self._expected:,} items, {rate:,.0f} items/s, {time}")
