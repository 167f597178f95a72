"""Differences between the synthesized templates and the account, property by property.

CloudFormation compares templates with templates; this compares templates with describe calls, so
that it sees what was changed by hand and what the optimizer changed without the code following.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cloudformation.assembly import Stack
from cloudformation.template import Place, Resolver, Unresolved
from optimizer.model.resource import Excluded, Governed, Kind
from optimizer.observe.inventory import take_inventory
from optimizer.ports.aws import Aws
from optimizer.reconcile.deployed import DeployedReferences
from optimizer.resources.actual_state import Actual, Comparable, Observed
from optimizer.resources.registry import compared_types

# What makes an element of a list itself, so that order does not count and a missing one has a name.
_IDENTITIES = ("IndexName", "AttributeName", "Key", "Region", "DeviceName", "ResourceType", "LogType")
# Lists that AWS or tenants may add to without contradicting the template
# (a key attribute that is the key of no index any more means nothing, whether or not it is still shown).
_OPEN_LISTS = ("Tags", "LoadBalancerAttributes", "BlockDeviceMappings", "TagSpecifications", "AttributeDefinitions")
# A declared version may be shorter than the one AWS shows: 7.1 is served as 7.1.0.
_PREFIXES = ("EngineVersion",)
_ELEMENT = re.compile(r"\[[^\]]*\]")


@dataclass(frozen=True)
class Difference:
    """One declared property that the account contradicts. `name` is the resource's physical name."""

    stack: str
    logical_id: str
    name: str
    property: str
    declared: Any
    actual: Any

    def __str__(self) -> str:
        return f"{self.stack} {self.name}: {self.property} is {self.actual!r}, the code says {self.declared!r}"


@dataclass(frozen=True)
class DriftReport:
    """The outcome of a comparison. `not_compared` maps "Type.Property" to the reason."""

    differences: tuple[Difference, ...]
    compared: int
    not_compared: Mapping[str, str]


@dataclass
class _Comparison:
    """A comparison under way, of one resource after the other."""

    found: list[Difference] = field(default_factory=list)
    compared: int = 0
    not_compared: dict[str, str] = field(default_factory=dict)


def differences(stacks: Sequence[Stack], aws_for_region: Callable[[str], Aws]) -> DriftReport:
    """Compare what the stacks declare of the governed types with what is there.

    Raises what the describe calls raise: an account that cannot be read is not an account that agrees.
    """
    comparison = _Comparison()
    named: dict[str, set[tuple[str, str]]] = {}
    observed = {stack.region: Observed(aws_for_region(stack.region)) for stack in stacks}
    for stack in stacks:
        names = named.setdefault(stack.region, set())
        for resource in _resources(stack, observed[stack.region]):
            names.add((resource.type, resource.name))
            _compare_resource(comparison, resource, observed[stack.region])
    for region, here in observed.items():
        _find_undeclared(comparison, here.aws, named.get(region, set()))
    return DriftReport(tuple(comparison.found), comparison.compared, dict(sorted(comparison.not_compared.items())))


@dataclass(frozen=True)
class _Resource:
    """One governed resource as declared; `properties` still hold intrinsics."""

    stack: str
    logical_id: str
    type: str
    name: str
    properties: Mapping[str, Any]
    resolver: Resolver


def _resources(stack: Stack, observed: Observed) -> Iterator[_Resource]:
    place = Place(stack.account, stack.region, stack.name)
    resolver = Resolver(stack.template, place, DeployedReferences(observed.aws, place, stack.template))
    for logical_id, body in stack.template.get("Resources", {}).items():
        if (comparable := compared_types().get(body["Type"])) is None:
            continue
        if "Condition" in body and not resolver.condition(body["Condition"]):
            continue
        properties = {**comparable.unless_declared, **body.get("Properties", {})}
        name = _physical_name(comparable, logical_id, properties, resolver)
        yield _Resource(stack.name, logical_id, body["Type"], name, properties, resolver)


def _physical_name(comparable: Comparable, logical_id: str, properties: Mapping[str, Any], resolver: Resolver) -> str:
    """The fixed name, else the one that CloudFormation gave; empty when the resource was never deployed."""
    try:
        if comparable.name is not None and comparable.name in properties:
            return str(resolver.resolve(properties[comparable.name]))
        return str(resolver.lookup.ref(logical_id))
    except Unresolved:
        return ""


def _compare_resource(comparison: _Comparison, resource: _Resource, observed: Observed) -> None:
    actual = compared_types()[resource.type].read(observed, resource.name) if resource.name else None
    if actual is None:
        comparison.compared += 1
        comparison.found.append(_difference(resource, "(resource)", "exists", "absent"))
        return
    for name, declared in resource.properties.items():
        if name == "DesiredCapacity":
            continue
        _compare(comparison, resource, name, declared, actual)
    if "DesiredCapacity" in actual:
        _compare_capacity(comparison, resource, actual)


def _compare_capacity(comparison: _Comparison, resource: _Resource, actual: Actual) -> None:
    """Scaling moves the desired capacity: it agrees with the template anywhere between the declared limits."""
    low, high = (int(resource.resolver.resolve(resource.properties[name])) for name in ("MinSize", "MaxSize"))
    comparison.compared += 1
    if not low <= actual["DesiredCapacity"] <= high:
        comparison.found.append(_difference(resource, "DesiredCapacity", f"{low} to {high}", actual["DesiredCapacity"]))


def _compare(comparison: _Comparison, resource: _Resource, path: str, declared: Any, actual: Mapping[str, Any]) -> None:
    """Compare one property, at `path` from the top, with its place in `actual`, the mapping that holds it."""
    general = _ELEMENT.sub("", path)  # as the tables name it: Replicas.Tags for Replicas[us-east-1].Tags
    excuse = compared_types()[resource.type].not_compared.get(general)
    name = path.rsplit(".", 1)[-1]
    if excuse is None and name not in actual:
        if general.startswith(compared_types()[resource.type].complete):
            return _compare_values(comparison, resource, path, declared, None)
        excuse = "the describe call does not show it"
    if excuse is None and _is_intrinsic(declared):
        try:
            declared = resource.resolver.resolve(declared)
        except Unresolved as unknown:
            excuse = str(unknown)
    if excuse is not None:
        comparison.not_compared[f"{resource.type}.{general}"] = excuse
        return None
    there = actual[name]
    if isinstance(declared, Mapping) and isinstance(there, Mapping):
        for key, value in declared.items():
            _compare(comparison, resource, f"{path}.{key}", value, there)
        return None
    if isinstance(declared, list) and _identity(declared) and isinstance(there, list):
        return _compare_lists(comparison, resource, path, declared, there)
    return _compare_values(comparison, resource, path, declared, there)


def _compare_lists(
    comparison: _Comparison, resource: _Resource, path: str, declared: list[Any], actual: list[Any]
) -> None:
    """Lists of things that have a name: element by element, whatever the order."""
    identity = _identity(declared)
    present = {each.get(identity): each for each in actual}
    wanted = {resource.resolver.resolve(each[identity]): each for each in declared}
    comparison.compared += 1
    is_open = path.rsplit(".", 1)[-1] in _OPEN_LISTS
    if missing := sorted(set(wanted) - set(present)):
        comparison.found.append(_difference(resource, path, f"with {', '.join(missing)}", "without"))
    if not is_open and (extra := sorted(set(present) - set(wanted))):
        comparison.found.append(_difference(resource, path, "without", f"with {', '.join(extra)}"))
    for key in wanted.keys() & present.keys():
        for name, value in wanted[key].items():
            _compare(comparison, resource, f"{path}[{key}].{name}", value, present[key])


def _compare_values(comparison: _Comparison, resource: _Resource, path: str, declared: Any, actual: Any) -> None:
    try:
        declared = resource.resolver.resolve(declared)
    except Unresolved as unknown:
        comparison.not_compared[f"{resource.type}.{_ELEMENT.sub('', path)}"] = str(unknown)
        return
    comparison.compared += 1
    if not _agree(path.rsplit(".", 1)[-1], declared, actual):
        comparison.found.append(_difference(resource, path, declared, actual))


def _agree(name: str, declared: Any, actual: Any) -> bool:
    if name in _PREFIXES:
        return f"{actual}.".startswith(f"{declared}.")
    return bool(_normal(declared) == _normal(actual))


def _normal(value: Any) -> Any:
    """Templates write numbers and booleans as strings at will, and lists of ids in any order."""
    if isinstance(value, list):
        return sorted(str(_normal(each)) for each in value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return f"{value:g}"
    return value


def _identity(elements: Sequence[Any]) -> str | None:
    """The key by which the elements of a list are distinguished; None for a list of plain values."""
    if not elements or not all(isinstance(each, Mapping) for each in elements):
        return None
    return next((key for key in _IDENTITIES if all(key in each for each in elements)), None)


def _is_intrinsic(value: Any) -> bool:
    return isinstance(value, Mapping) and len(value) == 1 and next(iter(value)).startswith(("Ref", "Fn::"))


def _difference(resource: _Resource, path: str, declared: Any, actual: Any) -> Difference:
    return Difference(resource.stack, resource.logical_id, resource.name, path, declared, actual)


def _find_undeclared(comparison: _Comparison, aws: Aws, named: set[tuple[str, str]]) -> None:
    """Resources that carry the governed tag and are in no template, such as an instance the code forgot."""
    inventory = take_inventory(aws, [aws.region])
    everything: list[Governed | Excluded] = [*inventory.governed, *inventory.excluded]
    for each in everything:
        if each.kind is Kind.GLOBAL_DATABASE:
            continue  # shows in every Region of its members, is declared in one
        comparison.compared += 1
        if (each.kind.value, each.name) not in named:
            comparison.found.append(Difference("-", "-", each.name, "(resource)", "absent", f"exists in {each.region}"))
