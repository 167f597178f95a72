"""CloudFormation's record of each deployed stack: its template, its resources, its outputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from cloudformation.template import Json, Place, Unresolved
from emulator.core.errors import AwsError

if TYPE_CHECKING:
    from emulator.core.call_record import Call
    from emulator.core.port import Account


@dataclass(frozen=True)
class DeployedResource:
    """One resource of a stack: its declaration (resolved), and its values of `Ref` and `Fn::GetAtt`.

    `loaded` is false for a resource that the rehearsal leaves out; its id and attributes are invented.
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


@dataclass
class Bootstrapped:
    """The buckets made by `cdk bootstrap`, as far as a stack named them."""

    buckets: set[str] = field(default_factory=set)


class StackStore:
    """Every deployed stack of the emulated accounts. One per account: `account.part(StackStore)`."""

    def __init__(self) -> None:
        self._stacks: dict[tuple[str, str, str], DeployedStack] = {}

    def record(self, stack: DeployedStack) -> None:
        """Store the stack, in place of the one deployed there before."""
        self._stacks[stack.place.account, stack.place.region, stack.place.stack] = stack

    def remove(self, place: Place) -> None:
        """Forget the stack at `place`, which was deleted."""
        del self._stacks[place.account, place.region, place.stack]

    def find(self, place: Place) -> DeployedStack | None:
        """The stack deployed at `place`; None if there is none."""
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


@dataclass
class StackEvents:
    """Updates by change set: the end of a current one, and the failure of the last one, if it failed."""

    busy: dict[Place, datetime] = field(default_factory=dict)
    failures: dict[Place, tuple[str, datetime]] = field(default_factory=dict)
    forced: dict[Place, tuple[str, str]] = field(default_factory=dict)  # a status that a test or a scenario sets

    def begin(self, place: Place, until: datetime) -> None:
        """Record an update that runs until then."""
        self.busy[place] = until
        self.failures.pop(place, None)

    def force(self, account: str, region: str, stack: str, status: str, reason: str) -> None:
        """Set a status that no change set here leads to."""
        self.forced[Place(account, region, stack)] = status, reason

    def fail(self, place: Place, reason: str, at: datetime) -> None:
        """Record a failed update, which is rolled back."""
        self.failures[place] = reason, at

    def failure(self, place: Place) -> tuple[str, datetime] | None:
        return self.failures.get(place)

    def status(self, stack: DeployedStack, now: datetime) -> tuple[str, str | None]:
        """The stack's status, and its reason where there is one."""
        place = stack.place
        if place in self.forced:
            return self.forced[place]
        failed = place in self.failures
        if place in self.busy and now < self.busy[place]:
            return ("UPDATE_ROLLBACK_IN_PROGRESS" if failed else "UPDATE_IN_PROGRESS"), None
        if failed:
            return "UPDATE_ROLLBACK_COMPLETE", self.failures[place][0]
        return ("UPDATE_COMPLETE" if stack.updated else "CREATE_COMPLETE"), None

    def updated(self, stack: DeployedStack) -> datetime | None:
        """Time at which the last update began; None if there was none."""
        return self.failures[stack.place][1] if stack.place in self.failures else stack.updated


def deployed(account: Account, place: Place, named: str = "") -> DeployedStack:
    """The stack deployed at `place`. Raises AwsError, with the name as the caller gave it, when there is none."""
    stack = account.part(StackStore).find(place)
    if stack is None:
        raise AwsError("ValidationError", f"Stack with id {named or place.stack} does not exist")
    return stack


def deployed_stack(account: Account, call: Call) -> DeployedStack:
    """The stack that the call names, by name or by id. Raises AwsError when there is none."""
    return deployed(account, place_of(call), str(call.parameters.get("StackName", "")))


def place_of(call: Call) -> Place:
    """The place of the stack that the call names, by name or by id."""
    given = str(call.parameters.get("StackName", ""))
    return Place(call.account, call.region, given.split("/")[1] if given.startswith("arn:") else given)
