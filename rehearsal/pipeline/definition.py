"""The synthesized pipeline: its template read into stages, actions, projects, functions and schedules.

Only the parts that the walk needs are read; a missing part raises WalkFailed with one line that
names it, so that a template that would fail in CodePipeline fails here as well.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import yaml

from emulator.services.eventbridge.event_patterns import Reaction
from rehearsal.pipeline.errors import WalkFailed

Resolve = Callable[[Any], Any]
"""Replaces the intrinsic functions in a part of the template by their values."""


@dataclass(frozen=True)
class Project:
    """One CodeBuild project: its declared environment, its buildspec, its role's ARN."""

    id: str
    name: str
    environment: Mapping[str, str]
    buildspec: Mapping[str, Any]
    has_source: bool
    role: str = ""

    def commands(self, phase: str) -> tuple[str, ...]:
        """The commands of one build phase, in order."""
        return tuple(self.buildspec.get("phases", {}).get(phase, {}).get("commands", ()))

    @property
    def exported(self) -> tuple[str, ...]:
        """Variables that the action exports, each once (CDK repeats those of the buildspec)."""
        return tuple(dict.fromkeys(self.buildspec.get("env", {}).get("exported-variables", ())))

    def base_directory(self, artifact: str) -> str:
        """The folder that becomes an output artifact: its own, or that of the only artifact."""
        declared = self.buildspec.get("artifacts", {})
        return str(declared.get("secondary-artifacts", {}).get(artifact, declared).get("base-directory", "."))


@dataclass(frozen=True)
class Function:
    """One Lambda function with inline code."""

    id: str
    code: str
    handler: str
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Rule:
    """One rule of a stage condition."""

    name: str
    provider: str
    configuration: Mapping[str, Any]


@dataclass(frozen=True)
class Condition:
    """All rules must hold, else `result` (for example SKIP) is applied to the stage."""

    result: str
    rules: tuple[Rule, ...]


@dataclass(frozen=True)
class PipelineAction:
    """One action of a stage. `configuration` is unresolved and still contains `#{namespace.VARIABLE}`."""

    name: str
    category: str
    provider: str
    run_order: int
    namespace: str | None
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    configuration: Mapping[str, Any]
    region: str | None
    role: Any
    timeout: timedelta | None


@dataclass(frozen=True)
class PipelineStage:
    """One stage: its entry conditions, and its actions by run order."""

    name: str
    before_entry: tuple[Condition, ...]
    actions: tuple[PipelineAction, ...]


@dataclass(frozen=True)
class Schedule:
    """An EventBridge rule that starts a CodeBuild project periodically."""

    id: str
    period: timedelta
    project: str


@dataclass(frozen=True)
class SynthesizedPipeline:
    """The parts of the pipeline's template that the walk uses. Mappings are by logical id."""

    name: str
    stages: tuple[PipelineStage, ...]
    projects: Mapping[str, Project]
    functions: Mapping[str, Function]
    schedules: tuple[Schedule, ...]
    reactions: tuple[Reaction, ...]

    def project(self, reference: Any) -> Project:
        """The project that a ProjectName or a target's Arn refers to; raises WalkFailed if there is none."""
        found = self.projects.get(referred(reference) or "")
        if found is None:
            raise WalkFailed(f"{name_of(reference)} is no CodeBuild project of the pipeline's template.")
        return found

    def function(self, reference: Any) -> Function:
        """The inline function that a FunctionName refers to; raises WalkFailed if there is none."""
        found = self.functions.get(referred(reference) or "")
        if found is None:
            raise WalkFailed(f"{name_of(reference)} is no Lambda function with inline code in the pipeline's template.")
        return found


def read_pipeline(template: Mapping[str, Any], resolve: Resolve) -> SynthesizedPipeline:
    """The one AWS::CodePipeline::Pipeline of a template, with the resources that it refers to."""
    resources: Mapping[str, Any] = template.get("Resources", {})

    def of_type(kind: str) -> dict[str, Mapping[str, Any]]:
        return {id: each.get("Properties", {}) for id, each in resources.items() if each.get("Type") == kind}

    pipelines = of_type("AWS::CodePipeline::Pipeline")
    if len(pipelines) != 1:
        raise WalkFailed(f"The template holds {len(pipelines)} pipelines; the walk needs exactly one.")
    ((id, properties),) = pipelines.items()
    return SynthesizedPipeline(
        name=str(resolve(properties.get("Name", id))),
        stages=tuple(_stage(each) for each in properties["Stages"]),
        projects={id: _project(id, each, resolve) for id, each in of_type("AWS::CodeBuild::Project").items()},
        functions={
            id: _function(id, each, resolve)
            for id, each in of_type("AWS::Lambda::Function").items()
            if "ZipFile" in each.get("Code", {})
        },
        schedules=tuple(
            schedule
            for id, each in of_type("AWS::Events::Rule").items()
            if "ScheduleExpression" in each
            for schedule in _schedules(id, each)
        ),
        reactions=tuple(
            reaction
            for each in of_type("AWS::Events::Rule").values()
            if "EventPattern" in each
            for reaction in _reactions(each, resolve)
        ),
    )


def referred(reference: Any) -> str | None:
    """The logical id behind `{"Ref": id}` or `{"Fn::GetAtt": [id, ...]}`; None for anything else."""
    match reference:
        case {"Ref": str(id)}:
            return id
        case {"Fn::GetAtt": [str(id), *_]}:
            return id
        case _:
            return None


def name_of(reference: Any) -> str:
    """Text of a reference, for messages."""
    return referred(reference) or json.dumps(reference)


def _stage(properties: Mapping[str, Any]) -> PipelineStage:
    return PipelineStage(
        name=properties["Name"],
        before_entry=tuple(
            Condition(
                result=each.get("Result", "FAIL"),
                rules=tuple(
                    Rule(rule["Name"], rule["RuleTypeId"]["Provider"], rule.get("Configuration", {}))
                    for rule in each.get("Rules", ())
                ),
            )
            for each in properties.get("BeforeEntry", {}).get("Conditions", ())
        ),
        actions=tuple(sorted((_action(each) for each in properties["Actions"]), key=lambda each: each.run_order)),
    )


def _action(properties: Mapping[str, Any]) -> PipelineAction:
    kind = properties["ActionTypeId"]
    minutes = properties.get("TimeoutInMinutes")
    return PipelineAction(
        name=properties["Name"],
        category=kind["Category"],
        provider=kind["Provider"],
        run_order=int(properties.get("RunOrder", 1)),
        namespace=properties.get("Namespace"),
        inputs=tuple(each["Name"] for each in properties.get("InputArtifacts", ())),
        outputs=tuple(each["Name"] for each in properties.get("OutputArtifacts", ())),
        configuration=properties.get("Configuration", {}),
        region=properties.get("Region"),
        role=properties.get("RoleArn"),
        timeout=None if minutes is None else timedelta(minutes=int(minutes)),
    )


def _project(id: str, properties: Mapping[str, Any], resolve: Resolve) -> Project:
    declared = properties.get("Environment", {}).get("EnvironmentVariables", ())
    source = properties.get("Source", {})
    text = resolve(source.get("BuildSpec", "{}"))
    try:
        buildspec = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise WalkFailed(f"The buildspec of {id} is not YAML: {error}.") from error
    return Project(
        id=id,
        name=str(resolve(properties.get("Name", id))),
        environment={each["Name"]: str(resolve(each["Value"])) for each in declared},
        buildspec=buildspec,
        has_source=source.get("Type") != "NO_SOURCE",
        role=str(resolve(properties.get("ServiceRole", ""))),
    )


def _function(id: str, properties: Mapping[str, Any], resolve: Resolve) -> Function:
    variables = properties.get("Environment", {}).get("Variables", {})
    return Function(
        id=id,
        code=str(resolve(properties["Code"]["ZipFile"])),
        handler=properties["Handler"],
        environment={name: str(resolve(value)) for name, value in variables.items()},
    )


def _schedules(id: str, properties: Mapping[str, Any]) -> list[Schedule]:
    expression = str(properties["ScheduleExpression"])
    match = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression)
    if match is None:
        return []  # a cron rule is not the watch
    period = timedelta(**{f"{match[2]}s": int(match[1])})
    targets = (referred(each.get("Arn")) for each in properties.get("Targets", ()))
    return [Schedule(id, period, target) for target in targets if target]


def _reactions(properties: Mapping[str, Any], resolve: Resolve) -> list[Reaction]:
    reactions = []
    for target in properties.get("Targets", ()):
        if project := referred(target.get("Arn")):
            transformer = resolve(target.get("InputTransformer", {}))
            paths, template = (
                transformer.get("InputPathsMap", {}),
                transformer.get("InputTemplate", target.get("Input")),
            )
            reactions.append(Reaction(resolve(properties["EventPattern"]), project, paths, template or ""))
    return reactions
