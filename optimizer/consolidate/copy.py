"""From two tables to one while both are written: copy and follow, until the target is a few moments behind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from domain.errors import MoveFailed
from optimizer.action import Notes
from optimizer.consolidate.backfill import Pace, copy_round, segments_of
from optimizer.consolidate.mapping import Entity
from optimizer.consolidate.merge import Merge, Say, Speed
from optimizer.consolidate.parallel import side_by_side
from optimizer.consolidate.replay import forward
from optimizer.consolidate.state import Stage, State, write_state
from optimizer.consolidate.stream_reader import Position, Reader, Record
from optimizer.consolidate.target_import import exported_at
from optimizer.consolidate.watermark import to_now
from optimizer.ports.aws import Aws
from optimizer.resources.tables.table import read_table

MARGIN = timedelta(minutes=5)  # changes so long before the copying began are followed too: clocks differ
HORIZON = timedelta(hours=23)  # a stream keeps a change for 24 hours
FOLLOWED_A_ROUND = 5_000  # changes of one source between two rounds of copying
RENEWED_EVERY = TOLD_EVERY = timedelta(minutes=1)


def begin(aws: Aws, merge: Merge, speed: Speed) -> State:
    """The state from which everything follows: written down before the first item is read.

    Of a target that was imported every segment is done, and what came since its export is followed.
    """
    exported = exported_at(aws, merge)
    since = exported or aws.clock.now()
    forward = {each: Position(read_table(aws, each)["LatestStreamArn"]) for each in merge.sources}
    segments = tuple(replace(each, done=exported is not None) for each in segments_of(merge, speed.segments))
    return State(since, Stage.COPYING, segments, forward, since)


@dataclass
class Follower:
    """Carries the sources' changes to the target, each batch with its checkpoint."""

    aws: Aws
    merge: Merge
    notes: Notes
    state: State

    def __post_init__(self) -> None:
        self._kept = self.aws.clock.now()
        self._readers: Mapping[Entity, Reader] = {
            entity: Reader(self.aws, position) for entity, position in self.state.forward.items()
        }

    def keep(self, state: State) -> None:
        """Write down how far everything is."""
        write_state(self.notes, state)
        self.state, self._kept = state, self.aws.clock.now()

    def renew(self) -> None:
        """Write it down when that was a while ago: the lease is as old as the last note."""
        if self.aws.clock.now() - self._kept > RENEWED_EVERY:
            self.keep(self.state)

    def follow(self, most: int | None = None) -> int:
        """Carry over what is there; returns how many changes that were. Raises MoveFailed past the horizon."""
        refuse_too_late(self.state, self.aws.clock.now())
        begun, count = self.aws.clock.now(), 0
        for entity, reader in self._readers.items():
            count += self._carry(entity, reader, reader.batches(most))
        if most is None or count < most:
            self.state = replace(self.state, read_at=begun)
        return count

    def follow_to_now(self, deadline: datetime) -> None:
        """Carry over all that was written before this began. Only behind a fence: beacons are set in the sources."""
        for entity, reader in self._readers.items():
            self._carry(entity, reader, to_now(self.aws, entity, reader, deadline))
        self.keep(replace(self.state, forward={entity: reader.position for entity, reader in self._readers.items()}))

    def _carry(self, entity: Entity, reader: Reader, batches: Iterable[list[Record]]) -> int:
        count = 0
        for records in batches:
            forward(self.aws, self.merge, entity, reader, records, self.state.begun - MARGIN)
            count += len(records)
            self.keep(replace(self.state, forward={**self.state.forward, entity: reader.position}))
        return count


def too_late(state: State, now: datetime) -> str:
    """Why the streams cannot be followed any more; nothing while they can."""
    if now - state.read_at <= HORIZON:
        return ""
    return (
        f"The streams were last read at {state.read_at:%Y-%m-%d %H:%M} UTC, more than 23 h ago, and keep changes "
        "for 24 h: what was written since may be lost to the copy. "
        "Before the pointers are turned, roll the phase back and propose anew; afterwards see docs/runbook.md."
    )


def refuse_too_late(state: State, now: datetime) -> None:
    """Raises MoveFailed while there is still something to say about it: later the changes are gone."""
    if why := too_late(state, now):
        raise MoveFailed(why)


def copy(aws: Aws, merge: Merge, speed: Speed, notes: Notes, state: State) -> State:
    """Copy until every segment is done, following meanwhile; then follow until a look finds next to nothing."""
    follower = Follower(aws, merge, notes, state)
    progress = _Progress(aws, merge, notes.say)
    pace = Pace(aws.clock, speed.units)
    with side_by_side(speed.workers) as spread:
        while not all(segment.done for segment in follower.state.segments):
            segments = copy_round(aws, merge, follower.state.segments, speed.page, pace, spread)
            follower.keep(replace(follower.state, segments=segments))
            follower.follow(FOLLOWED_A_ROUND)
            progress.tell(follower.state)
    follower.follow()
    follower.keep(replace(follower.state, stage=Stage.FOLLOWING))
    catch_up(follower)
    return follower.state


def catch_up(follower: Follower) -> None:
    """Follow until what is new was made while the look before was under way."""
    while True:
        begun = follower.aws.clock.now()
        count = follower.follow()
        took = follower.aws.clock.now() - begun
        if took < timedelta(minutes=1):
            return
        follower.notes.say(f"followed {count:,} changes in {took}: not caught up yet")


@dataclass
class _Progress:
    """Says once a minute how far the copying is; of how many is an estimate, which AWS renews every six hours."""

    aws: Aws
    merge: Merge
    say: Say

    def __post_init__(self) -> None:
        self._since = self._told = self.aws.clock.now()
        self._expected = sum(read_table(self.aws, each).get("ItemCount", 0) for each in self.merge.sources)
        self._before: int | None = None

    def tell(self, state: State) -> None:
        now = self.aws.clock.now()
        self._before = state.copied if self._before is None else self._before
        if now - self._told < TOLD_EVERY:
            return
        self._told = now
        rate = (state.copied - self._before) / (now - self._since).total_seconds()
        left = max(0, self._expected - state.copied)
        time = f"about {timedelta(seconds=round(left / rate))} left" if rate else "no item yet in this run"
        self.say(f"copied {state.copied:,} of about {self._expected:,} items, {rate:,.0f} items/s, {time}")
