"""What the production roles may and may not, read from their synthesized stack."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import assertions

from pipeline.environment import load_environment
from pipeline.roles import RolesStack
from tests.environments import EXAMPLE


def permitted() -> dict[tuple[str, str], set[str]]:
    """Every action in the production roles' policies, by effect and role name."""
    app = cdk.App(builtin_cloud_formation_validation=False, analytics_reporting=False)
    stack = RolesStack(app, "Roles", environment=load_environment(EXAMPLE), revision=1)
    resources = assertions.Template.from_stack(stack).to_json()["Resources"]
    names = {id: each["Properties"].get("RoleName") for id, each in resources.items()}
    found: dict[tuple[str, str], set[str]] = {}
    for each in resources.values():
        if each["Type"] in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"):
            for role in each["Properties"].get("Roles", []):
                for statement in each["Properties"]["PolicyDocument"]["Statement"]:
                    told = statement["Action"]
                    key = (statement["Effect"], str(names[role["Ref"]]))
                    found.setdefault(key, set()).update([told] if isinstance(told, str) else told)
    return found
