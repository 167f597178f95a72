"""IAM roles and instance profiles, with their trust alone: policies are left out, since no emulator evaluates them."""

from __future__ import annotations

import json
from collections.abc import Mapping

from emulator.core.resource_type import Created, Declared, ResourceType, Site


def create_role(site: Site, resource: Declared) -> Created:
    role = site.client("iam").create_role(
        RoleName=resource.get("RoleName") or resource.generated_name(),
        Path=resource.get("Path", "/"),
        AssumeRolePolicyDocument=json.dumps(resource["AssumeRolePolicyDocument"]),
        Tags=resource.tag_list,
    )["Role"]
    return Created(role["RoleName"], {"Arn": role["Arn"], "RoleId": role["RoleId"]})


def create_instance_profile(site: Site, resource: Declared) -> Created:
    iam = site.client("iam")
    name = resource.get("InstanceProfileName") or resource.generated_name(128)
    made = iam.create_instance_profile(InstanceProfileName=name, Path=resource.get("Path", "/"))
    for role in resource["Roles"]:
        iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=role)
    return Created(name, {"Arn": made["InstanceProfile"]["Arn"]})


def delete_role(site: Site, name: str) -> None:
    """Its inline policies were never loaded: nothing stands in the way."""
    site.client("iam").delete_role(RoleName=name)


TYPES: Mapping[str, ResourceType] = {
    "AWS::IAM::Role": ResourceType(create_role, delete=delete_role),
    "AWS::IAM::InstanceProfile": ResourceType(create_instance_profile),
}
