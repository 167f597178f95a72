"""Entry conditions of a stage: runs the inline Lambda function of each rule, as in the template.

A rule fails if its function raises, or reports PutJobFailureResult for its job; one failed rule
applies the condition's result to the stage
(https://docs.aws.amazon.com/codepipeline/latest/userguide/stage-conditions.html).
"""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3

from emulator.services.codepipeline.execution import JobAnswers
from rehearsal.pipeline.definition import Condition, Function, PipelineStage, Rule, SynthesizedPipeline
from rehearsal.pipeline.errors import WalkFailed

if TYPE_CHECKING:
    from emulator.account import EmulatedAccount

Invoke = Callable[[Function, Mapping[str, Any]], "str | None"]
"""Invokes a function with an event; returns the error, None if there was none."""


@dataclass(frozen=True)
class Failed:
    """A condition that failed: its result, such as SKIP, and the rule's reason."""

    result: str
    reason: str


def enter(stage: PipelineStage, pipeline: SynthesizedPipeline, invoke: Invoke) -> Failed | None:
    """The first entry condition of the stage that fails; None if the stage may be entered."""
    for condition in stage.before_entry:
        for rule in condition.rules:
            reason = _check(rule, condition, pipeline, invoke)
            if reason is not None:
                return Failed(condition.result, reason)
    return None


def _check(rule: Rule, condition: Condition, pipeline: SynthesizedPipeline, invoke: Invoke) -> str | None:
    if rule.provider != "LambdaInvoke":
        raise WalkFailed(f"Rule {rule.name}: the walk knows LambdaInvoke rules, not {rule.provider}.")
    if condition.result not in ("SKIP", "FAIL"):
        raise WalkFailed(f"Rule {rule.name}: a beforeEntry condition cannot have the result {condition.result}.")
    function = pipeline.function(rule.configuration.get("FunctionName"))
    return invoke(function, _event(rule, function))


def _event(rule: Rule, function: Function) -> Mapping[str, Any]:
    """The event of a Lambda invoke action; AWS documents none of its own for the rule."""
    configuration = {"FunctionName": function.id, "UserParameters": rule.configuration.get("UserParameters", "")}
    return {
        "CodePipeline.job": {
            "id": str(uuid.uuid5(uuid.NAMESPACE_OID, rule.name)),
            "data": {"actionConfiguration": {"configuration": configuration}},
        }
    }


def in_process(account: EmulatedAccount, region: str) -> Invoke:
    """Runs the inline code in this process, with its declared environment, against the emulated account.

    It calls as the rehearsal: crashes and faults concern the jobs alone.
    """

    def invoke(function: Function, event: Mapping[str, Any]) -> str | None:
        module, _, name = function.handler.rpartition(".")
        namespace: dict[str, Any] = {"__name__": module}
        session = account.session(account.tooling, region)
        jobs = account.part(JobAnswers)
        jobs.failures.clear()
        with surroundings(function.environment, region, session):
            try:
                exec(compile(function.code, f"{function.id}.py", "exec"), namespace)  # noqa: S102 -- our own template
                namespace[name](event, None)
            except Exception as error:  # noqa: BLE001 -- Lambda too reports whatever a function raises
                return f"{type(error).__name__}: {error}"
        return jobs.failures.get(event["CodePipeline.job"]["id"])

    return invoke


@contextlib.contextmanager
def surroundings(variables: Mapping[str, str], region: str, session: boto3.Session) -> Iterator[None]:
    """The environment of inline code: its variables, and boto3's default session in its account."""
    kept, default = dict(os.environ), boto3.DEFAULT_SESSION
    os.environ.update({**variables, "AWS_REGION": region, "AWS_DEFAULT_REGION": region})
    boto3.DEFAULT_SESSION = session
    try:
        yield
    finally:
        boto3.DEFAULT_SESSION = default
        os.environ.clear()
        os.environ.update(kept)
