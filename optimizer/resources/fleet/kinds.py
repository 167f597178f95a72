"""Auto Scaling groups: found by tag or all, owned with their launch templates, target groups and every instance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from domain.names import FLEET_NAME
from optimizer.model.resource import Kind, Selection, Tags, Touched
from optimizer.ports.aws import Aws
from optimizer.resources.fleet.actual_state import COMPARED
from optimizer.resources.kind import Billed, Found, ResourceKind
from optimizer.resources.load_balancer.kinds import touched_in_elb
from optimizer.resources.tags import flat, known, touched_in_ec2

if TYPE_CHECKING:
    from types_boto3_autoscaling.type_defs import AutoScalingGroupTypeDef


def _find_fleets(aws: Aws, selection: Selection) -> Iterator[Found]:
    for group in _all_groups(aws) if selection.tag is None else _tagged_groups(aws, *selection.tag):
        yield group["AutoScalingGroupName"], group["AutoScalingGroupARN"], {}


def _all_groups(aws: Aws) -> Iterator[AutoScalingGroupTypeDef]:
    for page in aws.autoscaling.get_paginator("describe_auto_scaling_groups").paginate():
        yield from page["AutoScalingGroups"]


def _tagged_groups(aws: Aws, key: str, value: str) -> Iterator[AutoScalingGroupTypeDef]:
    pages = aws.autoscaling.get_paginator("describe_tags").paginate(
        Filters=[{"Name": "key", "Values": [key]}, {"Name": "value", "Values": [value]}]
    )
    names = sorted({tag["ResourceId"] for page in pages for tag in page["Tags"]})
    for first in range(0, len(names), 50):
        groups = aws.autoscaling.get_paginator("describe_auto_scaling_groups").paginate(
            AutoScalingGroupNames=names[first : first + 50]
        )
        yield from (each for page in groups for each in page["AutoScalingGroups"])


def _fleet_tags(aws: Aws, arn: str) -> Tags:
    name = arn.rsplit("autoScalingGroupName/", 1)[1]
    pages = aws.autoscaling.get_paginator("describe_tags").paginate(
        Filters=[{"Name": "auto-scaling-group", "Values": [name]}]
    )
    return flat(tag for page in pages for tag in page["Tags"])


def _fleet_parts(aws: Aws, name: str) -> Iterator[Touched]:
    """Launch templates with the tags that they give, every instance with its volumes and interfaces, target groups."""
    for group in aws.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]:
        ids: list[str] = []
        for template, version in _templates(group):
            ids.append(template)
            yield from _given(aws, template, version)
        instances = [each["InstanceId"] for each in group.get("Instances", [])]
        yield from touched_in_ec2(aws, [*dict.fromkeys(ids), *instances, *_attached(aws, instances)])
        yield from (touched_in_elb(aws, arn) for arn in group.get("TargetGroupARNs", ()))


def _templates(group: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The id and version of every launch template that a group launches from."""
    mixed = group.get("MixedInstancesPolicy", {}).get("LaunchTemplate", {})
    named = (
        group.get("LaunchTemplate"),
        mixed.get("LaunchTemplateSpecification"),
        *(each.get("LaunchTemplateSpecification") for each in mixed.get("Overrides", ())),
    )
    for each in named:
        if each and each.get("LaunchTemplateId"):
            yield each["LaunchTemplateId"], each.get("Version", "$Default")


def _given(aws: Aws, template: str, version: str) -> Iterator[Touched]:
    """The tags that a template's version puts on what it launches: they say whose that will be."""
    versions = aws.ec2.describe_launch_template_versions(LaunchTemplateId=template, Versions=[version])
    for described in versions["LaunchTemplateVersions"]:
        for each in described["LaunchTemplateData"].get("TagSpecifications", ()):
            kind = each.get("ResourceType", "instance")
            yield known(f"{template} (version {version}, tags of each {kind})", flat(each.get("Tags", ())))


def _attached(aws: Aws, instances: Sequence[str]) -> Iterator[str]:
    """The volumes and network interfaces of these instances: they go with them."""
    pages = aws.ec2.get_paginator("describe_instances").paginate(
        Filters=[{"Name": "instance-id", "Values": list(instances)}]
    )
    for page in pages if instances else ():
        for each in (one for reservation in page["Reservations"] for one in reservation.get("Instances", [])):
            yield from (disk["Ebs"]["VolumeId"] for disk in each.get("BlockDeviceMappings", ()) if "Ebs" in disk)
            yield from (card["NetworkInterfaceId"] for card in each.get("NetworkInterfaces", ()))


def _billed(aws: Aws, name: str) -> Billed:
    """The group's instances that run, by type."""
    groups = aws.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
    instances = (each for group in groups for each in group.get("Instances", []))
    return Billed(
        Counter(each["InstanceType"] for each in instances if not each["LifecycleState"].startswith("Terminat"))
    )


KINDS = (
    ResourceKind(
        Kind.FLEET,
        words="Auto Scaling group",
        arn=("autoscaling", "autoScalingGroup"),
        part="fleet",
        service="Amazon Elastic Compute Cloud - Compute",
        find=_find_fleets,
        tags=_fleet_tags,
        parts=_fleet_parts,
        sized=lambda _: (FLEET_NAME,),
        compared=COMPARED,
        billed=_billed,
        reads={
            "amazonec2autoscaling": (
                "autoscaling:DescribeAutoScalingGroups",
                "autoscaling:DescribeInstanceRefreshes",
                "autoscaling:DescribePolicies",
                "autoscaling:DescribeScalingActivities",
                "autoscaling:DescribeScheduledActions",
                "autoscaling:DescribeTags",
            ),
            "amazonec2": (
                "ec2:DescribeInstances",
                "ec2:DescribeInstanceTypes",
                "ec2:DescribeLaunchTemplateVersions",
                "ec2:DescribeTags",
            ),
        },
        none="no Auto Scaling group: nothing to decide about instances",
    ),
)
