"""Permissions of people on the pipeline: three managed policies in the tooling account, attached to nobody.

Give `tap-approver` and `tap-second-approver` to different people, the second to nobody who pushes to
the branch. Both may open the pages that a gate links to. PutApprovalResult is authorized on the action,
RetryStageExecution on the stage, CodePipeline's other actions on the pipeline.
https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscodepipeline.html
"""

from __future__ import annotations

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct

from optimizer.decide.approvals import APPROVE, CONFIRM
from optimizer.model.phase import Phase
from pipeline.jobs import OBSERVE, PIPELINE_NAME
from pipeline.operator_parameters import Controls
from pipeline.records_bucket import Records

READ = (
    "codepipeline:GetPipeline",
    "codepipeline:GetPipelineExecution",
    "codepipeline:GetPipelineState",
    "codepipeline:ListActionExecutions",
    "codepipeline:ListPipelineExecutions",
)
STAGES = ("Approve", *(phase.stage_name for phase in Phase))


class People(Construct):
    """The policies `tap-approver`, `tap-second-approver` and `tap-steering`."""

    def __init__(self, scope: Construct, id: str, *, controls: Controls, records: Records) -> None:
        super().__init__(scope, id)
        gates = [f"Approve/{APPROVE}", *(f"{phase.stage_name}/{OBSERVE}" for phase in Phase)]
        approver = self._policy(
            "Approver",
            "tap-approver",
            "Answer the gates of the pipeline tap, retry their stages, release a commit again",
            self._reading(),
            *records.reading_plans(),
            self._on("codepipeline:PutApprovalResult", gates),
            self._on("codepipeline:RetryStageExecution", STAGES),
            iam.PolicyStatement(actions=["codepipeline:StartPipelineExecution"], resources=[self._pipeline]),
        )
        second_approver = self._policy(
            "SecondApprover",
            "tap-second-approver",
            "Confirm a plan with one-way moves after somebody else approved it",
            self._reading(),
            *records.reading_plans(),
            self._on("codepipeline:PutApprovalResult", [f"Approve/{CONFIRM}"]),
        )
        for policy in (approver, second_approver):
            records.acknowledge_reading(policy)
        parameters = [each.parameter_arn for each in (controls.switch, controls.override, controls.peaks)]
        actions = ["ssm:GetParameter", "ssm:GetParameterHistory", "ssm:PutParameter"]
        self._policy(
            "Steering",
            "tap-steering",
            "Set the kill switch, override the freeze, announce peaks",
            iam.PolicyStatement(actions=actions, resources=parameters),
        )

    @property
    def _pipeline(self) -> str:
        return cdk.Stack.of(self).format_arn(service="codepipeline", resource=PIPELINE_NAME)

    def _reading(self) -> iam.PolicyStatement:
        return iam.PolicyStatement(actions=list(READ), resources=[self._pipeline])

    def _on(self, action: str, places: Sequence[str]) -> iam.PolicyStatement:
        return iam.PolicyStatement(actions=[action], resources=[f"{self._pipeline}/{each}" for each in places])

    def _policy(self, id: str, name: str, description: str, *statements: iam.PolicyStatement) -> iam.ManagedPolicy:
        return iam.ManagedPolicy(
            self, id, managed_policy_name=name, description=description, statements=list(statements)
        )
