"""The pipeline: a push to the branch deploys the foundation, then proposes and carries out the plan."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_codepipeline as codepipeline
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import pipelines as cdk_pipelines
from constructs import Construct

from domain.environment import Environment
from domain.sizing import SizingRecord
from optimizer.model.phase import Phase
from pipeline.alarm_forwarding import EarlyCall
from pipeline.cli_version import CLI_VERSION
from pipeline.grants import (
    acknowledge_artifacts,
    acknowledge_self_mutation,
    acknowledge_steps,
    acknowledge_support,
)
from pipeline.human_access import People
from pipeline.jobs import PIPELINE_NAME, STACK_NAME, Jobs
from pipeline.journal_table import JournalTable
from pipeline.kept_bucket import kept_bucket
from pipeline.operator_parameters import Controls
from pipeline.records_bucket import Records
from pipeline.roles import RolesStack
from pipeline.skip_stages import SkipWhenNothingToDo
from pipeline.watch import Notifications, Watch
from pipeline.weekly_start import WeeklyStart
from stages.production import ProductionStage

GATED = ("Approve", *(phase.stage_name for phase in Phase))


class PipelineStack(cdk.Stack):
    """Source, Build, UpdatePipeline, Production, Analyze, Approve, Phase1 to Phase3, Publish; and the watch.

    `environment_file` is the path of `environment` in the repository; None: in cdk.json.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        environment: Environment,
        sizing: SizingRecord,
        environment_file: str | None = None,
        **kwargs: Any,
    ) -> None:
        home = cdk.Environment(account=environment.accounts.tooling, region=environment.primary.name)
        super().__init__(scope, id, stack_name=STACK_NAME, env=home, **kwargs)
        key = _key(self)
        log_group = _log_group(self, key)
        journal = JournalTable(self, "Journal", key=key)
        access_logs = _access_logs(self)
        records = Records(self, "Records", key=key, access_logs=access_logs)
        notifications = Notifications(self, "Notifications", environment=environment, key=key)
        controls = Controls(self, "Controls")
        People(self, "People", controls=controls, records=records)
        jobs = Jobs(
            self,
            "Jobs",
            environment=environment,
            environment_file=environment_file,
            journal=journal,
            records=records,
            controls=controls,
            notifications=notifications.topic,
            log_group=log_group,
        )

        artifacts = kept_bucket(self, "Artifacts", key=key, access_logs=access_logs, superseded=cdk.Duration.days(30))
        pipeline = cdk_pipelines.CodePipeline(
            self,
            "Pipeline",
            pipeline_name=PIPELINE_NAME,
            pipeline_type=codepipeline.PipelineType.V2,
            synth=jobs.build(),
            self_mutation=True,
            cli_version=CLI_VERSION,
            cross_account_keys=True,
            enable_key_rotation=True,
            artifact_bucket=artifacts,
            docker_enabled_for_synth=False,
            docker_enabled_for_self_mutation=False,
            use_pipeline_role_for_actions=True,
            code_build_defaults=_code_build_defaults(log_group),
        )
        pipeline.add_stage(_production(self, environment, sizing), pre=[jobs.check_again(pipeline)])
        analyze = jobs.analyze()
        pipeline.add_wave("Analyze", pre=cdk_pipelines.Step.sequence([analyze, jobs.drift_check()]))
        pipeline.add_wave("Approve", pre=jobs.approval(analyze))
        for phase in Phase:
            pipeline.add_wave(phase.stage_name, pre=jobs.phase(phase, analyze))
        pipeline.add_wave("Publish", pre=[jobs.publish()])
        pipeline.build_pipeline()
        # CDK grants the use of the connection under the service's former prefix only (codestar-connections).
        use_connection = iam.PolicyStatement(
            actions=["codeconnections:UseConnection"], resources=[environment.connection_arn]
        )
        pipeline.pipeline.role.add_to_principal_policy(use_connection)

        SkipWhenNothingToDo(
            self,
            "Skip",
            pipeline=pipeline.pipeline,
            journal=journal,
            key=key,
            stages=GATED,
            notify=notifications.topic,
        )
        Watch(self, "Watch", environment=environment, jobs=jobs, notifications=notifications, key=key)

        if environment.weekly_start:
            WeeklyStart(self, "WeeklyStart", pipeline=pipeline.pipeline)

        for roles in (jobs, pipeline):
            acknowledge_artifacts(roles, artifacts)
        acknowledge_steps(pipeline)
        acknowledge_self_mutation(pipeline)
        acknowledge_support(pipeline.pipeline)


def _production(scope: Construct, environment: Environment, sizing: SizingRecord) -> ProductionStage:
    stage = ProductionStage(
        scope, "Production", environment=environment, sizing=sizing.sizing, revision=sizing.revision
    )
    stack = RolesStack(stage, "Roles", environment=environment, revision=sizing.revision, stack_name="tap-roles")
    EarlyCall(stack, "EarlyCall", environment=environment)
    return stage


def _access_logs(scope: Construct) -> s3.Bucket:
    """Access logs of the plans and dashboards, kept for a year."""
    return s3.Bucket(
        scope,
        "AccessLogs",
        encryption=s3.BucketEncryption.S3_MANAGED,  # access logs support no other kind
        enforce_ssl=True,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        versioned=True,
        lifecycle_rules=[
            s3.LifecycleRule(expiration=cdk.Duration.days(365), noncurrent_version_expiration=cdk.Duration.days(7))
        ],
        removal_policy=cdk.RemovalPolicy.RETAIN,
    )


def _key(scope: cdk.Stack) -> kms.Key:
    """One key for the pipeline's stored data: artifacts, journal, logs, notifications."""
    key = kms.Key(scope, "Key", alias=f"alias/{STACK_NAME}", enable_key_rotation=True)
    # CloudWatch Logs encrypts as the Region's service, here only for our own log groups
    # (CloudWatch Logs User Guide, "Encrypt log data").
    ours = scope.format_arn(
        service="logs", resource="log-group", resource_name="/tap/*", arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME
    )
    key.grant_encrypt_decrypt(
        iam.ServicePrincipal(
            f"logs.{scope.region}.amazonaws.com",
            conditions={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": ours}},
        )
    )
    return key


def _log_group(scope: Construct, key: kms.IKey) -> logs.LogGroup:
    return logs.LogGroup(
        scope,
        "JobLog",
        log_group_name="/tap/jobs",
        encryption_key=key,
        retention=logs.RetentionDays.ONE_YEAR,
        removal_policy=cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    )


def _code_build_defaults(log_group: logs.ILogGroup) -> cdk_pipelines.CodeBuildOptions:
    return cdk_pipelines.CodeBuildOptions(
        build_environment=codebuild.BuildEnvironment(
            build_image=codebuild.LinuxBuildImage.STANDARD_7_0, compute_type=codebuild.ComputeType.MEDIUM
        ),
        logging=codebuild.LoggingOptions(cloud_watch=codebuild.CloudWatchLoggingOptions(log_group=log_group)),
    )
