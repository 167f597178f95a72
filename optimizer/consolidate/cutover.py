"""The flip, the way back while the window is open, and the return.

Only one side is ever written by the application. For the seconds in which that side changes, writes
are denied on the side that is left; the changes on their way are followed to the last; only then are
the pointers turned. So no two writes of one item can cross, and there is no loop to break: the way
back begins at a position of the target's stream from before the application's first write there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random

from domain.errors import MoveFailed
from optimizer.action import Notes
from optimizer.consolidate.comparison import Key, compare, named, plain_key
from optimizer.consolidate.copy import FOLLOWED_A_ROUND, Follower, refuse_too_late
from optimizer.consolidate.mapping import Entity
from optimizer.consolidate.merge import VERSION, Merge, Speed
from optimizer.consolidate.pointers import read_pointers, turn_pointers
from optimizer.consolidate.replay import backward, buried, created, foreign
from optimizer.consolidate.state import Stage, State, write_state
from optimizer.consolidate.stream_reader import Position, Reader, Record
from optimizer.consolidate.verification import (
    as_returned,
    refuse_difference,
    refuse_other_sums,
    sampled,
    still_different,
    told,
)
from optimizer.consolidate.watermark import put_out, to_now
from optimizer.consolidate.write_block import fenced, is_fenced, lift_fence
from optimizer.consolidate.writes import unbury, write_all
from optimizer.ports.aws import Aws
from optimizer.resources.tables.table import read_table

QUIET = timedelta(seconds=10)  # behind a fence: no change for so long, and there is none
PAUSE = timedelta(minutes=3)  # the longest that writes may be denied before the pointers turn
UP_TO_NOW = timedelta(minutes=10)  # the longest that a stream is read until it shows what was written just now
POLL = 1.0  # seconds
CLOSE = 5.0  # seconds between two looks while old pointers may still be remembered
LOOKS = 40  # at items that are written all the time, or whose changes are still to come out of the stream
BEFORE_FLIP = (Stage.COPYING, Stage.FOLLOWING, Stage.PROVEN)
SAMPLE = 200  # items of each table in the shadow read


@dataclass(frozen=True)
class Lag:
    """How far the sources were behind when the way back was last run: the age of the oldest change then."""

    changes: int
    age: timedelta


def prove(aws: Aws, merge: Merge, speed: Speed, notes: Notes, state: State) -> State:
    """Compare everything; raises MoveFailed that names the items which do not agree."""
    follower, followed = Follower(aws, merge, notes, state), 0
    follower.follow()

    def meanwhile() -> None:
        nonlocal followed
        followed += follower.follow(FOLLOWED_A_ROUND)
        follower.renew()

    found = compare(aws, merge, speed, meanwhile)
    suspects = found.suspects
    for _ in range(LOOKS):
        followed += follower.follow()
        suspects = still_different(aws, merge, suspects)
        if not suspects:
            break
        aws.clock.sleep(POLL)
    refuse_difference(suspects, "after all changes were followed")
    refuse_other_sums(found, followed)
    proof = told(found)
    for entity, text in proof.items():
        notes.say(f"{entity}: {text}")
    follower.keep(replace(follower.state, stage=Stage.PROVEN, proof=proof))
    return follower.state


def flip(aws: Aws, merge: Merge, speed: Speed, notes: Notes, state: State, random: Random) -> State:
    """Turn the pointers to the target. Until they begin to turn, whatever goes wrong lifts the fence again."""
    if state.stage is not Stage.FLIPPED:
        follower = Follower(aws, merge, notes, state)
        follower.follow()  # what takes long, before anybody has to wait
        with fenced(aws, merge.sources):
            state = _prepare(aws, merge, follower, random)
    turn_pointers(aws, dict.fromkeys(merge.sources, merge.target))
    return _outlast(aws, merge, notes, state, speed.pointer_age)


def _prepare(aws: Aws, merge: Merge, follower: Follower, random: Random) -> State:
    deadline = aws.clock.now() + PAUSE
    _until_quiet(aws, follower.follow, deadline)
    follower.follow_to_now(deadline)
    refuse_difference(sampled(aws, merge, SAMPLE, random), "behind the fence, of a sample")
    reader = Reader(aws, Position(read_table(aws, merge.target)["LatestStreamArn"]))
    _until_quiet(aws, lambda: _discard(aws, merge, reader.batches(), follower.state), deadline)
    _discard(aws, merge, to_now(aws, merge.target, reader, deadline), follower.state)
    follower.keep(replace(follower.state, stage=Stage.FLIPPED, backward=reader.position, read_at=aws.clock.now()))
    return follower.state


def _discard(aws: Aws, merge: Merge, batches: Iterable[list[Record]], state: State) -> int:
    """Leave the target's own stream behind, past what the following did there; take the last tombstones away."""
    labels = [position.label for position in state.forward.values()]
    count = 0
    for records in batches:
        count += len(records)
        if strangers := foreign(merge, records, labels):
            raise MoveFailed(
                f"Somebody else wrote to {merge.target}: {'; '.join(strangers[:10])}. "
                "Find out who; then roll back, and propose anew."
            )
        keys = {(key["pk"]["S"], key["sk"]["S"]): key for key in buried(records)}
        write_all(aws, (unbury(merge.target, key) for key in keys.values()))
    return count


def _outlast(aws: Aws, merge: Merge, notes: Notes, state: State, age: timedelta) -> State:
    """Keep the sources close behind for as long as somebody may still read them by an old pointer."""
    until = aws.clock.now() + age
    while aws.clock.now() < until:
        state, _ = sync_back(aws, merge, notes, state)
        aws.clock.sleep(CLOSE)
    strays = _strays(aws, state)
    for _ in range(LOOKS):
        if not (strays := still_different(aws, merge, strays, as_returned)):
            state = replace(state, outlasted=True)
            write_state(notes, state)
            return state
        state, _ = sync_back(aws, merge, notes, state)  # the application writes on: both sides may be on their way
        aws.clock.sleep(POLL)
    raise MoveFailed(
        f"{len(strays)} writes reached the sources although they were denied, and {merge.target} has another state: "
        f"{named(strays)}. Write to {merge.target} what shall hold of them: the way back carries it to the sources."
    )


def _strays(aws: Aws, state: State) -> set[tuple[Entity, Key]]:
    """What was changed in the sources since all was followed, and not by a put of the way back."""
    assert state.backward is not None, "it is set when the pointers turn"
    deadline = aws.clock.now() + UP_TO_NOW
    return {
        (entity, plain_key(record["dynamodb"]["Keys"]))
        for entity, position in state.forward.items()
        for records in to_now(aws, entity, Reader(aws, position), deadline)
        for record in records
        if not record["dynamodb"].get("NewImage", {}).get(VERSION, {}).get("S", "").startswith(state.backward.label)
    }


def sync_back(aws: Aws, merge: Merge, notes: Notes, state: State) -> tuple[State, Lag]:
    """Carry the target's changes to the sources, each batch with its checkpoint."""
    assert state.backward is not None, "it is set when the pointers turn"
    refuse_too_late(state, aws.clock.now())
    begun, oldest, count = aws.clock.now(), None, 0
    reader = Reader(aws, state.backward)
    for records in to_now(aws, merge.target, reader, begun + UP_TO_NOW):
        oldest = oldest or created(records[0])
        count += len(records)
        backward(aws, merge, reader, records)
        state = replace(state, backward=reader.position)
        write_state(notes, state)
    state = replace(state, backward=reader.position, read_at=begun)
    write_state(notes, state)
    return state, Lag(count, max(begun - oldest, timedelta(0)) if oldest else timedelta(0))


def turn_back(aws: Aws, merge: Merge, notes: Notes, state: State, random: Random) -> State:
    """Return to the sources without losing a write: stop writes, follow the last of them, turn the pointers."""
    if state.stage is Stage.FLIPPED:
        state, _ = sync_back(aws, merge, notes, state)  # what takes long, before anybody has to wait
        with fenced(aws, [merge.target]):
            state = _prepare_return(aws, merge, notes, state, random)
    _open_sources(aws, merge)
    turn_pointers(aws, {str(each): str(each) for each in merge.sources})
    state = replace(state, stage=Stage.RETURNED)
    write_state(notes, state)
    return state


def _prepare_return(aws: Aws, merge: Merge, notes: Notes, state: State, random: Random) -> State:
    def drain() -> int:
        nonlocal state
        state, lag = sync_back(aws, merge, notes, state)
        return lag.changes

    _until_quiet(aws, drain, aws.clock.now() + PAUSE)
    different = sampled(aws, merge, SAMPLE, random, as_returned)
    refuse_difference(different, "after the last change was followed back, of a sample", merge.target)
    state = replace(state, stage=Stage.RETURNING)
    write_state(notes, state)
    return state


def recover(aws: Aws, merge: Merge, state: State) -> str:
    """Let the application write again after a run that died behind the fence; what that took, or nothing.

    Until the state says that both sides agree the sources are opened; from then on the pointers are turned to the end.
    """
    if state.stage is Stage.FLIPPED and not is_flipped(aws, merge):
        turn_pointers(aws, dict.fromkeys(merge.sources, merge.target))
        return f"a run died while it turned the pointers to {merge.target}: they are turned"
    if state.stage in BEFORE_FLIP and any(is_fenced(aws, each) for each in merge.sources):
        _open_sources(aws, merge)
        return f"a run died while writes to {' and '.join(merge.sources)} were denied: they are let through again"
    return ""


def _open_sources(aws: Aws, merge: Merge) -> None:
    """Let them be written again, without what a run that died behind their fence may have left."""
    for source in merge.sources:
        put_out(aws, source)
    lift_fence(aws, merge.sources)


def stop(notes: Notes, state: State) -> None:
    """Carry nothing back any more."""
    write_state(notes, replace(state, stage=Stage.STOPPED))


def is_flipped(aws: Aws, merge: Merge) -> bool:
    """Whether every pointer points to the target."""
    return read_pointers(aws, merge) == dict.fromkeys(map(str, merge.sources), merge.target)


def is_turned_back(aws: Aws, merge: Merge) -> bool:
    """Whether every pointer points to its source, and all may write there."""
    pointers = {str(each): str(each) for each in merge.sources}
    return read_pointers(aws, merge) == pointers and not any(is_fenced(aws, each) for each in merge.sources)


def _until_quiet(aws: Aws, follow: Callable[[], int], deadline: datetime) -> None:
    """Follow until no change has come for a while; raises MoveFailed when the deadline comes first."""
    last = aws.clock.now()
    while (now := aws.clock.now()) - last < QUIET:
        if now >= deadline:
            raise MoveFailed(
                "Changes kept coming behind the fence until the pause was over; writes are let through again. "
                "Find out who still writes, then run the same command again."
            )
        if follow():
            last = aws.clock.now()
        aws.clock.sleep(POLL)
