"""False drift: open faults of CloudFormation that report drift without a difference, each with a switch.

One is always on, because it follows from the template: a drift-aware change set does not know a value from another
stack
(https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/2559). A scenario or a test switches the
others on, by stack, type and property; among those reported are a target group's attributes (issue 458) and a
security group's rules, inline and separate (issue 1198).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cloudformation.template import Json


@dataclass
class FalseDrift:
    """The switches of one account: properties by the stack and the type whose resources show them as changed."""

    switched: dict[tuple[str, str], set[str]] = field(default_factory=dict)

    def switch_on(self, stack: str, type_name: str, property_name: str) -> None:
        """Let CloudFormation report this property as drifted on the stack's resources of this type."""
        self.switched.setdefault((stack, type_name), set()).add(property_name)

    def properties(self, stack: str, type_name: str) -> set[str]:
        """The properties that are switched on for a stack and type."""
        return self.switched.get((stack, type_name), set())


def from_other_stacks(properties: Mapping[str, Json]) -> set[str]:
    """The properties that contain a value of another stack, by `Fn::GetStackOutput`, at any depth."""
    return {name for name, value in properties.items() if _imports(value)}


def _imports(value: Json) -> bool:
    match value:
        case {"Fn::GetStackOutput": _}:
            return True
        case dict():
            return any(map(_imports, value.values()))
        case list():
            return any(map(_imports, value))
        case _:
            return False
