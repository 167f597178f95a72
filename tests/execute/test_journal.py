"""Conditions for an exact rollback from the journal: order, consistent reads, every page, one baseline."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from domain.errors import PlanSuperseded, WrongState
from optimizer.execute.journal_writer import JournalWriter
from optimizer.execute.lease import Purpose
from optimizer.execute.records import MoveRecord, MoveState, PhaseState, PlanState, WindowSnapshot
from optimizer.model.phase import Phase
from optimizer.model.plan import Plan
from tests.execute.conftest import ARN, DESIGNED, World


def moves_of(world: World, plan: Plan, count: int) -> list[MoveRecord]:
    """A phase with this many moves, as it would be written."""
    life = world.fresh()
    with life.journal.lease(Purpose.APPLY, "test") as lease:
        pen = JournalWriter(life.journal, lease)
        for number in range(1, count + 1):
            record = MoveRecord(
                Phase.COMPUTE,
                number,
                "tidy_table",
                ARN,
                f"move-{number}",
                "a move",
                False,
                MoveState.INTENT,
                plan.created_at,
            )
            pen.move(plan, record, MoveState.DONE)
    return life.journal.moves(plan, Phase.COMPUTE)


@pytest.mark.parametrize("count", [9, 10, 12, 101])
def test_moves_are_read_in_the_order_in_which_they_were_made(world: World, count: int) -> None:
    """The way back is the reverse of it: the tenth move comes after the second."""
    found = moves_of(world, world.approved(), count)
    assert [each.sequence for each in found] == list(range(1, count + 1))


def test_the_way_back_of_twelve_moves_is_their_reverse(world: World) -> None:
    """Through the engine, which undoes the journal's entries."""
    undone: list[str] = []
    action = world.action

    def moves(*arguments: Any) -> list[Any]:
        first, *_ = action.moves(*arguments)

        def numbered(number: int) -> Any:
            name = f"step-{number}"
            return replace(
                first,
                name=name,
                is_done=lambda aws: name in done,
                do=lambda aws: done.append(name),
                undo=lambda aws: undone.append(name),
                is_undone=lambda aws: name in undone,
            )

        return [numbered(number) for number in range(1, 13)]

    done: list[str] = []
    world.action = replace(action, moves=moves)
    world.fresh().apply(world.approved(), Phase.COMPUTE)
    world.fresh().rollback(Phase.COMPUTE, "a breach")
    assert done == [f"step-{number}" for number in range(1, 13)]
    assert undone == done[::-1]


def test_every_read_of_the_journal_is_consistent(world: World) -> None:
    """An eventually consistent read may show a phase, a move or a lease as it was before (GetItem)."""
    with world.account.acting("job"):
        world.fresh().apply(world.approved(), Phase.COMPUTE)
        world.account.clock.sleep(48 * 3600)
        world.fresh().watch()
        world.fresh().accept(Phase.COMPUTE)
    reads = [
        call
        for name in ("GetItem", "Query")
        for call in world.account.calls.of("dynamodb", name)
        if call.parameters["TableName"] == "tap-journal"
    ]
    assert {call.operation for call in reads} == {"GetItem", "Query"}
    assert [call.operation for call in reads if call.parameters.get("ConsistentRead") is not True] == []


def test_what_fills_more_than_one_answer_is_read_whole(world: World) -> None:
    """A Query answers with 1 MB at most (API Reference, Query)."""
    plan = world.approved()
    life = world.fresh()
    with life.journal.lease(Purpose.APPLY, "test") as lease:
        pen = JournalWriter(life.journal, lease)
        for number in range(8):
            state = {"text": "x" * 300_000}
            left = WindowSnapshot("tidy_table", f"{ARN}{number}", "TABLE", "orders", "us-east-1", state, True)
            pen.keep_left(plan, Phase.COMPUTE, left)
    assert len(life.journal.left(plan, Phase.COMPUTE)) == 8


def test_the_baseline_of_the_plans_first_change_stays_for_its_later_phases(world: World) -> None:
    """Otherwise the damage of an earlier phase would be the baseline of the next: small steps add up unseen."""
    plan = world.approved()
    life, now = world.fresh(), world.account.clock.now()
    first = [replace(each, p99_ms=170.0) for each in world.service.baseline(now)]
    with life.journal.lease(Purpose.APPLY, "test") as lease:
        JournalWriter(life.journal, lease).keep_baseline(plan, first)
    world.fresh().apply(plan, Phase.COMPUTE)
    assert {each.p99_ms for each in world.fresh().journal.history().baseline} == {170.0}


def test_a_stopped_plan_is_not_approved_again(world: World) -> None:
    plan = world.approved()
    life = world.fresh()
    with life.journal.lease(Purpose.ROLLBACK, "test") as lease:
        JournalWriter(life.journal, lease).close(plan, PlanState.STOPPED, "told so")
    with pytest.raises(PlanSuperseded, match="it is stopped"):
        world.fresh().approve(plan)
    current = world.fresh().journal.current()
    assert current is not None
    assert current.state is PlanState.STOPPED


def test_a_plan_that_is_not_in_force_is_not_closed(world: World) -> None:
    old = world.approved()
    world.account.clock.sleep(60)
    new = world.approved()
    life = world.fresh()
    with life.journal.lease(Purpose.ROLLBACK, "test") as lease, pytest.raises(WrongState, match="cannot become"):
        JournalWriter(life.journal, lease).close(old, PlanState.STOPPED, "told so")
    current = life.journal.current()
    assert current is not None
    assert (current.plan.hash, current.state) == (new.hash, PlanState.APPROVED)


def test_a_phase_that_somebody_moved_on_is_not_written_over(world: World) -> None:
    """Compare and set: the second of two who read the same state is refused."""
    plan = world.approved()
    life = world.fresh()
    with life.journal.lease(Purpose.APPLY, "test") as lease:
        pen = JournalWriter(life.journal, lease)
        seen = life.journal.phase(plan, Phase.COMPUTE)
        applying = pen.move_phase(plan, seen, PhaseState.APPLYING, "one")
        pen.move_phase(plan, applying, PhaseState.ROLLING_BACK, "two")
        with pytest.raises(WrongState, match="another run moved it on"):
            pen.move_phase(plan, applying, PhaseState.OBSERVING, "three")
    assert life.journal.phase(plan, Phase.COMPUTE).state is PhaseState.ROLLING_BACK


def test_a_phase_that_is_being_rolled_back_is_not_applied(world: World) -> None:
    """Else its gate would open while it is taken back."""
    plan = world.approved()
    life = world.fresh()
    with life.journal.lease(Purpose.ROLLBACK, "test") as lease:
        pen = JournalWriter(life.journal, lease)
        record = pen.move_phase(plan, life.journal.phase(plan, Phase.COMPUTE), PhaseState.APPLYING, "begun")
        pen.move_phase(plan, record, PhaseState.ROLLING_BACK, "a breach", reason="a breach")
    with pytest.raises(WrongState, match="rolling_back"):
        world.fresh().apply(plan, Phase.COMPUTE)
    assert world.table() == DESIGNED
