"""Requests and answers as Python values, equal to those after a transfer over HTTP: no text is written or parsed.

Changes that a protocol makes are kept: JSON answers carry milliseconds, those of EC2 seconds; XML drops
empty structures from lists; members that are None are never sent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum
from functools import partial
from typing import Any, overload

import numpy as np
from botocore.utils import parse_to_aware_datetime
from moto.core.serialize import AttributePickerContext, XFormedAttributePicker
from moto.core.utils import get_value
from numpy.typing import NDArray

Convert = Callable[[Any], Any]
Transformers = Mapping[str, Convert]
"""moto's changes of members before it sends them, by the end of the member's path."""

_MISSING = object()
_UNSENT = object()


def received(shape: Any, value: Mapping[str, Any], protocol: str) -> dict[str, Any]:
    """A request's parameters as the service receives them: copies, timestamps aware and in UTC."""
    if shape is None:
        return {}
    return {name: each for name, each in _members(shape, value, protocol) if each is not _UNSENT}


def _members(shape: Any, value: Mapping[str, Any], protocol: str) -> list[tuple[str, Any]]:
    members = shape.members
    return [(name, _received(members[name], each, protocol)) for name, each in value.items() if each is not None]


def _received(shape: Any, value: Any, protocol: str) -> Any:
    match shape.type_name:
        case "string" | "boolean":
            return value
        case "structure":
            if shape.is_document_type:
                return value
            found = received(shape, value, protocol)
            return found if found or protocol == "json" else _UNSENT
        case "list":
            items = [_received(shape.member, each, protocol) for each in value]
            return items if items or protocol != "ec2" else _UNSENT
        case "map":
            pairs = {key: _received(shape.value, each, protocol) for key, each in value.items()}
            return pairs if pairs or protocol == "json" else _UNSENT
        case "integer" | "long":
            return int(value)
        case "float" | "double":
            return float(value)
        case "timestamp":
            return _received_time(shape, value)
        case "blob":
            return _bytes(value)
    return value


def _received_time(shape: Any, value: Any) -> datetime:
    moment: datetime = parse_to_aware_datetime(value).astimezone(UTC)
    return moment.replace(microsecond=0) if shape.serialization.get("timestampFormat") == "rfc822" else moment


def _bytes(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode()
    return bytes(value.read() if hasattr(value, "read") else value)


def unaware(value: Any, map_type: Callable[[], Any]) -> Any:
    """A request as moto's own operations expect it: timestamps without a time zone, in mappings of `map_type`."""
    if isinstance(value, dict):
        mapping = map_type()
        for key, each in value.items():
            mapping[key] = unaware(each, map_type)
        return mapping
    if isinstance(value, list):
        return [unaware(each, map_type) for each in value]
    return value.replace(tzinfo=None) if isinstance(value, datetime) else value


class Moments(Sequence[datetime]):
    """The timestamps of a large answer, as Unix seconds: a page of CloudWatch holds up to 100,800."""

    def __init__(self, seconds: NDArray[np.int64]) -> None:
        self.seconds = seconds

    def __len__(self) -> int:
        return len(self.seconds)

    @overload
    def __getitem__(self, place: int) -> datetime: ...
    @overload
    def __getitem__(self, place: slice) -> Moments: ...
    def __getitem__(self, place: int | slice) -> datetime | Moments:
        if isinstance(place, slice):
            return Moments(self.seconds[place])
        return datetime.fromtimestamp(int(self.seconds[place]), UTC)

    @property
    def as_json(self) -> list[float]:
        """The timestamps in JSON's form."""
        found: list[float] = self.seconds.astype(float).tolist()
        return found


class Answers:
    """The answers of one operation, from the results of emulated operations: mappings, and moto's own objects.

    `timestamp` converts a timestamp to the client's form: a datetime, or the form of the protocol.
    """

    def __init__(
        self, operation: Any, protocol: str, transformers: Transformers, timestamp: Convert | None = None
    ) -> None:
        self._json = protocol == "json"
        self._transformers = transformers
        self._timestamp = timestamp or _PRECISION[protocol]
        shape = operation.output_shape
        self._read: Convert = dict if shape is None else self._structure(shape, f"{operation.name}.{shape.name}")

    def read(self, result: Any) -> dict[str, Any]:
        """The answer as boto3 would show it, without its metadata."""
        found: dict[str, Any] = self._read(result) if result is not None else {}
        return found

    def _of(self, shape: Any, path: str) -> Convert:
        """The conversion to values of `shape`; for a recursive shape it goes as deep as the values."""
        match shape.type_name:
            case "structure":
                made = _document if shape.is_document_type else _when_needed(partial(self._structure, shape, path))
                return _texts_first(made) if shape.name == "AttributeValue" and not self._transformers else made
            case "list":
                return self._list(shape, path)
            case "map":
                of_value = _when_needed(partial(self._of, shape.value, f"{path}.value"))
                return lambda value: {key: of_value(each) for key, each in value.items()}
            case "string":
                return _json_string if self._json else str
            case "boolean":
                return _document if self._json else _xml_boolean
            case "integer" | "long":
                return int
            case "float" | "double":
                return float
            case "timestamp":
                return lambda value: self._timestamp(_moment(value))
            case "blob":
                return _bytes
        return _document

    def _list(self, shape: Any, path: str) -> Convert:
        member = shape.member
        of_member = self._of(member, f"{path}.{member.name}")
        if self._json and member.type_name == "timestamp" and self._timestamp is unix_seconds:
            return lambda value: value.as_json if isinstance(value, Moments) else list(map(of_member, value))
        if self._json and member.type_name in ("float", "double"):
            return lambda value: list(map(float, value))
        if self._json:
            return lambda value: [None if each is None else of_member(each) for each in value]
        return lambda value: [found for each in value if each is not None and (found := of_member(each)) != {}]

    def _structure(self, shape: Any, path: str) -> Convert:
        members: list[tuple[str, Any, Convert, Convert | None]] = []
        for name, member in shape.members.items():
            member.parent = shape  # moto looks up names there
            place = f"{path}.{name}"
            of_member = _when_needed(partial(self._of, member, place))
            transform = next((do for ending, do in self._transformers.items() if place.endswith(ending)), None)
            members.append((name, member, of_member, transform))
        names: dict[type, list[tuple[str, ...]]] = {}
        by_key: dict[str, tuple[str, Convert]] = {}  # for mappings; empty if moto transforms a member
        plain = all(transform is None for *_, transform in members)

        def read(value: Any) -> dict[str, Any]:
            kind = type(value)
            if kind not in names:
                names[kind] = [_names(value, name, member) for name, member, _, _ in members]
                if kind is dict and plain:
                    for (name, _, of_member, _), possible in zip(members, names[kind], strict=True):
                        by_key.update(dict.fromkeys(possible, (name, of_member)))
            if kind is dict and plain and len(value) < len(members):  # an item's attribute has one of ten members
                seen = [(*by_key[key], each) for key, each in value.items() if key in by_key]
                if len({name for name, _, _ in seen}) == len(seen):
                    return {name: of_member(each) for name, of_member, each in seen if each is not None}
            found = {}
            for (name, _, of_member, transform), possible in zip(members, names[kind], strict=True):
                each = _first(value, possible)
                if transform is not None:
                    each = transform(each)
                if each is not None:
                    found[name] = of_member(each)
            return found

        return read


def _names(value: Any, name: str, member: Any) -> tuple[str, ...]:
    """The names under which moto looks up a member in a value of this type."""
    return tuple(dict.fromkeys(_PICKER.get_possible_keys(AttributePickerContext(obj=value, key=name, shape=member))))


_PICKER = XFormedAttributePicker()


def _first(value: Any, names: Sequence[str]) -> Any:
    """A value's member under the first of its names that exists."""
    if type(value) is dict:
        for name in names:
            if name in value:
                return value[name]
        return None
    return next((found for name in names if (found := get_value(value, name, _MISSING)) is not _MISSING), None)


def _when_needed(make: Callable[[], Convert]) -> Convert:
    """A conversion that is made at its first use."""
    made: list[Convert] = []

    def convert(value: Any) -> Any:
        if not made:
            made.append(make())
        return made[0](value)

    return convert


def _texts_first(convert: Convert) -> Convert:
    """A conversion of items' attributes: most hold one text, or a number's."""

    def attribute(value: Any) -> Any:
        if type(value) is dict and len(value) == 1:
            ((kind, held),) = value.items()
            if kind in ("S", "N") and type(held) is str:
                return {kind: held}
        return convert(value)

    return attribute


def _document(value: Any) -> Any:
    return value


def _json_string(value: Any) -> Any:
    if isinstance(value, Enum):
        value = value.value
    return value if value is None or value == {} or value == [] else str(value)


def _xml_boolean(value: Any) -> bool:
    return value is True or str(value).lower() == "true"


def _moment(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    moment: datetime = parse_to_aware_datetime(value)
    return moment.astimezone(UTC)


def _exact(moment: datetime) -> datetime:
    return moment


def _milliseconds(moment: datetime) -> datetime:
    """A timestamp with JSON's precision: three digits after the point."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000) if moment.microsecond else moment


def _seconds(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)


_PRECISION: Mapping[str, Convert] = {"json": _milliseconds, "query": _exact, "ec2": _seconds}


def json_moments(value: datetime | Moments) -> float | list[float]:
    """One or many timestamps in JSON's form."""
    return value.as_json if isinstance(value, Moments) else unix_seconds(value)


def unix_seconds(moment: datetime) -> float:
    """A timestamp in JSON's form."""
    return _milliseconds(moment).timestamp()
