"""The projects beside the pipeline: the watch, the rollback after a failed gate, the alarms, weekly savings.

CodePipeline cannot run checks while a gate waits, so a schedule does, every five minutes while a phase is
open. All projects are outside the pipeline. Watch and rollback have no source: they download the code
that applied (`applied_version.py`). The others use the branch, through the pipeline's connection.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as cloudwatch_actions
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as events_targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as sns_subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from domain.environment import Environment
from optimizer.execute.watch_schedule import HEARTBEAT, NAMESPACE
from pipeline import roles
from pipeline.alarm_forwarding import CalledEarly
from pipeline.grants import acknowledge_log
from pipeline.jobs import GATE_TIMEOUT, LONG, OBSERVE, PIPELINE_NAME, WATCH_NAME, Jobs, buildspec, read_buildspec
from stages.acknowledged import acknowledge

EVERY = cdk.Duration.minutes(5)
QUARTER = cdk.Duration.minutes(15)
GATE_FAILED = "tap-gate-failed"
SCRIPT_ENDS = "APPLIED_VERSION"


class Notifications(Construct):
    """The encrypted topic that notifies people of gates and alarms."""

    def __init__(self, scope: Construct, id: str, *, environment: Environment, key: kms.Key) -> None:
        super().__init__(scope, id)
        self.topic = sns.Topic(self, "Topic", topic_name="tap-pipeline", master_key=key, enforce_ssl=True)
        self.topic.add_subscription(sns_subscriptions.EmailSubscription(environment.alarm_email))
        # An alarm publishes as the service: allowed by the topic, and able to encrypt by its key
        # (CloudWatch User Guide, "Amazon SNS encryption and CloudWatch alarms").
        alarms = iam.ServicePrincipal(
            "cloudwatch.amazonaws.com",
            conditions={"StringEquals": {"aws:SourceAccount": environment.accounts.tooling}},
        )
        self.topic.grant_publish(alarms)
        key.grant_encrypt_decrypt(alarms)


class Watch(Construct):
    """The projects beside the pipeline, their starts, and the alarms on the watch itself."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        environment: Environment,
        jobs: Jobs,
        notifications: Notifications,
        key: kms.IKey,
    ) -> None:
        super().__init__(scope, id)
        self._environment = environment
        self._jobs = jobs
        self._key = key
        self._topic = notifications.topic
        gates = {"GATE_TIMEOUT_MINUTES": str(round(GATE_TIMEOUT.to_minutes()))}
        watch = self._undoing("Watch", "watch", "Judges the open observation window; rolls back on a breach", gates)
        rollback = self._undoing(
            "Rollback",
            "rollback",
            "Rolls back the phase whose Observe gate was rejected; asks again when nobody answered",
            gates,
        )
        self._every_five_minutes(watch)
        self._every_week()
        self._by_hand()
        CalledEarly(self, "CalledEarly", environment=environment, watch=watch)
        self._on_failed_gate(rollback)
        self._alarms(watch, rollback, notifications.topic)

    def _every_five_minutes(self, watch: codebuild.Project) -> None:
        """Schedule the watch. Disabled in the template: `apply` enables it, the watch disables it in the end."""
        events.Rule(
            self,
            "Schedule",
            rule_name=WATCH_NAME,
            description="Judge the phase that is under way",
            schedule=events.Schedule.rate(EVERY),
            enabled=False,
            targets=[events_targets.CodeBuildProject(watch)],
        )

    def _every_week(self) -> None:
        """Read each week's costs of production, and update the journal and the page."""
        job = "measure-savings"
        variables = self._jobs.variables(roles.ANALYZE)
        savings = self._project(
            "Savings",
            job,
            "Measures what an accepted plan saved",
            self._jobs.measuring_role(),
            variables,
            buildspec(job),
        )
        events.Rule(
            self,
            "Weekly",
            rule_name=f"tap-{job}",
            description="Measure the week that Cost Explorer has settled",
            schedule=events.Schedule.rate(cdk.Duration.days(7)),
            targets=[events_targets.CodeBuildProject(savings)],
        )

    def _by_hand(self) -> None:
        """Make the project for a manual reconcile, after an acceptance whose execution cannot reconcile any more."""
        variables = {**self._jobs.variables(roles.RECONCILE), **self._jobs.synthesizing}
        what = "Brings the deployed templates after an accepted phase; started by hand, with the applied commit"
        self._project("Reconcile", "reconcile", what, self._jobs.reconciling_role(), variables, buildspec("reconcile"))

    def _on_failed_gate(self, rollback: codebuild.Project) -> None:
        """Start the rollback job on a failed gate: rejected or timed out, which the job distinguishes."""

        # The override is StartBuild's own input; EventBridge passes the target's input on as it is
        # (EventBridge User Guide, "CodeBuild projects as targets").
        def variable(name: str, path: str) -> dict[str, str]:
            return {"name": name, "type": "PLAINTEXT", "value": events.EventField.from_path(path)}

        overrides = [variable("STAGE", "$.detail.stage"), variable("EXECUTION", "$.detail.execution-id")]
        events.Rule(
            self,
            "FailedGate",
            rule_name=GATE_FAILED,
            description="Roll back the phase whose Observe gate was rejected, ask again when nobody answered",
            event_pattern=events.EventPattern(
                source=["aws.codepipeline"],
                detail_type=["CodePipeline Action Execution State Change"],
                detail={
                    "pipeline": [PIPELINE_NAME],
                    "action": [OBSERVE],
                    "state": ["FAILED"],
                    "type": {"category": ["Approval"]},
                },
            ),
            targets=[
                events_targets.CodeBuildProject(
                    rollback,
                    event=events.RuleTargetInput.from_object({"environmentVariablesOverride": overrides}),
                    dead_letter_queue=self._undelivered(),
                )
            ],
        )

    def _undelivered(self) -> sqs.Queue:
        """A queue for events that started no build, for two weeks. The watch finds a rejected gate by itself."""
        queue = sqs.Queue(
            self,
            "Undelivered",
            queue_name=f"{GATE_FAILED}-undelivered",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=cdk.Duration.days(14),
        )
        acknowledge(queue, "SQS3", "It is the dead-letter queue of a rule itself")
        return queue

    def _alarms(self, watch: codebuild.Project, rollback: codebuild.Project, topic: sns.ITopic) -> None:
        tell = cloudwatch_actions.SnsAction(topic)
        # The watch reports after each judgement: a run that hangs or fails reports nothing, and no data is an alarm.
        # Its
        # actions are enabled and disabled with the schedule.
        beats = cloudwatch.Metric(namespace=NAMESPACE, metric_name=HEARTBEAT, statistic="Sum", period=EVERY)
        silent = beats.create_alarm(
            self,
            "Silent",
            alarm_name=f"{WATCH_NAME}-silent",
            alarm_description="The watch did not judge for 25 minutes: what is changed is not guarded. See runbook.",
            comparison_operator=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            threshold=1,
            evaluation_periods=5,
            treat_missing_data=cloudwatch.TreatMissingData.BREACHING,
            actions_enabled=False,
        )
        silent.add_alarm_action(tell)
        self._not_started(tell)
        # The next run makes up for one failed watch: a window's first minutes are unclear, and a breach sends a mail.
        for project, name, runs in ((watch, "watch", 2), (rollback, "rollback", 1)):
            failed = project.metric_failed_builds(statistic="Sum", period=QUARTER).create_alarm(
                self,
                f"{name.capitalize()}Failed",
                alarm_name=f"tap-{name}-failed",
                alarm_description=f"The job {name} ended with an error or an unclear window: see docs/runbook.md.",
                comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
                threshold=1,
                evaluation_periods=runs,
                treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
            )
            failed.add_alarm_action(tell)

    def _not_started(self, tell: cloudwatch_actions.SnsAction) -> None:
        """Alarm on refused StartBuild calls, for example at the limit of builds: a mail at once, and the rule retries.

        EventBridge User Guide, "Monitoring Amazon EventBridge": FailedInvocations, by RuleName.
        """
        for name in (WATCH_NAME, GATE_FAILED):
            refused = cloudwatch.Metric(
                namespace="AWS/Events",
                metric_name="FailedInvocations",
                dimensions_map={"RuleName": name},
                statistic="Sum",
                period=cdk.Duration.minutes(1),
            )
            refused.create_alarm(
                self,
                f"{name}NotStarted",
                alarm_name=f"{name}-not-started",
                alarm_description=f"The rule {name} could not start its build: see docs/runbook.md, No builds.",
                comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
                threshold=1,
                evaluation_periods=1,
                treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
            ).add_alarm_action(tell)

    def _undoing(self, id: str, job: str, description: str, more: Mapping[str, str] | None = None) -> codebuild.Project:
        role = self._jobs.rolling_back_role(job)
        self._topic.grant_publish(role)
        variables = {**self._jobs.variables(roles.ACT), "TAP_TOPIC_ARN": self._topic.topic_arn, **(more or {})}
        if job == "watch":
            variables["TAP_WATCH_NAME"] = WATCH_NAME
        return self._made(id, job, description, role, variables, _with_applied_version(job), source=None)

    def _project(
        self,
        id: str,
        job: str,
        description: str,
        role: iam.Role,
        variables: Mapping[str, str],
        spec: codebuild.BuildSpec,
    ) -> codebuild.Project:
        """A project that runs the branch's newest commit."""
        owner, repository = self._environment.repository.split("/")
        source = codebuild.Source.git_hub(
            owner=owner,
            repo=repository,
            branch_or_ref=self._environment.branch,
            clone_depth=1,
            webhook=False,
            report_build_status=False,
        )
        project = self._made(id, job, description, role, variables, spec, source=source)
        self._read_by_connection(project, id, role)
        return project

    def _made(
        self,
        id: str,
        job: str,
        description: str,
        role: iam.Role,
        variables: Mapping[str, str],
        spec: codebuild.BuildSpec,
        *,
        source: codebuild.ISource | None,
    ) -> codebuild.Project:
        """A project; without `source` it has only the files that its script downloads, and needs no source provider."""
        project = codebuild.Project(
            self,
            id,
            project_name=f"tap-{job}",
            description=description,
            role=role,
            source=source,
            build_spec=spec,
            environment=codebuild.BuildEnvironment(build_image=codebuild.LinuxBuildImage.STANDARD_7_0),
            environment_variables={
                name: codebuild.BuildEnvironmentVariable(value=value) for name, value in variables.items()
            },
            encryption_key=self._key,
            timeout=LONG,
            logging=self._jobs.logging(job),
            grant_report_group_permissions=False,
        )
        acknowledge_log(project)
        return project

    def _read_by_connection(self, project: codebuild.Project, id: str, role: iam.Role) -> None:
        """Let `project` read its source through the connection, and create it after its role has the right.

        CodeBuild opens the connection when it creates a project, as the project's role. The role's default policy
        names the project, so CloudFormation creates it later: the right is in a separate policy
        (https://github.com/aws/aws-cdk/issues/38504).
        """
        # The L2 supports stored tokens only; a connection is the project's own setting (CodeBuild User Guide,
        # "GitHub App connections"), and needs these rights of the project's role.
        connection = self._environment.connection_arn
        prefix = connection.split(":")[2]
        resource = project.node.default_child
        assert isinstance(resource, codebuild.CfnProject)
        resource.add_property_override("Source.Auth", {"Type": "CODECONNECTIONS", "Resource": connection})
        may_read = iam.PolicyStatement(
            actions=[f"{prefix}:GetConnection", f"{prefix}:GetConnectionToken", f"{prefix}:UseConnection"],
            resources=[connection],
        )
        resource.node.add_dependency(iam.Policy(self, f"{id}Connection", statements=[may_read], roles=[role]))


def _with_applied_version(job: str) -> codebuild.BuildSpec:
    """The job's buildspec, which first downloads the code that applied: inline, so that no commit changes it."""
    spec = read_buildspec(job)
    script = (Path(__file__).parent / "applied_version.py").read_text()
    commands = spec["phases"]["pre_build"]["commands"]
    commands.insert(0, f"python - <<'{SCRIPT_ENDS}'\n{script}{SCRIPT_ENDS}")
    return codebuild.BuildSpec.from_object(spec)
