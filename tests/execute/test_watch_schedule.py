"""A phase begins only where it can be watched; its watch runs while something of ours is changed, and no longer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest

from cloudformation.template import Place
from domain.errors import Unhealthy
from domain.names import EXPECTED_P99_ALARM, GOVERNED_TAG, GOVERNED_VALUE
from emulator.account import Crash
from emulator.services.cloudformation.stacks import DeployedResource, DeployedStack, StackStore
from emulator.services.codebuild.builds import Builds
from emulator.services.eventbridge.rules_api import RuleStates
from emulator.workload.spec import WorkloadEvent, WorkloadSpec
from emulator.workload.workload import Workload
from optimizer.execute.records import PhaseState
from optimizer.model.phase import Phase
from tests.execute.conftest import START, Service, World

TOOLING, REGION = "111111111111", "us-east-1"


@pytest.fixture
def piped(world: World) -> World:
    return with_a_schedule(world)


def with_a_schedule(world: World) -> World:
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
    """A build of the watch judges after this many minutes."""
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


@pytest.fixture
def balanced(piped: World) -> World:
    return behind_a_balancer(piped)


def behind_a_balancer(world: World) -> World:
    """The same world with a governed load balancer."""
    account, owner = world.account, world.account.production
    ec2 = account.client("ec2", owner, REGION)
    subnets = [each["SubnetId"] for each in ec2.describe_subnets()["Subnets"][:2]]
    tags = [{"Key": GOVERNED_TAG, "Value": GOVERNED_VALUE}]
    account.client("elbv2", owner, REGION).create_load_balancer(Name="tap", Subnets=subnets, Tags=tags)
    return world


def early_alarms(world: World) -> list[Mapping[str, Any]]:
    client = world.account.client("cloudwatch", world.account.production, REGION)
    return [each for each in client.describe_alarms()["MetricAlarms"] if each["AlarmName"] == EXPECTED_P99_ALARM]


def there_and_back(world: World) -> None:
    """A phase is applied, rolled back, and the watch comes by."""
    plan = world.approved()
    runs(world)
    world.fresh().apply(plan, Phase.COMPUTE)
    world.fresh().rollback(Phase.COMPUTE, "tried")
    world.fresh().watch()


def test_an_alarm_at_what_was_expected_at_apply_stands_while_a_phase_is_under_way(balanced: World) -> None:
    plan = balanced.approved()
    runs(balanced)
    balanced.fresh().apply(plan, Phase.COMPUTE)
    (alarm,) = early_alarms(balanced)
    assert alarm["Threshold"] == pytest.approx(0.180 * 1.3)  # the service's p99 is 180 ms at all hours
    assert (alarm["ExtendedStatistic"], alarm["Period"], alarm["TreatMissingData"]) == ("p99", 60, "notBreaching")
    assert alarm["Dimensions"][0]["Value"].startswith("app/tap/")
    assert not alarm.get("AlarmActions")  # it calls the watch, by its event, and no person
    balanced.account.clock.sleep(48 * 3600)
    balanced.fresh().watch()
    assert early_alarms(balanced)
    balanced.fresh().accept(Phase.COMPUTE)
    balanced.fresh().reconciled()
    balanced.account.clock.sleep(25 * 3600)
    balanced.fresh().watch()
    assert (early_alarms(balanced), is_on(balanced)) == ([], False)


def test_the_alarm_goes_with_a_rollback(balanced: World) -> None:
    plan = balanced.approved()
    runs(balanced)
    balanced.fresh().apply(plan, Phase.COMPUTE)
    balanced.fresh().rollback(Phase.COMPUTE, "tried")
    balanced.fresh().watch()
    assert (early_alarms(balanced), is_on(balanced)) == ([], False)


def test_the_alarm_does_not_stay_behind_a_job_that_died(make_world: Callable[..., World]) -> None:
    """Before or after a call about it: the schedule is on by then, so a watch comes and finds nothing under way."""
    world = behind_a_balancer(with_a_schedule(make_world()))
    with world.account.acting("job"):
        there_and_back(world)
    asked = [each.number for each in world.account.calls if each.operation in ("PutMetricAlarm", "DeleteAlarms")]
    assert len(asked) == 2
    for number in (each + step for each in asked for step in (-1, 0, 1)):
        world = behind_a_balancer(with_a_schedule(make_world(crash_at=number)))
        with world.account.acting("job"):
            with pytest.raises(Crash):
                there_and_back(world)
            world.account.clock.sleep(3600)  # until its lease has run out
            assert is_on(world), number
            world.fresh().watch()
        assert (early_alarms(world), is_on(world)) == ([], False), number


def test_a_phase_that_is_held_before_it_begins_leaves_no_alarm(balanced: World) -> None:
    plan = balanced.approved()
    runs(balanced)
    balanced.service = Service(p99_ms=None, since=START - timedelta(hours=3))
    with pytest.raises(Unhealthy, match="not fit to start"):
        balanced.fresh().apply(plan, Phase.COMPUTE)
    assert early_alarms(balanced) == []


def test_by_hand_there_is_no_watch_to_call_and_no_alarm(world: World) -> None:
    world.fresh().apply(world.approved(), Phase.COMPUTE)
    assert early_alarms(world) == []
