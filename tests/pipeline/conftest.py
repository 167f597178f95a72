"""The pipeline's stack, synthesized once for all tests of this folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest

from domain.environment import Environment, load_environment
from domain.sizing import Sizing, SizingRecord
from pipeline.pipeline_stack import PipelineStack
from tests.environments import CONTEXT

Resource = Mapping[str, Any]


@dataclass(frozen=True)
class PipelineTemplate:
    """Queries of the tests on the template."""

    resources: Mapping[str, Resource]

    def of_type(self, kind: str) -> dict[str, Resource]:
        return {id: each["Properties"] for id, each in self.resources.items() if each["Type"] == kind}

    def only(self, kind: str) -> Resource:
        (found,) = self.of_type(kind).values()
        return found

    @property
    def stages(self) -> list[Resource]:
        return list(self.only("AWS::CodePipeline::Pipeline")["Stages"])

    def stage(self, name: str) -> Resource:
        return next(stage for stage in self.stages if stage["Name"] == name)

    def action(self, stage: str, name: str) -> Resource:
        return next(action for action in self.stage(stage)["Actions"] if action["Name"] == name)

    def project(self, name: str) -> Resource:
        """A CodeBuild project by its name."""
        return next(each for each in self.of_type("AWS::CodeBuild::Project").values() if each.get("Name") == name)

    def buildspec(self, name: str) -> Resource:
        return json.loads(self.project(name)["Source"]["BuildSpec"])

    def variables(self, name: str) -> dict[str, Any]:
        return {each["Name"]: each["Value"] for each in self.project(name)["Environment"]["EnvironmentVariables"]}

    def allowed(self, role_name: str) -> list[Resource]:
        """The policy statements of a role, by the role's name."""
        role = next(id for id, each in self.of_type("AWS::IAM::Role").items() if each.get("RoleName") == role_name)
        return [
            statement
            for policy in self.of_type("AWS::IAM::Policy").values()
            if {"Ref": role} in policy["Roles"]
            for statement in policy["PolicyDocument"]["Statement"]
        ]

    def actions_allowed(self, role_name: str) -> set[str]:
        return {
            action
            for statement in self.allowed(role_name)
            for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
        }


@pytest.fixture(scope="session")
def environment() -> Environment:
    return load_environment(CONTEXT["environment"])


@pytest.fixture(scope="session")
def assembly(tmp_path_factory: pytest.TempPathFactory, environment: Environment) -> Path:
    out = tmp_path_factory.mktemp("assembly")
    app = cdk.App(outdir=str(out), context=CONTEXT, builtin_cloud_formation_validation=False, analytics_reporting=False)
    PipelineStack(
        app, "tap-pipeline", environment=environment, sizing=SizingRecord(revision=3, sizing=Sizing.AS_DESIGNED)
    )
    app.synth()
    return out


@pytest.fixture(scope="session")
def pipeline(assembly: Path) -> PipelineTemplate:
    return PipelineTemplate(json.loads((assembly / "tap-pipeline.template.json").read_text())["Resources"])


@pytest.fixture(scope="session")
def skip_function(pipeline: PipelineTemplate) -> Resource:
    return pipeline.only("AWS::Lambda::Function")
