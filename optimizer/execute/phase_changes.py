"""The changes of one phase: which of the decisions still hold, and which were begun."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from domain.errors import OwnerUnread, TenantOwned
from optimizer.action import Action, Tending
from optimizer.analyze.measure import measure
from optimizer.execute.engine import ASKED_AGAIN, READABLE, Engine, ResourceChange
from optimizer.execute.journal_writer import JournalWriter
from optimizer.execute.records import MoveState, PhaseRecord, PhaseState
from optimizer.model.decision import Decision
from optimizer.model.phase import Phase
from optimizer.model.plan import Plan
from optimizer.model.resource import Answer, Governed, Inventory
from optimizer.observe.inventory import named, tenants_of
from optimizer.ports.one_look import one_look


@dataclass(frozen=True)
class PhaseChanges:
    """The changes that one run makes for the decisions of a phase, with an engine and under its lease."""

    plan: Plan
    phase: Phase
    engine: Engine
    pen: JournalWriter

    def wanted(
        self, record: PhaseRecord, decisions: Sequence[Decision]
    ) -> tuple[PhaseRecord, Mapping[str, Governed], list[Decision]]:
        """The decisions that still hold, with their resources by ARN.

        Those already begun are carried on; those vetoed stay vetoed. Raises TenantOwned when a resource is not ours,
        OwnerUnread when that cannot be read.
        """
        record, wanted = self._not_vetoed(record, decisions)
        inventory = self._readable(wanted)
        governed = {each.arn: each for each in inventory.governed}
        for decision in wanted:
            if decision.resource not in governed:
                raise TenantOwned(f"{decision.resource} was under change, and stops: {_reason(inventory, decision)}.")
        return record, governed, wanted

    def begun(
        self, allow: Callable[[], None], wanted: Callable[[Action, Governed], bool] = lambda _action, _governed: True
    ) -> dict[tuple[str, str], ResourceChange]:
        """The `wanted` changes among those this phase has begun, each with its moves as they were when it was applied.

        By the journal alone: whether AWS answers about a resource now says nothing of what was changed.
        `allow` raises Stopped when the switch says so.
        """
        begun = self._begun()
        changes = {}
        for decision in self.plan.to_apply(self.phase):
            action = self.engine.actions[decision.action]
            resource = named(action.kind, decision.resource, self.engine.aws.region)
            if (decision.action, decision.resource) not in begun or not wanted(action, resource):
                continue
            before = self.pen.journal.before(self.plan, self.phase, decision.action, decision.resource)
            assert before is not None, "it is journaled before the first move"
            notes = self.engine.notes(self.plan, self.phase, decision, self.pen, allow)
            moves = self.engine.moves(resource, before, decision, notes)
            changes[(decision.action, decision.resource)] = ResourceChange(decision, action, resource, before, moves)
        return changes

    def at_work(self) -> bool:
        """Whether AWS is still carrying out a move of a job that died: it had the time that the move may take."""
        now = self.engine.aws.clock.now()
        open_moves = [each for each in self.pen.journal.moves(self.plan, self.phase) if each.state is MoveState.INTENT]
        changes = self.begun(self.engine.switch.allow_undo) if open_moves else {}
        for record in open_moves:
            change = changes[(record.action, record.resource)]
            move = next(each for each in change.moves if each.name == record.name)
            aws = self.engine.aws.at(change.governed.region)
            if move.is_ready is not None and now - record.at < move.deadline and not move.is_ready(aws):
                return True
        return False

    def to_accept(self, allow: Callable[[], None]) -> dict[tuple[str, str], ResourceChange]:
        """The same, each still ours. Raises TenantOwned, or OwnerUnread when that cannot be read."""
        changes = self.begun(allow)
        for change in changes.values():
            self.engine.require_ours(change, None, self.pen)
        return changes

    def tend(self, way: Callable[[Action], Tending | None]) -> list[str]:
        """Do the step for each change that was begun; what people have to know of it. A tenant's is left alone."""
        allow, lines = self.engine.switch.allow_undo, []
        for change in self.begun(allow, lambda action, each: way(action) is not None and action.tends(each)).values():
            work, look = way(change.action), one_look(self.engine.aws)
            assert work is not None, "only these were wanted"
            owner = tenants_of(look, change.governed, None, change.touched(look))
            if owner.answer is Answer.TENANT:
                self.engine.say(f"{change.governed.name} is left alone: {owner.reason}")
                continue
            notes = self.engine.notes(self.plan, self.phase, change.decision, self.pen, allow)
            aws = self.engine.aws.at(change.governed.region)
            if line := work(aws, change.governed, change.before, change.decision, notes):
                self.engine.say(line)
                lines.append(line)
        return lines

    def _not_vetoed(self, record: PhaseRecord, decisions: Sequence[Decision]) -> tuple[PhaseRecord, list[Decision]]:
        engine, begun, vetoed = self.engine, self._begun(), dict(record.vetoed or {})
        fresh = [d for d in decisions if (d.action, d.resource) not in begun and d.key not in vetoed]
        inventory = self._readable(fresh)
        by_arn = {each.arn: each for each in inventory.governed}
        pairs = [(engine.actions[d.action], by_arn[d.resource]) for d in fresh if d.resource in by_arn]
        measured = measure(engine.aws, pairs, engine.policy)
        for decision in fresh:
            governed = by_arn.get(decision.resource)
            reason = engine.still_wanted(decision, governed, measured) if governed else _reason(inventory, decision)
            if reason:
                vetoed[decision.key] = reason
                engine.say(f"{decision.action}: left out, its criteria no longer hold: {reason}")
        if vetoed != dict(record.vetoed or {}):
            text = "Left out: " + "; ".join(f"{key}: {reason}" for key, reason in vetoed.items())
            record = self.pen.move_phase(self.plan, record, PhaseState.APPLYING, text, vetoed=vetoed)
        return record, [each for each in decisions if each.key not in vetoed]

    def _readable(self, decisions: Sequence[Decision]) -> Inventory:
        """The resources of these kinds, once the owner of each of the decisions' resources can be read."""
        engine, clock = self.engine, self.engine.aws.clock
        deadline = clock.now() + READABLE
        while True:
            inventory = engine.inventory(decisions)
            waiting = [
                inventory.unreadable[each.resource] for each in decisions if each.resource in inventory.unreadable
            ]
            if not waiting:
                return inventory
            if clock.now() >= deadline or not all(each.passes for each in waiting):
                held = next(each for each in decisions if each.resource in inventory.unreadable)
                raise OwnerUnread(
                    f"{held.resource} is not changed: {_reason(inventory, held)}. Run the same command again."
                )
            clock.sleep(ASKED_AGAIN.total_seconds())
            self.pen.lease.keep()

    def _begun(self) -> set[tuple[str, str]]:
        return {(move.action, move.resource) for move in self.pen.journal.moves(self.plan, self.phase)}


def _reason(inventory: Inventory, decision: Decision) -> str:
    """Why a decision's resource is not among the governed ones."""
    return next((each.reason for each in inventory.excluded if each.arn == decision.resource), "it is gone")
