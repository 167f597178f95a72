"""EventBridge between the two accounts: the projects that an event of production starts, by the deployed rules.

A rule of the default bus sends the event to another account's bus, if the target's role may; that bus accepts it
if its policy names the account; a rule on that bus starts a project, if its target's role may.
EventBridge User Guide, "Sending and receiving events between AWS accounts" and "Permissions for event buses".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from emulator.core.policy_evaluation import statements
from emulator.iam_actions import Required
from emulator.services.cloudformation.stacks import DeployedResource, StackStore
from emulator.services.cloudwatch.alarms import AlarmStates, StateChange
from emulator.services.eventbridge.event_patterns import Event, alarm_changed, matches
from emulator.services.iam.authorization import may

if TYPE_CHECKING:
    from emulator.core.port import Account

RULE, BUS, POLICY = "AWS::Events::Rule", "AWS::Events::EventBus", "AWS::Events::EventBusPolicy"
PROJECT = "AWS::CodeBuild::Project"


def started_by(account: Account, event: Event, region: str) -> list[str]:
    """The names of the projects that an event of the production account starts in the tooling account."""
    targets = [
        target
        for rule in _deployed(account, account.production, region, RULE)
        if "EventBusName" not in rule.properties and matches(rule.properties.get("EventPattern", {}), event)
        for target in _targets(rule)
    ]
    return [
        name
        for bus in _deployed(account, account.tooling, region, BUS)
        if any(_reaches(account, region, target, bus) for target in targets)
        for rule in _deployed(account, account.tooling, region, RULE)
        if rule.properties.get("EventBusName") == bus.physical_id and matches(rule.properties["EventPattern"], event)
        for name in _projects(account, region, rule)
    ]


class Calls:
    """The alarms of production that started one project of the tooling account, from now on."""

    def __init__(self, account: Account, region: str, project: str) -> None:
        self._account, self._region, self._project = account, region, project
        self._heard: list[StateChange] = []
        account.part(AlarmStates).listen(account, self._heard.append)

    def since_last(self) -> tuple[str, ...]:
        """The names of the alarms since the last call."""
        heard = list(self._heard)
        self._heard.clear()
        return tuple(each.alarm.name for each in heard if self._project in self._starts(each))

    def _starts(self, change: StateChange) -> list[str]:
        return started_by(self._account, alarm_changed(change), self._region)


def _arn(account: Account, region: str, bus: DeployedResource) -> str:
    return f"arn:aws:events:{region}:{account.tooling}:event-bus/{bus.physical_id}"


def _reaches(account: Account, region: str, target: Mapping[str, Any], bus: DeployedResource) -> bool:
    """Whether the event arrives: the target names the bus, its role may put events, the bus's policy accepts them."""
    if target["Arn"] != _arn(account, region, bus):
        return False
    policy = [
        statement
        for each in _deployed(account, account.tooling, region, POLICY)
        if each.properties["EventBusName"] == bus.physical_id
        for statement in statements(json.dumps({"Statement": each.properties["Statement"]}))
    ]
    return may(account, target["RoleArn"], Required("events:PutEvents", target["Arn"]), region, policy)


def _projects(account: Account, region: str, rule: DeployedResource) -> Iterator[str]:
    arns = {
        str(each["Arn"])
        for each in _targets(rule)
        if may(account, each["RoleArn"], Required("codebuild:StartBuild", each["Arn"]), region)
    }
    for project in _deployed(account, account.tooling, region, PROJECT):
        if any(arn.endswith(f"/{project.physical_id}") for arn in arns):
            yield project.physical_id


def _targets(rule: DeployedResource) -> list[Any]:
    found: Any = rule.properties.get("Targets", [])
    return list(found)


def _deployed(account: Account, owner: str, region: str, kind: str) -> Iterator[Any]:
    for stack in account.part(StackStore).of(owner, region):
        yield from (each for each in stack.resources.values() if each.type == kind)
