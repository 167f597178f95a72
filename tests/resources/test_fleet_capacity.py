"""A fleet's capacity, which target tracking moves as well: overtaken steps, and the way back at once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from optimizer.model.resource import Governed
from optimizer.ports.aws import Aws
from optimizer.resources.fleet.capacity import FleetCapacity, TargetTracking
from optimizer.resources.fleet.capacity_reservation import CapacityReservation
from tests.actions import conftest as small_account

account, aws, fleet = small_account.account, small_account.aws, small_account.fleet
BEFORE, STEP, LAST = (12, 25), (10, 25), (6, 15)


def desired(aws: Aws) -> int:
    return aws.autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"][0]["DesiredCapacity"]


def scale_to(aws: Aws, count: int) -> None:
    aws.autoscaling.set_desired_capacity(AutoScalingGroupName="tap-fleet", DesiredCapacity=count)
    aws.clock.sleep(900)


def test_a_step_that_is_overtaken_by_a_scale_out_is_done(aws: Aws, fleet: Governed) -> None:
    capacity = FleetCapacity(fleet.name)
    capacity.lower(aws, STEP, 12)
    scale_to(aws, 14)
    assert capacity.is_lowered(aws, STEP, 12)
    assert not FleetCapacity(fleet.name).is_lowered(aws, STEP, 12), "a run that asked for nothing asks once more"


@pytest.mark.parametrize(("found", "reached"), [(15, 12), (16, 13), (25, 20), (11, 10), (10, 10)])
def test_no_step_takes_more_than_a_fifth_of_what_is_there(aws: Aws, fleet: Governed, found: int, reached: int) -> None:
    capacity = FleetCapacity(fleet.name)
    aws.autoscaling.update_auto_scaling_group(AutoScalingGroupName="tap-fleet", MinSize=6, DesiredCapacity=found)
    aws.clock.sleep(900)
    capacity.lower(aws, STEP, 10)
    assert desired(aws) == reached


def test_the_last_step_stays_within_its_bounds(aws: Aws, fleet: Governed) -> None:
    scale_to(aws, 25)
    FleetCapacity(fleet.name).lower(aws, LAST, 8)
    assert desired(aws) == 15


def test_the_way_back_asks_for_all_at_once_and_keeps_what_was_added(aws: Aws, fleet: Governed) -> None:
    for found, back in ((8, 15), (18, 18)):
        aws.autoscaling.update_auto_scaling_group(
            AutoScalingGroupName="tap-fleet", MinSize=6, MaxSize=25, DesiredCapacity=found
        )
        aws.clock.sleep(900)
        capacity = FleetCapacity(fleet.name)
        capacity.restore(aws, BEFORE, 15)
        assert desired(aws) == back
        aws.clock.sleep(900)
        assert capacity.is_raised(aws, BEFORE, 15)


def test_the_way_back_does_not_wait_for_instances_that_never_serve(aws: Aws, fleet: Governed, account: Any) -> None:
    """Instances that their own load kills: none of them is in service, however long one waits."""
    aws.autoscaling.update_auto_scaling_group(AutoScalingGroupName="tap-fleet", MinSize=6, DesiredCapacity=8)
    aws.clock.sleep(900)
    aws.autoscaling.suspend_processes(AutoScalingGroupName="tap-fleet", ScalingProcesses=["Launch"])
    capacity = FleetCapacity(fleet.name)
    capacity.restore(aws, BEFORE, 15)
    assert not capacity.is_raised(aws, BEFORE, 15)
    aws.clock.sleep(timedelta(minutes=5).total_seconds())
    assert capacity.is_raised(aws, BEFORE, 15)


def test_target_tracking_that_somebody_deleted_is_made_again(aws: Aws, fleet: Governed) -> None:
    (shown,) = aws.autoscaling.describe_policies(AutoScalingGroupName="tap-fleet")["ScalingPolicies"]
    policy = TargetTracking("tap-fleet", "cpu", shown["TargetTrackingConfiguration"])
    aws.autoscaling.delete_policy(AutoScalingGroupName="tap-fleet", PolicyName="cpu")
    assert policy.scales_in(aws) is None
    policy.put(aws, scale_in=False)
    assert policy.scales_in(aws) is False


def test_capacity_is_reserved_once_however_often_the_answer_is_lost(aws: Aws, account: Any, fleet: Governed) -> None:
    held = CapacityReservation("m5.4xlarge", {"us-east-1a": 5, "us-east-1b": 5}, "plan")
    tokens: list[str] = []
    aws.ec2.meta.events.register(
        "provide-client-params.ec2.CreateCapacityReservation", lambda params, **_: tokens.append(params["ClientToken"])
    )
    held.hold(aws)
    assert held.is_held(aws)
    assert [each.name for each in held.touched(aws)] == [
        each["CapacityReservationId"] for each in aws.ec2.describe_capacity_reservations()["CapacityReservations"]
    ]
    held.release(aws)
    assert held.is_released(aws)
    held.hold(aws)
    assert held.is_held(aws), "what was released is not given out again"
    assert len(set(tokens)) == len(tokens) == 4
    aws.ec2.create_capacity_reservation(
        ClientToken=tokens[-1],
        InstanceType="m5.4xlarge",
        InstancePlatform="Linux/UNIX",
        AvailabilityZone="us-east-1b",
        InstanceCount=5,
    )
    assert held.is_held(aws), "the same token makes nothing new"
