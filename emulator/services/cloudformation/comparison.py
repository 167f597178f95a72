"""Comparison of a resource's state with the properties that its template declares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Value = Any

# Keys that identify the elements of a list, so that their order does not count.
_KEYS = ("IndexName", "AttributeName", "Key", "Region", "DeviceName", "ResourceType", "LogType")
# AWS or the owner may add to these lists; and a key attribute of a deleted index has no effect.
_OPEN = {"Tags", "LoadBalancerAttributes", "BlockDeviceMappings", "TagSpecifications", "AttributeDefinitions"}


class Unknown:
    """A declared value that is not known before the update is executed."""


UNKNOWN = Unknown()


@dataclass(frozen=True)
class Contradiction:
    """A declared property whose actual value differs. `path` is for example `Replicas[us-east-1].TableClass`."""

    path: str
    declared: Value
    actual: Value

    @property
    def top(self) -> str:
        """The property of the resource that the path begins with."""
        return self.path.split(".")[0].split("[")[0]


@dataclass(frozen=True)
class StateComparison:
    """Contradictions, number of compared values, and the paths of values that no call shows."""

    contradictions: tuple[Contradiction, ...]
    compared: int
    unread: tuple[str, ...]


def compare(declared: Mapping[str, Value], actual: Mapping[str, Value], whole: Sequence[str] = ()) -> StateComparison:
    """Compare declared properties with the state. In the properties in `whole`, a value that is absent is unset."""
    steps = list(_walk("", declared, actual, frozenset(whole)))
    return StateComparison(
        tuple(each for each in steps if isinstance(each, Contradiction)),
        sum(not isinstance(each, str) for each in steps),
        tuple(each for each in steps if isinstance(each, str)),
    )


def _walk(
    path: str, declared: Value, actual: Value, whole: frozenset[str]
) -> Iterator[Contradiction | str | None]:  # a path: not read; None: agrees
    if declared is UNKNOWN:
        yield path
    elif isinstance(declared, Mapping) and isinstance(actual, Mapping):
        for name, value in declared.items():
            inner = f"{path}.{name}" if path else name
            if name in actual or (path and path.split(".")[0] in whole):
                yield from _walk(inner, value, actual.get(name), whole)
            else:
                yield inner
    elif (key := _key(declared)) and isinstance(actual, list):
        yield from _elements(path, key, declared, actual, whole)
    elif _plain(path, declared) == _plain(path, actual) or _serves(path, declared, actual):
        yield None
    else:
        yield Contradiction(path, declared, actual)


def _elements(
    path: str, key: str, declared: list[Any], actual: list[Any], whole: frozenset[str]
) -> Iterator[Contradiction | str | None]:
    wanted = {each[key]: each for each in declared}
    there = {each.get(key): each for each in actual}
    missing, more = sorted(set(wanted) - set(there)), sorted(set(there) - set(wanted))
    if missing or (more and path.rsplit(".", 1)[-1] not in _OPEN):
        yield Contradiction(path, sorted(wanted), sorted(there))
    else:
        yield None
    for name in wanted.keys() & there.keys():
        yield from _walk(f"{path}[{name}]", wanted[name], there[name], whole)


def _key(declared: Value) -> str | None:
    if not isinstance(declared, list) or not declared or not all(isinstance(each, Mapping) for each in declared):
        return None
    return next((key for key in _KEYS if all(key in each for each in declared)), None)


def _plain(path: str, value: Value) -> Value:
    """The value without differences of notation: templates write numbers as strings, and identifiers in any order."""
    if isinstance(value, list):
        return sorted(str(_plain(path, each)) for each in value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return f"{value:g}"
    return value


def _serves(path: str, declared: Value, actual: Value) -> bool:
    """Whether a version satisfies a declared one, which may be shorter: 7.1.0 satisfies 7.1."""
    return path.endswith("EngineVersion") and f"{actual}.".startswith(f"{declared}.")
