"""The details of a Modify in a change set (API_ResourceChangeDetail, API_ResourceTargetDefinition)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from cloudformation.template import Json
from emulator.services.cloudformation.schemas import PERHAPS_REPLACING, REPLACING

AFTER_APPLY = "{{changeSet:KNOWN_AFTER_APPLY}}"


def static(name: str, before: Json, after: Json, source: str) -> dict[str, Any]:
    """A property whose new value is known; `source` is the origin of its value before."""
    target: dict[str, Any] = {
        "Attribute": "Properties",
        "Name": name,
        "Path": f"/Properties/{name}",
        "AttributeChangeType": "Add" if before is None else "Remove" if after is None else "Modify",
        "BeforeValueFrom": source,
        "AfterValueFrom": "TEMPLATE",
        "RequiresRecreation": "Never",
    }
    values = {"BeforeValue": before, "AfterValue": after}
    target |= {key: _text(value) for key, value in values.items() if value is not None}
    return {"Target": target, "Evaluation": "Static", "ChangeSource": "DirectModification"}


def dynamic(name: str, cause: str) -> dict[str, Any]:
    """A property whose new value is known only after the execution: the attribute `cause` of another resource."""
    target = {
        "Attribute": "Properties",
        "Name": name,
        "RequiresRecreation": "Conditionally",
        "AfterValue": AFTER_APPLY,
        "AttributeChangeType": "Modify",
    }
    return {"Target": target, "Evaluation": "Dynamic", "ChangeSource": "ResourceAttribute", "CausingEntity": cause}


def attributes(value: Json) -> set[tuple[str, str]]:
    """The pairs of `Fn::GetAtt` in a value."""
    match value:
        case {"Fn::GetAtt": [str(source), str(attribute)]}:
            return {(source, attribute)}
        case dict():
            return set().union(*map(attributes, value.values()))
        case list():
            return set().union(*map(attributes, value))
        case _:
            return set()


def _text(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def replacement(type_name: str, details: Sequence[Mapping[str, Any]]) -> str:
    """True, Conditional or False: the value of the change with the most impact."""
    names = {each["Target"]["Name"] for each in details}
    if names & REPLACING.get(type_name, frozenset()):
        return "True"
    return "Conditional" if names & PERHAPS_REPLACING.get(type_name, frozenset()) else "False"
