"""Checks of an answer against the shape in botocore's model, so that the overlay answers nothing that AWS could not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from botocore.model import Shape

from emulator.core.answer_values import Moments

_SCALARS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "character": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "float": (float, int),
    "double": (float, int),
    "timestamp": (datetime,),
    "blob": (bytes, str),
}


class ImpossibleAnswer(AssertionError):
    """An answer of the overlay that AWS's own model does not allow: a fault of the overlay."""


def check(operation: str, shape: Shape | None, answer: Mapping[str, Any]) -> None:
    """Raises ImpossibleAnswer, naming the wrong members."""
    faults = list(_faults(shape, answer, "")) if shape is not None else [f"{key}: not a member" for key in answer]
    if faults:
        raise ImpossibleAnswer(f"the answer of {operation} is not AWS's: " + "; ".join(faults[:5]))


def _faults(shape: Shape, value: Any, path: str) -> Iterator[str]:
    match shape.type_name:
        case "structure":
            yield from _structure_faults(shape, value, path)
        case "list":
            yield from _list_faults(shape, value, path)
        case "map":
            if not isinstance(value, Mapping):
                yield f"{path}: {type(value).__name__}, not a map"
                return
            for key, each in value.items():
                yield from _faults(shape.value, each, f"{path}.{key}")  # type: ignore[attr-defined]
        case kind:
            yield from _scalar_faults(shape, kind, value, path)


def _structure_faults(shape: Shape, value: Any, path: str) -> Iterator[str]:
    if not isinstance(value, Mapping):
        yield f"{path}: {type(value).__name__}, not a structure"
        return
    members: Mapping[str, Shape] = shape.members  # type: ignore[attr-defined]
    for name in shape.metadata.get("required", ()):
        if value.get(name) is None:
            yield f"{path}.{name}: required and missing"
    for name, each in value.items():
        if name not in members:
            yield f"{path}.{name}: not a member"
        elif each is not None:
            yield from _faults(members[name], each, f"{path}.{name}")


def _list_faults(shape: Shape, value: Any, path: str) -> Iterator[str]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        yield f"{path}: {type(value).__name__}, not a list"
        return
    member: Shape = shape.member  # type: ignore[attr-defined]
    allowed = _SCALARS.get(member.type_name)
    if allowed and not getattr(member, "enum", None):
        # A page holds up to 100,800 datapoints: check the types that occur, not each value.
        for kind in {datetime} if isinstance(value, Moments) else set(map(type, value)):
            if not issubclass(kind, allowed):
                yield f"{path}[]: {kind.__name__}, not a {member.type_name}"
        return
    for index, each in enumerate(value):
        yield from _faults(member, each, f"{path}[{index}]")


def _scalar_faults(shape: Shape, kind: str, value: Any, path: str) -> Iterator[str]:
    if not isinstance(value, _SCALARS[kind]) or (isinstance(value, bool) and kind != "boolean"):
        yield f"{path}: {type(value).__name__}, not a {kind}"
    elif getattr(shape, "enum", None) and value not in shape.enum:  # type: ignore[attr-defined]
        yield f"{path}: {value!r} is none of {', '.join(sorted(shape.enum)[:6])}"  # type: ignore[attr-defined]
