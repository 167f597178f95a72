"""Right-size the fleet: smaller instances, then fewer of them, and let scaling take instances away again.

Saves most of the EC2 spend: 15 x m5.4xlarge to 8 x m5.2xlarge is 240 to 64 vCPU. Risks saturation at
peak, since CPU rises 3.75 times, and 5.6 times with one of three zones lost; both are computed from 60
days before anything is proposed. The type goes first, by an instance refresh at the same count, then
the count step by step, health being watched after each; then target tracking may scale in.

Undone in reverse: scale-in off, capacity back at once, then a second instance refresh to the old
template version. It takes as long as launching the old instances takes (about two hours for 15, one
at a time, with warm-up and drain), needs their capacity to be there, and touches no data. The
template version that was made stays behind, unused and free of charge.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from optimizer.action import Action, Before, Move, Permission, When
from optimizer.aws import Aws
from optimizer.decide.decision import ChangeCost, Criterion, Decision, Measured, Projection, brief, decide_by, guard
from optimizer.decide.policy import Policy
from optimizer.execute.instance_refresh import InstanceRefresh, active_refresh
from optimizer.observe.health_alarms import health_alarms
from optimizer.observe.inventory import Governed, Kind
from optimizer.observe.metrics import Measurements, Query
from optimizer.phase import Phase
from stages.sizing import FleetSizing, Sizing

if TYPE_CHECKING:
    from types_boto3_autoscaling.type_defs import AutoScalingGroupTypeDef, TargetTrackingConfigurationTypeDef
    from types_boto3_ec2.literals import InstanceTypeType

ID = "fleet_rightsize"
SOURCE = "https://docs.aws.amazon.com/autoscaling/ec2/userguide"
BESIDE, REFRESH_HOURS = 0.1, 2.0  # the share that runs beside the old ones, for about two hours
STEP = 0.8  # capacity goes down by a fifth at a time: 15, 12, 10, 8


@dataclass(frozen=True)
class InstanceType:
    """What one instance of a type has: virtual processors, and Gbps it can rely on."""

    vcpus: int
    baseline_gbps: float


@dataclass(frozen=True)
class Evidence:
    """60 days of one Auto Scaling group, and what could undo or spoil a refresh.

    CPU in percent: p95 over the 5-minute averages of the group, and over the maximums of its busiest
    instance. Network: p95 of the whole group, the busier direction, in Gbps. `obstacles` are in words.
    """

    group: str
    before: Before
    zones: int
    types: Mapping[str, InstanceType]  # of the group's family, by name
    cpu_p95: float | None
    cpu_busiest_p95: float | None
    network_gbps_p95: float | None
    coverage: float
    obstacles: tuple[str, ...]


def queries(group: Governed) -> tuple[Query, ...]:
    """At 5 minutes: hours would hide the peaks that a smaller fleet has to carry."""
    dimensions = (("AutoScalingGroupName", group.name),)
    return tuple(
        Query("AWS/EC2", name, dimensions, statistics, period=300, region=group.region)
        for name, statistics in (
            ("CPUUtilization", ("Average", "Maximum")),
            ("NetworkIn", ("Sum",)),
            ("NetworkOut", ("Sum",)),
        )
    )


def collect(aws: Aws, group: Governed, measured: Measurements) -> Evidence:
    """Read the group and its family of instance types; take the rest from what was measured."""
    shown = _group(aws, group.name)
    before = describe(aws, group)
    cpu, network_in, network_out = queries(group)
    network = [measured.percentile(query, "Sum", 95) for query in (network_in, network_out)]
    known = [8 * each / cpu.period / 1e9 for each in network if each is not None]
    asked = ((cpu, "Average"), (cpu, "Maximum"), (network_in, "Sum"), (network_out, "Sum"))
    return Evidence(
        group=group.arn,
        before=before,
        zones=len(shown["AvailabilityZones"]),
        types=_family(aws, str(before["instance_type"])),
        cpu_p95=measured.percentile(cpu, "Average", 95),
        cpu_busiest_p95=measured.percentile(cpu, "Maximum", 95),
        network_gbps_p95=max(known) if len(known) == len(network) else None,
        coverage=min(measured.coverage(*each) for each in asked),
        obstacles=tuple(_obstacles(aws, shown, before)),
    )


def decide(evidence: Evidence, policy: Policy) -> Decision:
    """The brief's two thresholds, then what the smaller fleet would have to carry."""
    limits, target, before = policy.fleet, policy.fleet.target, evidence.before
    count, kind = before["desired"], before["instance_type"]
    today, after = evidence.types.get(kind), evidence.types.get(target.instance_type)
    fewer = _ratio(count * today.vcpus, target.desired * after.vcpus) if today and after else None
    zone_lost = evidence.zones / (evidence.zones - 1) if evidence.zones > 1 else None
    cpu_after = _times(evidence.cpu_p95, fewer)
    network = _times(evidence.network_gbps_p95, 100)
    network_today = _ratio(network, count * today.baseline_gbps) if today else None
    network_after = _ratio(network, target.desired * after.baseline_gbps) if after else None

    def over(name: str, observed: Measured, unit: str = "%", **limit: Any) -> Criterion:
        return guard(name, observed, unit=unit, lifted=policy.is_lifted(ID, name), **limit)

    criteria = (
        brief("p95 CPU", evidence.cpu_p95, unit="%", at_most=limits.cpu_p95),
        brief("p95 network of the baseline bandwidth", network_today, unit="%", at_most=limits.network_p95),
        over("periods with metrics", evidence.coverage, at_least=limits.coverage),
        over("vCPU today for each one after", fewer, "", at_least=1.0),
        over("already as the target", _sizing(before) == target, "", equals=False),
        over("p95 CPU after, one zone lost", _times(cpu_after, zone_lost), at_most=limits.cpu_after),
        over(
            "p95 CPU of the busiest instance after", _times(evidence.cpu_busiest_p95, fewer), at_most=limits.cpu_after
        ),
        over("p95 network of the baseline bandwidth after", network_after, at_most=limits.network_after),
        over("obstacles to an instance refresh", "; ".join(evidence.obstacles) or "none", "", equals="none"),
    )
    projected = (
        Projection("p95 CPU", evidence.cpu_p95, cpu_after, "%"),
        Projection("p95 CPU, one zone lost", _times(evidence.cpu_p95, zone_lost), _times(cpu_after, zone_lost), "%"),
        Projection("p95 network of the baseline", network_today, network_after, "%"),
        Projection("instances", count, target.desired, ""),
    )
    undo = f"capacity back to {count} at once, then an instance refresh to {kind}: about two hours, no data involved"
    return decide_by(
        ID,
        evidence.group,
        criteria,
        before=before,
        target=target.model_dump(mode="json"),
        projected=projected,
        costs=(_double_running(evidence, count, target.instance_type),),
        undo=undo,
    )


def _double_running(evidence: Evidence, count: int, target: str) -> ChangeCost:
    """New instances join before old ones leave: at most a tenth more than there are (execute/instance_refresh.py)."""
    more = math.ceil(count * BESIDE)
    name = f"{more} instances beside the old ones, for about {REFRESH_HOURS:g} hours"
    return ChangeCost(name, "fleet", target, evidence.group.split(":")[3], more * REFRESH_HOURS)


def describe(aws: Aws, group: Governed) -> Before:
    """Capacity, template version and target tracking: what the decision rests on and undo restores."""
    shown = _group(aws, group.name)
    template = shown.get("LaunchTemplate", {})
    data: Mapping[str, Any] = {}
    if template:
        (version,) = aws.ec2.describe_launch_template_versions(
            LaunchTemplateId=template["LaunchTemplateId"], Versions=[template["Version"]]
        )["LaunchTemplateVersions"]
        data = version["LaunchTemplateData"]
    policies = aws.autoscaling.get_paginator("describe_policies").paginate(
        AutoScalingGroupName=group.name, PolicyTypes=["TargetTrackingScaling"]
    )
    return {
        "minimum": shown["MinSize"],
        "desired": shown["DesiredCapacity"],
        "maximum": shown["MaxSize"],
        "launch_template": template.get("LaunchTemplateId"),
        "version": template.get("Version"),
        "instance_type": data.get("InstanceType"),
        "image": data.get("ImageId"),
        "target_tracking": {
            policy["PolicyName"]: policy["TargetTrackingConfiguration"]
            for page in policies
            for policy in page["ScalingPolicies"]
        },
    }


def moves(group: Governed, before: Before, decision: Decision) -> list[Move]:
    """Type at the same count, capacity step by step, then scale-in."""
    target = FleetSizing.model_validate(decision.target)
    found = [_change_type(group, before, decision, target)] if before["instance_type"] != target.instance_type else []
    found += [_change_capacity(group, before, target, count) for count in steps(before["desired"], target.desired)]
    found += [
        _change_scale_in(group, name, configuration, target.scale_in)
        for name, configuration in before["target_tracking"].items()
        if configuration.get("DisableScaleIn", False) is target.scale_in
    ]
    return found


def resize(sizing: Sizing, decision: Decision) -> Sizing:
    return sizing.model_copy(update={"fleet": FleetSizing.model_validate(decision.target)})


def steps(today: int, target: int) -> list[int]:
    """The capacities on the way, the target last; upwards in one step."""
    found = [today]
    while found[-1] > target:
        found.append(max(target, min(math.ceil(found[-1] * STEP), found[-1] - 1)))
    return found[1:] or [target]


def _change_type(group: Governed, before: Before, decision: Decision, target: FleetSizing) -> Move:
    """Make a template version that differs in the type alone, and refresh every instance to it."""
    template, old = str(before["launch_template"]), str(before["version"])
    made_for = f"{ID} {_fingerprint(decision)}"
    refresh = InstanceRefresh(group.name, template)

    def new_version(aws: Aws) -> str | None:
        pages = aws.ec2.get_paginator("describe_launch_template_versions").paginate(LaunchTemplateId=template)
        versions = [each for page in pages for each in page["LaunchTemplateVersions"]]
        return next((str(v["VersionNumber"]) for v in versions if v.get("VersionDescription") == made_for), None)

    def make_version(aws: Aws) -> str:
        made = aws.ec2.create_launch_template_version(
            LaunchTemplateId=template,
            SourceVersion=old,
            VersionDescription=made_for,
            LaunchTemplateData={"InstanceType": cast("InstanceTypeType", target.instance_type)},
            ClientToken=hashlib.sha256(f"{template} {made_for}".encode()).hexdigest()[:32],
        )
        return str(made["LaunchTemplateVersion"]["VersionNumber"])

    def is_done(aws: Aws) -> bool:
        version = new_version(aws)
        return version is not None and refresh.reached(aws, version)

    return Move(
        name="instance-type",
        when=When.APPLY,
        summary=f"{before['instance_type']} to {target.instance_type}, by instance refresh at {before['desired']}",
        is_done=is_done,
        do=lambda aws: refresh.start(aws, new_version(aws) or make_version(aws)),
        undo=lambda aws: refresh.go_back(aws, old),
        is_undone=lambda aws: refresh.reached(aws, old),
        deadline=timedelta(hours=8),
        poll=timedelta(minutes=2),
        settle=timedelta(minutes=30),
    )


def _change_capacity(group: Governed, before: Before, target: FleetSizing, count: int) -> Move:
    """One step. Its undo goes the whole way back: in a rollback capacity cannot come too soon."""
    last = count == target.desired
    minimum = target.minimum if last else min(before["minimum"], count)
    maximum = target.maximum if last else before["maximum"]

    def reached(aws: Aws, bounds: tuple[int, int], least: int, most: int) -> bool:
        shown = _group(aws, group.name)
        serving = [each for each in shown["Instances"] if each["LifecycleState"] == "InService"]
        desired = shown["DesiredCapacity"]
        same = (shown["MinSize"], shown["MaxSize"]) == bounds
        return same and least <= desired <= most and len(serving) == desired == len(shown["Instances"])

    def set_to(aws: Aws, bounds: tuple[int, int], desired: int) -> None:
        aws.autoscaling.update_auto_scaling_group(
            AutoScalingGroupName=group.name, MinSize=bounds[0], MaxSize=bounds[1], DesiredCapacity=desired
        )

    old = (before["minimum"], before["maximum"])
    return Move(
        name=f"capacity-{count}",
        when=When.APPLY,
        summary=f"capacity to {count} instances, {minimum} to {maximum}",
        is_done=lambda aws: reached(aws, (minimum, maximum), minimum, count),
        do=lambda aws: set_to(aws, (minimum, maximum), count),
        undo=lambda aws: set_to(aws, old, before["desired"]),
        is_undone=lambda aws: reached(aws, old, before["desired"], before["maximum"]),
        settle=timedelta(minutes=15),
    )


def _change_scale_in(group: Governed, policy: str, configuration: Mapping[str, Any], scale_in: bool) -> Move:
    def disabled(aws: Aws) -> bool:
        (shown,) = aws.autoscaling.describe_policies(AutoScalingGroupName=group.name, PolicyNames=[policy])[
            "ScalingPolicies"
        ]
        return bool(shown["TargetTrackingConfiguration"].get("DisableScaleIn", False))

    def put(aws: Aws, disable: bool) -> None:
        aws.autoscaling.put_scaling_policy(
            AutoScalingGroupName=group.name,
            PolicyName=policy,
            PolicyType="TargetTrackingScaling",
            TargetTrackingConfiguration=cast(
                "TargetTrackingConfigurationTypeDef", {**configuration, "DisableScaleIn": disable}
            ),
        )

    return Move(
        name=f"scale-in {policy}",
        when=When.APPLY,
        summary=f"scale-in {'on' if scale_in else 'off'} for target tracking {policy}",
        is_done=lambda aws: disabled(aws) is not scale_in,
        do=lambda aws: put(aws, not scale_in),
        undo=lambda aws: put(aws, scale_in),
        is_undone=lambda aws: disabled(aws) is scale_in,
        deadline=timedelta(minutes=10),
    )


def _group(aws: Aws, name: str) -> AutoScalingGroupTypeDef:
    (group,) = aws.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
    return group


def _family(aws: Aws, instance_type: str) -> dict[str, InstanceType]:
    """What all sizes of a type's family have, by name."""
    pages = aws.ec2.get_paginator("describe_instance_types").paginate(
        Filters=[{"Name": "instance-type", "Values": [f"{instance_type.split('.')[0]}.*"]}]
    )
    return {
        each["InstanceType"]: InstanceType(
            each["VCpuInfo"]["DefaultVCpus"],
            sum(card.get("BaselineBandwidthInGbps", 0.0) for card in each["NetworkInfo"]["NetworkCards"]),
        )
        for page in pages
        for each in page["InstanceTypes"]
    }


def _obstacles(aws: Aws, group: AutoScalingGroupTypeDef, before: Before) -> Iterator[str]:
    """What would stop an instance refresh, keep it from being rolled back, or undo the new capacity."""
    if not str(before["version"]).isdigit():
        yield f"launch template version {before['version']} is no number: a refresh could not be rolled back"
    if str(before["image"]).startswith("resolve:ssm:"):
        yield "the image is an SSM alias: a refresh could not be rolled back"
    if refresh := active_refresh(aws, group["AutoScalingGroupName"]):
        yield f"an instance refresh is {refresh['Status']}"
    for alarm in health_alarms(aws, group["AutoScalingGroupName"]):
        if alarm.state != "OK":
            yield f"the alarm {alarm.name} is {alarm.state}: it would turn the refresh back, or could not watch it"
    if suspended := sorted(each["ProcessName"] for each in group.get("SuspendedProcesses", [])):
        yield f"suspended processes: {', '.join(suspended)}"
    if len(group["AvailabilityZones"]) == 1:
        yield "all instances are in one zone, whose loss no size survives"
    if "WarmPoolConfiguration" in group:
        yield "a warm pool holds instances of the old type"
    scheduled = aws.autoscaling.get_paginator("describe_scheduled_actions").paginate(
        AutoScalingGroupName=group["AutoScalingGroupName"]
    )
    if names := sorted(
        each["ScheduledActionName"] for page in scheduled for each in page["ScheduledUpdateGroupActions"]
    ):
        yield f"scheduled actions set the capacity: {', '.join(names)}"
    if protected := [each for each in group["Instances"] if each["ProtectedFromScaleIn"]]:
        yield f"{len(protected)} instances are protected from scale-in"
    if elsewhere := [each for each in group["Instances"] if each["LifecycleState"] != "InService"]:
        yield f"{len(elsewhere)} instances are {elsewhere[0]['LifecycleState']}"
    if unhealthy := [each for each in group["Instances"] if each["HealthStatus"].casefold() != "healthy"]:
        yield f"{len(unhealthy)} instances are not healthy"


def _sizing(before: Before) -> FleetSizing:
    """The group as a sizing. It scales in when any of its policies may."""
    tracking = before["target_tracking"].values()
    return FleetSizing(
        instance_type=str(before["instance_type"]),
        minimum=before["minimum"],
        desired=before["desired"],
        maximum=before["maximum"],
        scale_in=any(not each.get("DisableScaleIn", False) for each in tracking),
    )


def _fingerprint(decision: Decision) -> str:
    told = json.dumps([decision.resource, decision.before, decision.target], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:12]


def _times(value: float | None, factor: float | None) -> float | None:
    return None if value is None or factor is None else value * factor


def _ratio(value: float | None, whole: float) -> float | None:
    return None if value is None or not whole else value / whole


_REFERENCE = "https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2"
_GROUPS = ("arn:{partition}:autoscaling:{region}:{account}:autoScalingGroup:*:autoScalingGroupName/tap-*",)
_TEMPLATES = ("arn:{partition}:ec2:{region}:{account}:launch-template/*",)
_LAUNCHES = f"{SOURCE}/ec2-auto-scaling-launch-template-permissions.html"


ACTION = Action(
    id=ID,
    phase=Phase.COMPUTE,
    title="Right-size the fleet",
    kind=Kind.FLEET,
    queries=queries,
    collect=collect,
    decide=decide,
    describe=describe,
    moves=moves,
    resize=resize,
    varies=("desired",),  # target tracking moves it
    permissions=(
        *(
            Permission(f"autoscaling:{name}", source=f"{_REFERENCE}autoscaling.html")
            for name in (
                "DescribeAutoScalingGroups",
                "DescribeInstanceRefreshes",
                "DescribePolicies",
                "DescribeScheduledActions",
            )
        ),
        *(
            Permission(f"ec2:{name}", source=f"{_REFERENCE}.html")
            for name in ("DescribeInstanceTypes", "DescribeLaunchTemplateVersions")
        ),
        # A refresh that is given alarms reads them with the rights of the caller who starts it.
        Permission("cloudwatch:DescribeAlarms", source=f"{SOURCE}/instance-refresh-rollback.html"),
        Permission("elasticloadbalancing:DescribeTargetGroups", source=f"{SOURCE}/attach-load-balancer-asg.html"),
        *(
            Permission(f"autoscaling:{name}", _GROUPS, writes=True, source=f"{_REFERENCE}autoscaling.html")
            for name in (
                "PutScalingPolicy",
                "RollbackInstanceRefresh",
                "StartInstanceRefresh",
                "UpdateAutoScalingGroup",
            )
        ),
        Permission("ec2:CreateLaunchTemplateVersion", _TEMPLATES, writes=True, source=f"{_REFERENCE}.html"),
        # A refresh to a template version launches on the caller's behalf: AWS checks both without a call of ours.
        Permission(
            "ec2:RunInstances",
            writes=True,
            dependent=True,
            conditions={"ArnLike": {"ec2:LaunchTemplate": "arn:*:ec2:*:*:launch-template/*"}},
            source=_LAUNCHES,
        ),
        Permission(
            "ec2:CreateTags",
            ("arn:{partition}:ec2:{region}:{account}:*/*",),
            writes=True,
            dependent=True,
            conditions={"StringEquals": {"ec2:CreateAction": "RunInstances"}},
            source=_LAUNCHES,
        ),
        Permission(
            "iam:PassRole",
            ("arn:{partition}:iam::{account}:role/tap-fleet-*",),
            writes=True,
            dependent=True,
            conditions={"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}},
            source=_LAUNCHES,
        ),
    ),
)
