"""The table of states: the writer refuses what is not in it, and from each state a verb leads out."""

from __future__ import annotations

from itertools import product

import pytest

from domain.errors import WrongState
from optimizer.execute.journal_writer import Pen
from optimizer.execute.lease import Purpose
from optimizer.execute.records import PhaseRecord, PhaseState, PlanState
from optimizer.execute.states import CARRIED_OUT, MOVING, OVER, STEPS, UNDER_WAY, leading_to, may_follow, next_steps
from optimizer.model.phase import Phase
from pipeline import applied_version, skip_condition
from tests.execute.conftest import World

PHASES = [
    (before, after)
    for before, after in product(PhaseState, PhaseState)
    if not may_follow(before, after) and before is not PhaseState.WAITING
]


@pytest.mark.parametrize("state", [each for each in PhaseState if each not in OVER])
def test_from_each_state_of_a_phase_verbs_lead_to_its_end(state: PhaseState) -> None:
    reached, found = {state}, [state]
    while found:
        fresh = {step.after for step in next_steps(found)} - reached
        reached |= fresh
        found = list(fresh)
    assert reached & set(OVER), f"nothing leads out of {state.value}"


@pytest.mark.parametrize("state", PlanState)
def test_from_each_state_of_a_plan_verbs_lead_to_a_new_one(state: PlanState) -> None:
    reached, found = {state}, [state]
    while found:
        fresh = {step.after for step in next_steps(found)} - reached
        reached |= fresh
        found = list(fresh)
    assert PlanState.PROPOSED in reached


def test_something_irreversible_has_one_way_on_and_none_back() -> None:
    assert [step.after for step in next_steps([PhaseState.ACCEPTED])] == [PhaseState.RECONCILED]
    assert set(leading_to(PhaseState.ROLLED_BACK)) == {PhaseState.ROLLING_BACK}
    assert set(leading_to(PhaseState.ROLLING_BACK)) == set(UNDER_WAY) - {PhaseState.ROLLING_BACK}


def test_each_state_is_in_the_table_and_each_step_says_when() -> None:
    named = {step.before for step in STEPS} | {step.after for step in STEPS}
    assert {*PlanState, *PhaseState} <= named
    assert all(step.verbs and step.when for step in STEPS)


def test_the_writer_refuses_every_other_step_and_says_what_leads_on(world: World) -> None:
    plan, journal = world.approved(), world.fresh().journal
    with journal.lease(Purpose.APPLY, "test") as lease:
        pen = Pen(journal, lease)
        for before, after in PHASES:
            record = PhaseRecord(Phase.COMPUTE, before, world.account.clock.now())
            with pytest.raises(WrongState, match=f"Phase 2 is {before.value}: it cannot become {after.value}"):
                pen.move_phase(plan, record, after, "not in the table")
    assert journal.phase(plan, Phase.COMPUTE).state is PhaseState.WAITING


@pytest.mark.parametrize(("first", "then"), [(PlanState.DONE, PlanState.STOPPED), (PlanState.STOPPED, PlanState.DONE)])
def test_a_plan_ends_once(world: World, first: PlanState, then: PlanState) -> None:
    plan, journal = world.approved(), world.fresh().journal
    with journal.lease(Purpose.ROLLBACK, "test") as lease:
        pen = Pen(journal, lease)
        pen.close(plan, first, "ended")
        pen.close(plan, first, "ended: the answer of the first was lost")
        with pytest.raises(WrongState, match=f"cannot become {then.value}: the plan in force is .*{first.value}"):
            pen.close(plan, then, "ended otherwise")
    current = journal.current()
    assert current is not None
    assert current.state is first


def test_the_functions_that_cannot_import_the_table_say_the_same() -> None:
    """The inline code of the skip condition and of the job that lays out the applied code."""
    assert set(skip_condition.FINISHED) == {each.value for each in OVER}
    assert set(applied_version.CARRIED_OUT) == {each.value for each in CARRIED_OUT}
    assert set(MOVING) < set(UNDER_WAY)
