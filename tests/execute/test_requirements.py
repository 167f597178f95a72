"""Preconditions of every verb."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from cloudformation.template import Place
from domain.errors import NotApproved, PlanSuperseded, WrongState
from emulator.services.cloudformation.stacks import DeployedStack, StackEvents, StackStore
from optimizer.execute.journal_writer import JournalWriter
from optimizer.execute.lease import Purpose
from optimizer.execute.preconditions import current_plan, is_finished, is_under_way, require_approved, require_at_rest
from optimizer.execute.records import PlanState
from optimizer.model.phase import Phase
from tests.execute.conftest import World


def test_before_the_first_analysis_there_is_no_plan_and_none_is_under_way(world: World) -> None:
    journal = world.fresh().journal
    with pytest.raises(WrongState, match="analyze first"):
        current_plan(journal)
    assert not is_under_way(journal)
    require_at_rest(journal, None)


def test_a_proposed_plan_wants_approval_and_holds_no_deployment(world: World) -> None:
    life, plan = world.fresh(), world.plan()
    life.propose(plan, None, None)
    with pytest.raises(NotApproved, match="was not approved"):
        require_approved(life.journal, plan)
    assert not is_under_way(life.journal)
    assert not is_finished(plan, life.journal.phases(plan))
    require_at_rest(life.journal, life.journal.current())


def test_a_stopped_plan_is_not_carried_on(world: World) -> None:
    life, plan = world.fresh(), world.approved()
    require_approved(life.journal, plan)
    assert is_under_way(life.journal)
    with life.journal.lease(Purpose.ROLLBACK, "test") as lease:
        JournalWriter(life.journal, lease).close(plan, PlanState.STOPPED, "told so")
    with pytest.raises(PlanSuperseded, match="stopped by a rollback"):
        require_approved(life.journal, plan)
    assert not is_under_way(life.journal)


def test_a_plan_beside_the_one_in_force_is_not_carried_out(world: World) -> None:
    plan = world.approved()
    world.account.clock.sleep(60)
    with pytest.raises(PlanSuperseded, match="is not in force"):
        require_approved(world.fresh().journal, world.plan())
    require_approved(world.fresh().journal, plan)


@pytest.mark.parametrize(
    ("name", "region", "status", "refused"),
    [
        ("tap-primary", "us-east-1", "UPDATE_IN_PROGRESS", True),
        ("tap-replica-2", "us-east-1", "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", True),
        ("tap-replica-2", "eu-west-1", "UPDATE_IN_PROGRESS", True),
        ("tap-replica-3", "ap-southeast-2", "CREATE_IN_PROGRESS", True),
        ("tap-primary", "us-east-1", "UPDATE_COMPLETE", False),
        ("another-team", "us-east-1", "UPDATE_IN_PROGRESS", False),
    ],
)
def test_nothing_begins_while_a_stack_is_being_deployed(
    world: World, name: str, region: str, status: str, refused: bool
) -> None:
    world.environ = {**world.environ, "TAP_SECONDARY_REGIONS": "eu-west-1,ap-southeast-2"}
    plan = world.approved()
    life = world.fresh()
    place = Place("222222222222", region, name)
    world.account.part(StackStore).record(DeployedStack(place, {}, {}, {}, {}, {}, world.account.clock.now()))
    world.account.part(StackEvents).force(place.account, place.region, place.stack, status, "made up")
    outcome = pytest.raises(WrongState, match=f"{name} in {region} is {status}") if refused else nullcontext()
    with outcome:
        life.apply(plan, Phase.COMPUTE)
