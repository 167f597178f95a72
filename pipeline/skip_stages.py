"""Entry conditions: a stage that has nothing to do is skipped, and nobody is asked anything.

The rule is LambdaInvoke, one of the two that a SKIP condition allows; its settings are FunctionName
and UserParameters. A wave has no conditions of its own in CDK, so they are written onto the pipeline.
https://docs.aws.amazon.com/codepipeline/latest/userguide/rule-reference-LambdaInvoke.html
https://docs.aws.amazon.com/codepipeline/latest/userguide/concepts-how-it-works-conditions.html
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_codepipeline as codepipeline
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from pipeline.journal_table import JournalTable
from stages.acknowledged import acknowledge

CODE = Path(__file__).with_name("skip_condition.py")


class SkipWhenNothingToDo(Construct):
    """Gives the named stages of a built pipeline an entry condition that reads the journal."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        pipeline: codepipeline.Pipeline,
        journal: JournalTable,
        key: kms.IKey,
        stages: Sequence[str],
    ) -> None:
        super().__init__(scope, id)
        function = self._function(journal, key)
        function.grant_invoke_latest_version(pipeline.role)
        names = [stage.stage_name for stage in pipeline.stages]
        resource = pipeline.node.default_child
        assert isinstance(resource, codepipeline.CfnPipeline)
        for name in stages:
            resource.add_property_override(f"Stages.{names.index(name)}.BeforeEntry", _condition(name, function))

    def _function(self, journal: JournalTable, key: kms.IKey) -> lambda_.Function:
        log_group = logs.LogGroup(
            self,
            "Log",
            log_group_name="/tap/skip-condition",
            encryption_key=key,
            retention=logs.RetentionDays.ONE_YEAR,
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        function = lambda_.Function(
            self,
            "Function",
            function_name="tap-skip-condition",
            description="Skips the stages of the pipeline tap that have nothing to do",
            runtime=lambda_.Runtime.PYTHON_3_14,
            handler="index.handler",
            code=lambda_.Code.from_inline(CODE.read_text()),
            environment={"JOURNAL_TABLE": journal.table.table_name},
            timeout=cdk.Duration.seconds(30),
            log_group=log_group,
            role=role,
        )
        log_group.grant_write(role)
        journal.grant_read(role)
        # These two take no resource (Service Authorization Reference, AWS CodePipeline).
        answers = ["codepipeline:PutJobSuccessResult", "codepipeline:PutJobFailureResult"]
        role.add_to_policy(iam.PolicyStatement(actions=answers, resources=["*"]))
        acknowledge(role, "IAM5[Resource::*]", "A job's id is its only name: PutJob*Result take no resource")
        return function


def _condition(stage: str, function: lambda_.Function) -> dict[str, object]:
    rule = {
        "Name": "SomethingToDo",
        "RuleTypeId": {"Category": "Rule", "Owner": "AWS", "Provider": "LambdaInvoke", "Version": "1"},
        "Configuration": {"FunctionName": function.function_name, "UserParameters": json.dumps({"stage": stage})},
    }
    return {"Conditions": [{"Result": "SKIP", "Rules": [rule]}]}
