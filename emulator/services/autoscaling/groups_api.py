"""Amazon EC2 Auto Scaling: groups that take time to change capacity, and the settings that moto drops."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from botocore import xform_name
from moto.autoscaling.models import autoscaling_backends

from emulator.core.errors import AwsError
from emulator.core.registry import Answer, emulates
from emulator.services.autoscaling.groups import current_template, find_group, launch, resolve_template, settle
from emulator.services.autoscaling.instance_refresh import Refreshes

if TYPE_CHECKING:
    from emulator.core.call_record import Call
    from emulator.core.port import Account

API = "https://docs.aws.amazon.com/autoscaling/ec2/APIReference"
_GROUP_METRICS = (
    "GroupMinSize",
    "GroupMaxSize",
    "GroupDesiredCapacity",
    "GroupInServiceInstances",
    "GroupPendingInstances",
    "GroupStandbyInstances",
    "GroupTerminatingInstances",
    "GroupTotalInstances",
)

# Members of DescribeAutoScalingGroups that moto does not take from the request.
_KEPT = {"DefaultCooldown", "DefaultInstanceWarmup", "InstanceMaintenancePolicy", "MaxInstanceLifetime", "Context"}


@emulates(
    "autoscaling",
    "CreateAutoScalingGroup",
    rule="Instances start as Pending, spread over the zones, and take time to come into service; min <= desired <= "
    "max.",
    source=f"{API}/API_CreateAutoScalingGroup.html",
)
def create_group(account: Account, call: Call) -> Answer:
    asked = dict(call.parameters)
    least, most = asked["MinSize"], asked["MaxSize"]
    desired = asked.get("DesiredCapacity", least)
    _refuse_capacities(least, desired, most)
    call.forward({**asked, "MinSize": 0, "DesiredCapacity": 0})
    group = find_group(call)
    group.min_size, group.max_size, group.desired_capacity = least, most, desired
    _keep(group, asked)
    if desired:
        launch(account, group, desired, current_template(group))
    return {}


@emulates(
    "autoscaling",
    "UpdateAutoScalingGroup",
    rule="Refuses capacities out of order, and another template while a refresh with a desired configuration runs; a "
    "minimum above, or a maximum below, the desired capacity changes it; instances take time to come and go.",
    source=f"{API}/API_UpdateAutoScalingGroup.html",
)
def update_group(account: Account, call: Call) -> Answer:
    asked = dict(call.parameters)
    group = find_group(call)
    least = asked.pop("MinSize", group.min_size)
    most = asked.pop("MaxSize", group.max_size)
    desired = asked.pop("DesiredCapacity", None)
    if desired is None:
        desired = min(max(group.desired_capacity, least), max(most, least))
    _refuse_capacities(least, desired, most)
    if {"LaunchTemplate", "MixedInstancesPolicy", "LaunchConfigurationName"} & asked.keys():
        active = account.part(Refreshes).active(group)
        if active is not None and active.desired is not None:
            raise AwsError(
                "ValidationError",
                "An active instance refresh with a desired configuration exists. All configuration options derived "
                "from the desired configuration are not available for update while the instance refresh is active.",
            )
        if "LaunchTemplate" in asked:
            resolve_template(group, asked["LaunchTemplate"])
    if asked.keys() - {"AutoScalingGroupName"}:
        call.forward(asked)
    group.min_size, group.max_size, group.desired_capacity = least, most, desired
    _keep(group, asked)
    settle(account, group, account.part(Refreshes).template(group))
    return {}


@emulates(
    "autoscaling",
    "SetDesiredCapacity",
    rule="Refuses a capacity outside minimum and maximum; instances take time to come and go.",
    source=f"{API}/API_SetDesiredCapacity.html",
)
def set_desired_capacity(account: Account, call: Call) -> Answer:
    group = find_group(call)
    _refuse_capacities(group.min_size, call.parameters["DesiredCapacity"], group.max_size)
    group.desired_capacity = call.parameters["DesiredCapacity"]
    settle(account, group, account.part(Refreshes).template(group))
    return {}


@emulates(
    "autoscaling",
    "PutScalingPolicy",
    rule="Needs an existing group; target tracking needs a target; a policy of the same name in the group is replaced.",
    source=f"{API}/API_PutScalingPolicy.html",
)
def put_scaling_policy(_: Account, call: Call) -> Answer:
    group = find_group(call)
    if call.parameters.get("PolicyType") == "TargetTrackingScaling" and not call.parameters.get(
        "TargetTrackingConfiguration"
    ):
        raise AwsError("ValidationError", "TargetTrackingConfiguration is required for TargetTrackingScaling")
    known = autoscaling_backends[call.account][call.region].policies.get(call.parameters["PolicyName"])
    if known is not None and known.auto_scaling_group_name != group.name:
        raise NotImplementedError(
            "two groups with a scaling policy of the same name: moto keeps policies by name alone"
        )
    answer = call.forward()
    policies = autoscaling_backends[call.account][call.region].policies
    policies[call.parameters["PolicyName"]].enabled = call.parameters.get("Enabled", True)
    return answer


@emulates(
    "autoscaling",
    "EnableMetricsCollection",
    rule="Without Metrics all group metrics are enabled; before that a group publishes none.",
    source=f"{API}/API_EnableMetricsCollection.html",
)
def enable_metrics(_: Account, call: Call) -> Answer:
    asked = dict(call.parameters)
    return call.forward({**asked, "Metrics": asked.get("Metrics") or list(_GROUP_METRICS)})


@emulates(
    "autoscaling",
    "DescribePolicies",
    rule="Policies of every type unless PolicyTypes names some, each with its Enabled flag.",
    source=f"{API}/API_DescribePolicies.html",
)
def describe_policies(_: Account, call: Call) -> Answer:
    answer = call.forward()
    policies = autoscaling_backends[call.account][call.region].policies
    for shown in answer["ScalingPolicies"]:
        shown["Enabled"] = getattr(policies[shown["PolicyName"]], "enabled", True)
        for other in ("TargetTrackingConfiguration", "PredictiveScalingConfiguration"):
            if not shown.get(other):  # moto answers the members of other kinds, empty
                shown.pop(other, None)
    return answer


def _refuse_capacities(least: int, desired: int, most: int) -> None:
    if least > most:
        raise AwsError("ValidationError", f"Min bound, {least}, must be less than or equal to Max bound, {most}")
    if not least <= desired <= most:
        raise AwsError(
            "ValidationError",
            f"Desired capacity:{desired} must be between the specified min size:{least} and max size:{most}",
        )


def _keep(group: Any, asked: Mapping[str, Any]) -> None:
    for name in _KEPT & asked.keys():
        setattr(group, xform_name(name), asked[name])  # moto's serializer reads it from there
