"""Permissions and denials of the production roles and the jobs' own roles, read from the synthesized templates."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import aws_cdk as cdk
from aws_cdk import assertions

from domain.environment import load_environment
from domain.sizing import Sizing, SizingRecord
from pipeline.pipeline_stack import PipelineStack
from pipeline.roles import RolesStack
from tests.environments import CONTEXT, EXAMPLE

Template = Mapping[str, Any]


def joined(value: Any) -> Any:
    """`value` with the partition filled in, as IAM counts it."""
    if isinstance(value, dict):
        if "Fn::Join" in value:
            return "".join(each if isinstance(each, str) else "aws" for each in value["Fn::Join"][1])
        return {key: joined(each) for key, each in value.items()}
    return [joined(each) for each in value] if isinstance(value, list) else value


def permitted() -> dict[tuple[str, str], set[str]]:
    """Every action in the production roles' policies, by effect and role name."""
    app = cdk.App(builtin_cloud_formation_validation=False, analytics_reporting=False)
    stack = RolesStack(app, "Roles", environment=load_environment(EXAMPLE), revision=1)
    return _actions(assertions.Template.from_stack(stack).to_json())


@cache
def jobs_template() -> Template:
    """The pipeline's own template."""
    with tempfile.TemporaryDirectory() as out:
        app = cdk.App(outdir=out, context=CONTEXT, builtin_cloud_formation_validation=False, analytics_reporting=False)
        sizing = SizingRecord(revision=0, sizing=Sizing.AS_DESIGNED)
        PipelineStack(app, "tap-pipeline", environment=load_environment(EXAMPLE), sizing=sizing)
        app.synth()
        template: Template = json.loads((Path(out) / "tap-pipeline.template.json").read_text())
    return template


def granted_to_jobs() -> dict[str, set[str]]:
    """The permissions of each job's own role, by its name, except on the artifacts, which CodeBuild moves."""
    found: dict[str, set[str]] = {}
    for role, statement in _statements(jobs_template()):
        on_artifacts = any('"Artifacts' in shown(each) for each in listed(statement["Resource"]))
        if role.startswith("tap-job-") and not on_artifacts:
            found.setdefault(role, set()).update(listed(statement["Action"]))
    return found


def job_may(role: str, action: str, arn: str | None = None) -> bool:
    """Whether the job's role is allowed this action, on this resource if one is given; conditions are left out."""
    return any(
        fnmatchcase(action, name) and (arn is None or fnmatchcase(arn, shown(pattern)))
        for holder, statement in _statements(jobs_template())
        if holder == role and statement["Effect"] == "Allow"
        for name in listed(statement["Action"])
        for pattern in listed(statement["Resource"])
    )


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def shown(value: Any) -> str:
    """An ARN of a template as text; values known only at deployment stay out of every pattern."""
    match value:
        case str():
            return value
        case {"Ref": "AWS::Partition"}:
            return "aws"
        case {"Fn::Join": [str(between), list(parts)]}:
            return between.join(map(shown, parts))
        case _:
            return f"<{json.dumps(value)}>"


def _actions(template: Template) -> dict[tuple[str, str], set[str]]:
    found: dict[tuple[str, str], set[str]] = {}
    for role, statement in _statements(template):
        found.setdefault((statement["Effect"], role), set()).update(listed(statement["Action"]))
    return found


def _statements(template: Template) -> Iterator[tuple[str, Any]]:
    """Every policy statement, with the name of the role that has it."""
    resources = template["Resources"]
    names = {id: each.get("Properties", {}).get("RoleName") for id, each in resources.items()}
    for each in resources.values():
        if each["Type"] in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"):
            for role in each["Properties"].get("Roles", []):
                for statement in each["Properties"]["PolicyDocument"]["Statement"]:
                    yield str(names[role["Ref"]]), statement
