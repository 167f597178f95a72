"""Turning the pointers to the merged table, and back.

One side leads at any time: the one that the application writes. For the seconds in which that changes, writes are
denied on the leading side; the other is made equal to it; only then are the pointers turned. How the changes are
found is `Changes`: by comparing everything (comparison.py), or by following streams where that takes too long
(following/). Either way what counts is what both sides hold, and after every turn the side that was left is looked
at once more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Protocol

from botocore.exceptions import BotoCoreError

from domain.clock import Clock
from domain.errors import ItemRefused, LeaseLost, MoveFailed
from optimizer.consolidate.comparison import hashed
from optimizer.consolidate.merge import Direction, Merge
from optimizer.consolidate.state import MergeProgress, MergeStage, named
from optimizer.consolidate.switches import (
    POINTER_AGE,
    Deadline,
    is_blocked,
    let_writes_through,
    read_pointers,
    to_sources,
    to_target,
    turn_pointers,
    writes_blocked,
)
from optimizer.execute.lease import DURATION
from optimizer.model.health import Pause
from optimizer.ports.aws import Aws
from optimizer.resources.tables.items import Address, Write, read_items, write_unless_changed

PERIOD = 300  # seconds that health is judged by
JUST_BEGUN = 30  # seconds into a period that leave room for a pause
CLOSE = 20.0  # seconds between two looks at the pointers
BEFORE_FLIP = (MergeStage.COPYING, MergeStage.COPIED)


class Changes(Protocol):
    """The way in which the following side learns what was changed on the leading side."""

    def catch_up(self) -> None:
        """Bring it close while the leading side is written."""

    def settle(self, deadline: Deadline) -> None:
        """Behind the write block: make both sides equal, and see it."""

    def late(self) -> Mapping[Address, int | None]:
        """Items written to the leading side since it was settled, with the hash that was settled on."""


def flip(
    aws: Aws,
    merge: Merge,
    progress: MergeProgress,
    changes: Changes,
    require_ours: Callable[[], None] = lambda: None,
) -> None:
    """Turn the pointers to the target. Until they begin to turn, whatever goes wrong lets writes through again.

    `require_ours` raises when a tenant owns one of the tables or pointers; it is called right before writes are denied:
    catching up may have taken long.
    """
    if progress.state.stage is not MergeStage.FLIPPED:
        if _open(aws, merge.there.leading):
            _end_pause(progress)
        changes.catch_up()
        progress.refuse_aside("The pointers are not turned")
        _at_a_periods_start(aws.clock)
        require_ours()
        with _announced(progress):
            with writes_blocked(aws, merge.there.leading) as deadline:
                changes.settle(deadline)
                progress.refuse_aside("The pointers are not turned")
                deadline.check()
                progress.keep(stage=MergeStage.FLIPPED, outlasted=False)
            _turn_to_target(aws, merge, progress)
    else:
        _turn_to_target(aws, merge, progress)
    _wait(aws, merge, progress, to_target(merge), POINTER_AGE)
    _carry_late(aws, merge.there, changes.late(), progress)
    progress.keep(outlasted=True)


def turn_back(aws: Aws, merge: Merge, progress: MergeProgress, changes: Changes) -> None:
    """Return to the sources without losing a write: by what the merged table holds when writes to it have ended."""
    if progress.state.stage is MergeStage.FLIPPED:
        refused = f"The application still reads and writes {merge.target}"
        _open(aws, [merge.target])
        changes.catch_up()
        progress.refuse_aside(refused)
        _let_calls_land(aws.clock, progress)
        with writes_blocked(aws, [merge.target]) as deadline:
            changes.settle(deadline)
            progress.refuse_aside(refused)
            deadline.check()
            progress.keep(stage=MergeStage.RETURNING)
    returning = progress.state.stage is MergeStage.RETURNING
    let_writes_through(aws, merge.there.leading)
    turn_pointers(aws, merge, to_sources(merge), progress.notes.hold)
    if returning:
        # A call of the run before, on its way when this one took the lease, lands within the lease's length: writes to
        # the merged table stay denied, so that it can mislead nobody for longer than it takes to look again.
        _wait(aws, merge, progress, to_sources(merge), max(POINTER_AGE, DURATION))
        _carry_late(aws, merge.back, changes.late(), progress)
    progress.keep(stage=MergeStage.RETURNED)


def recover(aws: Aws, merge: Merge, progress: MergeProgress) -> str:
    """Let the application write again after a run that died behind the write block; what that took, or nothing.

    Until the state says that both sides agree the leading side is opened; from then on the pointers are turned.
    """
    stage, sources = progress.state.stage, merge.there.leading
    done = ""
    if stage is MergeStage.FLIPPED and not is_flipped(aws, merge):
        turn_pointers(aws, merge, to_target(merge), progress.notes.hold)
        done = f"a run died while it turned the pointers to {merge.target}: they are turned"
    if stage in BEFORE_FLIP and _open(aws, sources):
        done = f"a run died while writes to {' and '.join(sources)} were denied: they are let through again"
    if done:
        _end_pause(progress)
    return done


def stop(progress: MergeProgress) -> None:
    """Carry nothing back any more."""
    progress.keep(stage=MergeStage.STOPPED)


def is_flipped(aws: Aws, merge: Merge) -> bool:
    """Whether every pointer points to the target."""
    return read_pointers(aws, merge) == to_target(merge)


def is_turned_back(aws: Aws, merge: Merge) -> bool:
    """Whether every pointer points to its source, and all may write there."""
    turned = read_pointers(aws, merge) == to_sources(merge)
    return turned and not any(is_blocked(aws, each) for each in merge.there.leading)


def _turn_to_target(aws: Aws, merge: Merge, progress: MergeProgress) -> None:
    """Turn all of them. When AWS refuses the first for good, everything is as before and writes are let through."""
    try:
        turn_pointers(aws, merge, to_target(merge), progress.notes.hold)
    except (LeaseLost, MoveFailed, BotoCoreError):
        raise  # a call whose answer was lost may land still: the next run, or the watch, turns them to the end
    except Exception:
        if read_pointers(aws, merge) == to_sources(merge):
            progress.keep(stage=MergeStage.COPIED)
            let_writes_through(aws, merge.there.leading)
        raise


def _wait(aws: Aws, merge: Merge, progress: MergeProgress, pointers: Mapping[str, str], span: timedelta) -> None:
    """Wait so long, by sleeping and not by a clock that may be set; a pointer that moves meanwhile is turned again."""
    left = span.total_seconds()
    while left > 0:
        aws.clock.sleep(min(CLOSE, left))
        left -= CLOSE
        progress.notes.hold()
        turn_pointers(aws, merge, pointers, progress.notes.hold)


def _carry_late(aws: Aws, direction: Direction, late: Mapping[Address, int | None], progress: MergeProgress) -> None:
    """Carry over what was written to the leading side although that was denied.

    Where the other side was written since as well, its item is the newer one and stays; the address is reported.
    """
    leading = read_items(aws, late)
    carried, overtaken = 0, []
    for leader, settled in late.items():
        try:
            wanted = direction.mapped(leader, item) if (item := leading.get(leader)) else None
            follower = direction.follower(leader)
        except ItemRefused as error:
            overtaken.append(leader)
            progress.notes.say(str(error))
            continue
        there = read_items(aws, [follower]).get(follower)
        if hashed(there) == hashed(wanted):
            continue
        if hashed(there) == settled and write_unless_changed(aws, Write(follower, wanted), there):
            carried += 1
        else:
            overtaken.append(leader)
    if carried:
        progress.notes.say(f"carried {carried} writes over that reached {', '.join(direction.leading)} although denied")
    if overtaken:
        progress.notes.say(
            f"{len(overtaken)} writes reached {', '.join(direction.leading)} although denied, and the other side has "
            f"newer ones, which stay: {named(overtaken)}. Look at them."
        )


def _open(aws: Aws, tables: Sequence[str]) -> bool:
    """Lift the write block of a run that died behind it, before anything else is done; whether there was one."""
    blocked = any(is_blocked(aws, each) for each in tables)
    if blocked:
        let_writes_through(aws, tables)
    return blocked


def _let_calls_land(clock: Clock, progress: MergeProgress) -> None:
    """Wait until no call of the run before can be on its way: a rollback takes the lease from a run that lives."""
    since = progress.since_last_run
    left = 0.0 if since is None else (DURATION - since).total_seconds()
    while left > 0:
        clock.sleep(min(CLOSE, left))
        left -= CLOSE
        progress.notes.hold()


def _at_a_periods_start(clock: Clock) -> None:
    """Wait for the next period of health to begin: then the pause lies within one."""
    into = clock.now().timestamp() % PERIOD
    if into > JUST_BEGUN:
        clock.sleep(PERIOD - into)


@contextmanager
def _announced(progress: MergeProgress) -> Iterator[None]:
    """Tell in the journal that writes are refused by our own doing, and when that is over."""
    progress.announce(Pause(progress.clock.now()))
    try:
        yield
    except LeaseLost:
        raise
    except Exception:
        _end_pause(progress)
        raise
    _end_pause(progress)


def _end_pause(progress: MergeProgress) -> None:
    for pause in progress.state.pauses[-1:]:
        if pause.end is None:
            progress.announce(replace(pause, end=progress.clock.now()))
