"""One execution of the pipeline as CodePipeline reports it, with the gate that waits in it.

The watch reads it by GetPipelineState and rejects the gate by PutApprovalResult, through the overlay.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


class GateRefused(Exception):
    """An answer to a gate that CodePipeline would refuse. `code` is its error code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class ExecutionStopped(Exception):
    """Somebody stopped the execution while it waited: it runs nothing any more."""


@dataclass
class Gate:
    """A manual approval that was reached. `approved` is None until an answer; `expired` when there was none in time."""

    stage: str
    action: str
    text: str
    token: str
    opened_at: datetime
    approved: bool | None = None
    summary: str = ""
    answered_by: str = ""
    answered_at: datetime | None = None
    expired: bool = False


@dataclass
class Execution:
    """CodePipeline's record of the execution under way."""

    pipeline: str
    id: str
    stages: Mapping[str, tuple[str, ...]]  # the stages in order, with the names of their actions
    statuses: dict[tuple[str, str], str] = field(default_factory=dict)
    gates: dict[tuple[str, str], Gate] = field(default_factory=dict)
    reached: list[Gate] = field(default_factory=list)  # every gate, each time it was reached, the latest last
    to_retry: set[str] = field(default_factory=set)  # stages that RetryStageExecution asked for
    _tokens: int = 0

    def begin(self, stage: str, action: str) -> None:
        """Record the start of an action."""
        self.statuses[stage, action] = "InProgress"

    def end(self, stage: str, action: str, succeeded: bool) -> None:
        """Record the end of an action."""
        self.statuses[stage, action] = "Succeeded" if succeeded else "Failed"

    def open(self, stage: str, action: str, text: str, now: datetime) -> Gate:
        """Open a gate, which waits for its answer. Each opening has its own token."""
        self._tokens += 1
        token = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{self.id}/{stage}/{action}/{self._tokens}"))
        self.begin(stage, action)
        self.gates[stage, action] = gate = Gate(stage, action, text, token, now)
        self.reached.append(gate)
        return gate

    def expire(self, gate: Gate, now: datetime) -> None:
        """Expire a gate whose timeout has passed without an answer."""
        gate.expired, gate.answered_at = True, now
        self.end(gate.stage, gate.action, succeeded=False)

    def retry(self, stage: str) -> None:
        """RetryStageExecution: retry a stage, which must have failed."""
        if "Failed" not in [status for (name, _), status in self.statuses.items() if name == stage]:
            raise GateRefused("StageNotRetryableException", f"{stage} has not failed.")
        self.to_retry.add(stage)

    def answer(
        self, stage: str, action: str, token: str, approved: bool, summary: str, who: str, now: datetime
    ) -> None:
        """Answer a waiting gate; raises GateRefused for an unknown or answered gate, or another token."""
        gate = self.gates.get((stage, action))
        if gate is None:
            if action not in self.stages.get(stage, ()):
                raise GateRefused("ActionNotFoundException", f"{stage} has no action {action}.")
            raise GateRefused("InvalidApprovalTokenException", f"{action} does not wait for an answer.")
        if gate.expired:
            raise GateRefused("InvalidApprovalTokenException", f"{action} has expired.")
        if gate.approved is not None:
            raise GateRefused("ApprovalAlreadyCompletedException", f"{action} was answered already.")
        if token != gate.token:
            raise GateRefused("InvalidApprovalTokenException", f"{action} waits for another token.")
        gate.approved, gate.summary, gate.answered_by, gate.answered_at = approved, summary, who, now
        self.end(stage, action, approved)

    def describe(self) -> dict[str, Any]:
        """The answer of GetPipelineState."""
        return {
            "pipelineName": self.pipeline,
            "pipelineVersion": 1,
            "stageStates": [self._stage(name, actions) for name, actions in self.stages.items()],
        }

    def approvals(self) -> list[dict[str, Any]]:
        """The approvals in the answer of ListActionExecutions, the newest first."""
        return [self._approval(gate) for gate in reversed(self.reached)]

    def _approval(self, gate: Gate) -> dict[str, Any]:
        kind = {"category": "Approval", "owner": "AWS", "provider": "Manual", "version": "1"}
        status = {None: "Failed" if gate.expired else "InProgress", True: "Succeeded", False: "Failed"}[gate.approved]
        return {
            "pipelineExecutionId": self.id,
            "actionExecutionId": gate.token,
            "stageName": gate.stage,
            "actionName": gate.action,
            "startTime": gate.opened_at,
            "lastUpdateTime": gate.answered_at or gate.opened_at,
            "status": status,
            "input": {"actionTypeId": kind},
            **({"updatedBy": gate.answered_by} if gate.answered_by else {}),
        }

    def _stage(self, name: str, actions: tuple[str, ...]) -> dict[str, Any]:
        begun = [self.statuses[name, each] for each in actions if (name, each) in self.statuses]
        status = next((each for each in ("Failed", "InProgress") if each in begun), "Succeeded")
        if status == "Succeeded" and len(begun) < len(actions):
            status = "InProgress"
        latest = {"latestExecution": {"pipelineExecutionId": self.id, "status": status}} if begun else {}
        return {"stageName": name, "actionStates": [self._action(name, each) for each in actions], **latest}

    def _action(self, stage: str, action: str) -> dict[str, Any]:
        status = self.statuses.get((stage, action))
        if status is None:
            return {"actionName": action}
        latest: dict[str, Any] = {"status": status}
        gate = self.gates.get((stage, action))
        if gate is not None and status == "InProgress":
            latest["token"] = gate.token
        elif gate is not None and gate.approved is not None:
            latest |= {"summary": gate.summary, "lastUpdatedBy": gate.answered_by}
        return {"actionName": action, "latestExecution": latest}


@dataclass
class JobAnswers:
    """Results that Lambda functions reported for jobs: the failures, by job id, with their messages."""

    failures: dict[str, str] = field(default_factory=dict)


@dataclass
class Executions:
    """The executions of the account's pipelines, by the pipeline's name."""

    by_pipeline: dict[str, Execution] = field(default_factory=dict)
