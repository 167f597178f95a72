"""The moves of a consolidation, in the order in which they are made.

How far it is stands in the notes: a move that died half way is carried on by the next run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from random import Random

from domain.errors import TenantOwned
from domain.indexes import SOURCES
from optimizer.action import Before, Move, Notes, When
from optimizer.consolidate import copy as copying
from optimizer.consolidate import cutover
from optimizer.consolidate.backup import back_up, is_backed_up
from optimizer.consolidate.merge import Merge, Speed
from optimizer.consolidate.state import Stage, State, read_state, write_state
from optimizer.consolidate.streams import is_streaming, set_streams
from optimizer.consolidate.target import create_target, delete_target, find_target, is_made
from optimizer.model.decision import Decision, Json
from optimizer.model.resource import Governed
from optimizer.observe.inventory import owner_of
from optimizer.ports.aws import Aws
from optimizer.resources.tables.table import sibling


@dataclass(frozen=True)
class Work:
    """One consolidation, as all its moves see it."""

    table: Governed
    before: Before
    decision: Decision
    notes: Notes

    @property
    def merge(self) -> Merge:
        return Merge(tuple(self.decision.target["layout"]["kept"]))

    @property
    def speed(self) -> Speed:
        return Speed(units=self.decision.target["units_per_second"])

    @property
    def like(self) -> Mapping[str, Json]:
        found: Mapping[str, Json] = self.before["tables"][self.table.name]
        return found

    def state(self) -> State | None:
        return read_state(self.notes)

    def at(self, *stages: Stage) -> Callable[[Aws], bool]:
        """Whether it stands at one of these, asked when the time has come."""

        def reached(_aws: Aws) -> bool:
            state = self.state()
            return state is not None and state.stage in stages

        return reached

    def begun(self, aws: Aws) -> State:
        """The state, written down before anything is read by it."""
        for source in SOURCES:
            if reason := owner_of(aws, sibling(self.table, source)):
                raise TenantOwned(f"{source} is not changed: {reason}.")
        state = self.state()
        if state is None:
            state = copying.begin(aws, self.merge, self.speed)
            write_state(self.notes, state)
        return state

    def chance(self) -> Random:
        return Random(self.decision.target["run"])  # noqa: S311 -- a sample that can be drawn again


def back_up_table(table: Governed, decision: Decision) -> Move:
    name = f"tap-{table.name}-{decision.target['run']}"
    return Move(
        name="back-up",
        when=When.APPLY,
        summary=f"back up {table.name}",
        is_done=lambda aws: is_backed_up(aws, table.name, name),
        do=lambda aws: back_up(aws, table.name, name),
        undo=_nothing_to_undo,
        is_undone=_always,  # a backup is nobody's harm: it stays until a person deletes it
    )


def record_sources(work: Work) -> Move:
    off = [name for name in SOURCES if work.before["tables"][name]["stream"] is None]
    return Move(
        name="streams",
        when=When.APPLY,
        summary="record the changes of both tables, with both images",
        is_done=lambda aws: all(is_streaming(aws, name, on=True) for name in SOURCES),
        do=lambda aws: set_streams(aws, off, on=True),
        undo=lambda aws: set_streams(aws, off, on=False),
        is_undone=lambda aws: all(is_streaming(aws, name, on=False) for name in off),
        deadline=timedelta(minutes=15),
        poll=timedelta(seconds=5),
    )


def make_target(work: Work) -> Move:
    tags = {key: value for key, value in work.table.tags.items() if not key.startswith("aws:")}

    def remove(aws: Aws) -> None:
        aws.clock.sleep(work.speed.pointer_age.total_seconds())  # somebody may still read by the old pointer
        delete_target(aws, work.merge)

    return Move(
        name="make",
        when=When.APPLY,
        summary=f"make {work.merge.target}, encrypted, protected and recoverable as its sources are",
        is_done=lambda aws: is_made(aws, work.merge, work.like),
        do=lambda aws: create_target(aws, work.merge, work.like, tags),
        undo=remove,
        is_undone=lambda aws: find_target(aws, work.merge) is None,
    )


def copy_items(work: Work) -> Move:
    def copy(aws: Aws) -> None:
        copying.copy(aws, work.merge, work.speed, work.notes, work.begun(aws))

    return Move(
        name="copy",
        when=When.APPLY,
        summary="copy every item, and follow what is written meanwhile",
        is_done=work.at(Stage.FOLLOWING, Stage.PROVEN, Stage.FLIPPED, Stage.STOPPED),
        do=copy,
        undo=_nothing_to_undo,
        is_undone=_always,  # the copy goes with its table
    )


def record_target(work: Work) -> Move:
    return Move(
        name="way-back",
        when=When.APPLY,
        summary=f"record the changes of {work.merge.target}",
        is_done=lambda aws: find_target(aws, work.merge) is not None and is_streaming(aws, work.merge.target, on=True),
        do=lambda aws: set_streams(aws, [work.merge.target], on=True),
        undo=_nothing_to_undo,
        is_undone=_always,  # the stream goes with its table
        deadline=timedelta(minutes=15),
        poll=timedelta(seconds=5),
    )


def prove_copy(work: Work) -> Move:
    def prove(aws: Aws) -> None:
        cutover.prove(aws, work.merge, work.speed, work.notes, work.begun(aws))

    return Move(
        name="prove",
        when=When.APPLY,
        summary="count, hash and compare every item on both sides",
        is_done=work.at(Stage.PROVEN, Stage.FLIPPED, Stage.STOPPED),
        do=prove,
        undo=_nothing_to_undo,
        is_undone=_always,
    )


def flip_pointers(work: Work) -> Move:
    def flip(aws: Aws) -> None:
        cutover.flip(aws, work.merge, work.speed, work.notes, work.begun(aws), work.chance())

    def turn_back(aws: Aws) -> None:
        cutover.turn_back(aws, work.merge, work.notes, work.begun(aws), work.chance())

    def closed(aws: Aws) -> str:
        state = work.state()
        if state is None or state.stage is not Stage.FLIPPED or cutover.is_turned_back(aws, work.merge):
            return ""
        return copying.too_late(state, aws.clock.now())

    return Move(
        name="flip",
        when=When.APPLY,
        summary=f"turn both pointers to {work.merge.target}, and carry what is written there back",
        is_done=lambda aws: (
            cutover.is_flipped(aws, work.merge) and (state := work.state()) is not None and state.outlasted
        ),
        do=flip,
        undo=turn_back,
        is_undone=lambda aws: cutover.is_turned_back(aws, work.merge),
        closed=closed,
        settle=timedelta(minutes=15),
    )


def stop_carrying_back(work: Work) -> Move:
    return Move(
        name="stop",
        when=When.ACCEPT,
        summary="stop carrying writes back: the sources stay, closed to writes, until a person retires them",
        is_done=work.at(Stage.STOPPED),
        do=lambda aws: cutover.stop(work.notes, work.begun(aws)),
    )


def _nothing_to_undo(_aws: Aws) -> None:
    """What was done harms nobody, or goes with the merged table."""


def _always(_aws: Aws) -> bool:
    return True
