"""What CloudFormation remembers of each deployed stack: its template, its resources, its outputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from optimizer.observe.template import Json, Place, Unresolved


@dataclass(frozen=True)
class DeployedResource:
    """One resource of a stack: how it was declared (resolved), and what `Ref` and `Fn::GetAtt` give.

    `loaded` is false for a resource that the rehearsal leaves out; its id and attributes are made up.
    """

    logical_id: str
    type: str
    physical_id: str
    attributes: Mapping[str, Json]
    properties: Mapping[str, Json]
    loaded: bool
    since: datetime


@dataclass(frozen=True)
class DeployedStack:
    """One stack as last deployed. `exports` maps export names to values."""

    place: Place
    template: Mapping[str, Any]
    resources: Mapping[str, DeployedResource]
    outputs: Mapping[str, Json]
    exports: Mapping[str, Json]
    tags: Mapping[str, str]
    created: datetime
    updated: datetime | None = None


class StackStore:
    """Every deployed stack of the emulated accounts. One per account: `account.part(StackStore)`."""

    def __init__(self) -> None:
        self._stacks: dict[tuple[str, str, str], DeployedStack] = {}

    def record(self, stack: DeployedStack) -> None:
        """Keep what was deployed, in place of what was deployed there before."""
        self._stacks[stack.place.account, stack.place.region, stack.place.stack] = stack

    def find(self, place: Place) -> DeployedStack | None:
        """The stack deployed at `place`; None when none is."""
        return self._stacks.get((place.account, place.region, place.stack))

    def of(self, account: str, region: str) -> Iterator[DeployedStack]:
        """The stacks of one account and Region, in the order of their first deployment."""
        return (stack for (a, r, _), stack in self._stacks.items() if (a, r) == (account, region))

    def export(self, account: str, region: str, name: str) -> Json:
        """The value exported under `name`; raises Unresolved when no stack exports it."""
        for stack in self.of(account, region):
            if name in stack.exports:
                return stack.exports[name]
        raise Unresolved(f"no stack in {account}/{region} exports {name}")

    def output(self, place: Place, name: str) -> Json:
        """A deployed stack's output; raises Unresolved when there is no such stack or output."""
        stack = self.find(place)
        if stack is None or name not in stack.outputs:
            raise Unresolved(f"stack {place.stack} in {place.region} has no output {name}")
        return stack.outputs[name]
