"""Walks the synthesized pipeline as CodePipeline would: stages, conditions, run orders, artifacts, variables.

A fault of the template fails the walk with one line: an input that no earlier action made, a
variable that no action exported, a command that ends with an error.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from domain.errors import Breach, Unhealthy
from emulator.core.faults import Crash
from emulator.services.codepipeline.execution import Execution, ExecutionStopped, Gate
from rehearsal.pipeline.builds import BuildRunner, Ended
from rehearsal.pipeline.conditions import Invoke, enter
from rehearsal.pipeline.definition import PipelineAction, PipelineStage, Project, SynthesizedPipeline
from rehearsal.pipeline.errors import WalkFailed

VARIABLE = re.compile(r"#\{([^.}]+)\.([^}]+)\}")
SELF_MUTATION = re.compile(r"^cdk -a \. deploy (\S+) ")
MILESTONES = {"approve": "plan.approved", "apply": "{stage}.applied", "accept": "{stage}.accepted"}
STOPPED = "Stopped"
RETRIES = 8  # how often a person presses Retry on one action before giving up


class CloudFormation(Protocol):
    """Deploys the stacks that the actions name."""

    def change_set(self, stack: str, region: str | None, assembly: Path, template: str) -> None:
        """Prepare a stack's deployment from a template in the assembly; raises WalkFailed if there is none."""

    def execute(self, stack: str, region: str | None) -> None:
        """Deploy the stack that was prepared last; raises WalkFailed if there is none."""

    def self_mutate(self, assembly: Path, artifact: str) -> None:
        """Deploy the pipeline's own stack, by its artifact id; raises Restarted if the pipeline changed."""


class GatePerson(Protocol):
    """The person who answers the gates and presses Retry."""

    def answer(self, gate: Gate, action: PipelineAction) -> None:
        """Wait, read, and answer: afterwards `gate.approved` has the answer."""

    def retries(self, stage: str, ended: Ended) -> bool:
        """Whether to press "Retry with all actions" on a stage whose job held; time may pass first."""


@dataclass(frozen=True)
class StageRun:
    """The result of one stage: Succeeded, Skipped, Failed, or Stopped with its execution, and the reason."""

    name: str
    status: str
    reason: str = ""


@dataclass(frozen=True)
class Walk:
    """The whole walk. A stage that is not in `stages` was never reached."""

    stages: tuple[StageRun, ...]
    artifacts: Mapping[str, Path]

    def stage(self, name: str) -> StageRun | None:
        return next((each for each in self.stages if each.name == name), None)

    @property
    def failed(self) -> StageRun | None:
        """The stage at which the walk ended, if it did not reach the end."""
        return next((each for each in self.stages if each.status == "Failed"), None)

    @property
    def stopped(self) -> bool:
        """Whether somebody stopped the execution."""
        return any(each.status == STOPPED for each in self.stages)


class _ActionFailed(Exception):
    """An action failed within the rules: a job ended with an error, or (`rejected`) somebody rejected a gate.

    A gate without an answer fails too, and is not `rejected`.
    """

    def __init__(self, message: str, ended: Ended | None = None, *, rejected: bool = False) -> None:
        super().__init__(message)
        self.ended = ended
        self.rejected = rejected

    @property
    def rolled_back(self) -> bool:
        return self.rejected or (self.ended is not None and self.ended.exit_code == Breach.exit_code)


@dataclass
class PipelineEngine:
    """One execution. `source` is the Source action's artifact; `milestone` is called at each milestone.

    `gate_failed` starts the rules' reactions to a failed gate, and returns when they have ended.
    """

    pipeline: SynthesizedPipeline
    execution: Execution
    source: Path
    jobs: BuildRunner
    invoke: Invoke
    cloudformation: CloudFormation
    person: GatePerson
    now: Callable[[], datetime]
    milestone: Callable[[str, datetime], None]
    gate_failed: Callable[[Gate], None]
    say: Callable[[str], None]
    said_by: Callable[[str], Callable[[str], None]]
    retry_failures: bool = False  # faults are injected: a person would press Retry
    dies: Callable[[str], bool] = lambda _job: False  # a job that died, and that nobody retries
    was_rolled_back: Callable[[str], bool] = lambda _stage: False  # whether the watch or a person rolled the phase back
    dies_at: str | None = None  # the stage that this execution never enters, without a reason
    ends_after: str | None = None  # the last stage that is walked
    artifacts: dict[str, Path] = field(default_factory=dict)
    variables: dict[str, Mapping[str, str]] = field(default_factory=dict)

    def walk(self) -> Walk:
        """Run the stages in order, until one fails or `ends_after` has ended. Raises WalkFailed: a wrong template."""
        self.variables["codepipeline"] = {"PipelineExecutionId": self.execution.id}
        runs: list[StageRun] = []
        for stage in self.pipeline.stages:
            try:
                runs.append(self._stage(stage))
            except ExecutionStopped as stopped:
                runs.append(StageRun(stage.name, STOPPED, str(stopped)))
            if runs[-1].status in ("Failed", STOPPED) or stage.name == self.ends_after:
                break
        return Walk(tuple(runs), self.artifacts)

    def _stage(self, stage: PipelineStage) -> StageRun:
        if stage.name == self.dies_at:
            raise ExecutionStopped(f"the execution died before {stage.name}")
        condition = enter(stage, self.pipeline, self.invoke)
        if condition is not None:
            status = {"SKIP": "Skipped", "FAIL": "Failed"}[condition.result]
            self.say(f"stage {stage.name}: {status.lower()}, {condition.reason}")
            return StageRun(stage.name, status, condition.reason)
        self.say(f"stage {stage.name}")
        while True:
            try:
                for action in stage.actions:
                    self._action(stage, action)
            except _ActionFailed as failure:
                if stage.name in self.execution.to_retry:
                    self.execution.to_retry.discard(stage.name)
                    self.say(f"stage {stage.name}: {failure}; retried with all actions, by the job that got the event")
                    continue
                held = failure.ended is not None and failure.ended.exit_code == Unhealthy.exit_code
                if held and failure.ended and self.person.retries(stage.name, failure.ended):
                    self.say(f"stage {stage.name}: retried with all actions")
                    continue
                if failure.rolled_back or self.was_rolled_back(stage.name):
                    self.milestone(f"{stage.name.lower()}.rolled_back", self.now())
                self.say(f"stage {stage.name}: failed, {failure}")
                return StageRun(stage.name, "Failed", str(failure))
            return StageRun(stage.name, "Succeeded")

    def _action(self, stage: PipelineStage, action: PipelineAction) -> None:
        where = f"{stage.name}.{action.name}"
        inputs = self._inputs(where, action)
        configuration = {name: self._substituted(where, value) for name, value in action.configuration.items()}
        self.execution.begin(stage.name, action.name)
        try:
            match action.category, action.provider:
                case "Source", _:
                    self.artifacts.update(dict.fromkeys(action.outputs, self.source))
                    self._export(action, {"CommitId": self.jobs.revision, "BranchName": "main"})
                case "Approval", "Manual":
                    self._gate(stage, action, configuration)
                case _, "CodeBuild":
                    self._build(stage, action, configuration, inputs)
                case "Deploy", "CloudFormation":
                    self._deploy(where, action, configuration, inputs)
                case category, provider:
                    raise WalkFailed(f"{where}: the walk knows no {category} action by {provider}.")
        except _ActionFailed:
            self.execution.end(stage.name, action.name, succeeded=False)
            raise
        self.execution.end(stage.name, action.name, succeeded=True)

    def _gate(self, stage: PipelineStage, action: PipelineAction, configuration: Mapping[str, Any]) -> None:
        gate = self.execution.open(stage.name, action.name, str(configuration.get("CustomData", "")), self.now())
        self.say(f"gate {stage.name}.{action.name}: {gate.text}")
        self.person.answer(gate, action)
        if gate.approved:
            return
        if gate.approved is None:
            self.execution.expire(gate, self.now())
        self.gate_failed(gate)
        if gate.expired:
            raise _ActionFailed(f"{action.name} was answered by nobody in time")
        raise _ActionFailed(f"{action.name} was rejected: {gate.summary}", rejected=True)

    def _deploy(
        self, where: str, action: PipelineAction, configuration: Mapping[str, Any], inputs: Mapping[str, Path]
    ) -> None:
        stack = str(configuration["StackName"])
        match configuration["ActionMode"]:
            case "CHANGE_SET_REPLACE":
                artifact, _, template = str(configuration["TemplatePath"]).partition("::")
                if artifact not in inputs:
                    raise WalkFailed(f"{where}: the template's artifact {artifact} is no input of this action.")
                self.cloudformation.change_set(stack, action.region, inputs[artifact], template)
            case "CHANGE_SET_EXECUTE":
                self.cloudformation.execute(stack, action.region)
            case mode:
                raise WalkFailed(f"{where}: the walk knows no action mode {mode}.")

    def _build(
        self, stage: PipelineStage, action: PipelineAction, configuration: Mapping[str, Any], inputs: Mapping[str, Path]
    ) -> None:
        where = f"{stage.name}.{action.name}"
        project = self.pipeline.project(action.configuration.get("ProjectName"))
        if mutation := SELF_MUTATION.match(" ".join(project.commands("build"))):
            return self.cloudformation.self_mutate(next(iter(inputs.values())), mutation[1])
        primary = configuration.get("PrimarySource", action.inputs[0] if len(action.inputs) == 1 else None)
        if inputs and primary not in inputs:
            raise WalkFailed(f"{where}: the primary source {primary} is no input of this action.")
        overrides = json.loads(configuration.get("EnvironmentVariables", "[]"))
        variables = {each["name"]: each["value"] for each in overrides}
        self._run(where, project, action, inputs, primary, variables)
        for verb in _verbs(project):
            if verb in MILESTONES:
                self.milestone(MILESTONES[verb].format(stage=stage.name.lower()), self.now())
        return None

    def _run(
        self,
        where: str,
        project: Project,
        action: PipelineAction,
        inputs: Mapping[str, Path],
        primary: str | None,
        variables: Mapping[str, str],
    ) -> None:
        """Run the project until it succeeds: again after a crash, and after an injected fault."""
        for attempt in range(1 + RETRIES):
            if attempt:
                self.say(f"{where}: retried")
            job = self.jobs.prepare(project, inputs, primary)  # without remains of the run before
            try:
                ended = job.run(where, variables, self.said_by(where))
            except Crash as crash:
                self.say(f"{where}: {crash}")
                if self.dies(where):
                    raise _ActionFailed(f"{where} died, and nobody retried it") from crash
                continue
            if ended.exit_code == 0:
                self._export(action, ended.exported)
                for name in action.outputs:
                    to = self.jobs.scratch / "artifacts" / f"{name}-{job.folder.parent.name}"
                    self.artifacts[name] = job.output(name, to)
                return
            failure = _ActionFailed(f"`{ended.failed}` ended with {ended.exit_code}: {ended.last_line}", ended)
            if not (self.retry_failures and ended.exit_code in (6, 7)):
                raise failure
        raise _ActionFailed(f"{where} did not succeed in {RETRIES} retries")

    def _inputs(self, where: str, action: PipelineAction) -> dict[str, Path]:
        for name in action.inputs:
            if name not in self.artifacts:
                raise WalkFailed(f"{where}: its input artifact {name} was made by no action before it.")
        return {name: self.artifacts[name] for name in action.inputs}

    def _substituted(self, where: str, value: Any) -> Any:
        def variable(match: re.Match[str]) -> str:
            namespace, name = match.groups()
            if name not in self.variables.get(namespace, {}):
                raise WalkFailed(f"{where}: the variable {match[0]} was exported by no action before it.")
            value = self.variables[namespace][name]
            return json.dumps(value)[1:-1] if nested else value

        nested = isinstance(value, str) and value.startswith("[{")  # a JSON document inside the configuration
        return VARIABLE.sub(variable, value) if isinstance(value, str) else value

    def _export(self, action: PipelineAction, values: Mapping[str, str]) -> None:
        if action.namespace:
            self.variables[action.namespace] = values


def _verbs(project: Project) -> list[str]:
    """The optimizer's verbs among the build commands."""
    matches = (re.match(r"python -m optimizer (\S+)", command) for command in project.commands("build"))
    return [each[1] for each in matches if each]
