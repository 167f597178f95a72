"""The moves of a consolidation, in the order in which they are made.

How far it is stands in the notes: a move that died half way is carried on by the next run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from random import Random

from domain.errors import OwnerUnread, TenantOwned
from domain.indexes import SOURCES
from optimizer.action import Before, Move, Notes, When
from optimizer.consolidate import copy as copying
from optimizer.consolidate import cutover
from optimizer.consolidate.cutover import Changes
from optimizer.consolidate.following.followed_tables import FollowedTables
from optimizer.consolidate.merge import Direction, Merge, Speed
from optimizer.consolidate.pointers import touched_pointers
from optimizer.consolidate.state import MergeProgress, MergeStage, MergeState, read_state, write_state
from optimizer.consolidate.target import create_target, delete_target, expire, find_target, is_expiring, is_made
from optimizer.consolidate.whole import WholeTables
from optimizer.costs.copy_engine import CopyEngine
from optimizer.model.decision import Decision, Json
from optimizer.model.resource import Answer, Governed, Touched
from optimizer.ports.aws import Aws
from optimizer.resources.tables.kinds import touched_table, touched_with_replicas
from optimizer.resources.tables.table import sibling
from optimizer.resources.tags import ownership

COPIED = (MergeStage.COPIED, MergeStage.FLIPPED, MergeStage.STOPPED)


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

    def state(self) -> MergeState | None:
        return read_state(self.notes)

    def at(self, *stages: MergeStage) -> Callable[[Aws], bool]:
        """Whether it stands at one of these, asked when the time has come."""

        def reached(_aws: Aws) -> bool:
            state = self.state()
            return state is not None and state.stage in stages

        return reached

    @property
    def follows_streams(self) -> bool:
        """Whether the tables are too large to be compared within a pause."""
        return bool(self.decision.target["engine"] != CopyEngine.WHOLE.value)

    def begun(self, aws: Aws) -> MergeProgress:
        """The state, written down before anything is read by it."""
        state = self.state()
        if state is None:
            state = copying.begin(aws, self.merge, self.speed)
            write_state(self.notes, state)
        return MergeProgress(self.notes, state, aws.clock)

    def carried_on(self, aws: Aws) -> MergeProgress:
        """The progress that the journal holds of a merge that was begun."""
        state = self.state()
        assert state is not None, "it was begun"
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
        found = ownership(self.everything(aws))
        if found.answer is Answer.TENANT:
            raise TenantOwned(f"The pointers are not turned to {self.merge.target}: {found.reason}.")
        if found.answer is Answer.UNREADABLE:
            raise OwnerUnread(
                f"The pointers are not turned to {self.merge.target}: {found.reason}. "
                "Run the same command again, or roll back."
            )

    def changes(self, aws: Aws, direction: Direction, progress: MergeProgress) -> Changes:
        """The way in which changes of the leading side are found."""
        if not self.follows_streams:
            return WholeTables(aws, direction, self.speed, progress)
        chance = Random(self.decision.target["run"])  # noqa: S311 -- a sample that can be drawn again
        return FollowedTables(aws, direction, self.speed, progress, chance)


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


def flip_pointers(work: Work) -> Move:
    def flip(aws: Aws) -> None:
        progress = work.begun(aws)
        changes = work.changes(aws, work.merge.there, progress)
        cutover.flip(aws, work.merge, work.speed, progress, changes, lambda: work.require_ours(aws))

    def turn_back(aws: Aws) -> None:
        progress = work.begun(aws)
        leads = work.merge.back if find_target(aws, work.merge) else work.merge.there
        cutover.turn_back(aws, work.merge, work.speed, progress, work.changes(aws, leads, progress))

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
