"""Changes outside the pipeline in a window: detected at the next watch, and the window restarts."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from domain.errors import Breach, Unhealthy
from optimizer.execute.records import PhaseState
from optimizer.model.decision import Choice
from optimizer.model.health import Health
from optimizer.model.phase import Phase
from tests.execute.conftest import ACTION, TABLE, World

HOURS_48 = timedelta(hours=48)


def observed(world: World) -> object:
    plan = world.approved()
    world.fresh().apply(plan, Phase.COMPUTE)
    world.account.clock.sleep(10 * 3600)
    return plan


def by_hand(world: World, **change: object) -> None:
    world.account.session("222222222222", "us-east-1").client("dynamodb").update_table(TableName=TABLE, **change)


def window(world: World, plan: object) -> tuple[object, object]:
    record = world.fresh().journal.phase(plan, Phase.COMPUTE)
    return record.window_start, record.window_end


def test_an_untouched_phase_keeps_its_window(world: World) -> None:
    plan = observed(world)
    before = window(world, plan)
    _, assessment = world.fresh().watch()
    assert assessment is not None
    assert assessment.verdict is Health.HEALTHY
    assert window(world, plan) == before


def test_a_change_by_hand_restarts_the_window_once_and_is_told(world: World) -> None:
    plan = observed(world)
    by_hand(world, DeletionProtectionEnabled=False)
    now = world.account.clock.now()
    world.fresh().watch()
    assert window(world, plan) == (now, now + HOURS_48)
    (told,) = [each.text for each in world.fresh().journal.history().events if "past the pipeline" in each.text]
    assert "orders: protected false (it was true)" in told
    world.account.clock.sleep(3600)
    world.fresh().watch()
    assert window(world, plan) == (now, now + HOURS_48), "what was told is what is compared with now"


def test_a_resource_that_is_gone_restarts_the_window_too(world: World) -> None:
    plan = observed(world)
    by_hand(world, DeletionProtectionEnabled=False)
    world.account.session("222222222222", "us-east-1").client("dynamodb").delete_table(TableName=TABLE)
    now = world.account.clock.now()
    world.fresh().watch()
    assert window(world, plan) == (now, now + HOURS_48)
    assert any("orders is gone" in each.text for each in world.fresh().journal.history().events)


def test_a_change_in_the_last_minutes_is_found_by_accept(world: World) -> None:
    plan = observed(world)
    world.account.clock.sleep(38 * 3600)
    by_hand(world, DeletionProtectionEnabled=False)
    with pytest.raises(Unhealthy, match="begins anew, until 2027-03-05"):
        world.fresh().accept(Phase.COMPUTE)
    assert world.fresh().journal.phase(plan, Phase.COMPUTE).state is PhaseState.OBSERVING
    assert not world.table()["stream"], "nothing irreversible was done"
    by_hand(world, DeletionProtectionEnabled=True)
    world.account.clock.sleep(3600)
    world.fresh().watch()
    world.account.clock.sleep(48 * 3600)
    assert world.fresh().accept(Phase.COMPUTE).state is PhaseState.ACCEPTED


def test_what_stays_changed_is_not_accepted(world: World) -> None:
    """An index whose deny was lifted is needed by somebody: watched for another 48 h or not."""
    plan = observed(world)
    by_hand(world, DeletionProtectionEnabled=False)
    world.fresh().watch()
    for _ in range(2):
        world.account.clock.sleep(49 * 3600)
        with pytest.raises(Unhealthy, match=r"not what was approved any more\. orders: protected false"):
            world.fresh().accept(Phase.COMPUTE)
    assert not world.table()["stream"], "nothing irreversible was done"
    by_hand(world, DeletionProtectionEnabled=True)
    world.account.clock.sleep(3600)
    world.fresh().watch()
    world.account.clock.sleep(49 * 3600)
    assert world.fresh().accept(Phase.COMPUTE).state is PhaseState.ACCEPTED
    assert plan is not None


def test_a_resource_that_another_phase_decided_on_restarts_the_window_and_holds_nothing(world: World) -> None:
    world.extra = {"other": replace(ACTION, id="other", phase=Phase.DATABASE)}
    decision = replace(world.plan().decisions[0], action="other", choice=Choice.KEEP)
    plan = world.plan()
    plan = world.approved(replace(plan, decisions=(*plan.decisions, decision)))
    world.fresh().apply(plan, Phase.COMPUTE)
    own, others = world.fresh().journal.left(plan, Phase.COMPUTE)
    assert {own.action: own.own, others.action: others.own} == {"tidy_table": True, "other": False}


def test_a_breach_rolls_back_first_whatever_was_changed(world: World) -> None:
    observed(world)
    by_hand(world, DeletionProtectionEnabled=False)
    world.service.p99_ms, world.service.since = 300.0, world.account.clock.now()
    world.account.clock.sleep(3600)
    with pytest.raises(Breach):
        world.fresh().watch()
    assert world.table() == {"protected": False, "recovery": "DISABLED", "stream": False}
