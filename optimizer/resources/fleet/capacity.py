"""An Auto Scaling group's capacity, and whether its target tracking takes instances away."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from optimizer.ports.aws import Aws
from optimizer.resources.fleet.shown import group_of

if TYPE_CHECKING:
    from types_boto3_autoscaling.type_defs import TargetTrackingConfigurationTypeDef


TO_SERVE = timedelta(minutes=5)
STEP = 0.8  # capacity goes down by a fifth at a time: 15, 12, 10, 8


@dataclass
class FleetCapacity:
    """Minimum, desired and maximum of one group; `bounds` are minimum and maximum.

    The desired capacity is moved by target tracking as well. So a step down is done once the group is at its count
    or below, or once this run brought it down and it scales out again: the next step goes on from there.
    """

    group: str
    _lowered: bool = field(default=False, init=False)
    _raised: datetime | None = field(default=None, init=False)

    def is_lowered(self, aws: Aws, bounds: tuple[int, int], count: int) -> bool:
        """Whether the bounds are these, the count is reached or this run went towards it, and all are in service."""
        described = group_of(aws, self.group)
        serving = [each for each in described["Instances"] if each["LifecycleState"] == "InService"]
        desired = described["DesiredCapacity"]
        same = (described["MinSize"], described["MaxSize"]) == bounds
        return same and (desired <= count or self._lowered) and len(serving) == desired == len(described["Instances"])

    def lower(self, aws: Aws, bounds: tuple[int, int], count: int) -> None:
        """Bring it down to `count`, but by no more than a fifth of what is there."""
        least = math.ceil(group_of(aws, self.group)["DesiredCapacity"] * STEP)
        self._bring(aws, bounds, min(max(count, least), bounds[1]))
        self._lowered = True

    def is_raised(self, aws: Aws, bounds: tuple[int, int], count: int) -> bool:
        """Whether so many are asked for, and serve or had the time to.

        Instances that cannot carry the load are replaced over and over: the larger ones, which end this, wait for
        no more than the time that an instance takes to serve.
        """
        described = group_of(aws, self.group)
        requested = (described["MinSize"], described["MaxSize"]) == bounds and described["DesiredCapacity"] >= count
        serving = [each for each in described["Instances"] if each["LifecycleState"] == "InService"]
        had_time = self._raised is not None and aws.clock.now() - self._raised >= TO_SERVE
        return requested and (had_time or len(serving) >= described["DesiredCapacity"])

    def restore(self, aws: Aws, bounds: tuple[int, int], count: int) -> None:
        """Raise it to `count` at once; more than that stays."""
        desired = max(count, group_of(aws, self.group)["DesiredCapacity"])
        self._bring(aws, bounds, min(desired, bounds[1]))
        self._raised = aws.clock.now()

    def _bring(self, aws: Aws, bounds: tuple[int, int], desired: int) -> None:
        aws.autoscaling.update_auto_scaling_group(
            AutoScalingGroupName=self.group, MinSize=bounds[0], MaxSize=bounds[1], DesiredCapacity=desired
        )


@dataclass(frozen=True)
class TargetTracking:
    """One target tracking policy; `configuration` is the whole of it, since it is put as a whole."""

    group: str
    name: str
    configuration: Mapping[str, Any]

    def scales_in(self, aws: Aws) -> bool | None:
        """Whether it takes instances away; None when somebody deleted it."""
        for described in aws.autoscaling.describe_policies(AutoScalingGroupName=self.group, PolicyNames=[self.name])[
            "ScalingPolicies"
        ]:
            return not described["TargetTrackingConfiguration"].get("DisableScaleIn", False)
        return None

    def put(self, aws: Aws, scale_in: bool) -> None:
        aws.autoscaling.put_scaling_policy(
            AutoScalingGroupName=self.group,
            PolicyName=self.name,
            PolicyType="TargetTrackingScaling",
            TargetTrackingConfiguration=cast(
                "TargetTrackingConfigurationTypeDef", {**self.configuration, "DisableScaleIn": not scale_in}
            ),
        )
