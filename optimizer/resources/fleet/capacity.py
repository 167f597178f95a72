"""An Auto Scaling group's capacity, and whether its target tracking takes instances away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from optimizer.ports.aws import Aws

if TYPE_CHECKING:
    from types_boto3_autoscaling.type_defs import TargetTrackingConfigurationTypeDef


@dataclass(frozen=True)
class FleetCapacity:
    """Minimum, desired and maximum of one group; `bounds` are minimum and maximum."""

    group: str

    def is_at(self, aws: Aws, bounds: tuple[int, int], least: int, most: int) -> bool:
        """Whether the bounds are these, the count lies between `least` and `most`, and all are in service."""
        (shown,) = aws.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[self.group])["AutoScalingGroups"]
        serving = [each for each in shown["Instances"] if each["LifecycleState"] == "InService"]
        desired = shown["DesiredCapacity"]
        same = (shown["MinSize"], shown["MaxSize"]) == bounds
        return same and least <= desired <= most and len(serving) == desired == len(shown["Instances"])

    def bring(self, aws: Aws, bounds: tuple[int, int], desired: int) -> None:
        aws.autoscaling.update_auto_scaling_group(
            AutoScalingGroupName=self.group, MinSize=bounds[0], MaxSize=bounds[1], DesiredCapacity=desired
        )


@dataclass(frozen=True)
class TargetTracking:
    """One target tracking policy; `configuration` is the whole of it, since it is put as a whole."""

    group: str
    name: str
    configuration: Mapping[str, Any]

    def scales_in(self, aws: Aws) -> bool:
        (shown,) = aws.autoscaling.describe_policies(AutoScalingGroupName=self.group, PolicyNames=[self.name])[
            "ScalingPolicies"
        ]
        return not shown["TargetTrackingConfiguration"].get("DisableScaleIn", False)

    def put(self, aws: Aws, scale_in: bool) -> None:
        aws.autoscaling.put_scaling_policy(
            AutoScalingGroupName=self.group,
            PolicyName=self.name,
            PolicyType="TargetTrackingScaling",
            TargetTrackingConfiguration=cast(
                "TargetTrackingConfigurationTypeDef", {**self.configuration, "DisableScaleIn": not scale_in}
            ),
        )
