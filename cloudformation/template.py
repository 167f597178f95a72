"""CloudFormation's intrinsic functions, resolved: from a template to plain values.

Pure: values of a `Ref` to a resource, or of another stack's output, come from a `Lookup`, which
the caller backs by a deployment (the rehearsal) or by `describe_stack_resources` (production).
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

Json = Any  # a template's value: str, int, float, bool, None, list or dict of these
Template = Mapping[str, Json]

_VARIABLE = re.compile(r"\$\{(!?)([^}]+)\}")


class Unresolved(ValueError):
    """A value that is not known here; the message names the reference and the reason."""


class Lookup(Protocol):
    """Values from outside the template. Each method raises Unresolved for an unknown one."""

    def ref(self, logical_id: str) -> Json:
        """Value of `Ref` for a resource."""

    def attribute(self, logical_id: str, name: str) -> Json:
        """Value of `Fn::GetAtt` for a resource."""

    def export(self, name: str) -> Json:
        """The value that a stack of this account and Region exports under `name`."""

    def output(self, stack: str, region: str, name: str) -> Json:
        """The output `name` of a stack, in any Region of this account."""

    def zones(self, region: str) -> Sequence[str]:
        """The names of the Region's Availability Zones."""


@dataclass(frozen=True)
class Place:
    """A stack's account, Region and name: the source of the pseudo parameters."""

    account: str
    region: str
    stack: str

    @property
    def stack_id(self) -> str:
        # CloudFormation draws a UUID; one made from the name keeps rehearsals reproducible.
        digest = hashlib.sha256(f"{self.account}/{self.region}/{self.stack}".encode()).hexdigest()
        unique = f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:32]}"
        return f"arn:{self.partition}:cloudformation:{self.region}:{self.account}:stack/{self.stack}/{unique}"

    @property
    def partition(self) -> str:
        if self.region.startswith("cn-"):
            return "aws-cn"
        return "aws-us-gov" if self.region.startswith("us-gov-") else "aws"

    def pseudo_parameter(self, name: str) -> str | None:
        """The value of a pseudo parameter; None if `name` is not one."""
        return {
            "AWS::AccountId": self.account,
            "AWS::Region": self.region,
            "AWS::Partition": self.partition,
            "AWS::StackName": self.stack,
            "AWS::StackId": self.stack_id,
            "AWS::URLSuffix": "amazonaws.com.cn" if self.partition == "aws-cn" else "amazonaws.com",
        }.get(name)


class _NoValue:
    """Marker of a value that AWS::NoValue removes."""


_NO_VALUE = _NoValue()


@dataclass(frozen=True)
class Resolver:
    """One template at one place. `parameters` override the template's defaults."""

    template: Template
    place: Place
    lookup: Lookup
    parameters: Mapping[str, Json] = field(default_factory=dict)

    def resolve(self, value: Json) -> Json:
        """`value` with every intrinsic function replaced; AWS::NoValue is left out.

        Raises Unresolved for a reference that the lookup does not know, or an unsupported function.
        """
        expanded = self.expand(value)
        return None if expanded is _NO_VALUE else expanded

    def condition(self, name: str) -> bool:
        """Whether the template's condition `name` holds."""
        conditions = self.template.get("Conditions", {})
        if name not in conditions:
            raise Unresolved(f"the template has no condition {name}")
        return self.holds(conditions[name])

    def holds(self, value: Json) -> bool:
        """The truth of a condition function's argument."""
        return str(self.expand(value)).casefold() == "true"

    def expand(self, value: Json) -> Json:
        """Like `resolve`, except that AWS::NoValue at the top is kept for the enclosing value to leave out."""
        if isinstance(value, Mapping):
            if len(value) == 1:
                name, argument = next(iter(value.items()))
                if name == "Ref":
                    return self.ref(argument)
                if (
                    name == "Condition"
                    and isinstance(argument, str)
                    and argument in self.template.get("Conditions", {})
                ):
                    return self.condition(argument)
                if name.startswith("Fn::"):
                    if name not in _FUNCTIONS:
                        raise Unresolved(f"{name} is not resolved here")
                    return _FUNCTIONS[name](self, argument)
            resolved = {key: self.expand(item) for key, item in value.items()}
            return {key: item for key, item in resolved.items() if item is not _NO_VALUE}
        if isinstance(value, list):
            return [item for item in map(self.expand, value) if item is not _NO_VALUE]
        return value

    def ref(self, name: str) -> Json:
        """Value of `Ref`: a pseudo parameter, a parameter, or a resource's id."""
        if name == "AWS::NoValue":
            return _NO_VALUE
        if (pseudo := self.place.pseudo_parameter(name)) is not None:
            return pseudo
        if name in self.parameters:
            return self.parameters[name]
        if name in self.template.get("Parameters", {}):
            return self._parameter_default(name)
        return self.lookup.ref(name)

    def _parameter_default(self, name: str) -> Json:
        parameter = self.template["Parameters"][name]
        if "Default" not in parameter:
            raise Unresolved(f"parameter {name} has no value and no default")
        if str(parameter.get("Type", "")).startswith("AWS::SSM::Parameter::Value"):
            raise Unresolved(f"parameter {name} is read from SSM by CloudFormation at deployment")
        return parameter["Default"]


def _attribute(resolver: Resolver, argument: Json) -> Json:
    logical_id, name = argument.split(".", 1) if isinstance(argument, str) else argument
    return resolver.lookup.attribute(logical_id, resolver.resolve(name))


def _substitute(resolver: Resolver, argument: Json) -> str:
    text, variables = (argument, {}) if isinstance(argument, str) else argument

    def value(match: re.Match[str]) -> str:
        literal, name = match.groups()
        if literal:
            return "${" + name + "}"
        if name in variables:
            return str(resolver.resolve(variables[name]))
        return str(_attribute(resolver, name) if "." in name else resolver.ref(name))

    return _VARIABLE.sub(value, text)


def _join(resolver: Resolver, argument: Json) -> str:
    delimiter, parts = argument
    return str(delimiter).join(str(part) for part in resolver.resolve(parts))


def _select(resolver: Resolver, argument: Json) -> Json:
    position, items = int(resolver.resolve(argument[0])), resolver.resolve(argument[1])
    if not 0 <= position < len(items):
        raise Unresolved(f"Fn::Select {position} of a list of {len(items)}")
    return items[position]


def _split(resolver: Resolver, argument: Json) -> list[str]:
    delimiter, text = argument
    return str(resolver.resolve(text)).split(delimiter)


def _zones(resolver: Resolver, argument: Json) -> list[str]:
    return list(resolver.lookup.zones(resolver.resolve(argument) or resolver.place.region))


def _find_in_map(resolver: Resolver, argument: Json) -> Json:
    name, first, second = (resolver.resolve(part) for part in argument)
    try:
        return resolver.resolve(resolver.template["Mappings"][name][first][second])
    except KeyError as missing:
        raise Unresolved(f"Fn::FindInMap {name}.{first}.{second}: no key {missing}") from missing


def _if(resolver: Resolver, argument: Json) -> Json:
    name, then, otherwise = argument
    return resolver.expand(then if resolver.condition(name) else otherwise)


def _stack_output(resolver: Resolver, argument: Json) -> Json:
    stack = resolver.resolve(argument["StackName"])
    region = resolver.resolve(argument.get("Region", resolver.place.region))
    return resolver.lookup.output(stack, region, resolver.resolve(argument["OutputName"]))


_FUNCTIONS: Mapping[str, Callable[[Resolver, Json], Json]] = {
    "Fn::GetAtt": _attribute,
    "Fn::Sub": _substitute,
    "Fn::Join": _join,
    "Fn::Select": _select,
    "Fn::Split": _split,
    "Fn::GetAZs": _zones,
    "Fn::FindInMap": _find_in_map,
    "Fn::If": _if,
    "Fn::ImportValue": lambda resolver, argument: resolver.lookup.export(resolver.resolve(argument)),
    "Fn::GetStackOutput": _stack_output,
    "Fn::Base64": lambda resolver, argument: base64.b64encode(str(resolver.resolve(argument)).encode()).decode(),
    "Fn::Equals": lambda resolver, argument: resolver.resolve(argument[0]) == resolver.resolve(argument[1]),
    "Fn::And": lambda resolver, argument: all(map(resolver.holds, argument)),
    "Fn::Or": lambda resolver, argument: any(map(resolver.holds, argument)),
    "Fn::Not": lambda resolver, argument: not resolver.holds(argument[0]),
    "Fn::ToJsonString": lambda resolver, argument: json.dumps(resolver.resolve(argument)),
    "Fn::Length": lambda resolver, argument: len(resolver.resolve(argument)),
}


def references(value: Json) -> frozenset[str]:
    """The names that `value` refers to by Ref, Fn::GetAtt and Fn::Sub: logical ids and parameters."""
    if isinstance(value, list):
        return frozenset().union(*map(references, value))
    if not isinstance(value, Mapping):
        return frozenset()
    names: frozenset[str] = frozenset()
    for key, item in value.items():
        if key == "Ref" and isinstance(item, str):
            names |= {item}
        elif key == "Fn::GetAtt":
            names |= {item.split(".", 1)[0] if isinstance(item, str) else item[0]}
        else:
            names |= references(item)
            if key == "Fn::Sub":
                text = item if isinstance(item, str) else item[0]
                names |= {match[2].split(".", 1)[0] for match in _VARIABLE.finditer(text) if not match[1]}
    return names


def same_template(one: Template | None, other: Template | None) -> bool:
    """Whether two templates are equal, except for their own Metadata.

    CloudFormation does not update that section by itself ("You can update it only when you include
    changes that add, modify, or delete resources": User Guide, Metadata section), so a stack keeps the
    sizing revision of its last real change.
    """

    def said(template: Template | None) -> Template | None:
        return template and {name: part for name, part in template.items() if name != "Metadata"}

    return said(one) == said(other)
