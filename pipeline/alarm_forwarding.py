"""An alarm in production starts the watch at once, instead of within five minutes.

The alarm's change of state is an event of the production account; a rule there, in the same Region,
hands it to a bus in the tooling account, whose own rule starts the project. (Across accounts a rule
reaches a bus, but no CodeBuild project: EventBridge User Guide, "Sending events to an AWS service in
another account".) The alarm only calls: whether anything is rolled back is judged by the watch, and
when a call is lost the schedule comes.
"""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as events_targets
from aws_cdk import aws_iam as iam
from constructs import Construct

from domain.environment import Environment
from domain.names import EXPECTED_P99_ALARM
from stages.telemetry import HEALTH_ALARMS

BUS = "tap-alarms"
ROLE = "tap-early-call"
# An alarm looks at one-minute data, and the judgement at settled periods of five: a called watch looks again after five
# and after ten minutes. StartBuild's own input, passed on as it is (EventBridge User Guide, "CodeBuild as a target").
LOOKS = {"environmentVariablesOverride": [{"name": "TAP_LOOKS", "type": "PLAINTEXT", "value": "3"}]}


class EarlyCall(Construct):
    """The production side: the rule, and the role that may put events on the tooling account's bus, no more."""

    def __init__(self, scope: Construct, id: str, *, environment: Environment) -> None:
        super().__init__(scope, id)
        role = iam.Role(
            self,
            "Role",
            role_name=ROLE,
            description="Hands health alarms to the tooling account's bus",
            assumed_by=iam.ServicePrincipal(
                "events.amazonaws.com",
                conditions={"StringEquals": {"aws:SourceAccount": environment.accounts.production}},
            ),
        )
        bus = events.EventBus.from_event_bus_arn(self, "Bus", bus_arn(environment))
        events.Rule(
            self,
            "Rule",
            rule_name="tap-early-call",
            description="Tell the tooling account when a health alarm rings",
            event_pattern=_pattern(environment),
            targets=[events_targets.EventBus(bus, role=role)],
        )


class CalledEarly(Construct):
    """The tooling side: the bus, which takes events of the production account alone, and its rule."""

    def __init__(self, scope: Construct, id: str, *, environment: Environment, watch: codebuild.IProject) -> None:
        super().__init__(scope, id)
        bus = events.EventBus(
            self, "Bus", event_bus_name=BUS, description="Health alarms that the production account hands over"
        )
        bus.add_to_resource_policy(
            iam.PolicyStatement(
                sid="ProductionPutsEvents",
                principals=[iam.AccountPrincipal(environment.accounts.production)],
                actions=["events:PutEvents"],
                resources=[bus.event_bus_arn],
            )
        )
        events.Rule(
            self,
            "Rule",
            rule_name="tap-early-call",
            description="Judge the open window now: a health alarm rang",
            event_bus=bus,
            event_pattern=_pattern(environment),
            targets=[events_targets.CodeBuildProject(watch, event=events.RuleTargetInput.from_object(LOOKS))],
        )


def _pattern(environment: Environment) -> events.EventPattern:
    """CloudWatch User Guide, "Alarm events and EventBridge"."""
    return events.EventPattern(
        account=[environment.accounts.production],
        source=["aws.cloudwatch"],
        detail_type=["CloudWatch Alarm State Change"],
        detail={"alarmName": [*HEALTH_ALARMS, EXPECTED_P99_ALARM], "state": {"value": ["ALARM"]}},
    )


def bus_arn(environment: Environment) -> str:
    """The bus of the tooling account that takes production's alarms."""
    region, account = environment.primary.name, environment.accounts.tooling
    return f"arn:{cdk.Aws.PARTITION}:events:{region}:{account}:event-bus/{BUS}"
