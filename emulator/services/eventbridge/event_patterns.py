"""EventBridge rules that start a CodeBuild project on an event: matching, and the target's input."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from emulator.services.cloudwatch.alarms import StateChange
from emulator.services.codepipeline.execution import Gate

Event = Mapping[str, Any]

_PLACEHOLDER = re.compile(r'("?)<([^<>]+)>("?)')


@dataclass(frozen=True)
class Reaction:
    """One target of a rule with an event pattern: `paths` and `template` of its InputTransformer, or its Input."""

    pattern: Event
    project: str
    paths: Mapping[str, str]
    template: str

    def matches(self, event: Event) -> bool:
        """Whether the rule's pattern, of plain values, matches the event."""
        return matches(self.pattern, event)

    def is_to_alarms(self, project: str) -> bool:
        """Whether alarms start this project by it."""
        return self.project == project and "aws.cloudwatch" in self.pattern.get("source", ())

    @property
    def told(self) -> dict[str, str]:
        """The environment variables that a constant input gives to the build, whatever the event."""
        return self.overrides({})

    def overrides(self, event: Event) -> dict[str, str]:
        """The environment variables in the target's input to the build."""

        def value(match: re.Match[str]) -> str:
            return json.dumps(_at(event, self.paths[match[2]]))

        given = json.loads(_PLACEHOLDER.sub(value, self.template or "{}"))
        return {each["name"]: each["value"] for each in given.get("environmentVariablesOverride", ())}


def gate_failed(pipeline: str, execution: str, gate: Gate) -> Event:
    """The event of a rejected or expired approval (CodePipeline User Guide, "Monitoring CodePipeline events")."""
    return {
        "source": "aws.codepipeline",
        "detail-type": "CodePipeline Action Execution State Change",
        "detail": {
            "pipeline": pipeline,
            "execution-id": execution,
            "stage": gate.stage,
            "action": gate.action,
            "state": "FAILED",
            "type": {"owner": "AWS", "provider": "Manual", "category": "Approval", "version": "1"},
        },
    }


def alarm_changed(change: StateChange) -> Event:
    """The event of an alarm's new state (CloudWatch User Guide, "Alarm events and EventBridge")."""
    account, region = change.alarm.place
    at = change.at.isoformat(timespec="milliseconds").replace("+00:00", "+0000")
    return {
        "source": "aws.cloudwatch",
        "detail-type": "CloudWatch Alarm State Change",
        "account": account,
        "region": region,
        "time": f"{change.at:%Y-%m-%dT%H:%M:%SZ}",
        "resources": [change.alarm.arn],
        "detail": {
            "alarmName": change.alarm.name,
            "state": {"value": change.after.value, "reason": change.reason, "timestamp": at},
            "previousState": {"value": change.before.value},
            "configuration": {"metrics": [dict(each) for each in change.alarm.queries]},
        },
    }


def matches(pattern: Event, event: Any) -> bool:
    """Whether a pattern of plain values matches an event."""
    if not isinstance(event, Mapping):
        return False
    return all(
        matches(wanted, event.get(name)) if isinstance(wanted, Mapping) else event.get(name) in wanted
        for name, wanted in pattern.items()
    )


def _at(event: Event, path: str) -> Any:
    found: Any = event
    for name in path.removeprefix("$.").split("."):
        found = found[name]
    return found
