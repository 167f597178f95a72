"""The moves of a fleet: what is held for its way back, its instance type, its capacity, its scale-in."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from domain.sizing import FleetSizing
from optimizer.action import Before, Move, When
from optimizer.model.resource import Governed, nothing_else
from optimizer.ports.aws import Aws
from optimizer.resources.fleet.capacity import STEP, FleetCapacity, TargetTracking
from optimizer.resources.fleet.capacity_reservation import CapacityReservation
from optimizer.resources.fleet.group import most_on_the_way_back
from optimizer.resources.fleet.instance_refresh import InstanceRefresh
from optimizer.resources.fleet.launch_template import LaunchTemplateVersion


def steps(today: int, target: int) -> list[int]:
    """The capacities on the way, the target last; upwards in one step."""
    sizes = [today]
    while sizes[-1] > target:
        sizes.append(max(target, min(math.ceil(sizes[-1] * STEP), sizes[-1] - 1)))
    return sizes[1:] or [target]


def hold_way_back(kind: str, held: Mapping[str, int], made_for: str) -> Move:
    """First of all, while the old instances run: their capacity goes over into the reservation."""
    reservation = CapacityReservation(kind, held, made_for)
    return Move(
        name="hold",
        when=When.APPLY,
        summary=f"reserve {sum(held.values())} x {kind} for the way back",
        is_done=reservation.is_held,
        do=reservation.hold,
        undo=reservation.release,
        is_undone=reservation.is_released,
        touches=reservation.touched,
    )


def release_way_back(kind: str, held: Mapping[str, int], made_for: str) -> Move:
    """Last of all: there is no way back any more."""
    reservation = CapacityReservation(kind, held, made_for)
    return Move(
        name="release",
        when=When.ACCEPT,
        summary=f"release the reservation of {sum(held.values())} x {kind}",
        is_done=reservation.is_released,
        do=reservation.release,
        touches=reservation.touched,
    )


def change_type(group: Governed, before: Before, target: FleetSizing, made_for: str) -> list[Move]:
    """Make a template version that differs in the type alone, and refresh every instance to it."""
    template, old = str(before["launch_template"]), str(before["version"])
    version = LaunchTemplateVersion(template, old, made_for)
    refresh = InstanceRefresh(group.name, template)

    def is_done(aws: Aws) -> bool:
        number = version.number(aws)
        return number is not None and refresh.reached(aws, number)

    make = Move(
        name="template-version",
        when=When.APPLY,
        summary=f"a version of the launch template with {target.instance_type}",
        is_done=lambda aws: version.number(aws) is not None,
        do=lambda aws: version.make(aws, target.instance_type),
        undo=version.delete,
        is_undone=lambda aws: version.number(aws) is None,
        deadline=timedelta(minutes=10),
    )
    change = Move(
        name="instance-type",
        when=When.APPLY,
        summary=f"{before['instance_type']} to {target.instance_type}, by instance refresh at {before['desired']}",
        is_done=is_done,
        do=lambda aws: refresh.start(aws, str(version.number(aws))),
        undo=lambda aws: refresh.go_back(aws, old, most_on_the_way_back(aws, group.name, str(before["instance_type"]))),
        is_undone=lambda aws: refresh.reached(aws, old),
        deadline=timedelta(hours=7),  # a job has eight
        poll=timedelta(minutes=2),
        settle=timedelta(minutes=30),
    )
    return [make, change]


def change_capacity(group: Governed, before: Before, target: FleetSizing, count: int) -> Move:
    """One step. Its undo goes the whole way back: in a rollback capacity cannot come too soon."""
    last = count == target.desired
    capacity = FleetCapacity(group.name)
    new = (target.minimum, target.maximum) if last else (min(before["minimum"], count), before["maximum"])
    old = (before["minimum"], before["maximum"])
    return Move(
        name=f"capacity-{count}",
        when=When.APPLY,
        summary=f"capacity to {count} instances, {new[0]} to {new[1]}",
        is_done=lambda aws: capacity.is_lowered(aws, new, count),
        do=lambda aws: capacity.lower(aws, new, count),
        undo=lambda aws: capacity.restore(aws, old, before["desired"]),
        is_undone=lambda aws: capacity.is_raised(aws, old, before["desired"]),
        settle=timedelta(minutes=15),
        touches=nothing_else,  # on the way back: more instances are nobody's harm
    )


def change_scale_in(group: Governed, name: str, configuration: Mapping[str, Any], scale_in: bool) -> Move:
    policy = TargetTracking(group.name, name, configuration)
    return Move(
        name=f"scale-in {name}",
        when=When.APPLY,
        summary=f"scale-in {'on' if scale_in else 'off'} for target tracking {name}",
        is_done=lambda aws: policy.scales_in(aws) is scale_in,
        do=lambda aws: policy.put(aws, scale_in),
        undo=lambda aws: policy.put(aws, not scale_in),
        is_undone=lambda aws: policy.scales_in(aws) is (not scale_in),
        deadline=timedelta(minutes=10),
        touches=nothing_else,
    )
