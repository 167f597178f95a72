"""The boundary of the optimizer's roles allows the declared rights, and never an action that cannot be undone."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from optimizer.actions import registry
from pipeline import roles
from pipeline.permission_boundary import AT_MOST, NAME, NEVER, NEVER_GONE, TEMPLATES
from tests.pipeline.permitted import joined

pytestmark = pytest.mark.xdist_group("pipeline")  # one synthesis for all of them


@pytest.fixture(scope="module")
def production_roles(assembly: Path) -> dict[str, Any]:
    (path,) = (assembly / "assembly-tap-pipeline-Production").glob("*Roles*.template.json")
    return json.loads(path.read_text())["Resources"]


def allowed(action: str) -> bool:
    return any(fnmatchcase(action, pattern) for pattern in AT_MOST) and action not in NEVER


def boundary(resources: dict[str, Any]) -> str:
    """The logical id of the boundary: other managed policies have the overflow of a role's inline policy."""
    (found,) = [id for id, each in resources.items() if each["Properties"].get("ManagedPolicyName") == NAME]
    return found


def test_it_cuts_nothing_that_is_declared() -> None:
    declared = {each.action for action in registry() for each in action.permissions}
    needed = declared | {each.action for each in (*roles.OBSERVE, *roles.COMPARE, *roles.MONEY)}
    assert needed
    assert not [action for action in sorted(needed) if not allowed(action)]
    own = [each.action for each in roles.AGREE if each.action not in TEMPLATES]
    assert not [action for action in own if not allowed(action)]


@pytest.mark.parametrize(
    "action",
    [
        "iam:CreateRole",
        "iam:AttachRolePolicy",
        "kms:ScheduleKeyDeletion",
        "secretsmanager:GetSecretValue",
        "s3:GetObject",
        "cloudformation:DeleteStack",
        "ec2:AuthorizeSecurityGroupIngress",
        "elasticache:DeleteReplicationGroup",
        "rds:DeleteDBClusterAutomatedBackup",
    ],
)
def test_it_lets_nothing_through_that_loses_data_or_widens_access(action: str) -> None:
    assert not allowed(action)


def test_the_designed_tables_and_the_primary_cluster_cannot_be_deleted(production_roles: dict[str, Any]) -> None:
    policy = production_roles[boundary(production_roles)]
    allow, templates, alarms, never, gone = policy["Properties"]["PolicyDocument"]["Statement"]
    effects = [each["Effect"] for each in (allow, templates, alarms, never, gone)]
    assert effects == ["Allow", "Allow", "Allow", "Deny", "Deny"]
    assert joined(alarms["Resource"]) == "arn:aws:events:us-east-1:111111111111:event-bus/tap-alarms"
    assert joined(templates["Resource"]) == "arn:aws:s3:::cdk-hnb659fds-assets-222222222222-*/tap-reconcile/*"
    assert (never["Action"], gone["Action"]) == (list(NEVER), list(NEVER_GONE))
    kept = {arn.rsplit(":", 1)[1] for arn in gone["Resource"]}
    assert kept == {"table/tenants", "table/users", "table/audit_logs", "tap-database"}


def test_every_role_is_under_it(production_roles: dict[str, Any]) -> None:
    found = [each["Properties"] for each in production_roles.values() if each["Type"] == "AWS::IAM::Role"]
    assert [each["RoleName"] for each in found] == [
        "tap-analyze",
        "tap-act",
        "tap-reconcile",
        "tap-foresee",
        "tap-early-call",
    ]
    policy = boundary(production_roles)
    assert all(each["PermissionsBoundary"] == {"Ref": policy} for each in found)


def test_no_declared_write_is_on_everything_without_a_condition() -> None:
    blind = [
        each.action
        for action in registry()
        for each in action.permissions
        if each.writes and "*" in each.resources and not each.conditions
    ]
    assert not blind


def test_the_roles_policies_stay_under_iams_limit(production_roles: dict[str, Any]) -> None:
    """10,240 characters without white space, over all inline policies of a role (IAM User Guide, "IAM quotas")."""
    for each in production_roles.values():
        if each["Type"] == "AWS::IAM::Policy":
            document = json.dumps(joined(each["Properties"]["PolicyDocument"]), separators=(",", ":"))
            assert len(document) < 10_240, each["Properties"]["PolicyName"]
