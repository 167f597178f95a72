"""Auto Scaling groups, scaling policies and launch templates as they really are, in the shape of their templates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from optimizer.resources.actual_state import Actual, Comparable, Observed, same


def _groups(observed: Observed) -> Mapping[str, Any]:
    return observed.by("AutoScalingGroupName", "autoscaling", "describe_auto_scaling_groups", "AutoScalingGroups")


def _group(observed: Observed, name: str) -> Actual | None:
    if (group := _groups(observed).get(name)) is None:
        return None
    return {
        **same(group, "AutoScalingGroupName", "HealthCheckType", "HealthCheckGracePeriod", "TerminationPolicies"),
        **same(group, "DefaultInstanceWarmup", "NewInstancesProtectedFromScaleIn", "TargetGroupARNs", "Tags"),
        **same(group, "CapacityRebalance", "MaxInstanceLifetime", Cooldown="DefaultCooldown"),
        "MinSize": group["MinSize"],
        "MaxSize": group["MaxSize"],
        "DesiredCapacity": group["DesiredCapacity"],
        "VPCZoneIdentifier": group.get("VPCZoneIdentifier", "").split(","),
        "LaunchTemplate": same(group.get("LaunchTemplate", {}), "LaunchTemplateId", "LaunchTemplateName"),
    }


def _policy(observed: Observed, arn: str) -> Actual | None:
    if (policy := observed.by("PolicyARN", "autoscaling", "describe_policies", "ScalingPolicies").get(arn)) is None:
        return None
    tracking = policy.get("TargetTrackingConfiguration", {})
    return {
        **same(policy, "AutoScalingGroupName", "PolicyType", "EstimatedInstanceWarmup"),
        # The API leaves the flag out when it is off.
        "TargetTrackingConfiguration": {"DisableScaleIn": False, **tracking},
    }


def _launch_template(observed: Observed, name: str) -> Actual | None:
    """The version that an Auto Scaling group uses, which is the one that matters; else the default one."""
    used = [
        group["LaunchTemplate"].get("Version", "$Default")
        for group in _groups(observed).values()
        if group.get("LaunchTemplate", {}).get("LaunchTemplateName") == name
    ]
    try:
        described = observed.aws.ec2.describe_launch_template_versions(
            LaunchTemplateName=name, Versions=[used[0] if used else "$Default"]
        )["LaunchTemplateVersions"]
    except ClientError as error:
        if "NotFound" in error.response["Error"]["Code"]:
            return None
        raise
    return {"LaunchTemplateName": name, "LaunchTemplateData": described[0]["LaunchTemplateData"]}


COMPARED: Mapping[str, Comparable] = {
    "AWS::AutoScaling::AutoScalingGroup": Comparable(
        "AutoScalingGroupName",
        _group,
        not_compared={
            "LaunchTemplate.Version": "versions are numbered by AWS; the content of the version in use is compared",
            "MetricsCollection": "the answer lists metrics, the template a granularity",
        },
    ),
    "AWS::AutoScaling::ScalingPolicy": Comparable(
        None,
        _policy,
        not_compared={},
        unless_declared={"TargetTrackingConfiguration": {"DisableScaleIn": False}},
        complete=("TargetTrackingConfiguration.",),
    ),
    "AWS::EC2::LaunchTemplate": Comparable(
        "LaunchTemplateName",
        _launch_template,
        not_compared={"TagSpecifications": "said when the template was created, not a state"},
        complete=("LaunchTemplateData.",),
    ),
}
