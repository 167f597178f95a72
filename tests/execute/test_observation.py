"""Reads while a window is open, and their frequency; and the comparison of the day after an acceptance."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from optimizer.action import Before
from optimizer.execute.journal_writer import JournalWriter
from optimizer.execute.lease import Purpose
from optimizer.execute.observation import NOTHING_YET, Observation
from optimizer.execute.records import PhaseState
from optimizer.model.decision import Choice
from optimizer.model.health import Assessment, Doubt, Health, Samples
from optimizer.model.phase import Phase
from optimizer.model.plan import Plan
from optimizer.model.resource import Governed
from optimizer.ports.aws import Aws
from tests.execute.conftest import ACTION, TABLE, World


def expiry(aws: Aws, governed: Governed) -> Before:
    shown = aws.dynamodb.describe_time_to_live(TableName=governed.name)["TimeToLiveDescription"]
    return {"expiry": shown.get("AttributeName")}


OTHER = replace(ACTION, id="other", phase=Phase.DATABASE, describe=expiry)


@pytest.fixture
def plan(world: World) -> Plan:
    """Applied at 8:00; another phase decided to keep something of the same table, which this one does not change."""
    world.extra = {OTHER.id: OTHER}
    plan = world.plan()
    kept = replace(plan.decisions[0], action=OTHER.id, choice=Choice.KEEP)
    world.approved(plan := replace(plan, decisions=(*plan.decisions, kept)))
    world.fresh().apply(plan, Phase.COMPUTE)
    return plan


def expire(world: World) -> None:
    dynamodb = world.account.client("dynamodb", "222222222222", "us-east-1")
    wanted = {"Enabled": True, "AttributeName": "until"}
    dynamodb.update_time_to_live(TableName=TABLE, TimeToLiveSpecification=wanted)


def watched_at(world: World, hour: int) -> None:
    """A run of the watch at the next such hour of the day, an hour or more after the last note."""
    clock = world.account.clock
    clock.sleep(3600)
    while clock.now().hour != hour:
        clock.sleep(600)
    world.fresh().watch()


def test_what_the_phase_did_not_change_is_looked_at_every_sixth_hour(world: World, plan: Plan) -> None:
    begun = world.fresh().journal.phase(plan, Phase.COMPUTE).window_start
    expire(world)
    watched_at(world, 11)
    assert world.fresh().journal.phase(plan, Phase.COMPUTE).window_start == begun
    watched_at(world, 12)
    assert world.fresh().journal.phase(plan, Phase.COMPUTE).window_start == world.account.clock.now()


def test_it_restarts_the_window_and_holds_no_acceptance(world: World, plan: Plan) -> None:
    expire(world)
    watched_at(world, 12)
    world.account.clock.sleep(timedelta(hours=49).total_seconds())
    assert world.fresh().accept(Phase.COMPUTE).state is PhaseState.ACCEPTED


def test_nothing_is_told_before_a_period_has_settled_and_of_the_day_after(world: World, plan: Plan) -> None:
    life = world.fresh()
    assert life.observation.since(plan, world.account.clock.now()) == NOTHING_YET
    assert life.observation.afterwards([]) is None
    world.account.clock.sleep(timedelta(hours=49).total_seconds())
    life.accept(Phase.COMPUTE)
    world.account.clock.sleep(3600)
    found = life.observation.afterwards([])
    assert found is not None
    assert found[1].verdict is Health.HEALTHY
    world.account.clock.sleep(timedelta(hours=24).total_seconds())
    assert life.observation.afterwards([]) is None


def test_another_doubt_is_kept_at_once(world: World, plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    """People told of missing data would otherwise look for these for up to an hour."""
    life = world.fresh()
    for doubt in (Doubt.DATA, Doubt.SERVICE):
        assessment = Assessment(Health.INCONCLUSIVE, "unclear", doubt)
        monkeypatch.setattr(Observation, "since", lambda *_, given=assessment: given)
        life.observation.assess(plan, life.journal.phase(plan, Phase.COMPUTE))
        assert life.journal.phase(plan, Phase.COMPUTE).assessment == assessment
        world.account.clock.sleep(300)


BALANCER = "arn:aws:elasticloadbalancing:us-east-1:222222222222:loadbalancer/app/tap/0123456789abcdef"


def test_the_baseline_is_kept_with_its_load_balancer_target_groups_and_the_users_clock(world: World) -> None:
    plan, life = world.approved(), world.fresh()
    begun, whole = world.account.clock.now(), world.service.baseline(world.account.clock.now())
    part = [replace(each, requests=700.0) for each in whole]
    samples = Samples(whole, {"tap-admin": part}, "Europe/Berlin", BALANCER)
    with life.journal.lease(Purpose.APPLY, "test") as lease:
        JournalWriter(life.journal, lease).keep_baseline(plan, samples)
    journal = world.fresh().journal
    assert journal.balancer() is None, "no baseline is read yet"
    kept = journal.baseline(plan.hash)
    assert journal.balancer() == BALANCER
    assert kept is not None
    assert kept.zone == "Europe/Berlin"
    seen = world.service.samples(begun, begun + timedelta(hours=6))
    slow = [replace(each, requests=700.0, p99_ms=900.0) for each in seen]
    found = kept.judge(Samples(seen, {"tap-admin": slow}), begun + timedelta(hours=6))
    assert found.verdict is Health.BREACH
    assert found.reason.startswith("target group tap-admin: ")
    assert len(world.fresh().journal.history().baseline) == len(whole)
