"""CloudFormation deploys all of production under its boundary, and is no administrator with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from emulator.core.policy_evaluation import AccessRequest, Allowed, evaluate, statements
from pipeline.deployment_boundary import IN_BOUNDS, deployment_boundary

pytestmark = pytest.mark.xdist_group("pipeline")  # one synthesis for all of them

THERE = "222222222222"
EXECUTION = f"arn:aws:iam::{THERE}:role/cdk-hnb659fds-cfn-exec-role-{THERE}-us-east-1"
ADMINISTRATOR = statements('{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}')
BOUNDARY = statements(json.dumps(deployment_boundary(THERE)))
OPTIMIZER = f"arn:aws:iam::{THERE}:policy/tap-optimizer-boundary"
ROLE, POLICY = f"arn:aws:iam::{THERE}:role/", f"arn:aws:iam::{THERE}:policy/"
Keys = Mapping[str, list[str]]


def may(action: str, resource: str, keys: Keys | None = None) -> bool:
    request = AccessRequest(EXECUTION, action, resource, THERE, (keys or {}).get)
    return isinstance(evaluate((ADMINISTRATOR,), BOUNDARY, request), Allowed)


def test_every_role_and_policy_of_production_can_be_deployed(assembly: Path) -> None:
    seen = 0
    for path in (assembly / "assembly-tap-pipeline-Production").glob("*.template.json"):
        for id, each in json.loads(path.read_text())["Resources"].items():
            properties: Mapping[str, Any] = each.get("Properties", {})
            if each["Type"] == "AWS::IAM::Role":
                # What has no name of its own is called after its stack, and those are called tap-.
                name = ROLE + properties.get("RoleName", f"tap-stack-{id}")
                bound = properties["PermissionsBoundary"]
                keys = {"iam:permissionsboundary": [OPTIMIZER if isinstance(bound, dict) else bound]}
                assert all(may(action, name, keys) for action in IN_BOUNDS), id
                assert all(may(f"iam:{action}", name) for action in ("PassRole", "DeleteRole", "TagRole")), id
                seen += 1
            if each["Type"] == "AWS::IAM::ManagedPolicy":
                name = POLICY + properties.get("ManagedPolicyName", f"tap-stack-{id}")
                assert may("iam:CreatePolicy", name)
                assert may("iam:CreatePolicyVersion", name)
    assert seen == 14
    assert may("dynamodb:CreateTable", f"arn:aws:dynamodb:us-east-1:{THERE}:table/tenants")
    assert may("iam:CreateServiceLinkedRole", f"{ROLE}aws-service-role/rds.amazonaws.com/AWSServiceRoleForRDS")


@pytest.mark.parametrize(
    ("action", "resource", "keys"),
    [
        ("iam:CreateRole", f"{ROLE}tap-other", {}),  # without a boundary
        ("iam:CreateRole", f"{ROLE}tap-other", {"iam:permissionsboundary": [f"{POLICY}other"]}),
        ("iam:CreateRole", f"{ROLE}other", {"iam:permissionsboundary": [OPTIMIZER]}),
        ("iam:AttachRolePolicy", EXECUTION, {}),  # its own role
        ("iam:PutRolePolicy", f"{ROLE}tap-act", {}),  # a role from which the boundary was taken
        ("iam:DeleteRolePermissionsBoundary", f"{ROLE}tap-act", {"iam:permissionsboundary": [OPTIMIZER]}),
        ("iam:PassRole", f"{ROLE}administrator", {}),
        ("iam:CreateUser", f"arn:aws:iam::{THERE}:user/tap-user", {}),
        ("iam:CreateAccessKey", f"arn:aws:iam::{THERE}:user/somebody", {}),
        ("iam:UpdateAssumeRolePolicy", f"{ROLE}administrator", {}),
        ("iam:CreatePolicyVersion", f"{POLICY}tap-deployment-boundary", {}),
        ("iam:CreatePolicyVersion", f"{POLICY}somebodys", {}),
        ("sts:AssumeRole", f"{ROLE}administrator", {}),
        ("organizations:LeaveOrganization", "*", {}),
    ],
)
def test_it_is_no_administrator(action: str, resource: str, keys: Keys) -> None:
    assert not may(action, resource, keys)


def test_it_fits_into_a_managed_policy() -> None:
    """6,144 characters without white space (IAM User Guide, "IAM quotas")."""
    assert len(json.dumps(deployment_boundary(THERE), separators=(",", ":"))) < 6_144
