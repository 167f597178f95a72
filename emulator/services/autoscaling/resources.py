"""Launch templates, Auto Scaling groups and scaling policies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from emulator.core.resource_type import Created, Declared, Properties, ResourceType, Site, request

_SIZES = frozenset({"MinSize", "MaxSize", "DesiredCapacity"})


def create_launch_template(site: Site, resource: Declared) -> Created:
    """Create a template. Stack tags do not reach it (resource schema: taggable false): TagSpecifications do."""
    ec2 = site.client("ec2")
    specifications = resource.get("TagSpecifications", [])
    parameters = request(ec2, "CreateLaunchTemplate", resource.properties, TagSpecifications=specifications)
    parameters.setdefault("LaunchTemplateName", resource.generated_name(128))
    return _template(ec2.create_launch_template(**parameters)["LaunchTemplate"])


def update_launch_template(site: Site, resource: Declared, made: Created, before: Properties) -> Created:
    """Make a new version from changed data, as CloudFormation does; the default version stays."""
    if "LaunchTemplateData" not in resource.changed_since(before):
        return made
    ec2 = site.client("ec2")
    data = request(ec2, "CreateLaunchTemplateVersion", {"LaunchTemplateData": resource["LaunchTemplateData"]})
    ec2.create_launch_template_version(LaunchTemplateId=made.id, **data)
    return _template(ec2.describe_launch_templates(LaunchTemplateIds=[made.id])["LaunchTemplates"][0])


def _template(shown: Mapping[str, Any]) -> Created:
    versions = {name: str(shown[name]) for name in ("LatestVersionNumber", "DefaultVersionNumber")}
    return Created(shown["LaunchTemplateId"], {"LaunchTemplateId": shown["LaunchTemplateId"], **versions})


def create_group(site: Site, resource: Declared) -> Created:
    autoscaling = site.client("autoscaling")
    name = resource.get("AutoScalingGroupName") or resource.generated_name(255)
    parameters = _group_request(autoscaling, "CreateAutoScalingGroup", resource.without("Tags"))
    autoscaling.create_auto_scaling_group(
        **{**parameters, "AutoScalingGroupName": name, "Tags": _group_tags(resource, name)}
    )
    for metrics in resource.get("MetricsCollection", []):
        autoscaling.enable_metrics_collection(AutoScalingGroupName=name, **metrics)
    shown = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"][0]
    return Created(name, {"AutoScalingGroupARN": shown["AutoScalingGroupARN"]})


def update_group(site: Site, resource: Declared, made: Created, before: Properties) -> Created:
    """Update a group. Without IgnoreUnmodifiedGroupSizeProperties CloudFormation sends the sizes with every update."""
    scheduled = resource.update_policy.get("AutoScalingScheduledAction", {})
    keeps_sizes = str(scheduled.get("IgnoreUnmodifiedGroupSizeProperties", False)).casefold() == "true"
    changed = resource.changed_since(before)
    sent = changed if keeps_sizes else changed | _SIZES
    properties = {name: value for name, value in resource.properties.items() if name in sent}
    autoscaling = site.client("autoscaling")
    parameters = _group_request(autoscaling, "UpdateAutoScalingGroup", properties)
    autoscaling.update_auto_scaling_group(**{**parameters, "AutoScalingGroupName": made.id})
    return made


def _group_request(client: Any, operation: str, properties: dict[str, Any]) -> dict[str, Any]:
    zones = properties.pop("VPCZoneIdentifier", None)
    parameters = request(client, operation, properties)
    return {**parameters, "VPCZoneIdentifier": ",".join(zones)} if zones else parameters


def _group_tags(resource: Declared, name: str) -> list[dict[str, object]]:
    own = {tag["Key"]: tag for tag in resource.get("Tags", [])}
    return [
        {
            "ResourceId": name,
            "ResourceType": "auto-scaling-group",
            "Key": key,
            "Value": value,
            # CloudFormation propagates stack tags to the instances.
            "PropagateAtLaunch": str(own.get(key, {}).get("PropagateAtLaunch", True)).casefold() == "true",
        }
        for key, value in resource.tags.items()
    ]


def put_policy(site: Site, resource: Declared) -> Created:
    name = resource.generated_name()  # CloudFormation offers no property for it
    autoscaling = site.client("autoscaling")
    parameters = request(autoscaling, "PutScalingPolicy", resource.properties, PolicyName=name)
    autoscaling.put_scaling_policy(**parameters)
    shown = autoscaling.describe_policies(AutoScalingGroupName=resource["AutoScalingGroupName"], PolicyNames=[name])[
        "ScalingPolicies"
    ][0]
    return Created(shown["PolicyARN"], {"Arn": shown["PolicyARN"], "PolicyName": name})


def update_policy(site: Site, resource: Declared, _made: Created, _before: Properties) -> Created:
    return put_policy(site, resource)


TYPES: Mapping[str, ResourceType] = {
    "AWS::EC2::LaunchTemplate": ResourceType(
        create_launch_template, update_launch_template, frozenset({"LaunchTemplateData", "VersionDescription"})
    ),
    "AWS::AutoScaling::AutoScalingGroup": ResourceType(
        create_group,
        update_group,
        _SIZES | {"LaunchTemplate", "HealthCheckGracePeriod", "DefaultInstanceWarmup", "TerminationPolicies"},
    ),
    "AWS::AutoScaling::ScalingPolicy": ResourceType(
        put_policy, update_policy, frozenset({"TargetTrackingConfiguration", "EstimatedInstanceWarmup"})
    ),
}
