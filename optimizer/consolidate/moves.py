"""A consolidation as moves, in the order in which they are made, and what the watch does for it in the window.

How far it is stands in the notes: a move that died half way is carried on by the next run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from random import Random

from domain.errors import OwnerUnread, TenantOwned, Unhealthy
from domain.indexes import SOURCES
from optimizer.action import Before, Move, Notes, When
from optimizer.consolidate import copy as copying
from optimizer.consolidate import cutover
from optimizer.consolidate.comparison import WholeTables
from optimizer.consolidate.cutover import Changes
from optimizer.consolidate.following.followed_tables import FollowedTables
from optimizer.consolidate.merge import Direction, Merge, Speed
from optimizer.consolidate.state import SET_ASIDE, MergeProgress, MergeStage, MergeState, named, read_state, write_state
from optimizer.consolidate.switches import POINTER, read_pointers, to_target, touched_pointers
from optimizer.consolidate.target import create_target, delete_target, expire, find_target, is_expiring, is_made
from optimizer.costs.copy_engine import CopyEngine
from optimizer.model.decision import Decision, Json
from optimizer.model.resource import Answer, Governed, Touched
from optimizer.ports.aws import Aws
from optimizer.ports.one_look import one_look
from optimizer.resources.tables.kinds import touched_table, touched_with_replicas
from optimizer.resources.tables.stream import BOTH_IMAGES, has_stream, set_stream
from optimizer.resources.tables.table import sibling
from optimizer.resources.tags import ownership

LEAD = SOURCES[-1]  # its change comes last, and carries the moves of both
COPIED = (MergeStage.COPIED, MergeStage.FLIPPED, MergeStage.STOPPED)
CARRIED_BACK_EVERY = timedelta(hours=1)  # in the window: so that a return finds little to do, and no surprise
LATEST_LAG = timedelta(hours=2)


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
        described: Mapping[str, Json] = self.before["tables"][self.table.name]
        return described

    @property
    def follows_streams(self) -> bool:
        """Whether the tables are too large to be compared within a pause."""
        return bool(self.decision.target["engine"] != CopyEngine.WHOLE.value)

    def state(self) -> MergeState | None:
        return read_state(self.notes)

    def at(self, *stages: MergeStage) -> Callable[[Aws], bool]:
        """Whether it stands at one of these, asked when the time has come."""
        return lambda _aws: (state := self.state()) is not None and state.stage in stages

    def begun(self, aws: Aws) -> MergeProgress:
        """The state, written down before anything is read by it."""
        state = self.state()
        if state is None:
            state = copying.begin(aws, self.merge, self.speed)
            write_state(self.notes, state)
        return MergeProgress(self.notes, state, aws.clock)

    def sources(self, aws: Aws) -> Iterator[Touched]:
        """Both sources. An index and a stream have no tags of their own: they are their table's."""
        for source in SOURCES:
            yield from touched_with_replicas(aws, sibling(self.table, source).arn)

    def target(self, aws: Aws) -> Iterator[Touched]:
        """The merged table; one that is not made yet is nobody's."""
        yield touched_table(aws, sibling(self.table, self.merge.target).arn)

    def both(self, aws: Aws) -> Iterator[Touched]:
        yield from self.sources(aws)
        yield from self.target(aws)

    def everything(self, aws: Aws) -> Iterator[Touched]:
        """Both sides, and the pointers that are turned."""
        yield from self.both(aws)
        yield from touched_pointers(aws, self.merge)

    def require_ours(self, aws: Aws) -> None:
        """Right before writes are denied and pointers turned. Raises TenantOwned, or OwnerUnread when unreadable."""
        owner = ownership(self.everything(one_look(aws)))
        if owner.answer is Answer.TENANT:
            raise TenantOwned(f"The pointers are not turned to {self.merge.target}: {owner.reason}.")
        if owner.answer is Answer.UNREADABLE:
            raise OwnerUnread(
                f"The pointers are not turned to {self.merge.target}: {owner.reason}. "
                "Run the same command again, or roll back."
            )

    def changes(self, aws: Aws, direction: Direction, progress: MergeProgress) -> Changes:
        """The way in which changes of the leading side are found."""
        if not self.follows_streams:
            return WholeTables(aws, direction, self.speed, progress)
        chance = Random(self.decision.target["run"])  # noqa: S311 -- a sample that can be drawn again
        return FollowedTables(aws, direction, self.speed, progress, chance)


def moves_of(work: Work) -> list[Move]:
    """All of them, after the backups."""
    streams = [record_changes(work)] if work.follows_streams else []
    return [
        make_target(work),
        copy_items(work),
        *streams,
        flip_pointers(work),
        expire_items(work),
        stop_carrying_back(work),
    ]


def tend(aws: Aws, table: Governed, before: Before, decision: Decision, notes: Notes) -> str:
    """Carry what was written to the merged table back to the sources, each hour; what a return would be refused for.

    Raises Unhealthy when a pointer is not where the plan left it, and when nothing was carried back for long.
    """
    work = Work(table, before, decision, notes)
    state = work.state()
    if state is None or state.stage is not MergeStage.FLIPPED:
        return ""
    if not state.outlasted:
        return ""  # late writes to the sources are not carried over yet: they must not be overwritten
    if (pointers := read_pointers(aws, work.merge)) != to_target(work.merge):
        raise Unhealthy(
            f"The plan left the pointers {POINTER}* at {work.merge.target}, and now they say {pointers}. Whoever "
            "turned them made the application write to tables that are left behind: turn them back, then roll the "
            "phase back."
        )
    late = aws.clock.now() - (state.equal_at or state.begun)
    if not work.follows_streams and late < CARRIED_BACK_EVERY:
        return ""
    progress = MergeProgress(notes, state, aws.clock)
    progress.keep()  # a rollback that takes the lease from this run sees when it wrote last
    work.changes(aws, work.merge.back, progress).catch_up()
    if late > LATEST_LAG:
        raise Unhealthy(
            f"The sources were {late} behind the merged table before this run of the watch, more than {LATEST_LAG}. "
            "They are up to date now; find out why the watch did not run."
        )
    if aside := progress.state.aside:
        return (
            f"{len(aside)} items of {work.merge.target} could not lie in the sources, so that a rollback would be "
            f"refused for them: {named(each.address for each in aside)}. The first: {aside[0].reason} {SET_ASIDE}"
        )
    return ""


def recover(aws: Aws, table: Governed, before: Before, decision: Decision, notes: Notes) -> str:
    """Let the application write again, when the job that held it back for the turn has died."""
    work = Work(table, before, decision, notes)
    if work.state() is None:
        return ""
    return cutover.recover(aws, work.merge, work.begun(aws))


def make_target(work: Work) -> Move:
    tags = {key: value for key, value in work.table.tags.items() if not key.startswith("aws:")}
    return Move(
        name="make",
        when=When.APPLY,
        summary=f"make {work.merge.target}, encrypted, protected and recoverable as its sources are",
        is_done=lambda aws: is_made(aws, work.merge, work.like),
        do=lambda aws: create_target(aws, work.merge, work.like, tags),
        undo=lambda aws: delete_target(aws, work.merge),
        is_undone=lambda aws: find_target(aws, work.merge) is None,
        touches=work.target,
    )


def copy_items(work: Work) -> Move:
    return Move(
        name="copy",
        when=When.APPLY,
        summary="copy every item, while the application writes on",
        is_done=work.at(*COPIED),
        do=lambda aws: copying.copy(aws, work.merge, work.speed, work.begun(aws)),
        undo=lambda _aws: None,
        is_undone=lambda _aws: True,  # the copy goes with its table
        touches=work.both,
    )


def record_changes(work: Work) -> Move:
    """For tables that are too large to be compared in a pause, once all is copied; comparing finds what came before."""
    on: Mapping[str, str | None] = dict.fromkeys((*SOURCES, work.merge.target), BOTH_IMAGES)
    before = {name: work.before["tables"][name]["stream"] for name in SOURCES}  # that of the target goes with it

    def reached(aws: Aws, views: Mapping[str, str | None]) -> bool:
        return all(has_stream(aws, name, view) for name, view in views.items())

    def record(aws: Aws, views: Mapping[str, str | None]) -> None:
        for name, view in views.items():
            set_stream(aws, name, view)

    return Move(
        name="streams",
        when=When.APPLY,
        summary=f"record the changes of both tables and of {work.merge.target}, with both images",
        is_done=lambda aws: find_target(aws, work.merge) is not None and reached(aws, on),
        do=lambda aws: record(aws, on),
        undo=lambda aws: record(aws, before),
        is_undone=lambda aws: reached(aws, before),
        deadline=timedelta(minutes=15),
        poll=timedelta(seconds=5),
        touches=work.both,
    )


def flip_pointers(work: Work) -> Move:
    def flip(aws: Aws) -> None:
        progress = work.begun(aws)
        changes = work.changes(aws, work.merge.there, progress)
        cutover.flip(aws, work.merge, progress, changes, lambda: work.require_ours(aws))

    def turn_back(aws: Aws) -> None:
        progress = work.begun(aws)
        leads = work.merge.back if find_target(aws, work.merge) else work.merge.there
        cutover.turn_back(aws, work.merge, progress, work.changes(aws, leads, progress))

    return Move(
        name="flip",
        when=When.APPLY,
        summary=f"deny writes for a moment, make both sides equal, and turn both pointers to {work.merge.target}",
        is_done=lambda aws: (
            cutover.is_flipped(aws, work.merge) and (state := work.state()) is not None and state.outlasted
        ),
        do=flip,
        undo=turn_back,
        is_undone=lambda aws: cutover.is_turned_back(aws, work.merge) and not work.at(MergeStage.RETURNING)(aws),
        settle=timedelta(minutes=15),
        touches=work.everything,
    )


def expire_items(work: Work) -> Move:
    """Only now: while items were copied, those that expire would have gone on one side before the other."""
    return Move(
        name="expire",
        when=When.APPLY,
        summary=f"let items of {work.merge.target} expire as those of its sources do",
        is_done=lambda aws: is_expiring(aws, work.merge, work.like["expiry"]),
        do=lambda aws: expire(aws, work.merge, work.like["expiry"]),
        undo=lambda _aws: None,
        is_undone=lambda _aws: True,  # it goes with its table, and an item that expired there has expired in its source
        touches=work.target,
    )


def stop_carrying_back(work: Work) -> Move:
    return Move(
        name="stop",
        when=When.ACCEPT,
        summary="stop carrying writes back: the sources stay, closed to writes, until a person retires them",
        is_done=work.at(MergeStage.STOPPED),
        do=lambda aws: cutover.stop(work.begun(aws)),
        touches=work.everything,
    )
