"""The pipeline's jobs: one method each. The commands of a job are in its file in `buildspecs/`.

Every job has the same variables (`optimizer/ports/settings.py` reads them) and has a role of its own,
which may use the journal as its verb does and assume its role in production, nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import jsii
import yaml
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_codepipeline as codepipeline
from aws_cdk import aws_codepipeline_actions as codepipeline_actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import pipelines as cdk_pipelines
from constructs import Construct

from domain.environment import VARIABLE, Environment
from optimizer.decide.approvals import APPROVE, CONFIRM
from optimizer.execute.watch_schedule import NAMESPACE
from optimizer.model.phase import Phase
from pipeline import roles
from pipeline.journal_table import JournalTable
from pipeline.operator_parameters import Controls
from pipeline.records_bucket import Records
from stages.acknowledged import acknowledge

PIPELINE_NAME = "tap"
STACK_NAME = "tap-pipeline"
OBSERVE = "Observe"
WATCH_NAME = "tap-watch"  # the project, its schedule, and the start of its alarms' names
BUILDSPECS = Path(__file__).parents[1] / "buildspecs"

MINUTES = cdk.Duration.minutes
# An instance refresh of the fleet, an Aurora resize and a resharding take hours; CodeBuild would stop after one.
LONG = cdk.Duration.hours(8)
# Longer than any window, short enough that a forgotten gate is noticed; a gate that nobody answers opens again.
GATE_TIMEOUT = cdk.Duration.days(14)


def buildspec(job: str) -> codebuild.BuildSpec:
    """The buildspec of a job, read from its file."""
    return codebuild.BuildSpec.from_object(read_buildspec(job))


def read_buildspec(job: str) -> dict[str, Any]:
    """The document in a job's file."""
    read: dict[str, Any] = yaml.safe_load((BUILDSPECS / f"{job}.yml").read_text())
    return read


class Jobs(Construct):
    """The steps of the pipeline, and the roles and settings that they share with the watch's own projects."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        environment: Environment,
        environment_file: str | None,
        journal: JournalTable,
        records: Records,
        controls: Controls,
        notifications: sns.ITopic,
        log_group: logs.ILogGroup,
    ) -> None:
        super().__init__(scope, id)
        self._log_group = log_group
        self._environment = environment
        self._environment_file = environment_file
        self._journal = journal
        self._records = records
        self._controls = controls
        self._notifications = notifications
        self.source = cdk_pipelines.CodePipelineSource.connection(
            environment.repository,
            environment.branch,
            connection_arn=environment.connection_arn,
            trigger_on_push=True,
            action_name="Source",
        )

    def build(self) -> cdk_pipelines.CodeBuildStep:
        """The build: checks, the sizing in force, synthesis, freeze check."""
        return self._step(
            "Synth",
            "build",
            self._freeze_checking_role(),
            roles.FORESEE,
            timeout=MINUTES(60),
            output="cdk.out",
            more=self.synthesizing,
        )

    def check_again(self, pipeline: cdk_pipelines.CodePipeline) -> cdk_pipelines.CodeBuildStep:
        """The freeze check of Build once more, right before Production deploys Build's output.

        An execution can wait between the two, or be retried, while a plan is approved or a phase accepted.
        """
        return self._step(
            "CheckAgain",
            "check-again",
            self._freeze_checking_role(),
            roles.FORESEE,
            timeout=MINUTES(30),
            inputs={"assembly": pipeline.synth},
        )

    def _freeze_checking_role(self) -> iam.Role:
        role = self.role("build", production=(roles.FORESEE,))
        self._journal.grant_write(role)  # an override of the freeze is recorded
        self._controls.grant_read(role)
        self._controls.grant_read_who_overrides(role)
        # The freeze check also compares with the stacks deployed here: the pipeline's own.
        stacks = self._own_stacks()
        role.add_to_policy(iam.PolicyStatement(actions=["cloudformation:GetTemplate"], resources=stacks))
        for arn in stacks:
            acknowledge(role, f"IAM5[Resource::{arn}]", "CloudFormation completes a stack's ARN with an id of its own")
        return role

    def analyze(self) -> cdk_pipelines.CodeBuildStep:
        """Evidence and plan. Exports PLAN_HASH and GATE_TEXT; its output holds plan.json and dashboard.html."""
        role = self.role("analyze", production=(roles.ANALYZE,))
        self._journal.grant_write(role)
        self._records.grant_publish(role)
        return self._step("Analyze", "analyze", role, roles.ANALYZE, timeout=MINUTES(60), output="out")

    def drift_check(self) -> cdk_pipelines.CodeBuildStep:
        """After Analyze: if CloudFormation would change untouched resources, hold the plan and send a mail."""
        role = self.role("drift-check", production=(roles.RECONCILE,))
        self._journal.grant_write(role)  # the mail that was sent
        self._notifications.grant_publish(role)
        return self._step(
            "DriftCheck", "drift-check", role, roles.RECONCILE, timeout=MINUTES(60), more=self._telling_people
        )

    @property
    def _telling_people(self) -> dict[str, str]:
        return {"TAP_TOPIC_ARN": self._notifications.topic_arn}

    def approval(self, analyze: cdk_pipelines.CodeBuildStep) -> list[cdk_pipelines.Step]:
        """The gates of the plan, then the record of the people who passed them."""
        return cdk_pipelines.Step.sequence([*self._plan_gates(analyze), self._approve(analyze)])

    def _plan_gates(self, analyze: cdk_pipelines.CodeBuildStep) -> list[TimedApproval]:
        """The gates at which people read the plan, and approve or reject it: one, or two with a second approver."""
        gates = [self._plan_gate(APPROVE, analyze, "")]
        if self._environment.second_approver:
            second = "SECOND approval, which counts for one-way moves: by another person, who does not push here. "
            gates.append(self._plan_gate(CONFIRM, analyze, second))
        return gates

    def _plan_gate(self, id: str, analyze: cdk_pipelines.CodeBuildStep, before: str) -> TimedApproval:
        text = (
            f"{before}{analyze.exported_variable('GATE_TEXT')} Whole hash: {analyze.exported_variable('PLAN_HASH')}. "
            f"Review > Approve lets phase 1 begin. Dashboard: the link below. Runbook: {self._runbook}"
        )
        return self._gate(id, text, analyze)

    def _approve(self, analyze: cdk_pipelines.CodeBuildStep) -> cdk_pipelines.CodeBuildStep:
        """After the plan's gate: CloudFormation is checked again, and the approval is recorded."""
        role = self.role("approve", production=(roles.RECONCILE,))
        self._journal.grant_write(role)
        self._notifications.grant_publish(role)
        role.add_to_policy(self._may_use_gates("codepipeline:GetPipelineState"))
        more = {**self._telling_people, "TAP_SECOND_APPROVER": str(self._environment.second_approver).lower()}
        if self._environment.committers:
            more["TAP_COMMITTERS"] = ",".join(self._environment.committers)
        return self._step(
            "Record", "approve", role, roles.RECONCILE, timeout=MINUTES(60), more=more, inputs={"plan": analyze}
        )

    def phase(self, phase: Phase, analyze: cdk_pipelines.CodeBuildStep) -> list[cdk_pipelines.Step]:
        """One phase: apply, wait for the window and a person, accept and reconcile."""
        apply = self._apply(phase, analyze)
        gate = self._observe_gate(phase, analyze, apply)
        return cdk_pipelines.Step.sequence([apply, gate, self._accept(phase)])

    def _gate(self, id: str, text: str, analyze: cdk_pipelines.CodeBuildStep) -> TimedApproval:
        """A gate that links to the plan's dashboard, which Analyze, Accept and Rollback publish."""
        region, bucket = self._environment.primary.name, self._records.bucket.bucket_name
        dashboard = (
            f"https://{region}.console.aws.amazon.com/s3/object/{bucket}?region={region}"
            f"&prefix=plans/{analyze.exported_variable('PLAN_HASH')}/dashboard.html"
        )
        return TimedApproval(id, text=text, link=dashboard, notify=self._notifications)

    @property
    def _runbook(self) -> str:
        return f"https://github.com/{self._environment.repository}/blob/{self._environment.branch}/docs/runbook.md"

    def publish(self) -> cdk_pipelines.CodeBuildStep:
        """Dashboard, plan and journal as the execution's artifact, and published beside the journal."""
        role = self.role("publish", production=(roles.ANALYZE,))
        self._journal.grant_read(role)
        self._records.grant_publish(role)
        return self._step("Publish", "publish", role, roles.ANALYZE, timeout=MINUTES(30), output="out")

    def rolling_back_role(self, job: str) -> iam.Role:
        """The role of `watch` or `rollback`: undo in production, and answer the waiting gate or open it again."""
        role = self.role(job, production=(roles.ACT,))
        self._journal.grant_write(role)
        self._controls.grant_read(role)
        self._records.grant_publish(role)
        self._records.grant_fetch(role)
        self._grant_reject(role)
        role.add_to_policy(self._may_see_failed_gates())
        if job == "rollback":
            role.add_to_policy(self._may_ask_again())
        if job == "watch":
            self._grant_schedule(role, "events:DisableRule", "cloudwatch:DisableAlarmActions")
            self._grant_heartbeat(role)
        return role

    def _grant_schedule(self, role: iam.Role, switch: str, ring: str) -> None:
        """Grant switching of the watch's schedule and its heartbeat alarm; by name, as the project needs this role."""
        rule = self._named("events", "rule", WATCH_NAME)
        alarm = self._named("cloudwatch", "alarm", f"{WATCH_NAME}-silent", cdk.ArnFormat.COLON_RESOURCE_NAME)
        role.add_to_policy(iam.PolicyStatement(actions=[switch], resources=[rule]))
        role.add_to_policy(iam.PolicyStatement(actions=[ring], resources=[alarm]))

    def _grant_heartbeat(self, role: iam.Role) -> None:
        # PutMetricData takes no resource, but a condition on its namespace (Service Authorization Reference).
        ours = {"StringEquals": {"cloudwatch:namespace": NAMESPACE}}
        role.add_to_policy(iam.PolicyStatement(actions=["cloudwatch:PutMetricData"], resources=["*"], conditions=ours))
        acknowledge(role, "IAM5[Resource::*]", "A datapoint belongs to no resource; the namespace is a condition")

    def _named(
        self, service: str, resource: str, name: str, form: cdk.ArnFormat = cdk.ArnFormat.SLASH_RESOURCE_NAME
    ) -> str:
        return cdk.Stack.of(self).format_arn(service=service, resource=resource, resource_name=name, arn_format=form)

    def measuring_role(self) -> iam.Role:
        """The role of `measure-savings`: read the costs of production, store them in the journal and on the page."""
        role = self.role("measure-savings", production=(roles.ANALYZE,))
        self._journal.grant_write(role)
        self._records.grant_publish(role)
        return role

    def reconciling_role(self) -> iam.Role:
        """The role of `reconcile`, the last part of accept by itself."""
        role = self.role("reconcile", production=(roles.RECONCILE,))
        self._journal.grant_write(role)
        self._controls.grant_read(role)
        return role

    def role(self, job: str, production: Sequence[str] = ()) -> iam.Role:
        """A job's own role; `production` names the roles that it may assume there. Made once per job."""
        id = f"{job.capitalize()}Role"
        made = self.node.try_find_child(id)
        if isinstance(made, iam.Role):
            return made
        role = iam.Role(
            self,
            id,
            role_name=roles.job_role_name(job),
            description=f"The job {job} of the pipeline {PIPELINE_NAME}",
            assumed_by=iam.ServicePrincipal(
                "codebuild.amazonaws.com",
                conditions={"StringEquals": {"aws:SourceAccount": self._environment.accounts.tooling}},
            ),
        )
        arns = [roles.production_role_arn(self._environment, name) for name in production]
        if arns:
            role.add_to_policy(iam.PolicyStatement(actions=["sts:AssumeRole", "sts:TagSession"], resources=arns))
        return role

    def variables(self, production_role: str | None) -> dict[str, str]:
        """The variables of every job; `production_role` is the one it works with in production."""
        environment = self._environment
        variables = {
            "TAP_JOURNAL_TABLE": self._journal.table.table_name,
            "TAP_RECORDS_BUCKET": self._records.bucket.bucket_name,
            "TAP_PIPELINE_NAME": PIPELINE_NAME,
            **self._controls.variables,
            "TAP_PRODUCTION_ACCOUNT": environment.accounts.production,
            "TAP_PRIMARY_REGION": environment.primary.name,
        }
        if environment.replicas:
            variables["TAP_SECONDARY_REGIONS"] = ",".join(replica.name for replica in environment.replicas)
        if production_role:
            variables["TAP_ROLE_ARN"] = roles.production_role_arn(environment, production_role)
            variables["TAP_EXTERNAL_ID"] = roles.external_id(environment)
        return variables

    @property
    def synthesizing(self) -> dict[str, str]:
        """A further variable of jobs that run app.py: the file of the environment, if it is not in cdk.json."""
        return {VARIABLE: self._environment_file} if self._environment_file else {}

    def logging(self, name: str) -> codebuild.LoggingOptions:
        """All jobs log to one group, each under its name."""
        return codebuild.LoggingOptions(
            cloud_watch=codebuild.CloudWatchLoggingOptions(log_group=self._log_group, prefix=name)
        )

    def _apply(self, phase: Phase, analyze: cdk_pipelines.CodeBuildStep) -> cdk_pipelines.CodeBuildStep:
        role = self.role("apply", production=(roles.ACT,))
        self._journal.grant_write(role)
        self._controls.grant_read(role)
        self._records.grant_keep(role)
        self._records.grant_publish(role)
        self._grant_reject(role)
        self._notifications.grant_publish(role)
        self._grant_schedule(role, "events:EnableRule", "cloudwatch:EnableAlarmActions")
        project = self._named("codebuild", "project", WATCH_NAME)
        role.add_to_policy(iam.PolicyStatement(actions=["codebuild:StartBuild"], resources=[project]))
        more = {
            "PHASE": str(phase.number),
            "TAP_TOPIC_ARN": self._notifications.topic_arn,
            "TAP_WATCH_NAME": WATCH_NAME,
        }
        return self._step(
            "Apply", "apply", role, roles.ACT, timeout=LONG, more=more, inputs={"plan": analyze}, phase=phase
        )

    def _observe_gate(
        self, phase: Phase, analyze: cdk_pipelines.CodeBuildStep, apply: cdk_pipelines.CodeBuildStep
    ) -> TimedApproval:
        text = (
            f"Plan {analyze.exported_variable('PLAN_HASH')}, phase {phase.number} ({phase.title}): applied. "
            f"Its window ends: {apply.exported_variable('WINDOW_END')}. Review > Approve after that: an earlier "
            "approval is refused, and then: Retry stage > Retry all actions. Reject rolls this phase back. "
            f"Runbook: {self._runbook}"
        )
        return self._gate(OBSERVE, text, analyze)

    def _accept(self, phase: Phase) -> cdk_pipelines.CodeBuildStep:
        role = self.role("accept", production=(roles.ACT, roles.RECONCILE))
        self._journal.grant_write(role)
        self._controls.grant_read(role)
        self._records.grant_publish(role)
        self._grant_reject(role)
        more = {
            "PHASE": str(phase.number),
            "TAP_RECONCILE_ROLE_ARN": roles.production_role_arn(self._environment, roles.RECONCILE),
            **self.synthesizing,
        }
        return self._step("Accept", "accept", role, roles.ACT, timeout=LONG, more=more, phase=phase)

    def _step(
        self,
        id: str,
        job: str,
        role: iam.Role,
        production_role: str | None,
        *,
        timeout: cdk.Duration,
        output: str | None = None,
        more: Mapping[str, str] | None = None,
        inputs: Mapping[str, cdk_pipelines.IFileSetProducer] | None = None,
        phase: Phase | None = None,
    ) -> cdk_pipelines.CodeBuildStep:
        name = f"{phase.stage_name.lower()}-{job}" if phase else job
        return cdk_pipelines.CodeBuildStep(
            id,
            project_name=f"tap-{name}",
            input=self.source,
            additional_inputs=inputs,
            commands=[],
            partial_build_spec=buildspec(job),
            env={**self.variables(production_role), **(more or {})},
            primary_output_directory=output,
            role=role,
            timeout=timeout,
            logging=self.logging(name),
        )

    def _grant_reject(self, role: iam.Role) -> None:
        """Grant rejecting the waiting gate: a part of every rollback, whichever job begins it."""
        role.add_to_policy(self._may_use_gates("codepipeline:GetPipelineState", "codepipeline:PutApprovalResult"))

    def _may_use_gates(self, *actions: str) -> iam.PolicyStatement:
        # PutApprovalResult is authorized on the action, GetPipelineState on the pipeline
        # (Service Authorization Reference, AWS CodePipeline). By name: the pipeline itself needs these roles first.
        stack = cdk.Stack.of(self)
        pipeline = stack.format_arn(service="codepipeline", resource=PIPELINE_NAME)
        gates = [f"{pipeline}/{phase.stage_name}/{OBSERVE}" for phase in Phase]
        return iam.PolicyStatement(actions=list(actions), resources=[pipeline, *gates])

    # RetryStageExecution is authorized on the stage, ListActionExecutions on the pipeline (the same page).
    def _may_see_failed_gates(self) -> iam.PolicyStatement:
        pipeline = cdk.Stack.of(self).format_arn(service="codepipeline", resource=PIPELINE_NAME)
        return iam.PolicyStatement(actions=["codepipeline:ListActionExecutions"], resources=[pipeline])

    def _may_ask_again(self) -> iam.PolicyStatement:
        pipeline = cdk.Stack.of(self).format_arn(service="codepipeline", resource=PIPELINE_NAME)
        stages = [f"{pipeline}/{phase.stage_name}" for phase in Phase]
        return iam.PolicyStatement(actions=["codepipeline:RetryStageExecution"], resources=stages)

    def _own_stacks(self) -> list[str]:
        """The stacks of the tooling account: the pipeline's, and CDK's support stack in each other Region."""
        stack, others = cdk.Stack.of(self), [replica.name for replica in self._environment.replicas]
        places = {stack.region: STACK_NAME, **{region: f"{STACK_NAME}-support-{region}" for region in others}}
        return [
            stack.format_arn(service="cloudformation", region=region, resource="stack", resource_name=f"{name}/*")
            for region, name in places.items()
        ]


@jsii.implements(cdk_pipelines.ICodePipelineActionFactory)
class TimedApproval(cdk_pipelines.Step):
    """A manual approval with a timeout of its own: CDK's ManualApprovalStep leaves it at seven days.

    `text` is the message for the person at the gate, `link` the page that the console links to; both may
    contain variables that earlier jobs exported.
    """

    def __init__(self, id: str, *, text: str, link: str, notify: sns.ITopic) -> None:
        super().__init__(id)
        self._text = text
        self._link = link
        self._discover_referenced_outputs({"text": text, "link": link})
        self._notify = notify

    @jsii.member(jsii_name="produceAction")
    def produce_action(
        self, stage: codepipeline.IStage, options: cdk_pipelines.ProduceActionOptions
    ) -> cdk_pipelines.CodePipelineActionFactoryResult:
        """Add the approval to the pipeline's stage."""
        stage.add_action(
            codepipeline_actions.ManualApprovalAction(
                action_name=options.action_name,
                run_order=options.run_order,
                additional_information=self._text,
                external_entity_link=self._link,
                notification_topic=self._notify,
                timeout=GATE_TIMEOUT,
            )
        )
        return cdk_pipelines.CodePipelineActionFactoryResult(run_orders_consumed=1)
