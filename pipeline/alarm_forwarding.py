"""Starts the watch at once on an alarm in production, instead of within five minutes.

The alarm's change of state is an event of the production account; a rule there, in the same Region,
sends it to a bus in the tooling account, whose own rule starts the project. (Across accounts a rule
can target a bus, but no CodeBuild project: EventBridge User Guide, "Sending events to an AWS service in
another account".) The alarm only starts the watch: the watch judges whether to roll back, and if an
event is lost, the schedule starts it.
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
# An alarm evaluates one-minute data, the watch settled periods of five minutes: a watch that an alarm started judges
# again when each of the next six has settled. Errors of 1 % are certain after three, a p99 twice as long after six.
# StartBuild's own input, passed unchanged (EventBridge User Guide, "CodeBuild as a target").
LOOKS = {"environmentVariablesOverride": [{"name": "TAP_LOOKS", "type": "PLAINTEXT", "value": "7"}]}


class EarlyCall(Construct):
    """The production side: the rule, and the role that may only put events on the tooling account's bus."""

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
    """The tooling side: the bus, which accepts events of the production account alone, and its rule."""

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
    """The pattern of a governed alarm's change to ALARM (CloudWatch User Guide, "Alarm events and EventBridge")."""
    return events.EventPattern(
        account=[environment.accounts.production],
        source=["aws.cloudwatch"],
        detail_type=["CloudWatch Alarm State Change"],
        detail={"alarmName": [*HEALTH_ALARMS, EXPECTED_P99_ALARM], "state": {"value": ["ALARM"]}},
    )


def bus_arn(environment: Environment) -> str:
    """ARN of the tooling account's bus for production's alarms."""
    region, account = environment.primary.name, environment.accounts.tooling
    return f"arn:{cdk.Aws.PARTITION}:events:{region}:{account}:event-bus/{BUS}"
