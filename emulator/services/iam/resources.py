"""IAM roles with their policies and boundaries, and instance profiles: the input of each call's evaluation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from emulator.core.resource_type import Created, Declared, Properties, ResourceType, Site


def create_role(site: Site, resource: Declared) -> Created:
    boundary = resource.get("PermissionsBoundary")
    role = site.client("iam").create_role(
        RoleName=resource.get("RoleName") or resource.generated_name(),
        Path=resource.get("Path", "/"),
        AssumeRolePolicyDocument=json.dumps(resource["AssumeRolePolicyDocument"]),
        Tags=resource.tag_list,
        **({"PermissionsBoundary": boundary} if boundary else {}),
    )["Role"]
    made = Created(role["RoleName"], {"Arn": role["Arn"], "RoleId": role["RoleId"]})
    return update_role(site, resource, made, {})


def update_role(site: Site, resource: Declared, made: Created, before: Properties) -> Created:
    iam = site.client("iam")
    if before:
        trust = json.dumps(resource["AssumeRolePolicyDocument"])
        iam.update_assume_role_policy(RoleName=made.id, PolicyDocument=trust)
        if boundary := resource.get("PermissionsBoundary"):
            iam.put_role_permissions_boundary(RoleName=made.id, PermissionsBoundary=boundary)
        elif before.get("PermissionsBoundary"):
            iam.delete_role_permissions_boundary(RoleName=made.id)
    own = {each["PolicyName"]: each["PolicyDocument"] for each in resource.get("Policies", [])}
    for gone in {each["PolicyName"] for each in before.get("Policies", [])} - own.keys():
        iam.delete_role_policy(RoleName=made.id, PolicyName=gone)
    for name, document in own.items():
        iam.put_role_policy(RoleName=made.id, PolicyName=name, PolicyDocument=json.dumps(document))
    for arn in set(resource.get("ManagedPolicyArns", [])) - set(before.get("ManagedPolicyArns", [])):
        iam.attach_role_policy(RoleName=made.id, PolicyArn=arn)
    for arn in set(before.get("ManagedPolicyArns", [])) - set(resource.get("ManagedPolicyArns", [])):
        iam.detach_role_policy(RoleName=made.id, PolicyArn=arn)
    return made


def delete_role(site: Site, name: str) -> None:
    """Delete a role after detaching its policies and profiles, as CloudFormation does."""
    iam = site.client("iam")
    for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        iam.delete_role_policy(RoleName=name, PolicyName=policy)
    for attached in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
        iam.detach_role_policy(RoleName=name, PolicyArn=attached["PolicyArn"])
    iam.delete_role(RoleName=name)


def create_policy(site: Site, resource: Declared) -> Created:
    """Put an inline policy into every role that it names."""
    return update_policy(site, resource, Created(f"{resource.logical_id}-policy"), {})


def update_policy(site: Site, resource: Declared, made: Created, before: Properties) -> Created:
    iam, name = site.client("iam"), resource["PolicyName"]
    for role in set(before.get("Roles", [])) - set(resource.get("Roles", [])):
        iam.delete_role_policy(RoleName=role, PolicyName=before["PolicyName"])
    for role in resource.get("Roles", []):
        iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(resource["PolicyDocument"]))
    return made


def delete_policy(_site: Site, _id: str) -> None:
    """Do nothing: the policy goes with its roles, since no template here drops a policy and keeps its role."""


def create_managed_policy(site: Site, resource: Declared) -> Created:
    arn = site.client("iam").create_policy(
        PolicyName=resource.get("ManagedPolicyName") or resource.generated_name(128),
        Path=resource.get("Path", "/"),
        PolicyDocument=json.dumps(resource["PolicyDocument"]),
    )["Policy"]["Arn"]
    return _attach(site, resource, Created(arn, {"PolicyArn": arn}), {})


def update_managed_policy(site: Site, resource: Declared, made: Created, before: Properties) -> Created:
    """Make a new default version; the previous one is not kept."""
    iam = site.client("iam")
    (now,) = (each["VersionId"] for each in iam.list_policy_versions(PolicyArn=made.id)["Versions"])
    iam.create_policy_version(
        PolicyArn=made.id, PolicyDocument=json.dumps(resource["PolicyDocument"]), SetAsDefault=True
    )
    iam.delete_policy_version(PolicyArn=made.id, VersionId=now)
    return _attach(site, resource, made, before)


def delete_managed_policy(site: Site, arn: str) -> None:
    iam = site.client("iam")
    for role in iam.list_entities_for_policy(PolicyArn=arn)["PolicyRoles"]:
        iam.detach_role_policy(RoleName=role["RoleName"], PolicyArn=arn)
    iam.delete_policy(PolicyArn=arn)


def create_instance_profile(site: Site, resource: Declared) -> Created:
    iam = site.client("iam")
    name = resource.get("InstanceProfileName") or resource.generated_name(128)
    made = iam.create_instance_profile(InstanceProfileName=name, Path=resource.get("Path", "/"))
    for role in resource["Roles"]:
        iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=role)
    return Created(name, {"Arn": made["InstanceProfile"]["Arn"]})


def _attach(site: Site, resource: Declared, made: Created, before: Mapping[str, Any]) -> Created:
    iam, now, then = site.client("iam"), set(resource.get("Roles", [])), set(before.get("Roles", []))
    for role in sorted(now - then):
        iam.attach_role_policy(RoleName=role, PolicyArn=made.id)
    for role in sorted(then - now):
        iam.detach_role_policy(RoleName=role, PolicyArn=made.id)
    return made


TYPES: Mapping[str, ResourceType] = {
    "AWS::IAM::Role": ResourceType(
        create_role,
        update_role,
        frozenset(
            {"AssumeRolePolicyDocument", "Description", "ManagedPolicyArns", "PermissionsBoundary", "Policies", "Tags"}
        ),
        delete=delete_role,
    ),
    "AWS::IAM::Policy": ResourceType(
        create_policy, update_policy, frozenset({"PolicyDocument", "Roles"}), delete=delete_policy
    ),
    "AWS::IAM::ManagedPolicy": ResourceType(
        create_managed_policy,
        update_managed_policy,
        frozenset({"PolicyDocument", "Roles"}),
        delete=delete_managed_policy,
    ),
    "AWS::IAM::InstanceProfile": ResourceType(create_instance_profile),
}
