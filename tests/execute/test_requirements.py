"""What must hold before a verb does anything."""

from __future__ import annotations

import pytest

from optimizer.errors import NotApproved, PlanSuperseded, WrongState
from optimizer.execute.lease import Purpose
from optimizer.execute.pen import Pen
from optimizer.execute.records import PlanState
from optimizer.execute.requirements import current_plan, is_finished, is_under_way, require_approved, require_at_rest
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
    assert not is_finished(life.journal, plan)
    require_at_rest(life.journal, life.journal.current())


def test_a_stopped_plan_is_not_carried_on(world: World) -> None:
    life, plan = world.fresh(), world.approved()
    require_approved(life.journal, plan)
    assert is_under_way(life.journal)
    with life.journal.lease(Purpose.ROLLBACK, "test") as lease:
        Pen(life.journal, lease).close(plan, PlanState.STOPPED, "told so")
    with pytest.raises(PlanSuperseded, match="stopped by a rollback"):
        require_approved(life.journal, plan)
    assert not is_under_way(life.journal)


def test_a_plan_beside_the_one_in_force_is_not_carried_out(world: World) -> None:
    plan = world.approved()
    world.account.clock.sleep(60)
    with pytest.raises(PlanSuperseded, match="is not in force"):
        require_approved(world.fresh().journal, world.plan())
    require_approved(world.fresh().journal, plan)
