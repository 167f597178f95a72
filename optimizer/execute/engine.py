"""The engine: what all actions need, once.

Dry-run, lease and fencing, the blast-radius cap, tenant tags and fingerprint read again right
before each change, the write-ahead journal, polling with deadlines, resume after a crash at any
point, and rollback by undoing what was done in reverse order, each resource by itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from botocore.exceptions import BotoCoreError, ClientError

from domain.errors import (
    BlastRadius,
    LeaseLost,
    MoveFailed,
    OneWayBegun,
    OptimizerError,
    OwnerUnread,
    PlanChanged,
    Stopped,
    TenantOwned,
    Unhealthy,
)
from domain.sizing import Sizing
from optimizer.action import Action, Before, Move, Notes, When
from optimizer.decide.policy import Policy
from optimizer.execute.journal_writer import JournalWriter
from optimizer.execute.kill_switch import KillSwitch
from optimizer.execute.move_progress import MoveProgress
from optimizer.execute.records import MoveRecord, MoveState
from optimizer.model.decision import Choice, Decision, Json
from optimizer.model.health import Assessment, Health
from optimizer.model.phase import Phase
from optimizer.model.plan import Plan
from optimizer.model.resource import Answer, Governed, Inventory, Kind, Touched
from optimizer.observe.inventory import named, ownership_of, take_inventory, tenants_of
from optimizer.observe.metrics import Measurements
from optimizer.ports.aws import Aws
from optimizer.ports.one_look import one_look

Say = Callable[[str], None]

READABLE = timedelta(hours=1)  # so long is asked whose a resource is, where no move's deadline says how long
ASKED_AGAIN = timedelta(minutes=1)


@dataclass(frozen=True)
class ResourceChange:
    """One decision on its way: the action, the resource, its state before, and its moves."""

    decision: Decision
    action: Action
    governed: Governed
    before: Before
    moves: tuple[Move, ...]

    def touched(self, aws: Aws) -> Iterator[Touched]:
        """All that its moves name beside the resource and its parts, once each."""
        here, seen = aws.at(self.governed.region), set[str]()
        for each in (one for move in self.moves if move.touches for one in move.touches(here)):
            if each.name not in seen:
                seen.add(each.name)
                yield each


@dataclass(frozen=True)
class Engine:
    """Carries moves out on the production account, journaling each through a pen."""

    aws: Aws
    regions: Sequence[str]
    policy: Policy
    actions: Mapping[str, Action]
    say: Say
    switch: KillSwitch
    settled: Callable[[timedelta], None]  # waits, then raises Breach when health left its limits
    look: Callable[[], Assessment | None] = lambda: (
        None
    )  # judges the service; raises Breach once the phase is taken back

    def inventory(self, decisions: Sequence[Decision]) -> Inventory:
        """All resources of the kinds that these decisions are about, split by who owns them now."""
        kinds = {self.actions[each.action].kind for each in decisions}
        return take_inventory(self.aws, self.regions, kinds=tuple(k for k in Kind if k in kinds))

    def find(self, decisions: Sequence[Decision]) -> dict[str, Governed]:
        """The resources of these decisions that are still ours to change, by ARN."""
        return {each.arn: each for each in self.inventory(decisions).governed}

    def preview(self, decisions: Sequence[Decision]) -> Iterator[str]:
        """The moves of these decisions, a line each; changes nothing."""
        ours = self.find(decisions)
        for decision in decisions:
            governed = ours.get(decision.resource)
            if governed is None:
                yield f"{decision.action}: {decision.resource} is gone, or owned by a tenant: left alone"
                continue
            for move in self.actions[decision.action].moves(governed, decision.before, decision):
                yield f"{decision.action}: {governed.name}: {move.when.value}: {move.summary}"

    def check_radius(self, decisions: Sequence[Decision]) -> None:
        """Raises BlastRadius when one phase would change more resources than the policy allows."""
        if len(decisions) > self.policy.max_changes_per_phase:
            raise BlastRadius(
                f"The phase would change {len(decisions)} resources, the policy allows "
                f"{self.policy.max_changes_per_phase}. Raise max_changes_per_phase, or split the plan."
            )

    def still_wanted(self, decision: Decision, governed: Governed | None, measured: Measurements) -> str | None:
        """Why the phase must leave this decision out after all; None when its criteria still hold.

        The criteria are collected again: they may veto, never add. What the approved target lists,
        as the indexes to remove, must all be wanted still; that more would be wanted by now changes
        nothing. Raises PlanChanged when the resource is not what the approved plan saw, in anything but what
        AWS itself varies and people release: with that the decision is judged anew.
        """
        action = self.actions[decision.action]
        if governed is None:
            return "it is gone, or owned by a tenant by now"
        current = {**self._described(action, governed), **_varied(action, decision.before)}
        if current != decision.before:
            raise PlanChanged(_difference(governed.name, decision.before, current))
        evidence = action.collect(self.aws.at(governed.region), governed, measured)
        again = action.decide(evidence, self.policy)
        if again.choice is not Choice.APPLY:
            return again.reason
        lost = not_wanted(decision.target, again.target)
        if lost:
            return f"{', '.join(lost)} is not wanted any more: {again.reason}"
        return action.veto(self.aws.at(governed.region), decision, evidence, self.policy) if action.veto else None

    def change(
        self, plan: Plan, phase: Phase, decision: Decision, governed: Governed, pen: JournalWriter
    ) -> ResourceChange:
        """The change with its before-state, which is journaled before anything else happens."""
        action = self.actions[decision.action]
        before = pen.journal.before(plan, phase, decision.action, decision.resource)
        if before is None:
            before = decision.before
            if action.varies or action.released:  # the way back leads to what was there when it began
                before = {**before, **_varied(action, self._described(action, governed))}
            pen.keep_before(plan, phase, decision.action, decision.resource, before)
        notes = self.notes(plan, phase, decision, pen, self.switch.allow_change)
        return ResourceChange(decision, action, governed, before, self.moves(governed, before, decision, notes))

    def resized(self, sizing: Sizing, decisions: Iterable[Decision]) -> Sizing:
        """A sizing with what these decisions change, as they were approved."""
        for decision in decisions:
            sizing = self.actions[decision.action].resize(sizing, decision)
        return sizing

    def followed(self, sizing: Sizing, decisions: Iterable[Decision]) -> Sizing:
        """A sizing with what AWS varies of these decisions' resources as it is now: a fleet starts with what it has."""
        for decision in decisions:
            action = self.actions[decision.action]
            if action.follow is not None:
                current = self._described(action, named(action.kind, decision.resource, self.aws.region))
                sizing = action.follow(sizing, decision.resource, current)
        return sizing

    def _described(self, action: Action, governed: Governed) -> dict[str, Json]:
        """The resource as it is, as JSON values: that is what the plan remembers."""
        described: dict[str, Json] = json.loads(json.dumps(action.describe(self.aws.at(governed.region), governed)))
        return described

    def moves(self, governed: Governed, before: Before, decision: Decision, notes: Notes) -> tuple[Move, ...]:
        """The moves of a decision, with the notes that they keep."""
        action = self.actions[decision.action]
        if not action.keeps_notes:
            return tuple(action.moves(governed, before, decision))
        return tuple(action.moves(governed, before, decision, notes))

    def notes(
        self, plan: Plan, phase: Phase, decision: Decision, pen: JournalWriter, allow: Callable[[], None]
    ) -> MoveProgress:
        """The change's own notes on its progress, as long as the switch allows it."""
        return MoveProgress(pen, plan, phase, decision.action, decision.resource, self.say, allow)

    def run(self, plan: Plan, phase: Phase, change: ResourceChange, when: When, pen: JournalWriter) -> None:
        """Carry out the change's moves of one kind, resuming where the journal says."""
        records = {(r.action, r.resource, r.name): r for r in pen.journal.moves(plan, phase)}
        for move in (each for each in change.moves if each.when is when):
            key = (change.action.id, change.decision.resource, move.name)
            record = records.get(key) or MoveRecord(
                phase, _next(records), *key, move.summary, when is When.ACCEPT, MoveState.INTENT, plan.created_at
            )
            records[key] = record
            if record.state is MoveState.DONE:
                continue
            self._do(plan, record, change, move, pen)
            if move.settle:
                self.settled(move.settle)

    def undo(
        self, plan: Plan, phase: Phase, changes: Mapping[tuple[str, str], ResourceChange], pen: JournalWriter
    ) -> None:
        """Undo every move that was begun: newest first on each resource, and all resources side by side.

        What fails on one resource keeps no other one back, and is raised when these are undone. Raises
        OneWayBegun when one of the moves has no way back.
        """
        records = pen.journal.moves(plan, phase)
        refuse_one_way(records)
        ways: dict[str, list[MoveRecord]] = {}
        for record in reversed(records):
            if record.state is not MoveState.UNDONE:
                ways.setdefault(record.resource, []).append(record)
        failed = self._side_by_side([self._way_back(plan, each, changes, pen) for each in ways.values()], pen)
        if failed:
            raise failed[0]

    def require_ours(self, change: ResourceChange, move: Move | None, pen: JournalWriter) -> None:
        """Ask whose everything is that a change going forward touches, until it can be read; without a move, all of it.

        Raises TenantOwned, or OwnerUnread when it still cannot be read at the deadline.
        """
        clock = self.aws.clock
        deadline = clock.now() + (move.deadline if move else READABLE)
        was_said = False
        while True:
            look = one_look(self.aws)
            touched = change.touched(look) if move is None else _named_by(move, look.at(change.governed.region))
            owner = ownership_of(look, change.governed, touched)
            if owner.answer is Answer.OURS:
                return
            if owner.answer is Answer.TENANT:
                raise TenantOwned(f"{change.governed.name} is not changed: {owner.reason}.")
            if not owner.passes or clock.now() >= deadline:
                raise OwnerUnread(
                    f"{change.governed.name} is not changed: {owner.reason}. Run the same command again, or roll back."
                )
            if not was_said:
                self.say(f"{change.governed.name}: waiting, {owner.reason}")
            was_said = True
            clock.sleep((move.poll if move else ASKED_AGAIN).total_seconds())
            pen.lease.keep()

    def _do(self, plan: Plan, record: MoveRecord, change: ResourceChange, move: Move, pen: JournalWriter) -> None:
        """Writes the intent only once all that the move touches was read as ours: so its record says that as well."""
        aws = self.aws.at(change.governed.region)
        self.require_ours(change, move, pen)
        record = pen.move(plan, record, MoveState.INTENT)
        if not self._reached(move, change.governed, move.is_done, pen):
            self._require_healthy(change.governed, move)
            self.say(f"{change.governed.name}: {move.summary}")
            self.switch.allow_change()
            self.require_ours(change, move, pen)
            pen.lease.hold()
            move.do(aws)
            self._wait(move, change.governed, self._watched(move.is_done), pen)
        pen.move(plan, record, MoveState.DONE)

    def _way_back(
        self,
        plan: Plan,
        records: Sequence[MoveRecord],
        changes: Mapping[tuple[str, str], ResourceChange],
        pen: JournalWriter,
    ) -> Iterator[timedelta]:
        """The undos of one resource, newest first; yields how long to wait wherever it has to."""
        for record in records:
            change = changes[(record.action, record.resource)]
            move = next(each for each in change.moves if each.name == record.name)
            yield from self._undo(plan, record, change, move, pen)

    def _undo(
        self, plan: Plan, record: MoveRecord, change: ResourceChange, move: Move, pen: JournalWriter
    ) -> Iterator[timedelta]:
        assert move.undo is not None
        assert move.is_undone is not None
        governed, aws = change.governed, self.aws.at(change.governed.region)
        if record.state is not MoveState.UNDOING:  # else it was begun before, and is tried again
            record = pen.move(plan, record, MoveState.UNDOING)
        if not move.is_undone(aws):
            self._leave_to_tenants(change, move)
            if move.is_ready is not None and not move.is_ready(aws):
                self.say(f"{governed.name}: waiting until it takes a change")
                yield from self._until(move, governed, move.is_ready)
            if not move.is_undone(aws):
                self.say(f"{governed.name}: undo: {move.summary}")
                self.switch.allow_undo()
                self._leave_to_tenants(change, move)
                pen.lease.hold()
                move.undo(aws)
                yield from self._until(move, governed, move.is_undone)
        pen.move(plan, record, MoveState.UNDONE)

    def _leave_to_tenants(self, change: ResourceChange, move: Move) -> None:
        """Raises TenantOwned when a tenant's tag is read on what the way back touches.

        What cannot be read does not hold it: the move was begun, so all of it was read as ours then.
        """
        look = one_look(self.aws)
        touched = _named_by(move, look.at(change.governed.region))
        owner = tenants_of(look, change.governed, touched if move.touches else None)
        if owner.answer is Answer.TENANT:
            raise TenantOwned(
                f"{change.governed.name} stays as it is, the undo of {move.name!r} with it: {owner.reason}. "
                "Settle whose it is, then run rollback again."
            )
        if owner.answer is Answer.UNREADABLE:
            self.say(f"{change.governed.name}: it was ours when it was changed; {owner.reason}")

    def _side_by_side(self, ways: Sequence[Iterator[timedelta]], pen: JournalWriter) -> list[Exception]:
        """Carry all of these on in turn, waiting only when each of them waits; what failed, the first first."""
        clock = self.aws.clock
        due: dict[int, datetime] = dict.fromkeys(range(len(ways)), clock.now())
        failed: list[Exception] = []
        while due:
            place = min(due, key=lambda each: due[each])
            if (wait := due[place] - clock.now()) > timedelta(0):
                clock.sleep(wait.total_seconds())
                pen.lease.keep()
            try:
                due[place] = clock.now() + next(ways[place])
            except StopIteration:
                del due[place]
            except (LeaseLost, Stopped):
                raise
            except (OptimizerError, ClientError, BotoCoreError) as error:
                self.say(f"the way back goes on without this: {error}")
                del due[place]
                failed.append(error)
        return failed

    def _reached(self, move: Move, governed: Governed, reached: Callable[[Aws], bool], pen: JournalWriter) -> bool:
        """Whether there is nothing to ask for; if there is, the resource is ready for calls when this returns."""
        aws = self.aws.at(governed.region)
        if reached(aws):
            return True
        if move.is_ready is None or move.is_ready(aws):
            return False
        self.say(f"{governed.name}: waiting until it takes a change")
        self._wait(move, governed, move.is_ready, pen)
        return reached(aws)

    def _require_healthy(self, governed: Governed, move: Move) -> None:
        """Raises Unhealthy unless the service is surely well: nothing more is changed until then."""
        assessment = self.look()
        if assessment is not None and assessment.verdict is not Health.HEALTHY:
            raise Unhealthy(f"{governed.name}: {move.summary!r} is not begun: {assessment.reason}.")

    def _watched(self, reached: Callable[[Aws], bool]) -> Callable[[Aws], bool]:
        """The same question, with a look at the service wherever the answer is no."""

        def ask(aws: Aws) -> bool:
            if reached(aws):
                return True
            self.look()
            return False

        return ask

    def _wait(self, move: Move, governed: Governed, reached: Callable[[Aws], bool], pen: JournalWriter) -> None:
        for pause in self._until(move, governed, reached):
            self.aws.clock.sleep(pause.total_seconds())
            pen.lease.keep()

    def _until(self, move: Move, governed: Governed, reached: Callable[[Aws], bool]) -> Iterator[timedelta]:
        """Yields how long to wait until it is reached. Raises MoveFailed at the move's deadline."""
        aws, clock = self.aws.at(governed.region), self.aws.clock
        deadline = clock.now() + move.deadline
        while not reached(aws):
            if clock.now() >= deadline:
                raise MoveFailed(
                    f"{governed.name}: {move.summary!r} was not reached within {move.deadline}. "
                    "See the resource's events, then run the same command again, or roll back."
                )
            yield move.poll


def _named_by(move: Move, aws: Aws) -> Iterator[Touched]:
    """The resources that a move touches, listed while they are read: an error of listing is one of reading."""
    if move.touches is not None:
        yield from move.touches(aws)


def refuse_one_way(records: Sequence[MoveRecord]) -> None:
    """Raises OneWayBegun when an irreversible move has begun."""
    begun = [record for record in records if record.one_way]
    if begun:
        raise OneWayBegun(
            f"{begun[0].action} has begun {begun[0].summary!r}, which has no way back: run accept again to finish."
        )


def not_wanted(approved: Mapping[str, Json], again: Mapping[str, Json]) -> list[str]:
    """Entries of the approved target that the target of now no longer lists."""
    return [name for _, name in sorted(_listed(approved) - _listed(again))]


def _varied(action: Action, state: Mapping[str, Json]) -> dict[str, Json]:
    """The part of a state that AWS itself varies or people release, as a group's capacity and its image."""
    return {name: state[name] for name in (*action.varies, *action.released) if name in state}


def _listed(target: Mapping[str, Json]) -> set[tuple[str, str]]:
    """Everything that a target names in lists, with the list it is in."""
    return {(key, str(each)) for key, value in target.items() if isinstance(value, list | tuple) for each in value}


def _next(records: Mapping[tuple[str, str, str], MoveRecord]) -> int:
    return max((record.sequence for record in records.values()), default=0) + 1


def _difference(name: str, seen: Before, current: Before) -> str:
    changed = [key for key in sorted({*seen, *current}) if seen.get(key) != current.get(key)]
    differences = ", ".join(f"{key} {current.get(key)!r} (the approved plan saw {seen.get(key)!r})" for key in changed)
    return f"{name} changed since the plan: {differences}. Analyze again, or restore it."
