"""AWS itself fails: a phase holds instead of being undone into it, and none begins."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from domain.errors import Breach, Unhealthy
from emulator.account import Crash
from emulator.workload.spec import WorkloadEvent, WorkloadSpec
from emulator.workload.workload import Workload
from optimizer.execute.control_planes import failing, is_an_event
from optimizer.execute.records import PhaseState
from optimizer.model.phase import Phase
from tests.execute.conftest import World

APPLIED = {"protected": True, "recovery": "ENABLED", "stream": False}
DESIGNED = {"protected": False, "recovery": "DISABLED", "stream": False}


def event(world: World, *services: str, minutes: float = 120) -> None:
    """From now on these services are down in production."""
    happens = WorkloadEvent(on="plan.approved", until_minutes=minutes, failing=services)
    workload = Workload(WorkloadSpec(tenants=10, requests_per_day=1e6), world.account, 0, events=(happens,))
    workload.milestone("plan.approved", world.account.clock.now())


@pytest.mark.parametrize(
    ("services", "named"),
    [((), []), (("rds",), ["RDS"]), (("autoscaling", "elasticache"), ["Auto Scaling", "ElastiCache"])],
)
def test_a_service_that_answers_nobody_is_named(world: World, services: tuple[str, ...], named: list[str]) -> None:
    if services:
        event(world, *services)
    with world.account.acting("watch"):
        found = failing(world.fresh().production)
    assert [each.partition(" (")[0] for each in found] == named
    assert all("ServiceUnavailable" in each for each in found)


@pytest.mark.parametrize(
    ("services", "named"),
    [((), ["launches of instances"]), (("rds",), ["RDS", "launches of instances"])],
)
def test_launches_without_capacity_count_as_one_more(world: World, services: tuple[str, ...], named: list[str]) -> None:
    """A type without capacity is no event; together with a service that is down it is."""
    aws, event_ = world.fresh().production, {"failing": services, "no_capacity": ("m5.large",)}
    happens = WorkloadEvent.model_validate({"on": "plan.approved", "until_minutes": 60, **event_})
    workload = Workload(WorkloadSpec(tenants=10, requests_per_day=1e6), world.account, 0, events=(happens,))
    template = {"LaunchTemplateName": "tap-fleet"}
    aws.ec2.create_launch_template(
        **template, LaunchTemplateData={"InstanceType": "m5.large", "ImageId": "ami-12345678"}
    )
    aws.autoscaling.create_auto_scaling_group(
        AutoScalingGroupName="tap-fleet",
        LaunchTemplate={**template, "Version": "1"},
        MinSize=1,
        MaxSize=3,
        AvailabilityZones=[f"{aws.region}a"],
    )
    world.account.clock.sleep(600)
    workload.milestone("plan.approved", world.account.clock.now())
    aws.autoscaling.set_desired_capacity(AutoScalingGroupName="tap-fleet", DesiredCapacity=2)
    with world.account.acting("watch"):
        assert [each.partition(" (")[0] for each in failing(aws)] == named
        assert is_an_event(aws) is bool(services)
    world.account.clock.sleep(7200)
    with world.account.acting("watch"):
        assert failing(aws) == []


def test_a_breach_in_a_region_s_event_is_held_told_once_and_undone_after_it(world: World) -> None:
    world.listen()
    plan = world.approved()
    world.fresh().apply(plan, Phase.COMPUTE)
    world.service.p99_ms, world.service.since = 300.0, world.account.clock.now()
    event(world, "autoscaling", "ec2")
    world.account.clock.sleep(timedelta(hours=1).total_seconds())
    for _ in range(2):
        with world.account.acting("watch"), pytest.raises(Unhealthy, match="in breach, and held: p99 300 ms"):
            world.fresh().watch()
    assert (world.table(), world.fresh().journal.phase(plan, Phase.COMPUTE).state) == (APPLIED, PhaseState.OBSERVING)
    assert [each["Subject"].split(") ")[1] for each in world.mail()] == ["is in breach, and AWS itself fails"]
    world.account.clock.sleep(timedelta(hours=1).total_seconds())
    with world.account.acting("watch"), pytest.raises(Breach):
        world.fresh().watch()
    assert world.table() == DESIGNED


def test_one_service_s_bad_minute_keeps_no_breach_from_being_undone(world: World) -> None:
    world.fresh().apply(world.approved(), Phase.COMPUTE)
    world.service.p99_ms, world.service.since = 300.0, world.account.clock.now()
    event(world, "elasticache")
    world.account.clock.sleep(timedelta(hours=1).total_seconds())
    with world.account.acting("watch"), pytest.raises(Breach):
        world.fresh().watch()
    assert world.table() == DESIGNED


def test_no_phase_begins_in_a_region_s_event(world: World) -> None:
    plan = world.approved()
    event(world, "rds", "elasticache")
    with world.account.acting("apply"), pytest.raises(Unhealthy, match="does not begin: AWS itself fails"):
        world.fresh().apply(plan, Phase.COMPUTE)
    assert world.table() == DESIGNED
    assert world.fresh().journal.phase(plan, Phase.COMPUTE).state is PhaseState.WAITING


def test_a_person_s_rollback_is_not_held(world: World) -> None:
    """A person who starts a rollback by hand knows the state of AWS."""
    world.fresh().apply(world.approved(), Phase.COMPUTE)
    event(world, "rds", "elasticache")
    with world.account.acting("rollback"):
        world.fresh().rollback(Phase.COMPUTE, "asked")
    assert world.table() == DESIGNED


def test_what_a_dead_job_left_is_not_undone_into_a_region_s_event(world: World) -> None:
    plan = world.approved()

    def say(line: str) -> None:
        if "recovery on" in line:
            raise Crash(line)

    with pytest.raises(Crash):
        replace(world.fresh(), say=say).apply(plan, Phase.COMPUTE)
    event(world, "rds", "elasticache", minutes=180)

    def watched(minutes: int) -> None:
        for _ in range(minutes // 15):
            world.account.clock.sleep(900)
            with world.account.acting("watch"):
                world.fresh().watch()

    watched(165)
    assert world.fresh().journal.phase(plan, Phase.COMPUTE).state is PhaseState.APPLYING
    with pytest.raises(Breach, match="nobody resumed it"):
        watched(60)
    assert world.table() == DESIGNED
