"""Deployed EventBridge rules, enabled and disabled by a call, independently of their template."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from emulator.core.errors import AwsError
from emulator.core.registry import Answer, emulates
from emulator.services.cloudformation.stacks import DeployedResource, StackStore

if TYPE_CHECKING:
    from emulator.core.call_record import Call
    from emulator.core.port import Account

RULE = "AWS::Events::Rule"
_API = "https://docs.aws.amazon.com/eventbridge/latest/APIReference"
_RULE = "A rule that does not exist is not found; without a call, the state is that of the last deployment."


@dataclass
class RuleStates:
    """State of the rules that a call enabled or disabled, by account, Region and name: true for enabled."""

    switched: dict[tuple[str, str, str], bool] = field(default_factory=dict)

    def is_on(self, account: str, region: str, rule: DeployedResource) -> bool:
        """Whether a deployed rule is enabled now."""
        declared = bool(rule.properties.get("State", "ENABLED") == "ENABLED")
        return bool(self.switched.get((account, region, rule.physical_id), declared))


@emulates("events", "EnableRule", rule=_RULE, source=f"{_API}/API_EnableRule.html")
def enable_rule(account: Account, call: Call) -> Answer:
    return _switch(account, call, on=True)


@emulates("events", "DisableRule", rule=_RULE, source=f"{_API}/API_DisableRule.html")
def disable_rule(account: Account, call: Call) -> Answer:
    return _switch(account, call, on=False)


def _switch(account: Account, call: Call, *, on: bool) -> Answer:
    name = call.parameters["Name"]
    stacks = account.part(StackStore).of(call.account, call.region)
    if not any(each.type == RULE and each.physical_id == name for stack in stacks for each in stack.resources.values()):
        raise AwsError("ResourceNotFoundException", f"Rule {name} does not exist on EventBus default.")
    account.part(RuleStates).switched[call.account, call.region, name] = on
    return {}
