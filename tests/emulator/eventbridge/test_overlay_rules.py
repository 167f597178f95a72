"""A deployed rule, switched by a call; the alarm's actions likewise."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

from cloudformation.template import Place
from emulator.account import EmulatedAccount
from emulator.services.cloudformation.stacks import DeployedResource, DeployedStack, StackStore
from emulator.services.eventbridge.rules_api import RuleStates

START = datetime(2027, 3, 1, tzinfo=UTC)
TOOLING, REGION = "111111111111", "us-east-1"


@pytest.mark.parametrize("declared", ["ENABLED", "DISABLED"])
def test_a_rule_is_as_its_template_says_until_it_is_switched(declared):
    with EmulatedAccount(start=START, tooling=TOOLING, production="222222222222") as account:
        rule = DeployedResource("Rule", "AWS::Events::Rule", "tap-watch", {}, {"State": declared}, False, START)
        place = Place(TOOLING, REGION, "tap-pipeline")
        account.part(StackStore).record(DeployedStack(place, {}, {"Rule": rule}, {}, {}, {}, START))
        states, client = account.part(RuleStates), account.client("events", TOOLING, REGION)
        assert states.is_on(TOOLING, REGION, rule) is (declared == "ENABLED")
        for _ in range(2):
            client.enable_rule(Name="tap-watch")
            assert states.is_on(TOOLING, REGION, rule)
        client.disable_rule(Name="tap-watch")
        assert not states.is_on(TOOLING, REGION, rule)
        with pytest.raises(ClientError, match="ResourceNotFoundException"):
            client.enable_rule(Name="another")


def test_an_alarm_keeps_its_state_when_its_actions_are_switched():
    with EmulatedAccount(start=START, tooling=TOOLING, production="222222222222") as account:
        client = account.client("cloudwatch", TOOLING, REGION)
        client.put_metric_alarm(
            AlarmName="tap-watch-silent",
            Namespace="Tap",
            MetricName="WatchJudged",
            Statistic="Sum",
            Period=300,
            EvaluationPeriods=5,
            Threshold=1,
            ComparisonOperator="LessThanThreshold",
            TreatMissingData="breaching",
            ActionsEnabled=False,
        )

        def shown():
            (alarm,) = client.describe_alarms(AlarmNames=["tap-watch-silent"])["MetricAlarms"]
            return alarm["ActionsEnabled"], alarm["StateValue"]

        account.clock.sleep(3600)
        assert shown() == (False, "ALARM")
        client.enable_alarm_actions(AlarmNames=["tap-watch-silent", "no such alarm"])
        assert shown() == (True, "ALARM")
        client.put_metric_data(Namespace="Tap", MetricData=[{"MetricName": "WatchJudged", "Value": 1.0}])
        account.clock.sleep(600)
        assert shown() == (True, "OK")
        client.disable_alarm_actions(AlarmNames=["tap-watch-silent"])
        assert shown() == (False, "OK")
