"""An Auto Scaling group as DescribeAutoScalingGroups shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.errors import ResourceGone
from optimizer.ports.aws import Aws

if TYPE_CHECKING:
    from types_boto3_autoscaling.type_defs import AutoScalingGroupTypeDef


def group_of(aws: Aws, name: str) -> AutoScalingGroupTypeDef:
    """The group of that name. Raises ResourceGone: AWS answers with an empty list, and with no error."""
    for group in aws.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]:
        return group
    raise ResourceGone(
        f"The Auto Scaling group {name} was deleted. Restore it by deploying the foundation, or analyze again."
    )
