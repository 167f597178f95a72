"""Right-size the fleet: smaller instances, then fewer of them, and let scaling take instances away again.

Saves most of the EC2 spend: 15 x m5.4xlarge to 8 x m5.2xlarge is 240 to 64 vCPU. Risks saturation at
peak, since CPU rises 3.75 times, and 5.6 times with one of three zones lost; both are computed from 60
days before anything is proposed. The type goes first, by an instance refresh at the same count, then
the count step by step, health being watched after each; then target tracking may scale in. The alarms
on the load balancer watch the refresh, and AWS turns it back by itself when one rings.

Undone in reverse: scale-in off, capacity back at once, then a second instance refresh to the old
template version, then the new version is deleted. It takes as long as launching the old instances
takes: all at once where the quota leaves room for them, else one at a time (about two hours for 15, with
warm-up and drain). It needs their capacity to be there, and touches no data. With `reserve_way_back` that
capacity is held, and paid for, until the phase ends; without, the quota is checked and the capacity itself
is AWS's to have.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from domain.names import FLEET_NAME
from domain.sizing import FleetSizing, Sizing
from optimizer.action import Action, Before, Bills, Move, Permission, permissions
from optimizer.decide.arithmetic import largest, ratio, times, total
from optimizer.decide.policy import Policy
from optimizer.model.decision import ChangeCost, Criterion, Decision, Measured, Projection, decide_by, guard
from optimizer.model.fingerprint import fingerprint
from optimizer.model.phase import Phase
from optimizer.model.resource import Governed, Kind, name_in
from optimizer.observe.metrics import Measurements, Query
from optimizer.observe.series import at_times_of, p95, p95_or_lately, scaled
from optimizer.ports.aws import Aws
from optimizer.resources.fleet import group as fleet
from optimizer.resources.fleet.capacity_reservation import TAG as HELD
from optimizer.resources.fleet.group import InstanceType, Room
from optimizer.resources.fleet.moves import (
    change_capacity,
    change_scale_in,
    change_type,
    hold_way_back,
    release_way_back,
    steps,
)
from optimizer.resources.fleet.shown import group_of
from optimizer.resources.registry import is_sized

ID = "fleet_rightsize"
SOURCE = "https://docs.aws.amazon.com/autoscaling/ec2/userguide"
REFRESH_HOURS = 2.0
OURS = "the brief asks for CPU and network and names no limit: this one is ours"
NO_MEMORY = "memory of the instances, since no CloudWatch agent publishes it (memory_required would make that a veto)"


@dataclass(frozen=True)
class Evidence:
    """60 days of one Auto Scaling group, and what could undo or spoil a refresh.

    CPU in percent: p95 over the 5-minute averages of the group, and over the maximums of its busiest
    instance. The same as work, in vCPU, each period's share times what was in service then: `busy_vcpus_p95`,
    and `busiest_vcpus_p95` if all had worked as hard as the busiest. Of the whole group, p95: network, the
    busier direction, in Gbps, and in percent of the baseline of what was in service; EBS in MB/s and in
    operations per second, reads and writes together. `memory_gib_p95` is of the fullest instance, None where
    no agent publishes it. `obstacles` are in words.
    """

    group: str
    before: Before
    placement: Mapping[str, int]  # instances by zone
    zones: int
    types: Mapping[str, InstanceType]  # of the group's family, by name
    cpu_p95: float | None
    cpu_busiest_p95: float | None
    busy_vcpus_p95: float | None
    busiest_vcpus_p95: float | None
    network_gbps_p95: float | None
    network_share_p95: float | None
    ebs_mbps_p95: float | None
    ebs_iops_p95: float | None
    memory_gib_p95: float | None
    coverage: float
    room: Room
    obstacles: tuple[str, ...]


def queries(group: Governed) -> tuple[Query, ...]:
    """At 5 minutes: hours would hide the peaks that a smaller fleet has to carry."""
    dimensions = (("AutoScalingGroupName", group.name),)
    return tuple(
        Query(namespace, name, dimensions, statistics, period=300, region=group.region)
        for namespace, name, statistics in (
            ("AWS/EC2", "CPUUtilization", ("Average", "Maximum", "SampleCount")),
            *(("AWS/EC2", name, ("Sum",)) for name in ("NetworkIn", "NetworkOut")),
            *(("AWS/EC2", name, ("Sum",)) for name in ("EBSReadBytes", "EBSWriteBytes", "EBSReadOps", "EBSWriteOps")),
            ("AWS/AutoScaling", "GroupInServiceInstances", ("Average",)),
            (fleet.AGENT, fleet.MEMORY[0], ("Maximum",)),
        )
    )


def collect(aws: Aws, group: Governed, measured: Measurements) -> Evidence:
    """Read the group, its family of instance types and the Region's room; take the rest from what was measured."""
    described = group_of(aws, group.name)
    before = describe(aws, group)
    types = fleet.family(aws, str(before["instance_type"]))
    today = types.get(str(before["instance_type"]))
    cpu, network_in, network_out, read_bytes, written_bytes, reads, writes, in_service, memory = queries(group)
    instances = fleet.instances_then(
        measured.of(cpu, "SampleCount"), measured.of(in_service, "Average"), before["desired"]
    )

    def per_second(query: Query) -> float | None:
        total = measured.percentile(query, "Sum", 95)
        return None if total is None else total / query.period

    def busy(statistic: str) -> float | None:
        """vCPU, p95: a share of the past says how much work there was once the capacity of its period is known."""
        share = measured.of(cpu, statistic)
        if today is None or not len(instances):
            return None
        return p95_or_lately(scaled(share, at_times_of(share, instances, before["desired"]) * today.vcpus / 100))

    def of_baseline(query: Query) -> float | None:
        """Percent of the baseline bandwidth of what was in service, p95."""
        sent = measured.of(query, "Sum")
        if today is None or not today.baseline_gbps:
            return None
        gbps = at_times_of(sent, instances, before["desired"]) * today.baseline_gbps
        return p95(scaled(sent, 100 * 8 / 1e9 / query.period / gbps))

    network = [per_second(query) for query in (network_in, network_out)]
    wanted = [(cpu, "Average"), (cpu, "Maximum"), (network_in, "Sum"), (network_out, "Sum")]
    if today is not None and today.ebs_measured:
        wanted += [(query, "Sum") for query in (read_bytes, written_bytes, reads, writes)]
    return Evidence(
        group=group.arn,
        before=before,
        placement=fleet.placement(described),
        zones=len(described["AvailabilityZones"]),
        types=types,
        cpu_p95=measured.percentile(cpu, "Average", 95),
        cpu_busiest_p95=measured.percentile(cpu, "Maximum", 95),
        busy_vcpus_p95=busy("Average"),
        busiest_vcpus_p95=busy("Maximum"),
        network_gbps_p95=times(largest(network), 8 / 1e9),
        network_share_p95=largest([of_baseline(query) for query in (network_in, network_out)]),
        # Of reads and writes each: together they are hardly ever that high, which errs toward keeping.
        ebs_mbps_p95=times(total([per_second(read_bytes), per_second(written_bytes)]), 1 / 1e6),
        ebs_iops_p95=total([per_second(reads), per_second(writes)]),
        memory_gib_p95=times(
            fleet.memory_percent(aws, described, measured.of(memory, "Maximum"), measured),
            today.memory_gib / 100 if today and today.memory_gib else None,
        ),
        coverage=min(measured.coverage(*each) for each in wanted),
        room=fleet.room(aws, own=len(described.get("Instances", [])) * (today.vcpus if today else 0)),
        obstacles=tuple(fleet.obstacles(aws, described, before)),
    )


def decide(evidence: Evidence, policy: Policy) -> Decision:
    """The two figures that the brief names, then what the smaller fleet would have to carry."""
    limits, target, before = policy.fleet, policy.fleet.target, evidence.before
    count, kind = before["desired"], before["instance_type"]
    today, after = evidence.types.get(kind), evidence.types.get(target.instance_type)
    fewer = ratio(count * today.vcpus, target.desired * after.vcpus) if today and after else None
    zone_lost = evidence.zones / (evidence.zones - 1) if evidence.zones > 1 else None
    network = times(evidence.network_gbps_p95, 100)
    network_after = ratio(network, target.desired * after.baseline_gbps) if after else None
    memory_after = ratio(times(evidence.memory_gib_p95, 100), after.memory_gib) if after else None

    def of_target(vcpus: float | None) -> float | None:
        return ratio(times(vcpus, 100), target.desired * after.vcpus) if after else None

    cpu_after = of_target(evidence.busy_vcpus_p95)

    def over(name: str, observed: Measured, unit: str = "%", source: str = "", **limit: Any) -> Criterion:
        return guard(name, observed, unit=unit, source=source, lifted=policy.is_lifted(ID, name), **limit)

    def of_ebs(observed: float | None, baseline: float) -> float | None:
        return ratio(times(observed, 100), target.desired * baseline)

    throughput = of_ebs(evidence.ebs_mbps_p95, after.ebs_mbps) if after else None
    operations = of_ebs(evidence.ebs_iops_p95, after.ebs_iops) if after else None
    disks = (
        over("p95 EBS throughput of the baseline after", throughput, at_most=limits.ebs_after),
        over("p95 EBS operations of the baseline after", operations, at_most=limits.ebs_after),
    )
    memory = over("p95 memory of the fullest instance after", memory_after, at_most=limits.memory_after)
    unmeasured = memory_after is None and not limits.memory_required
    criteria = (
        over("p95 CPU", evidence.cpu_p95, source=OURS, at_most=limits.cpu_p95),
        over(
            "p95 network of the baseline bandwidth",
            evidence.network_share_p95,
            source=OURS,
            at_most=limits.network_p95,
        ),
        over("periods with metrics", evidence.coverage, at_least=limits.coverage),
        over("vCPU today for each one after", fewer, "", at_least=1.0),
        over("already as the target", _sizing(before) == target.model_dump(), "", equals=False),
        over("p95 CPU after, one zone lost", times(cpu_after, zone_lost), at_most=limits.cpu_after),
        over("p95 CPU of the busiest instance after", of_target(evidence.busiest_vcpus_p95), at_most=limits.cpu_after),
        *(() if unmeasured else (memory,)),
        over("p95 network of the baseline bandwidth after", network_after, at_most=limits.network_after),
        *(disks if today is None or today.ebs_measured else ()),
        over("On-Demand vCPU quota used on the way back", _quota_used(evidence, policy), at_most=100.0),
        over("obstacles to an instance refresh", "; ".join(evidence.obstacles) or "none", "", equals="none"),
    )
    projected = (
        Projection("p95 CPU", evidence.cpu_p95, cpu_after, "%"),
        Projection("p95 CPU, one zone lost", times(evidence.cpu_p95, zone_lost), times(cpu_after, zone_lost), "%"),
        Projection("p95 network of the baseline", evidence.network_share_p95, network_after, "%"),
        *_memory(evidence, memory_after),
        Projection("instances", count, target.desired, ""),
    )
    held = evidence.placement if limits.reserve_way_back else {}
    return decide_by(
        ID,
        evidence.group,
        criteria,
        before=before,
        target={**target.model_dump(mode="json"), **({"held": dict(held)} if held else {})},
        projected=projected,
        undo=_undo(evidence, held),
        costs=tuple(_costs(evidence, count, target.instance_type, held, policy.window)),
        unmeasured=(NO_MEMORY,) if unmeasured else (),
    )


def _memory(evidence: Evidence, after: float | None) -> Iterator[Projection]:
    today = evidence.types.get(evidence.before["instance_type"])
    if evidence.memory_gib_p95 is not None and today is not None:
        share = ratio(evidence.memory_gib_p95 * 100, today.memory_gib)
        yield Projection("p95 memory of the fullest instance", share, after, "%")


def _costs(
    evidence: Evidence, count: int, target: str, held: Mapping[str, int], window: timedelta
) -> Iterator[ChangeCost]:
    """New instances join before old ones leave, and what is held is paid for with no instance in it."""
    region, kind = evidence.group.split(":")[3], evidence.before["instance_type"]
    more = fleet.refresh_surplus(count)
    name = f"{more} instances beside the old ones, for about {REFRESH_HOURS:g} hours"
    yield ChangeCost(name, "fleet", target, region, more * REFRESH_HOURS)
    if held:
        reserved, hours = sum(held.values()), window / timedelta(hours=1)
        name = f"{reserved} x {kind} held for the way back, for the {hours:g} hours of the window"
        yield ChangeCost(name, "fleet", kind, region, reserved * hours)


def _quota_used(evidence: Evidence, policy: Policy) -> float | None:
    """Percent, at the way back's highest point: the last old instances come while the new ones are all there."""
    today = evidence.types.get(evidence.before["instance_type"])
    after = evidence.types.get(policy.fleet.target.instance_type)
    if today is None or after is None:
        return None
    count = evidence.before["desired"]
    # What is held counts as used, though no instance is in it: then all new ones come on top.
    beside = count * after.vcpus if policy.fleet.reserve_way_back else fleet.refresh_surplus(count) * today.vcpus
    return evidence.room.used_by(count * today.vcpus + beside)


def _undo(evidence: Evidence, held: Mapping[str, int]) -> str:
    count, kind = evidence.before["desired"], evidence.before["instance_type"]
    way_back = (
        f"capacity back to {count} at once, then an instance refresh to {kind}: at most two hours, no data involved"
    )
    if not held:
        return way_back
    return (
        f"{way_back}. For it {sum(held.values())} x {kind} stay reserved until the phase ends, at their On-Demand price"
    )


def describe(aws: Aws, group: Governed) -> Before:
    """Capacity, template version and target tracking: what the decision rests on and undo restores."""
    described = group_of(aws, group.name)
    template, launched = described.get("LaunchTemplate", {}), fleet.launched_with(aws, described)
    return {
        "minimum": described["MinSize"],
        "desired": described["DesiredCapacity"],
        "maximum": described["MaxSize"],
        "launch_template": template.get("LaunchTemplateId"),
        "version": template.get("Version"),
        "instance_type": launched.get("InstanceType"),
        "image": launched.get("ImageId"),
        "running": fleet.running_images(aws, described),
        "target_tracking": fleet.target_tracking(aws, group.name),
    }


def moves(group: Governed, before: Before, decision: Decision) -> list[Move]:
    """Capacity for the way back, type at the same count, capacity step by step, then scale-in."""
    target, held = _target(decision)
    made_for = f"{ID} {fingerprint([decision.resource, decision.before, decision.target])}"
    kind = before["instance_type"]
    ordered = [hold_way_back(kind, held, made_for)] if held else []
    if kind != target.instance_type:
        ordered += change_type(group, before, target, made_for)
    ordered += [change_capacity(group, before, target, count) for count in steps(before["desired"], target.desired)]
    ordered += [
        change_scale_in(group, name, configuration, target.scale_in)
        for name, configuration in before["target_tracking"].items()
        if configuration.get("DisableScaleIn", False) is target.scale_in
    ]
    return [*ordered, release_way_back(kind, held, made_for)] if held else ordered


def resize(sizing: Sizing, decision: Decision) -> Sizing:
    if name_in(decision.resource) != FLEET_NAME:
        return sizing  # it speaks of one, and this is another
    return sizing.model_copy(update={"fleet": _target(decision)[0]})


def bills(group: Governed, decision: Decision) -> Bills:
    target, counted = _target(decision)[0], Counter[tuple[str, str]]()
    counted[group.region, decision.before["instance_type"]] -= decision.before["desired"]
    counted[group.region, target.instance_type] += target.desired
    return {item: Decimal(count) for item, count in counted.items()}


def follow(sizing: Sizing, resource: str, described: Before) -> Sizing:
    """The capacity that scaling moved the group to is the one that it starts with."""
    fleet, desired = sizing.fleet, described["desired"]
    if name_in(resource) != FLEET_NAME or not fleet.minimum <= desired <= fleet.maximum:
        return sizing
    return sizing.model_copy(update={"fleet": fleet.model_copy(update={"desired": desired})})


def _target(decision: Decision) -> tuple[FleetSizing, Mapping[str, int]]:
    """The sizing, and by zone how many of the old instances to hold capacity for."""
    target = dict(decision.target)
    held: Mapping[str, int] = target.pop("held", {})
    return FleetSizing.model_validate(target), held


def _sizing(before: Before) -> Mapping[str, Any]:
    """The group as a sizing has it, which a group of any size fits. It scales in when any of its policies may."""
    tracking = before["target_tracking"].values()
    return {
        **{name: before[name] for name in ("instance_type", "minimum", "desired", "maximum")},
        "scale_in": any(not each.get("DisableScaleIn", False) for each in tracking),
    }


_REFERENCE = "https://docs.aws.amazon.com/service-authorization/latest/reference"
_SCALING, _EC2 = f"{_REFERENCE}/list_amazonec2autoscaling.html", f"{_REFERENCE}/list_amazonec2.html"
_QUOTAS = f"{_REFERENCE}/list_servicequotas.html"
_GROUPS = ("arn:{partition}:autoscaling:{region}:{account}:autoScalingGroup:*:autoScalingGroupName/tap-*",)
_TEMPLATES = ("arn:{partition}:ec2:{region}:{account}:launch-template/*",)
# An ARN holds the id of a template, which no deployment chooses: its tag names it.
_OF_THE_FLEET = {"StringEquals": {"aws:ResourceTag/tap:part": "fleet"}}
_LAUNCHED = (
    "arn:{partition}:ec2:{region}:{account}:instance/*",
    "arn:{partition}:ec2:{region}:{account}:volume/*",
    "arn:{partition}:ec2:{region}:{account}:security-group/*",
    "arn:{partition}:ec2:{region}::image/*",
)
_NETWORK = (
    "arn:{partition}:ec2:{region}:{account}:network-interface/*",
    "arn:{partition}:ec2:{region}:{account}:subnet/*",
)
_BY_TEMPLATE = {"ArnLike": {"ec2:LaunchTemplate": "arn:*:ec2:*:*:launch-template/*"}}
_FROM_TEMPLATE = {"Bool": {"ec2:IsLaunchTemplateResource": "true"}}
_RESERVATIONS = ("arn:{partition}:ec2:{region}:{account}:capacity-reservation/*",)
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
    bills=bills,
    sized=is_sized,
    follow=follow,
    varies=("desired",),  # target tracking moves it
    released=("image", "running", "version"),  # a person releases an image (docs/image.md)
    permissions=(
        *permissions(
            "autoscaling:DescribeAutoScalingGroups",
            "autoscaling:DescribeInstanceRefreshes",
            "autoscaling:DescribePolicies",
            "autoscaling:DescribeScheduledActions",
            source=_SCALING,
        ),
        *permissions(
            "ec2:DescribeCapacityReservations",
            "ec2:DescribeInstances",
            "ec2:DescribeInstanceTypes",
            "ec2:DescribeLaunchTemplateVersions",
            source=_EC2,
        ),
        Permission("cloudwatch:ListMetrics", source=f"{_REFERENCE}/list_amazoncloudwatch.html"),
        # A refresh that is given alarms reads them with the rights of the caller who starts it.
        Permission("cloudwatch:DescribeAlarms", source=f"{SOURCE}/instance-refresh-rollback.html"),
        Permission("elasticloadbalancing:DescribeTargetGroups", source=f"{SOURCE}/attach-load-balancer-asg.html"),
        *permissions("servicequotas:GetServiceQuota", "servicequotas:GetAWSDefaultServiceQuota", source=_QUOTAS),
        *permissions(
            "autoscaling:PutScalingPolicy",
            "autoscaling:RollbackInstanceRefresh",
            "autoscaling:StartInstanceRefresh",
            "autoscaling:UpdateAutoScalingGroup",
            resources=_GROUPS,
            writes=True,
            source=_SCALING,
        ),
        *permissions(
            "ec2:CreateLaunchTemplateVersion",
            "ec2:DeleteLaunchTemplateVersions",
            resources=_TEMPLATES,
            writes=True,
            conditions=_OF_THE_FLEET,
            source=_EC2,
        ),
        Permission("ec2:CreateCapacityReservation", _RESERVATIONS, writes=True, source=_EC2),
        Permission(
            "ec2:CancelCapacityReservation",
            _RESERVATIONS,
            writes=True,
            conditions={"Null": {f"aws:ResourceTag/{HELD}": "false"}},
            source=_EC2,
        ),
        # A refresh to a template version launches on the caller's behalf: AWS checks these without a call of ours. All
        # that is launched comes from the fleet's own template but the network, which is the group's.
        *(
            Permission(
                "ec2:RunInstances", resources, writes=True, dependent=True, conditions=conditions, source=_LAUNCHES
            )
            for resources, conditions in (
                (_TEMPLATES, _OF_THE_FLEET),
                (_LAUNCHED, {**_BY_TEMPLATE, **_FROM_TEMPLATE}),
                (_NETWORK, _BY_TEMPLATE),
            )
        ),
        Permission(
            "ec2:CreateTags",
            (*_LAUNCHED[:2], *_RESERVATIONS),
            writes=True,
            dependent=True,
            conditions={"StringEquals": {"ec2:CreateAction": ["RunInstances", "CreateCapacityReservation"]}},
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
