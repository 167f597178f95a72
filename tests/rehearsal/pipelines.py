"""A small pipeline's template, as CDK writes them, and a walker over it with no account behind."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from emulator.services.codepipeline.execution import Execution, Gate
from rehearsal.pipeline.builds import BuildRunner, Ended
from rehearsal.pipeline.definition import Function, PipelineAction, read_pipeline
from rehearsal.pipeline.engine import PipelineEngine
from rehearsal.synthesis import Synthesis

START = datetime(2027, 3, 1, 8, tzinfo=UTC)
LINK = 'ln -s -- "$CODEBUILD_SRC_DIR_Analyze_Output" "plan"'


def project(build: Sequence[str], **spec: Any) -> dict[str, Any]:
    buildspec = {"version": "0.2", "phases": {"install": {"commands": spec.pop("install", [])}}, **spec}
    buildspec["phases"]["build"] = {"commands": list(build)}
    declared = [{"Name": "TABLE", "Type": "PLAINTEXT", "Value": "tap-journal"}]
    return {
        "Type": "AWS::CodeBuild::Project",
        "Properties": {
            "Environment": {"EnvironmentVariables": declared},
            "Source": {"Type": "CODEPIPELINE", "BuildSpec": json.dumps(buildspec)},
        },
    }


def action(name: str, category: str, provider: str, order: int = 1, **more: Any) -> dict[str, Any]:
    kind = {"Category": category, "Owner": "AWS", "Provider": provider, "Version": "1"}
    inputs = [{"Name": each} for each in more.pop("inputs", [])]
    outputs = [{"Name": each} for each in more.pop("outputs", [])]
    return {
        "Name": name,
        "ActionTypeId": kind,
        "RunOrder": order,
        "InputArtifacts": inputs,
        "OutputArtifacts": outputs,
        **more,
    }


def build(name: str, id: str, order: int = 1, **more: Any) -> dict[str, Any]:
    configuration = {"ProjectName": {"Ref": id}, **more.pop("configuration", {})}
    return action(name, "Build", "CodeBuild", order, Configuration=configuration, **more)


def small_template() -> dict[str, Any]:
    """Source, an analysis that exports a variable and leaves a file, a gated and skippable stage, a last one."""
    skip = {
        "Name": "SomethingToDo",
        "RuleTypeId": {"Category": "Rule", "Owner": "AWS", "Provider": "LambdaInvoke", "Version": "1"},
        "Configuration": {"FunctionName": {"Ref": "Skip"}, "UserParameters": '{"stage": "Phase1"}'},
    }
    apply = build(
        "Apply",
        "ApplyProject",
        1,
        inputs=["Source_Output", "Analyze_Output"],
        configuration={
            "PrimarySource": "Source_Output",
            "EnvironmentVariables": json.dumps([{"name": "PLAN", "type": "PLAINTEXT", "value": "#{Seen.PLAN_HASH}"}]),
        },
    )
    gate = action("Observe", "Approval", "Manual", 2, Configuration={"CustomData": "Plan #{Seen.PLAN_HASH}"})
    analyze = build("Analyze", "AnalyzeProject", inputs=["Source_Output"], outputs=["Analyze_Output"], Namespace="Seen")
    stages = [
        {"Name": "Source", "Actions": [action("git", "Source", "CodeStarSourceConnection", outputs=["Source_Output"])]},
        {"Name": "Analyze", "Actions": [analyze]},
        {
            "Name": "Phase1",
            "BeforeEntry": {"Conditions": [{"Result": "SKIP", "Rules": [skip]}]},
            "Actions": [
                build("Accept", "AcceptProject", 3, inputs=["Source_Output"]),
                gate,
                apply,
            ],
        },
        {"Name": "Publish", "Actions": [build("Publish", "PublishProject", inputs=["Source_Output"])]},
    ]
    return {
        "Resources": {
            "Pipeline": {"Type": "AWS::CodePipeline::Pipeline", "Properties": {"Name": "tap", "Stages": stages}},
            "AnalyzeProject": project(
                ["mkdir out", "python -m optimizer analyze --out out", 'export PLAN_HASH="$(cat out/plan-hash)"'],
                env={"exported-variables": ["PLAN_HASH", "PLAN_HASH"]},
                artifacts={"base-directory": "out", "files": ["**/*"]},
            ),
            "ApplyProject": project(
                ['python -m optimizer apply --plan plan/plan-hash --hash "$PLAN"'], install=["npm ci", LINK]
            ),
            "AcceptProject": project(["python -m optimizer accept --phase 1"]),
            "PublishProject": project(["test -f app.py", 'test "$TABLE" = tap-journal']),
            "Skip": {
                "Type": "AWS::Lambda::Function",
                "Properties": {"Handler": "index.handler", "Code": {"ZipFile": "def handler(event, context): ..."}},
            },
        }
    }


@dataclass
class Recorded:
    """Replaces optimizer, CloudFormation, person and Lambda, and records their calls."""

    verbs: list[list[str]] = field(default_factory=list)
    exits: dict[str, list[int | BaseException]] = field(default_factory=dict)
    seen: list[dict[str, str]] = field(default_factory=list)
    approves: bool = True
    leaves: int = 0  # gates that nobody answers
    asks_again: bool = True
    failed_gates: list[str] = field(default_factory=list)
    held: int = 0
    skip: str | None = None
    gates: list[str] = field(default_factory=list)
    milestones: list[str] = field(default_factory=list)
    deployed: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    execution: Execution | None = None

    def verb(self, arguments: Sequence[str], environ: Mapping[str, str], actor: str) -> int:
        self.verbs.append(list(arguments))
        self.seen.append(dict(environ))
        if arguments[0] == "analyze":
            Path("out/plan-hash").write_text("abc123")
        if arguments[0] == "apply":
            assert Path("plan/plan-hash").read_text() == "abc123"
        outcome = self.exits[arguments[0]].pop(0) if self.exits.get(arguments[0]) else 0
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def invoke(self, function: Function, event: Mapping[str, Any]) -> str | None:
        return self.skip

    def answer(self, gate: Gate, action: PipelineAction) -> None:
        self.gates.append(gate.text)
        assert self.execution is not None
        if self.leaves:
            self.leaves -= 1
            return
        self.execution.answer(gate.stage, gate.action, gate.token, self.approves, "too slow", "me", START)

    def gate_failed(self, gate: Gate) -> None:
        self.failed_gates.append("expired" if gate.expired else "rejected")
        assert self.execution is not None
        if gate.expired and self.asks_again:
            self.execution.retry(gate.stage)

    def retries(self, stage: str, ended: Ended) -> bool:
        self.held -= 1
        return self.held >= 0

    def change_set(self, stack: str, region: str | None, assembly: Path, template: str) -> None:
        self.deployed.append(f"prepare {stack} {template}")

    def execute(self, stack: str, region: str | None) -> None:
        self.deployed.append(f"execute {stack}")

    def self_mutate(self, assembly: Path, artifact: str) -> None:
        self.deployed.append(f"self {artifact}")


def walker(template: Mapping[str, Any], recorded: Recorded, scratch: Path, **more: Any) -> PipelineEngine:
    source = scratch / "source"
    source.mkdir()
    (source / "app.py").write_text("")
    pipeline = read_pipeline(template, lambda value: value)
    stages = {stage.name: tuple(each.name for each in stage.actions) for stage in pipeline.stages}
    recorded.execution = Execution("tap", "execution-1", stages)
    return PipelineEngine(
        pipeline=pipeline,
        execution=recorded.execution,
        source=source,
        jobs=BuildRunner(
            recorded.verb, Synthesis(scratch / "cache"), scratch, "us-east-1", "c0ffee", recorded.lines.append
        ),
        invoke=recorded.invoke,
        cloudformation=recorded,
        person=recorded,
        now=lambda: START + timedelta(minutes=1),
        milestone=lambda name, at: recorded.milestones.append(name),
        gate_failed=recorded.gate_failed,
        say=recorded.lines.append,
        said_by=lambda where: recorded.lines.append,
        **more,
    )
