"""The table of states: the writer refuses transitions that are not in it, and from each state a verb leads out."""

from __future__ import annotations

from contextlib import suppress
from itertools import product
from typing import Any

import pytest

from domain.errors import Breach, WrongState
from optimizer.execute.journal_writer import JournalWriter
from optimizer.execute.lease import Purpose
from optimizer.execute.records import PhaseRecord, PhaseState, PlanState
from optimizer.execute.states import (
    MOVING,
    OVER,
    STEPS,
    UNDER_WAY,
    Verb,
    leading_to,
    may_follow,
    next_steps,
)
from optimizer.model.phase import Phase
from pipeline import skip_condition
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
        pen = JournalWriter(journal, lease)
        for before, after in PHASES:
            record = PhaseRecord(Phase.COMPUTE, before, world.account.clock.now())
            with pytest.raises(WrongState, match=f"Phase 2 is {before.value}: it cannot become {after.value}"):
                pen.move_phase(plan, record, after, "not in the table")
    assert journal.phase(plan, Phase.COMPUTE).state is PhaseState.WAITING


@pytest.mark.parametrize(("first", "then"), [(PlanState.DONE, PlanState.STOPPED), (PlanState.STOPPED, PlanState.DONE)])
def test_a_plan_ends_once(world: World, first: PlanState, then: PlanState) -> None:
    plan, journal = world.approved(), world.fresh().journal
    with journal.lease(Purpose.ROLLBACK, "test") as lease:
        pen = JournalWriter(journal, lease)
        pen.close(plan, first, "ended")
        pen.close(plan, first, "ended: the answer of the first was lost")
        with pytest.raises(WrongState, match=f"cannot become {then.value}: the plan in force is .*{first.value}"):
            pen.close(plan, then, "ended otherwise")
    current = journal.current()
    assert current is not None
    assert current.state is first


def test_the_functions_that_cannot_import_the_table_say_the_same() -> None:
    """The inline code of the skip condition."""
    assert set(skip_condition.FINISHED) == {each.value for each in OVER}
    assert set(MOVING) < set(UNDER_WAY)


# The same, walked in the small world: each state is reached, and a verb of the table leads out of it.


def begun(world: World, *states: PhaseState) -> Any:
    """A plan whose phase is brought to the last of these states, without the jobs that would do the rest."""
    plan = world.approved()
    if PhaseState.OBSERVING in states:
        world.fresh().apply(plan, Phase.COMPUTE)
    journal = world.fresh().journal
    for state in states:
        record = journal.phase(plan, Phase.COMPUTE)
        if record.state is not state:
            with journal.lease(Purpose.APPLY, "test") as lease:
                JournalWriter(journal, lease).move_phase(
                    plan, record, state, "test", applied_at=record.applied_at or world.account.clock.now()
                )
    return plan


LEADS_OUT: list[tuple[tuple[PhaseState, ...], Verb, PhaseState]] = [
    ((), Verb.APPLY, PhaseState.OBSERVING),
    ((PhaseState.APPLYING,), Verb.ROLLBACK, PhaseState.ROLLED_BACK),
    ((PhaseState.APPLYING,), Verb.WATCH, PhaseState.ROLLED_BACK),
    ((PhaseState.OBSERVING,), Verb.ACCEPT, PhaseState.ACCEPTED),
    ((PhaseState.OBSERVING,), Verb.ROLLBACK, PhaseState.ROLLED_BACK),
    ((PhaseState.OBSERVING, PhaseState.ACCEPTING), Verb.ACCEPT, PhaseState.ACCEPTED),
    ((PhaseState.OBSERVING, PhaseState.ACCEPTING), Verb.ROLLBACK, PhaseState.ROLLED_BACK),
    ((PhaseState.OBSERVING, PhaseState.ACCEPTING, PhaseState.ACCEPTED), Verb.RECONCILE, PhaseState.RECONCILED),
    ((PhaseState.OBSERVING, PhaseState.ROLLING_BACK), Verb.ROLLBACK, PhaseState.ROLLED_BACK),
    ((PhaseState.OBSERVING, PhaseState.ROLLING_BACK), Verb.WATCH, PhaseState.ROLLED_BACK),
]


@pytest.mark.parametrize(("states", "verb", "end"), LEADS_OUT)
def test_a_verb_leads_out_of_each_state(
    world: World, states: tuple[PhaseState, ...], verb: Verb, end: PhaseState
) -> None:
    plan = begun(world, *states)
    if verb is Verb.ACCEPT:
        world.account.clock.sleep(48 * 3600)
    for _ in range(6 if verb is Verb.WATCH else 1):
        life = world.fresh()
        with suppress(Breach):
            match verb:
                case Verb.APPLY:
                    life.apply(plan, Phase.COMPUTE)
                case Verb.ACCEPT:
                    life.accept(Phase.COMPUTE)
                case Verb.ROLLBACK:
                    life.rollback(Phase.COMPUTE, "asked")
                case Verb.RECONCILE:
                    life.reconciled()
                case _:
                    life.watch()
        if verb is Verb.WATCH:
            world.account.clock.sleep(900)
    assert world.fresh().journal.phase(plan, Phase.COMPUTE).state is end


def test_every_state_that_is_not_over_is_walked() -> None:
    walked = {states[-1] if states else PhaseState.WAITING for states, _, _ in LEADS_OUT}
    assert walked == set(PhaseState) - set(OVER)


@pytest.mark.parametrize("last", [PhaseState.EMPTY, PhaseState.ROLLED_BACK, PhaseState.RECONCILED, PhaseState.ACCEPTED])
def test_after_the_last_state_of_a_phase_a_new_plan_can_be_proposed(world: World, last: PhaseState) -> None:
    match last:
        case PhaseState.EMPTY:
            begun(world, PhaseState.EMPTY)
        case PhaseState.ROLLED_BACK:
            begun(world, PhaseState.OBSERVING)
            world.fresh().rollback(Phase.COMPUTE, "asked")
        case _:
            begun(world, PhaseState.OBSERVING, PhaseState.ACCEPTING, PhaseState.ACCEPTED)
            if last is PhaseState.RECONCILED:
                world.fresh().reconciled()
    world.account.clock.sleep(60)
    life = world.fresh()
    life.propose(world.plan(), None, life.journal.current())
    current = world.fresh().journal.current()
    assert current is not None
    assert current.state is PlanState.PROPOSED
