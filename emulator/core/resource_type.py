"""Input and output of a creator: a resource as declared, its place, and the created resource."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from cloudformation.template import Place
from emulator.core.port import Account

Properties = Mapping[str, Any]
EVERY_PROPERTY = frozenset({"*"})


class LoadRefused(Exception):
    """The template needs a feature that the loader does not have; the message names stack, resource and property."""


@dataclass(frozen=True)
class Site:
    """The place of a stack's resources."""

    account: Account
    place: Place

    def client(self, service: str, region: str = "") -> Any:
        """The client of `service`, in the stack's own Region by default."""
        return self.account.client(service, self.place.account, region or self.place.region)


@dataclass(frozen=True)
class Declared:
    """One resource of a template: its resolved properties, and the tags that CloudFormation would set on it."""

    logical_id: str
    type: str
    properties: Properties
    stack_tags: Mapping[str, str]
    place: Place
    update_policy: Properties = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        return self.properties[name]

    def get(self, name: str, default: Any = None) -> Any:
        return self.properties.get(name, default)

    def changed_since(self, before: Properties) -> frozenset[str]:
        """The names of the properties that differ from the last deployment, absent ones included."""
        return frozenset(name for name in {*self.properties, *before} if self.properties.get(name) != before.get(name))

    def without(self, *names: str) -> dict[str, Any]:
        """The properties without these: the API takes them in another shape or by another call."""
        return {name: value for name, value in self.properties.items() if name not in names}

    @cached_property
    def tags(self) -> dict[str, str]:
        """Stack tags and the resource's own, which take precedence; `Tags` may be a list or, for SSM, a map."""
        own = self.get("Tags", [])
        named = own if isinstance(own, Mapping) else {tag["Key"]: tag["Value"] for tag in own}
        return {**self.stack_tags, **named}

    @cached_property
    def tag_list(self) -> list[dict[str, str]]:
        return [{"Key": key, "Value": value} for key, value in self.tags.items()]

    def generated_name(self, limit: int = 64) -> str:
        """A name as CloudFormation generates it: stack, logical id, a unique part."""
        unique = hashlib.sha256(f"{self.place.stack_id}/{self.logical_id}".encode()).hexdigest()[:12]
        return f"{self.place.stack}-{self.logical_id}"[: limit - 13] + f"-{unique}"


@dataclass(frozen=True)
class Created:
    """A resource that exists, with the values of `Ref` and `Fn::GetAtt`."""

    id: str
    attributes: Mapping[str, Any] = field(default_factory=dict)


Create = Callable[[Site, Declared], Created]
Adopt = Callable[[Site, Declared], Created]  # takes over the existing resource of that name
Update = Callable[[Site, Declared, Created, Properties], Created]  # the last: its properties in the last deployment
Delete = Callable[[Site, str], None]  # by physical id


@dataclass(frozen=True)
class ResourceType:
    """Functions that create, update, delete and import one CloudFormation type.

    `updatable` names the properties that `update` can change.

    Without `delete`, a template that no longer declares the resource has to retain it; without `adopt`
    it cannot be imported.
    """

    create: Create
    update: Update | None = None
    updatable: frozenset[str] = frozenset()
    delete: Delete | None = None
    adopt: Adopt | None = None

    def cannot_change(self, changed: frozenset[str]) -> frozenset[str]:
        """The changed properties that the loader cannot change."""
        return frozenset() if self.updatable == EVERY_PROPERTY else changed - self.updatable


def request(client: Any, operation: str, properties: Properties, **more: Any) -> dict[str, Any]:
    """The parameters of `operation` from a resource's properties, in the API's spelling and types.

    CloudFormation's properties are the API's parameters for most types, except letter case and
    numbers written as strings. Properties that the operation does not take are dropped: other calls use them.
    """
    shape = client.meta.service_model.operation_model(operation).input_shape
    fitted = _fit(shape, properties)
    assert isinstance(fitted, dict)
    return {**fitted, **more}


def _fit(shape: Shape, value: Any) -> Any:
    if isinstance(shape, StructureShape):
        members = {name.casefold(): name for name in shape.members}
        known = {members[key.casefold()]: item for key, item in value.items() if key.casefold() in members}
        return {name: _fit(shape.members[name], item) for name, item in known.items()}
    if isinstance(shape, ListShape):
        return [_fit(shape.member, item) for item in value]
    if isinstance(shape, MapShape):
        return {key: _fit(shape.value, item) for key, item in value.items()}
    if shape.type_name in ("integer", "long"):
        return int(value)
    if shape.type_name in ("float", "double"):
        return float(value)
    if shape.type_name == "boolean":
        return str(value).casefold() == "true"
    if shape.type_name == "string":
        return str(value).lower() if isinstance(value, bool) else str(value)
    return value
