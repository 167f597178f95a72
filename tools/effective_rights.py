"""Effective rights of each role of the synthesized app: its policies, limited by its boundary and its denials."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emulator.core.policy_evaluation import AccessRequest, Allowed, Statement, evaluate, statements

Row = tuple[str, str, str, str]
EVERY_RIGHT = statements('{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}')
ATTACHED = ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy")
SETTINGS = Path(__file__).parents[1] / "tests" / "example_environment.json"  # the same in every repository


@dataclass(frozen=True)
class Role:
    """One synthesized role in one account; values known only at deployment are names in angle brackets."""

    name: str
    account: str
    policies: tuple[tuple[Statement, ...], ...]
    boundary: tuple[Statement, ...] | None
    regions: tuple[str, ...]

    def rows(self) -> Iterator[Row]:
        """Effect, actions, resources and conditions of each statement that remains."""
        for each in (statement for policy in self.policies for statement in policy):
            actions = [action for action in each.actions if not each.allows or self._is_let_through(action, each)]
            if actions:
                yield (
                    "may" if each.allows else "may never",
                    _listed(sorted(actions)),
                    _listed(self._anywhere(each.resources)),
                    _conditions(each),
                )

    def _is_let_through(self, action: str, statement: Statement) -> bool:
        """Whether the boundary allows the action on some of the resources."""
        arn = f"arn:aws:iam::{self.account}:role/{self.name}"
        return any(
            isinstance(
                evaluate((EVERY_RIGHT,), self.boundary, AccessRequest(arn, action, resource, self.account)), Allowed
            )
            for resource in statement.resources
        )

    def _anywhere(self, arns: Sequence[str]) -> list[str]:
        """The ARNs, each once, with `{region}` in place of the Region."""
        anywhere = re.compile("|".join(map(re.escape, self.regions)))
        return list(dict.fromkeys(anywhere.sub("{region}", arn) for arn in arns))


def roles() -> list[Role]:
    """Every role that the app synthesizes, in the order of the stacks."""
    environment = json.loads(SETTINGS.read_text())
    templates = _templates(environment)
    regions = (environment["primary"]["name"], *(each["name"] for each in environment["replicas"]))
    boundaries = {
        each["Properties"]["ManagedPolicyName"]: each["Properties"]["PolicyDocument"]
        for _, template in templates
        for each in template["Resources"].values()
        if each["Type"] == "AWS::IAM::ManagedPolicy" and "ManagedPolicyName" in each["Properties"]
    }
    return [role for account, template in templates for role in _roles(account, template, boundaries, regions)]


def _templates(environment: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Every template, with its account."""
    import aws_cdk as cdk  # an extra, which the other pages do not need

    from domain.environment import load_environment
    from domain.sizing import Sizing, SizingRecord
    from pipeline.pipeline_stack import PipelineStack

    context = json.loads((SETTINGS.parents[1] / "cdk.json").read_text())["context"]
    with tempfile.TemporaryDirectory() as out:
        app = cdk.App(outdir=out, context=context, builtin_cloud_formation_validation=False, analytics_reporting=False)
        sizing = SizingRecord(revision=0, sizing=Sizing.AS_DESIGNED)
        PipelineStack(app, "tap-pipeline", environment=load_environment(environment), sizing=sizing)
        app.synth()
        accounts = environment["accounts"]
        return [
            (accounts["tooling" if path.parent == Path(out) else "production"], json.loads(path.read_text()))
            for path in sorted(Path(out).rglob("*.template.json"))
        ]


def _roles(
    account: str, template: Mapping[str, Any], boundaries: Mapping[str, Any], regions: tuple[str, ...]
) -> Iterator[Role]:
    resources = template["Resources"]
    attached = [each["Properties"] for each in resources.values() if each["Type"] in ATTACHED]
    for id, each in resources.items():
        if each["Type"] != "AWS::IAM::Role":
            continue
        own = [policy["PolicyDocument"] for policy in each["Properties"].get("Policies", [])]
        own += [one["PolicyDocument"] for one in attached if {"Ref": id} in one.get("Roles", [])]
        boundary = _boundary(each["Properties"].get("PermissionsBoundary"), resources, boundaries)
        yield Role(
            name=str(each["Properties"].get("RoleName", id)),
            account=account,
            policies=tuple(statements(json.dumps(_text(document))) for document in own),
            boundary=statements(json.dumps(_text(boundary))) if boundary else None,
            regions=regions,
        )


def _boundary(reference: Any, resources: Mapping[str, Any], boundaries: Mapping[str, Any]) -> Any:
    match reference:
        case {"Ref": str(id)}:
            return resources[id]["Properties"]["PolicyDocument"]
        case str(arn):
            return boundaries[arn.rpartition("/")[2]]
    return None


def _text(value: Any) -> Any:
    """Text of a part of a template; a resource appears by its name in the template."""
    match value:
        case {"Ref": "AWS::Partition"}:
            return "aws"
        case {"Ref": str(id)} | {"Fn::GetAtt": [str(id), *_]}:
            return f"<{id}>"
        case {"Fn::GetStackOutput": {"OutputName": str(name)}}:
            return f"<{name}>"
        case {"Fn::Join": [str(between), list(parts)]}:
            return between.join(str(_text(each)) for each in parts)
        case dict():
            return {key: _text(each) for key, each in value.items()}
        case list():
            return [_text(each) for each in value]
    return value


def _conditions(statement: Statement) -> str:
    return "<br>".join(f"{operator} `{key}` {', '.join(wanted)}" for operator, key, wanted in statement.condition)


def _listed(names: Sequence[str]) -> str:
    return "<br>".join(f"`{name}`" for name in names)
