"""Never two actors at once: executions beside executions and rollbacks, retried, abandoned, superseded.

Each situation of docs/runbook.md, "Two at once", in the small world. A second actor comes in the
middle of what the first one does: at something it says, or while it judges health.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from benchmarks.campaigns.lives import OneCrash
from domain.errors import LeaseLost, OneWayBegun, PlanSuperseded, Unhealthy, WrongState
from emulator.account import Crash
from emulator.core.faults import Faults
from optimizer.execute.kill_switch import KillSwitch
from optimizer.execute.lifecycle import Lifecycle
from optimizer.execute.preconditions import is_under_way
from optimizer.execute.records import MoveState, PhaseState, PlanState
from optimizer.model.phase import Phase
from tests.execute.conftest import World

DESIGNED = {"protected": False, "recovery": "DISABLED", "stream": False}
APPLIED = {"protected": True, "recovery": "ENABLED", "stream": False}
ACCEPTED = {"protected": True, "recovery": "ENABLED", "stream": True}


def meanwhile(world: World, at: str, second: Callable[[Lifecycle], object]) -> Lifecycle:
    """A life that, when it prints `at`, meets another process before its next step."""
    came: list[str] = []

    def say(line: str) -> None:
        if at in line and not came:
            came.append(line)
            second(world.fresh())

    return replace(world.fresh(), say=say)


def state(world: World, plan: Any) -> PhaseState:
    return world.fresh().journal.phase(plan, Phase.COMPUTE).state


# Two executions


def test_an_execution_that_stood_still_makes_no_call_once_another_has_taken_over(world: World) -> None:
    plan = world.approved()
    # the second waits until the first one's lease has run out, five minutes, and does the phase
    first = meanwhile(world, "recovery on", lambda life: life.apply(plan, Phase.COMPUTE))
    with world.account.acting("first"), pytest.raises(LeaseLost, match="taken over"):
        first.apply(plan, Phase.COMPUTE)
    assert (state(world, plan), world.table()) == (PhaseState.OBSERVING, APPLIED)
    recoveries = world.account.calls.of("dynamodb", "UpdateContinuousBackups")
    assert len(recoveries) == 1, "the second one's; the first was stopped right before its own"


def test_another_execution_finds_the_phase_applied_and_changes_nothing(world: World) -> None:
    """Also a push in the middle of a window, and the execution after a self-mutation: the gate opens again."""
    plan = world.approved()
    before = world.fresh().apply(plan, Phase.COMPUTE)
    world.account.clock.sleep(3600)
    since = len(world.account.calls)
    with world.account.acting("second"):
        again = world.fresh().apply(plan, Phase.COMPUTE)
    assert (again.state, again.window_end) == (PhaseState.OBSERVING, before.window_end)
    made = list(world.account.calls)[since:]
    assert [call.operation for call in made if call.mutating and call.account == world.account.production] == []


def test_an_older_plan_s_execution_is_refused_once_a_newer_plan_is_in_force(world: World) -> None:
    old = world.approved()
    world.account.clock.sleep(60)
    world.approved()
    with pytest.raises(PlanSuperseded):
        world.fresh().apply(old, Phase.COMPUTE)
    assert world.table() == DESIGNED


# An execution against a rollback


def test_a_rollback_takes_over_from_an_apply_which_makes_no_further_call(world: World) -> None:
    plan = world.approved()
    first = meanwhile(world, "recovery on", lambda life: life.rollback(Phase.COMPUTE, "asked"))
    with pytest.raises(LeaseLost, match="taken over"):
        first.apply(plan, Phase.COMPUTE)
    assert (state(world, plan), world.table()) == (PhaseState.ROLLED_BACK, DESIGNED)
    assert {move.state for move in world.fresh().journal.moves(plan, Phase.COMPUTE)} == {MoveState.UNDONE}


def test_two_rollbacks_do_not_undo_side_by_side(world: World) -> None:
    """A breach that the watch found, and a gate that a person rejected at the same time."""
    plan = world.approved()
    with world.account.acting("apply"):
        world.fresh().apply(plan, Phase.COMPUTE)
    ended: list[PhaseState] = []
    first = meanwhile(world, "undo", lambda life: ended.append(life.rollback(Phase.COMPUTE, "rejected").state))
    with world.account.acting("rollback"), pytest.raises(LeaseLost):
        first.rollback(Phase.COMPUTE, "breach")
    assert ended == [PhaseState.ROLLED_BACK], "it waited until the lease of the one that stood still had run out"
    assert (state(world, plan), world.table()) == (PhaseState.ROLLED_BACK, DESIGNED)
    recoveries = world.account.calls.of("dynamodb", "UpdateContinuousBackups")
    assert len(recoveries) == 2, "the apply's and the second one's; the first was stopped right before its own"


def test_a_rollback_between_the_person_s_approval_and_acceptance_wins(world: World) -> None:
    plan = world.approved()
    world.fresh().apply(plan, Phase.COMPUTE)
    world.account.clock.sleep(48 * 3600)
    accepting = world.fresh()
    samples = world.service.samples

    def judged(start: Any, end: Any) -> Any:
        world.service.samples = samples  # type: ignore[method-assign]
        world.fresh().rollback(Phase.COMPUTE, "the watch saw a breach")
        return samples(start, end)

    world.service.samples = judged  # type: ignore[method-assign]
    with pytest.raises(WrongState, match="rolled_back"):
        accepting.accept(Phase.COMPUTE)
    assert world.table() == DESIGNED


def test_a_rollback_after_the_first_one_way_move_began_is_refused_and_acceptance_ends(world: World) -> None:
    plan = world.approved()
    world.fresh().apply(plan, Phase.COMPUTE)
    world.account.clock.sleep(48 * 3600)

    def too_late(life: Lifecycle) -> None:
        with pytest.raises(OneWayBegun):
            life.rollback(Phase.COMPUTE, "asked")

    meanwhile(world, "for good", too_late).accept(Phase.COMPUTE)
    assert (state(world, plan), world.table()) == (PhaseState.ACCEPTED, ACCEPTED)


@pytest.mark.parametrize("died", [False, True])
def test_a_rollback_that_waited_while_the_phase_was_accepted_is_refused_and_changes_nothing(
    world: World, died: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when the acceptance died in its one-way move: only an acceptance leads on from there."""
    plan = world.approved()
    world.fresh().apply(plan, Phase.COMPUTE)
    world.account.clock.sleep(48 * 3600)
    came: list[str] = []

    def allow_undo(switch: KillSwitch) -> None:
        """Asked between the first look at the phase and the lease."""
        if not came:
            came.append("the acceptance")
            calm = world.account.faults
            if died:
                world.account.faults = OneCrash(world.account, ("accept", "dynamodb", "UpdateTable"), True)
            with world.account.acting("accept"), pytest.raises(Crash) if died else nullcontext():
                world.fresh().accept(Phase.COMPUTE)
            world.account.faults = calm

    monkeypatch.setattr(KillSwitch, "allow_undo", allow_undo)
    with pytest.raises(OneWayBegun if died else WrongState):
        world.fresh().rollback(Phase.COMPUTE, "asked")
    assert came
    assert state(world, plan) is (PhaseState.ACCEPTING if died else PhaseState.ACCEPTED)
    assert world.fresh().accept(Phase.COMPUTE).state is PhaseState.ACCEPTED
    assert world.table() == ACCEPTED


# Died, abandoned, retried


@pytest.mark.parametrize("landed", [False, True])
def test_what_a_dead_job_had_only_begun_is_undone_as_well(world: World, landed: bool) -> None:
    """Its record says INTENT: nobody knows whether the call landed."""
    plan = world.approved()
    world.account.faults = OneCrash(world.account, ("apply", "dynamodb", "UpdateContinuousBackups"), landed)
    with world.account.acting("apply"), pytest.raises(Crash):
        world.fresh().apply(plan, Phase.COMPUTE)
    world.fresh().rollback(Phase.COMPUTE, "asked")
    assert (state(world, plan), world.table()) == (PhaseState.ROLLED_BACK, DESIGNED)
    assert {move.state for move in world.fresh().journal.moves(plan, Phase.COMPUTE)} == {MoveState.UNDONE}


@pytest.mark.parametrize("call", [12, 18, 24])
def test_what_a_dead_job_began_another_execution_ends(world: World, call: int) -> None:
    """The job ran out of its time, or its execution was abandoned: nothing is done twice, nothing is left out."""
    plan = world.approved()
    world.account.faults = Faults(call, 0.0, 0)
    with world.account.acting("dies"), pytest.raises(Crash):
        world.fresh().apply(plan, Phase.COMPUTE)
    began = world.account.clock.now()
    assert world.fresh().apply(plan, Phase.COMPUTE).state is PhaseState.OBSERVING
    assert world.account.clock.now() - began <= timedelta(minutes=6), "the dead one's lease ends after five"
    assert world.table() == APPLIED


def test_an_execution_that_died_at_its_gate_is_carried_on_by_the_same_commit_released_again(world: World) -> None:
    plan = world.approved()
    world.fresh().apply(plan, Phase.COMPUTE)
    world.account.clock.sleep(30 * 3600)  # the execution is stopped meanwhile: nobody can approve in it
    with pytest.raises(Unhealthy, match="is observed until"):
        world.fresh().accept(Phase.COMPUTE)
    assert world.fresh().apply(plan, Phase.COMPUTE).state is PhaseState.OBSERVING  # by the new execution
    world.account.clock.sleep(18 * 3600)
    world.fresh().accept(Phase.COMPUTE)
    world.fresh().reconciled()
    current = world.fresh().journal.current()
    assert current is not None
    assert (current.state, world.table()) == (PlanState.DONE, ACCEPTED)


def test_accept_retried_alone_after_an_early_approval_counts_only_from_the_window_s_end_on(world: World) -> None:
    """The console's other button, "Retry failed actions", opens no gate: the earlier approval stays valid."""
    plan = world.approved()
    world.fresh().apply(plan, Phase.COMPUTE)
    for hours in (3, 40):
        world.account.clock.sleep(hours * 3600)
        with pytest.raises(Unhealthy, match="Approving earlier does not count"):
            world.fresh().accept(Phase.COMPUTE)
    world.account.clock.sleep(5 * 3600)
    assert world.fresh().accept(Phase.COMPUTE).state is PhaseState.ACCEPTED


# An analysis beside everything else


def test_an_analysis_that_took_long_does_not_put_its_plan_over_one_that_was_approved_meanwhile(world: World) -> None:
    seen = world.fresh().journal.current()
    plan = world.approved()
    world.fresh().apply(plan, Phase.COMPUTE)
    with pytest.raises(PlanSuperseded, match="became approved: nothing is proposed"):
        world.fresh().propose(world.plan(), None, seen)
    current = world.fresh().journal.current()
    assert current is not None
    assert current.plan.hash == plan.hash


def test_nothing_is_proposed_anew_while_a_phase_is_still_being_rolled_back(world: World) -> None:
    """The watch would forget the phase that is half undone."""
    plan = world.approved()
    world.fresh().apply(plan, Phase.COMPUTE)
    stops = world.account.faults = Faults(len(world.account.calls) + 20, 0.0, 0)
    with world.account.acting("rollback"), pytest.raises(Crash):
        world.fresh().rollback(Phase.COMPUTE, "told so")
    assert stops is not None
    life = world.fresh()
    assert state(world, plan) is PhaseState.ROLLING_BACK
    assert is_under_way(life.journal), "nor is changed infrastructure deployed into it"
    with pytest.raises(WrongState, match="Phase 2 is rolling_back"):
        life.propose(world.plan(), None, life.journal.current())
    life.rollback(Phase.COMPUTE, "told so")
    assert not is_under_way(world.fresh().journal)
    world.fresh().propose(world.plan(), None, world.fresh().journal.current())
