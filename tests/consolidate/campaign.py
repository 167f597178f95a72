"""The whole way of a consolidation, by a process that dies now and then and is started anew."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TypeVar

from emulator.account import Crash
from optimizer.consolidate import copy as copying
from optimizer.consolidate import cutover
from optimizer.consolidate.merge import Speed
from optimizer.consolidate.state import Stage, State, read_state, write_state
from optimizer.consolidate.target import create_target, delete_target, find_target
from optimizer.ports.aws import Aws
from tests.consolidate.platform import MERGE, MemoryNotes, Platform

T = TypeVar("T")

LIKE = {"encryption": None, "class": "STANDARD", "protected": True, "recovery": "DISABLED", "recovery_days": None}
LIKE |= {"expiry": None}
DEATHS = 2  # of each step


def until_done(platform: Platform, work: Callable[[Aws], T], within: int = 60, *, alone: bool = False) -> T:
    """Run it as a new process again and again until one survives: it is killed twice, anywhere in what it does.

    `alone`: the next process begins when nothing of the one before can land any more, as the lease has it.
    Going there the copying has to do without, since its pages are on their way side by side.
    """
    platform.between.die_soon(DEATHS, within, lands_late=platform.lands_late and not alone)
    while True:
        try:
            with platform.acting():
                done = work(platform.aws)
        except Crash:
            platform.clock.sleep(60)
            continue
        platform.between.end()
        return done


def migrate_there_and_back(platform: Platform, page: int = 20, workers: int = 1) -> None:
    """Migrate, live on the target, roll back, live on the sources, migrate again; compare whenever it stands still."""
    speed = Speed(units=1e6, segments=2, workers=workers, page=page)
    migrate(platform, speed)
    live_on(platform)
    roll_back(platform)
    agree(platform.missing_in_sources())
    migrate(platform, speed)
    live_on(platform)
    platform.application.busy = False
    agree(platform.missing_in_target())


def migrate(platform: Platform, speed: Speed) -> None:
    copied(platform, speed)
    until_done(platform, lambda _aws: turn(platform, speed), within=200)
    assert cutover.is_flipped(platform.aws, MERGE)
    standing_still(platform)
    agree(platform.missing_in_target() + platform.missing_in_sources())


def copied(platform: Platform, speed: Speed) -> None:
    """Up to the proof that both sides agree."""
    platform.notes = notes = MemoryNotes()
    create_target(platform.aws, MERGE, LIKE, {})
    until_done(platform, lambda aws: copy(aws, notes, speed), within=400)
    until_done(platform, open_way_back, within=4)
    until_done(platform, lambda aws: cutover.prove(aws, MERGE, speed, notes, state_of(notes)))


def turn(platform: Platform, speed: Speed) -> State:
    """The cutover, by one process."""
    return cutover.flip(platform.aws, MERGE, speed, platform.notes, state_of(platform.notes), Random(1))


def live_on(platform: Platform) -> None:
    """A few runs of the watch, with many writes between them."""
    for _ in range(4):
        platform.write(40)
        platform.clock.sleep(900)
        until_done(platform, lambda aws: sync(aws, platform.notes), within=10, alone=True)


def roll_back(platform: Platform) -> None:
    notes = platform.notes
    until_done(
        platform, lambda aws: cutover.turn_back(aws, MERGE, notes, state_of(notes), Random(2)), within=150, alone=True
    )
    assert cutover.is_turned_back(platform.aws, MERGE)
    platform.clock.sleep(60)
    delete_target(platform.aws, MERGE)
    assert find_target(platform.aws, MERGE) is None


def standing_still(platform: Platform) -> None:
    """Nobody writes for a moment, and the way back is run to its end."""
    platform.application.busy = False
    for _ in range(8):  # an answer may be empty although there is more
        sync(platform.aws, platform.notes)
    platform.application.busy = True


def copy(aws: Aws, notes: MemoryNotes, speed: Speed) -> State:
    state = read_state(notes)
    if state is None:
        state = copying.begin(aws, MERGE, speed)
        write_state(notes, state)
    return copying.copy(aws, MERGE, speed, notes, state) if state.stage is Stage.COPYING else state


def open_way_back(aws: Aws) -> None:
    table = find_target(aws, MERGE)
    if not table.get("StreamSpecification"):
        aws.dynamodb.update_table(
            TableName=MERGE.target,
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
    aws.clock.sleep(10)


def sync(aws: Aws, notes: MemoryNotes) -> State:
    return cutover.sync_back(aws, MERGE, notes, state_of(notes))[0]


def state_of(notes: MemoryNotes) -> State:
    state = read_state(notes)
    assert state is not None
    return state


def agree(wrong: list[str]) -> None:
    """Nothing is wrong with any item."""
    assert not wrong, f"{len(wrong)} items: {'; '.join(wrong[:5])}"
