"""An alarm's way to the watch, over the rules, the bus and its policy as they are synthesized and deployed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_iam as iam

from cloudformation.assembly import Stack, read_assembly
from domain.environment import load_environment
from emulator.account import EmulatedAccount
from emulator.services.cloudformation import deploy
from emulator.services.cloudwatch.alarms import AlarmStates, StateChange
from emulator.services.eventbridge.event_buses import Calls, started_by
from emulator.services.eventbridge.event_patterns import alarm_changed
from pipeline.alarm_forwarding import CalledEarly, EarlyCall
from pipeline.permission_boundary import make_boundary
from tests.environments import CONTEXT

REGION = "us-east-1"


@pytest.fixture(scope="module")
def stacks(tmp_path_factory: pytest.TempPathFactory) -> tuple[Stack, ...]:
    """The two sides alone, each in a stack of its account."""
    environment, out = load_environment(CONTEXT["environment"]), tmp_path_factory.mktemp("routes")
    app = cdk.App(context=CONTEXT, outdir=str(out), builtin_cloud_formation_validation=False)
    there = cdk.Stack(app, "there", env=cdk.Environment(account=environment.accounts.production, region=REGION))
    EarlyCall(there, "EarlyCall", environment=environment)
    iam.PermissionsBoundary.of(there).apply(make_boundary(there, "Boundary", environment=environment))
    home = cdk.Stack(app, "home", env=cdk.Environment(account=environment.accounts.tooling, region=REGION))
    spec = cdk.aws_codebuild.BuildSpec.from_object({"version": "0.2"})
    watch = cdk.aws_codebuild.Project(home, "Watch", project_name="tap-watch", build_spec=spec)
    CalledEarly(home, "CalledEarly", environment=environment, watch=watch)
    app.synth()
    return read_assembly(out).stacks


@pytest.fixture
def account() -> Iterator[EmulatedAccount]:
    start = datetime(2027, 3, 1, 8, tzinfo=UTC)
    with EmulatedAccount(start=start, tooling="111111111111", production="222222222222") as made:
        yield made


def ring(account: EmulatedAccount, name: str, state: str = "ALARM") -> list[str]:
    """The projects that start when somebody sets the alarm's state."""
    cloudwatch = account.client("cloudwatch", account.production, REGION)
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        Namespace="Ours",
        MetricName="p99",
        Statistic="Average",
        Period=300,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )
    heard: list[StateChange] = []
    account.part(AlarmStates).listen(account, heard.append)
    cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="tried")
    return [project for change in heard for project in started_by(account, alarm_changed(change), REGION)]


@pytest.mark.parametrize(
    ("name", "state", "started"),
    [
        ("tap-p99", "ALARM", ["tap-watch"]),
        ("tap-error-rate", "ALARM", ["tap-watch"]),
        ("tap-p99-expected", "ALARM", ["tap-watch"]),
        ("tap-p99", "OK", []),
        ("tap-replica-lag", "ALARM", []),
    ],
)
def test_a_ringing_health_alarm_starts_the_watch(
    account: EmulatedAccount, stacks: tuple[Stack, ...], name: str, state: str, started: list[str]
) -> None:
    for stack in stacks:
        deploy(account, stack)
    assert ring(account, name, state) == started


def test_a_bus_that_does_not_admit_the_account_starts_nothing(
    account: EmulatedAccount, stacks: tuple[Stack, ...]
) -> None:
    for stack in stacks:
        resources: dict[str, Any] = {
            id: each
            for id, each in stack.template["Resources"].items()
            if each["Type"] != "AWS::Events::EventBusPolicy"
        }
        deploy(account, replace(stack, template={**stack.template, "Resources": resources}))
    assert ring(account, "tap-p99") == []


def test_a_project_is_called_by_its_alarms_alone_and_each_once(
    account: EmulatedAccount, stacks: tuple[Stack, ...]
) -> None:
    for stack in stacks:
        deploy(account, stack)
    watch, other = Calls(account, REGION, "tap-watch"), Calls(account, REGION, "tap-rollback")
    ring(account, "tap-replica-lag")
    ring(account, "tap-p99")
    assert (watch.since_last(), other.since_last()) == (("tap-p99",), ())
    assert watch.since_last() == ()
