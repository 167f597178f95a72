"""Entry conditions: a stage that has nothing to do is skipped, and nobody has to answer a gate.

The rule is LambdaInvoke, one of the two that a SKIP condition allows; its settings are FunctionName
and UserParameters. A wave has no conditions of its own in CDK, so they are added to the pipeline's template.
https://docs.aws.amazon.com/codepipeline/latest/userguide/rule-reference-LambdaInvoke.html
https://docs.aws.amazon.com/codepipeline/latest/userguide/concepts-how-it-works-conditions.html
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as cloudwatch_actions
from aws_cdk import aws_codepipeline as codepipeline
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from constructs import Construct

from optimizer.execute.watch_schedule import NAMESPACE
from pipeline.journal_table import JournalTable
from stages.acknowledged import acknowledge

CODE = Path(__file__).with_name("skip_condition.py")


class SkipWhenNothingToDo(Construct):
    """Adds to the named stages of a built pipeline an entry condition that reads the journal."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        pipeline: codepipeline.Pipeline,
        journal: JournalTable,
        key: kms.IKey,
        stages: Sequence[str],
        notify: sns.ITopic,
    ) -> None:
        super().__init__(scope, id)
        log_group = self._log_group(key)
        self._ring(log_group, notify)
        function = self._function(journal, log_group)
        function.grant_invoke_latest_version(pipeline.role)
        names = [stage.stage_name for stage in pipeline.stages]
        resource = pipeline.node.default_child
        assert isinstance(resource, codepipeline.CfnPipeline)
        for name in stages:
            resource.add_property_override(f"Stages.{names.index(name)}.BeforeEntry", _condition(name, function))

    def _log_group(self, key: kms.IKey) -> logs.LogGroup:
        return logs.LogGroup(
            self,
            "Log",
            log_group_name="/tap/skip-condition",
            encryption_key=key,
            retention=logs.RetentionDays.ONE_YEAR,
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )

    def _ring(self, log_group: logs.LogGroup, notify: sns.ITopic) -> None:
        """Notify people when the function cannot read the journal, or does not end."""
        unsure = log_group.add_metric_filter(
            "Unsure",
            filter_pattern=logs.FilterPattern.any_term("JOURNAL NOT READ", "Task timed out", "Runtime."),
            metric_namespace=NAMESPACE,
            metric_name="SkipConditionUnsure",
        )
        unsure.metric(statistic="Sum", period=cdk.Duration.minutes(5)).create_alarm(
            self,
            "UnsureAlarm",
            alarm_name="tap-skip-unsure",
            alarm_description="Whether a stage has something to do could not be read: see docs/runbook.md.",
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            threshold=1,
            evaluation_periods=1,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        ).add_alarm_action(cloudwatch_actions.SnsAction(notify))

    def _function(self, journal: JournalTable, log_group: logs.LogGroup) -> lambda_.Function:
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
