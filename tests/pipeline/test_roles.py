"""The production roles: the jobs that may assume them, and exactly the rights that the actions declare."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import assertions

from domain.environment import Environment
from optimizer.action import Permission
from optimizer.actions import registry
from pipeline import roles
from tests.pipeline.permitted import job_may, jobs_template

pytestmark = pytest.mark.xdist_group("pipeline")  # one synthesis for all of them

DECLARED = (
    Permission("rds:DescribeDBClusterSnapshots"),
    Permission("rds:ModifyDBCluster", ("arn:{partition}:rds:{region}:{account}:cluster:tap-*",), writes=True),
    Permission("rds:CreateDBClusterSnapshot", ("arn:{partition}:rds:{region}:{account}:cluster:tap-*",), writes=True),
    Permission(
        "iam:PassRole",
        ("arn:{partition}:iam::{account}:role/tap-fleet",),
        writes=True,
        dependent=True,
        conditions={"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}},
    ),
)


@pytest.fixture
def production(monkeypatch: pytest.MonkeyPatch, environment: Environment) -> Mapping[str, Any]:
    """The roles' template when these permissions are all that the actions declare; by role name."""
    monkeypatch.setattr(roles, "registry", lambda: (SimpleNamespace(permissions=DECLARED),))
    app = cdk.App(builtin_cloud_formation_validation=False, analytics_reporting=False)
    stack = roles.RolesStack(app, "Roles", environment=environment, revision=7)
    return assertions.Template.from_stack(stack).to_json()


def statements(template: Mapping[str, Any], role_name: str) -> list[Any]:
    resources = template["Resources"]
    role = next(id for id, each in resources.items() if each["Properties"].get("RoleName") == role_name)
    return [
        statement
        for each in resources.values()
        # What does not fit into the inline policy goes into a managed one.
        if each["Type"] in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy")
        and {"Ref": role} in each["Properties"].get("Roles", [])
        for statement in each["Properties"]["PolicyDocument"]["Statement"]
    ]


def allowed(template: Mapping[str, Any], role_name: str) -> set[str]:
    return {
        action
        for each in statements(template, role_name)
        if each["Effect"] == "Allow"
        for action in ([each["Action"]] if isinstance(each["Action"], str) else each["Action"])
    }


def test_act_may_what_the_actions_declare_where_they_declare_it(production: Mapping[str, Any]) -> None:
    (on_clusters,) = [
        each
        for each in statements(production, "tap-act")
        if "rds:ModifyDBCluster" in each["Action"] and each["Effect"] == "Allow"
    ]
    assert on_clusters["Action"] == ["rds:CreateDBClusterSnapshot", "rds:ModifyDBCluster"]
    assert [json.dumps(arn).count("222222222222:cluster:tap-*") for arn in on_clusters["Resource"]] == [1, 1, 1]
    assert {
        region for arn in on_clusters["Resource"] for region in REGIONS if f":rds:{region}:" in json.dumps(arn)
    } == (REGIONS)


CHANGE_SETS = {
    "cloudformation:CreateChangeSet",
    "cloudformation:DeleteChangeSet",
    "cloudformation:ExecuteChangeSet",
    "s3:PutObject",
}


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


REGIONS = {"us-east-1", "us-west-2", "eu-west-1"}


def test_act_may_put_and_delete_the_one_alarm_that_calls_the_watch_and_no_other(production: Mapping[str, Any]) -> None:
    (on_alarms,) = [
        each
        for each in statements(production, "tap-act")
        if "cloudwatch:PutMetricAlarm" in each["Action"] and each["Effect"] == "Allow"
    ]
    assert on_alarms["Action"] == ["cloudwatch:DeleteAlarms", "cloudwatch:PutMetricAlarm"]
    assert all(json.dumps(arn).endswith(':222222222222:alarm:tap-p99-expected"]]}') for arn in on_alarms["Resource"])


def test_conditions_stay_with_their_permission(production: Mapping[str, Any]) -> None:
    (pass_role,) = [each for each in statements(production, "tap-act") if each["Action"] == "iam:PassRole"]
    assert pass_role["Condition"] == {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}


def test_act_may_nothing_on_a_tenants_resource(production: Mapping[str, Any]) -> None:
    (deny,) = [each for each in statements(production, "tap-act") if each["Effect"] == "Deny"]
    early_call = ["cloudwatch:DeleteAlarms", "cloudwatch:PutMetricAlarm"]
    assert deny["Action"] == [*early_call, "iam:PassRole", "rds:CreateDBClusterSnapshot", "rds:ModifyDBCluster"]
    assert deny["Condition"] == {"Null": {"aws:ResourceTag/TenantId": "false"}}
    assert deny["Resource"] == "*"


@pytest.mark.parametrize(("role_name", "writes"), [("tap-analyze", set()), ("tap-reconcile", CHANGE_SETS)])
def test_the_other_roles_read_and_reconcile_makes_change_sets(
    production: Mapping[str, Any], role_name: str, writes: set[str]
) -> None:
    reading = ("Describe", "Get", "List")
    assert {each for each in allowed(production, role_name) if not each.split(":")[1].startswith(reading)} == writes
    assert "rds:DescribeDBClusterSnapshots" in allowed(production, role_name)


def test_reconcile_makes_change_sets_of_its_own_name_alone_and_passes_no_role(production: Mapping[str, Any]) -> None:
    made = [each for each in statements(production, "tap-reconcile") if CHANGE_SETS & {*listed(each["Action"])}]
    own = {"cloudformation:ChangeSetName": "tap-reconcile-*"}
    conditions = {action: each.get("Condition") for each in made for action in listed(each["Action"])}
    assert conditions["cloudformation:CreateChangeSet"] == {
        "StringLike": own,
        "Null": {"cloudformation:RoleArn": "true"},
    }
    assert conditions["cloudformation:ExecuteChangeSet"] == {"StringLike": own}
    assert "iam:PassRole" not in allowed(production, "tap-reconcile")
    (put,) = [each for each in made if "s3:PutObject" in listed(each["Action"])]
    assert all("/tap-reconcile/*" in json.dumps(each) for each in put["Resource"])


@pytest.mark.parametrize(
    ("role_name", "jobs"),
    [
        ("tap-analyze", ["analyze", "publish", "measure-savings"]),
        ("tap-act", ["apply", "accept", "watch", "rollback"]),
        ("tap-reconcile", ["accept", "reconcile", "drift-check", "approve"]),
        ("tap-foresee", ["build"]),
    ],
)
def test_only_the_named_jobs_with_the_external_id_are_trusted(
    production: Mapping[str, Any], role_name: str, jobs: list[str]
) -> None:
    role = next(
        each["Properties"]
        for each in production["Resources"].values()
        if each["Properties"].get("RoleName") == role_name
    )
    trust, tagging = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Action"] == "sts:AssumeRole"
    assert tagging["Action"] == "sts:TagSession"
    assert tagging["Condition"]["ForAllValues:StringEquals"] == {"aws:TagKeys": ["tap:build", "tap:commit"]}
    assert tagging["Condition"]["ArnEquals"] == trust["Condition"]["ArnEquals"]
    assert ":iam::111111111111:root" in json.dumps(trust["Principal"])
    assert trust["Condition"]["StringEquals"] == {"sts:ExternalId": "tap-111111111111"}
    callers = trust["Condition"]["ArnEquals"]["aws:PrincipalArn"]
    callers = callers if isinstance(callers, list) else [callers]
    assert [json.dumps(each).rstrip('"]} ').rsplit("role/tap-job-")[1] for each in callers] == jobs


def test_the_deployed_act_role_is_what_the_registry_declares(assembly: Path) -> None:
    (path,) = (assembly / "assembly-tap-pipeline-Production").glob("*Roles*.template.json")
    deployed = json.loads(path.read_text())
    declared = {each.action: each.writes for action in registry() for each in action.permissions}
    declared |= {each.action: each.writes for each in roles.EARLY_CALL}
    assert allowed(deployed, "tap-act") == {each.action for each in roles.OBSERVE} | declared.keys()
    denied = [each["Action"] for each in statements(deployed, "tap-act") if each["Effect"] == "Deny"]
    assert denied == ([sorted(name for name, writes in declared.items() if writes)] if any(declared.values()) else [])


def test_the_stack_says_from_which_sizing_it_was_made(production: Mapping[str, Any], assembly: Path) -> None:
    assert production["Metadata"]["tap:sizing-revision"] == 7
    deployed = list((assembly / "assembly-tap-pipeline-Production").glob("*.template.json"))
    assert len(deployed) == 4
    assert {json.loads(each.read_text())["Metadata"]["tap:sizing-revision"] for each in deployed} == {3}


def test_every_permission_of_our_own_names_its_source() -> None:
    assert all(each.source.startswith("https://docs.aws.amazon.com/") for each in (*roles.OBSERVE, *roles.COMPARE))
    assert not [each.action for each in (*roles.OBSERVE, *roles.COMPARE) if each.writes]


@pytest.mark.parametrize("job", ["apply", "accept", "watch", "rollback", "reconcile"])
def test_every_job_that_changes_something_may_read_the_kill_switch(job: str) -> None:
    """One that could not would be refused at its first look: a switch that cannot be read is no consent."""
    (switch,) = (
        id
        for id, each in jobs_template()["Resources"].items()
        if each["Type"] == "AWS::SSM::Parameter" and each["Properties"].get("Name") == "/tap/switch"
    )
    arn = f'arn:aws:ssm:us-east-1:111111111111:parameter<{{"Ref": "{switch}"}}>'
    assert job_may(f"tap-job-{job}", "ssm:GetParameter", arn)


def test_only_analyze_asks_what_the_account_costs(production: Mapping[str, Any]) -> None:
    money = {each.action for each in roles.MONEY}
    assert money <= allowed(production, "tap-analyze")
    assert not money & (allowed(production, "tap-act") | allowed(production, "tap-reconcile"))
    assert all(each.split(":")[1].startswith(("Get", "Describe")) for each in money)


def test_build_may_ask_what_a_deployment_would_change_and_execute_nothing(production: Mapping[str, Any]) -> None:
    """It runs whatever was pushed."""
    may = allowed(production, "tap-foresee")
    assert {"cloudformation:CreateChangeSet", "cloudformation:DeleteChangeSet", "cloudformation:GetTemplate"} <= may
    assert "cloudformation:ExecuteChangeSet" not in may
