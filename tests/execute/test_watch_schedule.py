"""A phase begins only where it can be watched; its watch runs while something of ours is changed, and no longer."""

from __future__ import annotations

from datetime import timedelta

import pytest

from cloudformation.template import Place
from domain.errors import Unhealthy
from emulator.services.cloudformation.stacks import DeployedResource, DeployedStack, StackStore
from emulator.services.codebuild.builds import Builds
from emulator.services.eventbridge.rules_api import RuleStates
from emulator.workload.spec import WorkloadEvent, WorkloadSpec
from emulator.workload.workload import Workload
from optimizer.execute.records import PhaseState
from optimizer.model.phase import Phase
from tests.execute.conftest import World

TOOLING, REGION = "111111111111", "us-east-1"


@pytest.fixture
def piped(world: World) -> World:
    """A world in which the watch is a project with a schedule; whatever is started runs two minutes later."""
    now = world.account.clock.now()
    kinds = {"AWS::CodeBuild::Project": {}, "AWS::Events::Rule": {"State": "DISABLED"}}
    found = {
        kind: DeployedResource(kind, kind, "tap-watch", {}, properties, False, now)
        for kind, properties in kinds.items()
    }
    place = Place(TOOLING, REGION, "tap-pipeline")
    world.account.part(StackStore).record(DeployedStack(place, {}, found, {}, {}, {}, now))
    world.listen()
    world.environ = {**world.environ, "TAP_WATCH_NAME": "tap-watch"}
    world.rule = found["AWS::Events::Rule"]  # type: ignore[attr-defined]
    return world


def is_on(world: World) -> bool:
    return world.account.part(RuleStates).is_on(TOOLING, REGION, world.rule)  # type: ignore[attr-defined]


def runs(world: World, minutes: int = 2) -> None:
    """A build of the watch judges after so many minutes."""
    journal = world.fresh().journal
    world.account.schedule(world.account.clock.now() + timedelta(minutes=minutes), journal.beat)


def test_apply_begins_once_the_watch_has_judged_beside_it(piped: World) -> None:
    plan = piped.approved()
    assert not is_on(piped)
    runs(piped)
    assert piped.fresh().apply(plan, Phase.COMPUTE).state is PhaseState.OBSERVING
    assert is_on(piped)
    assert len(piped.account.part(Builds).waiting) == 1


def test_nothing_is_changed_where_the_watch_does_not_run(piped: World) -> None:
    plan, before = piped.approved(), piped.table()
    piped.fresh().journal.beat()  # an hour ago it ran: that is no proof
    piped.account.clock.sleep(3600)
    with pytest.raises(Unhealthy, match="did not judge within 15 minutes"):
        piped.fresh().apply(plan, Phase.COMPUTE)
    assert piped.table() == before
    assert piped.fresh().journal.phase(plan, Phase.COMPUTE).state is PhaseState.WAITING


def test_a_build_that_is_refused_is_told_at_once_and_tried_again(piped: World) -> None:
    event = WorkloadEvent(on="plan.approved", until_minutes=30, build_limit=1)
    workload = Workload(WorkloadSpec(tenants=10, requests_per_day=1e6), piped.account, 0, events=(event,))
    workload.milestone("plan.approved", piped.account.clock.now())
    plan = piped.approved()
    with piped.account.part(Builds).at_work():  # this job's own
        with pytest.raises(Unhealthy, match="AccountLimitExceededException: Cannot have more than 1 builds"):
            piped.fresh().apply(plan, Phase.COMPUTE)
        assert piped.account.part(Builds).refused > 10
        (mail,) = piped.mail()
        assert mail["Subject"].endswith("does not begin: the watch cannot run beside it")
        piped.account.clock.sleep(3600)
        runs(piped)
        assert piped.fresh().apply(plan, Phase.COMPUTE).state is PhaseState.OBSERVING


def test_the_watch_switches_its_schedule_off_a_day_after_the_last_acceptance(piped: World) -> None:
    plan = piped.approved()
    runs(piped)
    piped.fresh().apply(plan, Phase.COMPUTE)
    piped.account.clock.sleep(48 * 3600)
    piped.fresh().watch()
    piped.fresh().accept(Phase.COMPUTE)
    piped.fresh().reconciled()
    piped.account.clock.sleep(3600)
    piped.fresh().watch()
    assert is_on(piped)
    piped.account.clock.sleep(24 * 3600)
    piped.fresh().watch()
    assert not is_on(piped)


def test_a_watch_that_finds_nothing_under_way_leaves_the_schedule_of_a_job_that_begins(piped: World) -> None:
    plan = piped.approved()
    runs(piped)
    said = piped.said.append
    piped.fresh().schedule.switch_on()

    def begins(line: str) -> None:
        said(line)
        piped.fresh()._rest()

    life = piped.fresh()
    object.__setattr__(life, "say", begins)
    life.apply(plan, Phase.COMPUTE)
    assert is_on(piped)
