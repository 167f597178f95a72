"""Auto Scaling groups: what their instances can do, what would spoil a refresh, what the Region has left."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from botocore.exceptions import ClientError

from optimizer.decide.arithmetic import largest
from optimizer.observe.metrics import Measurements, Query, Series, read_metrics
from optimizer.observe.series import at_times_of, p95_or_lately
from optimizer.ports.aws import Aws
from optimizer.resources.fleet.health_alarms import health_alarms
from optimizer.resources.fleet.instance_refresh import ALL_AT_ONCE, MOST_HEALTHY, active_refresh
from optimizer.resources.fleet.shown import group_of

if TYPE_CHECKING:
    from types_boto3_autoscaling.type_defs import AutoScalingGroupTypeDef
    from types_boto3_ec2.type_defs import InstanceTypeInfoTypeDef

# "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances", in vCPUs (Amazon EC2 User Guide,
# "Amazon EC2 instance type quotas").
QUOTA = {"ServiceCode": "ec2", "QuotaCode": "L-1216C47A"}
AGENT = "CWAgent"  # the CloudWatch agent's namespace unless its configuration names another
MEMORY = ("mem_used_percent", "Memory % Committed Bytes In Use")  # on Linux, on Windows
DETAILED = 5  # samples an instance in five minutes, with detailed monitoring
_STANDARD = re.compile(r"(a|c|d|h|i|im|is|m|r|t|z)\d")


@dataclass(frozen=True)
class InstanceType:
    """The sustained capacities of an instance type: processors, network in Gbps, EBS in MB/s and operations a second,
    GiB.

    `ebs_measured`: the Nitro hypervisor publishes EBS metrics of the instance, Xen does not.
    """

    vcpus: int
    baseline_gbps: float
    ebs_mbps: float = 0.0
    ebs_iops: float = 0.0
    ebs_measured: bool = True
    memory_gib: float = 0.0


@dataclass(frozen=True)
class Room:
    """The Region's vCPU for On-Demand Standard instances: what runs now, of which the group's own, and the quota."""

    running: int
    own: int
    quota: float | None

    def used_by(self, most: int) -> float | None:
        """Percent of the quota when the group comes to so many vCPU."""
        return 100 * (self.running - self.own + most) / self.quota if self.quota else None


def launched_with(aws: Aws, group: AutoScalingGroupTypeDef) -> Mapping[str, Any]:
    """The data of the group's version of its launch template; nothing where it has none."""
    template = group.get("LaunchTemplate")
    if not template:
        return {}
    (version,) = aws.ec2.describe_launch_template_versions(
        LaunchTemplateId=template["LaunchTemplateId"], Versions=[template.get("Version", "$Default")]
    )["LaunchTemplateVersions"]
    return version["LaunchTemplateData"]


def target_tracking(aws: Aws, group: str) -> dict[str, Any]:
    """The group's target tracking policies, by name."""
    pages = aws.autoscaling.get_paginator("describe_policies").paginate(
        AutoScalingGroupName=group, PolicyTypes=["TargetTrackingScaling"]
    )
    return {
        each["PolicyName"]: each["TargetTrackingConfiguration"] for page in pages for each in page["ScalingPolicies"]
    }


def placement(group: AutoScalingGroupTypeDef) -> dict[str, int]:
    """The number of instances in each zone."""
    return dict(sorted(Counter(each["AvailabilityZone"] for each in group.get("Instances", [])).items()))


def family(aws: Aws, instance_type: str) -> dict[str, InstanceType]:
    """The capacities of all sizes of a type's family, by name."""
    pages = aws.ec2.get_paginator("describe_instance_types").paginate(
        Filters=[{"Name": "instance-type", "Values": [f"{instance_type.split('.')[0]}.*"]}]
    )
    return {each["InstanceType"]: _instance_type(each) for page in pages for each in page["InstanceTypes"]}


def instances_then(samples: Series, in_service: Series, today: int) -> Series:
    """The number of instances in service in each period in which the group's CPU was measured.

    By the group's own metric where that was enabled. Else by the samples of the CPU: one an instance in five
    minutes, or five with detailed monitoring, and only the newest period shows which it was; so never
    fewer than today, which errs toward keeping.
    """
    if not len(samples):
        return in_service
    each = DETAILED if samples.values[-1] >= DETAILED / 2 * max(today, 1) else 1
    known = at_times_of(samples, in_service, 0.0)
    counted = np.where(known > 0, known, np.maximum(samples.values / each, today))
    return Series(samples.at, counted, samples.period)


def memory_percent(aws: Aws, group: AutoScalingGroupTypeDef, of_group: Series, measured: Measurements) -> float | None:
    """Memory used, p95 of the fullest instance, by the CloudWatch agent; None where no agent publishes any.

    Under which dimensions it does is up to its configuration: the group's alone, as this fleet's, or those of
    each instance as well (CloudWatch User Guide, "append_dimensions").
    """
    if len(of_group):
        return p95_or_lately(of_group)
    own = {("AutoScalingGroupName", group["AutoScalingGroupName"])}
    own |= {("InstanceId", each["InstanceId"]) for each in group.get("Instances", [])}
    percentages = [
        Query(AGENT, metric["MetricName"], dimensions, ("Maximum",), region=aws.region)
        for page in aws.cloudwatch.get_paginator("list_metrics").paginate(Namespace=AGENT)
        for metric in page["Metrics"]
        if metric["MetricName"] in MEMORY
        and (dimensions := tuple((d["Name"], d["Value"]) for d in metric.get("Dimensions", [])))
        and own & set(dimensions)
    ]
    if not percentages:
        return None
    read = read_metrics(aws, percentages, measured.start, measured.end)
    return largest([used for query in percentages if (used := p95_or_lately(read.of(query, "Maximum"))) is not None])


def refresh_surplus(count: int) -> int:
    """The number of instances beyond `count` while a refresh is under way."""
    return max(1, math.floor(count * MOST_HEALTHY / 100) - count)


def most_on_the_way_back(aws: Aws, name: str, instance_type: str) -> int:
    """Percent of the count that a refresh to these instances may go to: all of them at once where the quota has room.

    Where that cannot be read, it is what the plan was approved with.
    """
    count = group_of(aws, name)["DesiredCapacity"]
    try:
        there, vcpus = room(aws, own=0), family(aws, instance_type)[instance_type].vcpus
    except (ClientError, KeyError):
        return MOST_HEALTHY
    more = math.floor(((there.quota or 0) - there.running) / vcpus)
    return max(MOST_HEALTHY, min(ALL_AT_ONCE, 100 + math.floor(100 * more / max(count, 1))))


def room(aws: Aws, own: int) -> Room:
    """The vCPU that run in the Region, `own` of them the group's, against the quota in force."""
    pages = aws.ec2.get_paginator("describe_instances").paginate(
        Filters=[{"Name": "instance-state-name", "Values": ["pending", "running"]}]
    )
    running = Counter(
        each["InstanceType"]
        for page in pages
        for reservation in page["Reservations"]
        for each in reservation.get("Instances", [])
        if "InstanceLifecycle" not in each and _STANDARD.match(each["InstanceType"])
    )
    vcpus = {name: each.vcpus for kind in running for name, each in family(aws, kind).items()}
    return Room(sum(vcpus[kind] * count for kind, count in running.items()), own, _quota(aws))


def obstacles(aws: Aws, group: AutoScalingGroupTypeDef, before: Mapping[str, Any]) -> Iterator[str]:
    """Obstacles that would stop an instance refresh, keep it from being rolled back, or undo the new capacity."""
    name = group["AutoScalingGroupName"]
    if "MixedInstancesPolicy" in group:
        yield "a mixed instances policy launches several types, and one is wanted"
    elif "LaunchTemplate" not in group:
        yield "it launches from a launch configuration, which has no versions: a refresh could not be rolled back"
    elif not str(before["version"]).isdigit():
        yield f"launch template version {before['version']} is no number: a refresh could not be rolled back"
    if str(before["image"]).startswith("resolve:ssm:"):
        yield "the image is an SSM alias: a refresh could not be rolled back"
    if refresh := active_refresh(aws, name):
        yield f"an instance refresh is {refresh['Status']}"
    for alarm in health_alarms(aws, name):
        if alarm.state != "OK":
            yield f"the alarm {alarm.name} is {alarm.state}: it would turn the refresh back, or could not watch it"
    if suspended := sorted(each["ProcessName"] for each in group.get("SuspendedProcesses", [])):
        yield f"suspended processes: {', '.join(suspended)}"
    if len(group["AvailabilityZones"]) == 1:
        yield "all instances are in one zone, whose loss no size survives"
    if "WarmPoolConfiguration" in group:
        yield "a warm pool holds instances of the old type"
    scheduled = aws.autoscaling.get_paginator("describe_scheduled_actions").paginate(AutoScalingGroupName=name)
    if names := sorted(
        each["ScheduledActionName"] for page in scheduled for each in page["ScheduledUpdateGroupActions"]
    ):
        yield f"scheduled actions set the capacity: {', '.join(names)}"
    if names := sorted(_other_policies(aws, name)):
        yield f"scaling policies other than target tracking set the capacity: {', '.join(names)}"
    yield from _unreleased(aws, group)
    yield from _unready(group)


def _unreleased(aws: Aws, group: AutoScalingGroupTypeDef) -> Iterator[str]:
    """Instances that run another image than the group's version names.

    A refresh would replace that as well, and the way back could not bring back what ran.
    """
    template = group.get("LaunchTemplate")
    version = template.get("Version", "$Default") if template else ""
    if not template or not version.isdigit():
        return
    counted = Counter(each.get("LaunchTemplate", {}).get("Version", "") for each in group.get("Instances", []))
    images = _images(aws, template["LaunchTemplateId"], {*counted, version})
    newest = images.get(version)
    if others := {number: count for number, count in counted.items() if number and images.get(number) != newest}:
        yield (
            f"{sum(others.values())} instances run another image than version {version} of the launch "
            f"template, {newest}: release it first (docs/image.md)"
        )


def running_images(aws: Aws, group: AutoScalingGroupTypeDef) -> list[str]:
    """The images that the group's instances were launched with; of one whose version is gone, that it is unknown."""
    versions: dict[str, set[str]] = {}
    for instance in group.get("Instances", []):
        template = instance.get("LaunchTemplate", {})
        if id := template.get("LaunchTemplateId"):
            versions.setdefault(id, set()).add(template.get("Version", ""))
    by_template = ((_images(aws, id, numbers), numbers) for id, numbers in versions.items())
    return sorted({images.get(number) or "unknown" for images, numbers in by_template for number in numbers})


def _images(aws: Aws, template: str, versions: Collection[str]) -> dict[str, str | None]:
    """The image of each of these versions. One that was deleted, while instances run on, is left out."""
    pages = aws.ec2.get_paginator("describe_launch_template_versions").paginate(LaunchTemplateId=template)
    by_number = {str(each["VersionNumber"]): each for page in pages for each in page["LaunchTemplateVersions"]}
    return {
        number: by_number[number]["LaunchTemplateData"].get("ImageId") for number in versions if number in by_number
    }


def _other_policies(aws: Aws, group: str) -> Iterator[str]:
    """Step, simple and predictive policies that act. One that is disabled or only forecasts changes nothing."""
    pages = aws.autoscaling.get_paginator("describe_policies").paginate(AutoScalingGroupName=group)
    for policy in (each for page in pages for each in page["ScalingPolicies"]):
        kind = policy.get("PolicyType", "SimpleScaling")  # the default (EC2 Auto Scaling API, PutScalingPolicy)
        mode = policy.get("PredictiveScalingConfiguration", {}).get("Mode", "ForecastOnly")
        forecasts_only = kind == "PredictiveScaling" and mode == "ForecastOnly"
        if kind != "TargetTrackingScaling" and policy.get("Enabled", True) and not forecasts_only:
            yield f"{policy['PolicyName']} ({kind})"


def _unready(group: AutoScalingGroupTypeDef) -> Iterator[str]:
    instances = group.get("Instances", [])
    if protected := [each for each in instances if each["ProtectedFromScaleIn"]]:
        yield f"{len(protected)} instances are protected from scale-in"
    if elsewhere := [each for each in instances if each["LifecycleState"] != "InService"]:
        yield f"{len(elsewhere)} instances are {elsewhere[0]['LifecycleState']}"
    if unhealthy := [each for each in instances if each["HealthStatus"].casefold() != "healthy"]:
        yield f"{len(unhealthy)} instances are not healthy"


def _instance_type(described: InstanceTypeInfoTypeDef) -> InstanceType:
    ebs = described.get("EbsInfo", {}).get("EbsOptimizedInfo", {})
    return InstanceType(
        described["VCpuInfo"]["DefaultVCpus"],
        sum(card.get("BaselineBandwidthInGbps", 0.0) for card in described["NetworkInfo"]["NetworkCards"]),
        ebs.get("BaselineThroughputInMBps", 0.0),
        ebs.get("BaselineIops", 0.0),
        described.get("Hypervisor") == "nitro",
        described.get("MemoryInfo", {}).get("SizeInMiB", 0) / 1024,
    )


def _quota(aws: Aws) -> float | None:
    """The quota in force: the account's own, else AWS's default (Service Quotas API, GetServiceQuota)."""
    try:
        return aws.quotas.get_service_quota(**QUOTA)["Quota"].get("Value")
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchResourceException":
            raise
    return aws.quotas.get_aws_default_service_quota(**QUOTA)["Quota"].get("Value")
