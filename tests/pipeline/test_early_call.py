"""An alarm's way from the production account to the watch: its rules, its buses, and the build that it starts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from domain.names import EXPECTED_P99_ALARM
from stages.telemetry import HEALTH_ALARMS

pytestmark = pytest.mark.xdist_group("pipeline")  # one synthesis for all of them


@pytest.fixture
def production(assembly: Path) -> dict[str, Any]:
    """The resources of the stack that the pipeline brings to production for itself."""
    (path,) = (assembly / "assembly-tap-pipeline-Production").glob("*Roles*.template.json")
    return dict(json.loads(path.read_text())["Resources"])


def of_type(resources: dict[str, Any], kind: str) -> list[Any]:
    return [each["Properties"] for each in resources.values() if each["Type"] == kind]


def test_the_bus_takes_events_of_the_production_account_alone(pipeline: Any) -> None:
    (policy,) = pipeline.of_type("AWS::Events::EventBusPolicy").values()
    statement = policy["Statement"]
    assert (statement["Effect"], statement["Action"]) == ("Allow", "events:PutEvents")
    assert ":iam::222222222222:root" in json.dumps(statement["Principal"])
    assert "*" not in json.dumps(statement["Principal"])


def test_production_hands_over_ringing_health_alarms_and_nothing_else(production: dict[str, Any]) -> None:
    (rule,) = of_type(production, "AWS::Events::Rule")
    assert rule["EventPattern"] == {
        "account": ["222222222222"],
        "source": ["aws.cloudwatch"],
        "detail-type": ["CloudWatch Alarm State Change"],
        "detail": {"alarmName": [*HEALTH_ALARMS, EXPECTED_P99_ALARM], "state": {"value": ["ALARM"]}},
    }
    (target,) = rule["Targets"]
    assert json.dumps(target["Arn"]).endswith(':events:us-east-1:111111111111:event-bus/tap-alarms"]]}')


def test_the_role_that_hands_over_may_put_events_there_and_no_more(production: dict[str, Any]) -> None:
    (rule,) = of_type(production, "AWS::Events::Rule")
    role = rule["Targets"][0]["RoleArn"]["Fn::GetAtt"][0]
    policies = [each for each in of_type(production, "AWS::IAM::Policy") if {"Ref": role} in each["Roles"]]
    statements = [each for policy in policies for each in policy["PolicyDocument"]["Statement"]]
    assert [each["Action"] for each in statements] == ["events:PutEvents"]
    assert statements[0]["Resource"] == rule["Targets"][0]["Arn"]


def test_what_arrives_starts_the_watch(pipeline: Any) -> None:
    rules = pipeline.of_type("AWS::Events::Rule").values()
    (rule,) = [each for each in rules if "aws.cloudwatch" in each.get("EventPattern", {}).get("source", ())]
    assert rule["EventBusName"] == {"Ref": next(iter(pipeline.of_type("AWS::Events::EventBus")))}
    watch = next(id for id, each in pipeline.of_type("AWS::CodeBuild::Project").items() if each["Name"] == "tap-watch")
    assert rule["Targets"][0]["Arn"] == {"Fn::GetAtt": [watch, "Arn"]}
    (told,) = json.loads(rule["Targets"][0]["Input"])["environmentVariablesOverride"]
    assert (told["name"], told["value"]) == ("TAP_LOOKS", "7")


def test_every_forwarded_alarm_exists_in_the_primary_region(assembly: Path) -> None:
    (path,) = (assembly / "assembly-tap-pipeline-Production").glob("*Primary*.template.json")
    alarms = of_type(json.loads(path.read_text())["Resources"], "AWS::CloudWatch::Alarm")
    names = {each["AlarmName"] for each in alarms}
    assert set(HEALTH_ALARMS) <= names
    assert EXPECTED_P99_ALARM not in names  # it stands in no template: nothing that is deployed is changed by it
