"""The plan's life against the emulated account, one made-up action at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from domain.errors import (
    BlastRadius,
    Breach,
    NotApproved,
    OneWayBegun,
    PlanChanged,
    PlanSuperseded,
    TenantOwned,
    TurnedBack,
    Unhealthy,
    WrongState,
)
from emulator.account import Crash
from emulator.core.faults import Faults
from optimizer.decide.policy import Policy
from optimizer.execute.journal_writer import JournalWriter
from optimizer.execute.lease import DURATION, Purpose
from optimizer.execute.preconditions import require_turn
from optimizer.execute.records import MoveState, PhaseState, PlanState
from optimizer.model.health import Health
from optimizer.model.phase import Phase
from tests.execute.conftest import ACTION

DESIGNED = {"protected": False, "recovery": "DISABLED", "stream": False}
APPLIED = {"protected": True, "recovery": "ENABLED", "stream": False}
ACCEPTED = {"protected": True, "recovery": "ENABLED", "stream": True}


def test_a_phase_is_applied_observed_accepted_and_reconciled(world):
    plan = world.approved()
    assert world.fresh().apply(plan, Phase.COMPUTE).state is PhaseState.OBSERVING
    assert world.table() == APPLIED
    world.account.clock.sleep(48 * 3600)
    assert world.fresh().accept(Phase.COMPUTE).state is PhaseState.ACCEPTED
    assert world.table() == ACCEPTED
    assert world.fresh().reconciled() == [Phase.COMPUTE]
    journal = world.fresh().journal
    assert journal.current().state is PlanState.DONE
    assert journal.sizing().revision == 1
    assert journal.sizing().sizing.aurora.backup_retention_days == 14


def test_every_verb_may_be_repeated(world):
    plan = world.approved()
    for _ in range(2):
        world.fresh().approve(plan)
    for _ in range(2):
        world.fresh().apply(plan, Phase.COMPUTE)
    world.account.clock.sleep(48 * 3600)
    for _ in range(2):
        world.fresh().accept(Phase.COMPUTE)
    assert world.fresh().journal.sizing().revision == 1


def test_a_preview_changes_nothing(world):
    plan = world.approved()
    before = len(world.account.calls.mutating())
    lines = world.fresh().preview(plan, Phase.COMPUTE)
    assert [line.split(": ")[2] for line in lines] == ["apply", "apply", "accept"]
    assert len(world.account.calls.mutating()) == before
    assert world.table() == DESIGNED


def test_an_unapproved_plan_is_refused(world):
    plan = world.plan()
    life = world.fresh()
    with life.journal.lease(Purpose.ANALYZE, "test") as lease:
        JournalWriter(life.journal, lease).propose(plan)
    with pytest.raises(NotApproved):
        world.fresh().apply(plan, Phase.COMPUTE)
    assert world.table() == DESIGNED


def test_a_superseded_plan_is_refused(world):
    old = world.approved()
    world.account.clock.sleep(60)
    world.approved()
    with pytest.raises(PlanSuperseded):
        world.fresh().apply(old, Phase.COMPUTE)
    with pytest.raises(PlanSuperseded):
        world.fresh().approve(old)


def test_a_sick_service_keeps_the_phase_from_starting(world):
    plan = world.approved()
    world.service.p99_ms, world.service.since = 300.0, world.account.clock.now() - timedelta(hours=6)
    with pytest.raises(Unhealthy, match="does not start"):
        world.fresh().apply(plan, Phase.COMPUTE)
    assert world.table() == DESIGNED


def test_a_change_by_hand_after_approval_is_refused_with_the_difference(world):
    plan = world.approved()
    client = world.account.session("222222222222", "us-east-1").client("dynamodb")
    client.update_table(TableName="orders", DeletionProtectionEnabled=True)
    with pytest.raises(PlanChanged, match=r"protected True \(the approved plan saw False\)"):
        world.fresh().apply(plan, Phase.COMPUTE)


def test_a_tenant_tag_added_after_approval_leaves_the_resource_alone(world):
    plan = world.approved()
    world.tag("TenantId", "acme")
    assert world.fresh().apply(plan, Phase.COMPUTE).state is PhaseState.EMPTY
    assert world.fresh().journal.current().state is PlanState.DONE, "there is nothing left that could end it"
    assert world.table() == DESIGNED


def test_a_tenant_tag_added_in_the_window_stops_acceptance_and_rollback(world):
    plan = world.approved()
    world.fresh().apply(plan, Phase.COMPUTE)
    world.tag("TenantId:acme", "")
    world.account.clock.sleep(48 * 3600)
    with pytest.raises(TenantOwned):
        world.fresh().accept(Phase.COMPUTE)
    with pytest.raises(TenantOwned):
        world.fresh().rollback(Phase.COMPUTE, "asked")
    assert world.table() == APPLIED


def test_the_blast_radius_is_capped(world):
    plan = world.approved()
    life = replace(world.fresh(), policy=Policy(max_changes_per_phase=0))
    with pytest.raises(BlastRadius):
        life.apply(plan, Phase.COMPUTE)
    assert world.table() == DESIGNED


@pytest.mark.parametrize(
    ("hours", "p99_ms", "error"),
    [(47.9, 180.0, Unhealthy), (48, None, Unhealthy), (48, 300.0, Breach)],
)
def test_nothing_irreversible_happens_before_a_whole_healthy_window(world, hours, p99_ms, error):
    plan = world.approved()
    world.fresh().apply(plan, Phase.COMPUTE)
    world.service.p99_ms, world.service.since = p99_ms, world.account.clock.now()
    world.account.clock.sleep(hours * 3600)
    with pytest.raises(error):
        world.fresh().accept(Phase.COMPUTE)
    assert not world.table()["stream"]
    state = world.fresh().journal.phase(plan, Phase.COMPUTE).state
    assert state is (PhaseState.OBSERVING if error is Unhealthy else PhaseState.ROLLED_BACK), "no acceptance began"


def test_a_breach_rolls_back_and_stops_the_plan(world):
    plan = world.approved()
    world.fresh().apply(plan, Phase.COMPUTE)
    world.service.p99_ms, world.service.since = 300.0, world.account.clock.now()
    world.account.clock.sleep(3600)
    with pytest.raises(Breach):
        world.fresh().watch()
    journal = world.fresh().journal
    assert world.table() == DESIGNED
    assert journal.phase(plan, Phase.COMPUTE).state is PhaseState.ROLLED_BACK
    assert "p99 300 ms" in journal.phase(plan, Phase.COMPUTE).reason
    assert journal.current().state is PlanState.STOPPED
    assert {move.state for move in journal.moves(plan, Phase.COMPUTE)} == {MoveState.UNDONE}


def test_a_change_that_aws_turned_back_rolls_the_phase_back(world):
    """As an instance refresh whose alarm rang: the move fails, and the moves before it are undone as well."""

    def moves(*args):
        first, second, *rest = ACTION.moves(*args)

        def turned_back(aws):
            raise TurnedBack("the refresh ended RollbackSuccessful: tap-p99 rang.")

        return [first, replace(second, do=turned_back), *rest]

    plan = world.approved()
    life = world.fresh()
    life = replace(life, actions={ACTION.id: replace(ACTION, moves=moves)})
    with pytest.raises(Breach, match=r"Phase 2 was rolled back while it was applied: .*tap-p99 rang"):
        life.apply(plan, Phase.COMPUTE)
    journal = world.fresh().journal
    assert world.table() == DESIGNED
    assert journal.phase(plan, Phase.COMPUTE).state is PhaseState.ROLLED_BACK
    assert "tap-p99 rang" in journal.phase(plan, Phase.COMPUTE).reason
    assert journal.current().state is PlanState.STOPPED


def test_an_inconclusive_window_is_held(world):
    plan = world.approved()
    world.fresh().apply(plan, Phase.COMPUTE)
    world.service.p99_ms, world.service.since = None, world.account.clock.now()
    world.account.clock.sleep(3600)
    _, assessment = world.fresh().watch()
    assert assessment.verdict is Health.INCONCLUSIVE
    assert world.table() == APPLIED


def test_a_rollback_may_be_repeated_and_is_refused_after_acceptance(world):
    plan = world.approved()
    world.fresh().apply(plan, Phase.COMPUTE)
    for _ in range(2):
        assert world.fresh().rollback(Phase.COMPUTE, "asked").state is PhaseState.ROLLED_BACK
    assert world.table() == DESIGNED
    with pytest.raises(PlanSuperseded, match="stopped by a rollback"):
        world.fresh().apply(plan, Phase.COMPUTE)


def test_there_is_no_way_back_once_a_one_way_move_has_begun(make_world):
    world = _accepting_interrupted(make_world)
    with pytest.raises(OneWayBegun):
        world.fresh().rollback(Phase.COMPUTE, "asked")
    assert world.fresh().accept(Phase.COMPUTE).state is PhaseState.ACCEPTED


def test_a_later_phase_waits_for_the_earlier_one(world):
    plan = world.approved()
    world.fresh().apply(plan, Phase.COMPUTE)
    other = replace(plan, actions=(replace(plan.actions[0], phase=2), replace(plan.actions[0], id="late", phase=3)))
    other = replace(other, decisions=(*plan.decisions, replace(plan.decisions[0], action="late")))
    with pytest.raises(WrongState, match="phase 2 is waiting"):
        require_turn(world.fresh().journal, other, Phase.DATABASE)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(4))
def test_a_crash_at_any_call_ends_in_the_same_state(make_world, block):
    """Apply, wait, accept with a crash at call K, then the same commands again: as if nothing had been."""
    total = len(_lived(make_world()).account.calls)
    assert total > 50
    for number in range(1 + block, total + 1, 9):
        world = make_world(crash_at=number)
        _lived(world)
        assert world.table() == ACCEPTED, f"crash at call {number}"
        assert world.fresh().journal.sizing().revision == 1, f"crash at call {number}"
        assert world.fresh().journal.current().state is PlanState.DONE, f"crash at call {number}"


@pytest.mark.slow
def test_a_crash_at_any_call_of_a_rollback_ends_as_it_was_before(make_world):
    for number in range(1, 40, 4):
        world = make_world()
        plan = world.approved()
        world.fresh().apply(plan, Phase.COMPUTE)
        world.account.faults = Faults(len(world.account.calls) + number, 0.0, 0)
        world.service.p99_ms, world.service.since = 300.0, world.account.clock.now()
        world.account.clock.sleep(3600)
        _again(world, "watch", lambda life: life.watch())
        if world.fresh().journal.phase(plan, Phase.COMPUTE).state is PhaseState.ROLLING_BACK:
            world.account.clock.sleep(2 * DURATION.total_seconds())  # the dead job's lease runs out
            _again(world, "watch", lambda life: life.watch())
        assert world.table() == DESIGNED, f"crash at call {number}"
        assert world.fresh().journal.phase(plan, Phase.COMPUTE).state is PhaseState.ROLLED_BACK


def _lived(world):
    plan = world.approved()
    _again(world, "apply", lambda life: life.apply(plan, Phase.COMPUTE))
    world.account.clock.sleep(48 * 3600)
    _again(world, "accept", lambda life: life.accept(Phase.COMPUTE))
    _again(world, "reconcile", lambda life: life.reconciled())
    return world


def _again(world, actor: str, verb: Callable[..., object]) -> None:
    """Run a verb as a job would, and once more with everything new when it crashed."""
    for _ in range(2):
        try:
            with world.account.acting(actor):
                verb(world.fresh())
        except Crash:
            continue
        except Breach:
            return
        return
    raise AssertionError("a second run did not finish")


def _accepting_interrupted(make_world):
    """A world whose acceptance crashed at its one-way call."""
    calls = _lived(make_world()).account.calls
    one_way = next(c.number for c in calls if c.actor == "accept" and c.operation == "UpdateTable")
    world = make_world(crash_at=one_way)
    plan = world.approved()
    with world.account.acting("apply"):
        world.fresh().apply(plan, Phase.COMPUTE)
    world.account.clock.sleep(timedelta(hours=48).total_seconds())
    with pytest.raises(Crash), world.account.acting("accept"):
        world.fresh().accept(Phase.COMPUTE)
    return world
