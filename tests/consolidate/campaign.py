"""A whole consolidation, by a process that dies now and then and is started again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from domain.errors import MoveFailed
from emulator.account import Crash
from optimizer.consolidate import copy as copying
from optimizer.consolidate import cutover
from optimizer.consolidate.comparison import WholeTables
from optimizer.consolidate.cutover import Changes
from optimizer.consolidate.following.followed_tables import FollowedTables
from optimizer.consolidate.merge import Direction, Speed
from optimizer.consolidate.state import MergeProgress, MergeStage, MergeState, read_state, write_state
from optimizer.consolidate.target import create_target, delete_target, find_target
from optimizer.ports.aws import Aws
from tests.consolidate.platform import MERGE, MemoryNotes, Platform

T = TypeVar("T")

LIKE = {"encryption": None, "class": "STANDARD", "protected": True, "recovery": "DISABLED", "recovery_days": None}
LIKE |= {"expiry": None}
DEATHS = 2  # of each step
LEASE = 300  # seconds after which the next process may begin: no call of the one before is under way that long


SPEED = Speed(units=1e6, segments=2, workers=1, page=50)


@dataclass(frozen=True)
class Way:
    """The way to find changes: by comparing everything, or by following the streams."""

    streams: bool = False
    speed: Speed = SPEED

    def changes(self, aws: Aws, direction: Direction, progress: MergeProgress) -> Changes:
        if self.streams:
            return FollowedTables(aws, direction, self.speed, progress, Random(1))
        return WholeTables(aws, direction, self.speed, progress)


WHOLE, STREAMS = Way(), Way(streams=True)


Mend = Callable[[MoveFailed], None]
"""What a person does about a refusal; raises it when it is none that a person can mend."""


def nothing_to_mend(refusal: MoveFailed) -> None:
    """No refusals."""
    raise refusal


def until_done(platform: Platform, work: Callable[[Aws], T], within: int = 60, mend: Mend = nothing_to_mend) -> T:
    """Run it as a new process until one survives: it is killed twice, at any point.

    The last call of a dead process may land late, but not later than its lease ends, which the next process awaits.
    """
    platform.between.die_soon(DEATHS, within, lands_late=platform.lands_late)
    while True:
        try:
            with platform.acting():
                done = work(platform.aws)
        except Crash:
            platform.clock.sleep(60)
            platform.write(5)
            platform.between.land()
            platform.clock.sleep(LEASE - 60)
            continue
        except MoveFailed as refusal:
            platform.between.end()
            mend(refusal)
            continue
        platform.between.end()
        return done


def migrate_there_and_back(platform: Platform, way: Way = WHOLE, mend: Mend = nothing_to_mend) -> None:
    """Migrate, write to the target, roll back, write to the sources, migrate again; compare between the writes."""
    migrate(platform, way, mend)
    live_on(platform, way)
    roll_back(platform, way, mend)
    platform.application.busy = False
    agree(platform.missing_in_sources())
    platform.application.busy = True
    migrate(platform, way, mend)
    live_on(platform, way)
    platform.application.busy = False
    agree(platform.missing_in_target())


def migrate(platform: Platform, way: Way = WHOLE, mend: Mend = nothing_to_mend) -> None:
    copied(platform, way)
    until_done(platform, lambda aws: turn(aws, platform.notes, way), within=200, mend=mend)
    assert cutover.is_flipped(platform.aws, MERGE)
    platform.application.busy = False
    agree(platform.missing_in_target())
    platform.application.busy = True


def copied(platform: Platform, way: Way = WHOLE) -> None:
    """Up to where the pointers may be turned."""
    platform.notes = notes = MemoryNotes()
    create_target(platform.aws, MERGE, LIKE, {})
    until_done(platform, lambda aws: copy(aws, notes, way), within=100)
    if way.streams:
        until_done(platform, open_way_back, within=4)


def copy(aws: Aws, notes: MemoryNotes, way: Way = WHOLE) -> None:
    if read_state(notes) is None:
        write_state(notes, copying.begin(aws, MERGE, way.speed))
    progress = progressed(aws, notes)
    if progress.state.stage is MergeStage.COPYING:
        copying.copy(aws, MERGE, way.speed, progress)


def turn(aws: Aws, notes: MemoryNotes, way: Way = WHOLE) -> None:
    """The pointers turned, by one process."""
    progress = progressed(aws, notes)
    cutover.flip(aws, MERGE, progress, way.changes(aws, MERGE.there, progress))


def turn_back(aws: Aws, notes: MemoryNotes, way: Way = WHOLE) -> None:
    progress = progressed(aws, notes)
    cutover.turn_back(aws, MERGE, progress, way.changes(aws, MERGE.back, progress))


def catch_up(aws: Aws, notes: MemoryNotes, way: Way = WHOLE) -> None:
    """Catch up as the watch does."""
    way.changes(aws, MERGE.back, progressed(aws, notes)).catch_up()


def live_on(platform: Platform, way: Way = WHOLE) -> None:
    """A few runs of the watch, with many writes between them."""
    for _ in range(4):
        platform.write(40)
        platform.clock.sleep(900)
        until_done(platform, lambda aws: catch_up(aws, platform.notes, way), within=10)


def roll_back(platform: Platform, way: Way = WHOLE, mend: Mend = nothing_to_mend) -> None:
    until_done(platform, lambda aws: turn_back(aws, platform.notes, way), within=150, mend=mend)
    assert cutover.is_turned_back(platform.aws, MERGE)
    delete_target(platform.aws, MERGE)
    platform.clock.sleep(60)
    assert find_target(platform.aws, MERGE) is None


def open_way_back(aws: Aws) -> None:
    table = find_target(aws, MERGE)
    if not table.get("StreamSpecification"):
        aws.dynamodb.update_table(
            TableName=MERGE.target,
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
    aws.clock.sleep(10)


def progressed(aws: Aws, notes: MemoryNotes) -> MergeProgress:
    return MergeProgress(notes, state_of(notes), aws.clock)


def state_of(notes: MemoryNotes) -> MergeState:
    state = read_state(notes)
    assert state is not None
    return state


def agree(wrong: list[str]) -> None:
    """Nothing is wrong with any item."""
    assert not wrong, f"{len(wrong)} items: {'; '.join(wrong[:5])}"
