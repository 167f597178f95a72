"""A resource that CloudFormation cannot read whole leaves its stack, retained, and is imported as it is: pure.

Both steps are harmless; only references have to be kept standing in between. What may be imported:
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/import-resources-automatically.html
(a static name of its own, and DeletionPolicy Retain or RetainExceptOnCreate).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from cloudformation.template import Json, Template
from optimizer.reconcile.harmless_changes import PREVIOUS, Refusal

# The types that were thought through, with the property that names them.
NAMED: Mapping[str, str] = {
    "AWS::DynamoDB::GlobalTable": "TableName",
    "AWS::ElastiCache::ReplicationGroup": "ReplicationGroupId",
}
RETAINED = ("Retain", "RetainExceptOnCreate")  # the second differs in a rolled back creation alone
SEEN = ("IN_SYNC", "MODIFIED")  # drift states of what was compared, as far as it can be read
_VARIABLE = re.compile(r"\$\{([^!}][^}]*)\}")

Known = Mapping[tuple[str, str], str]
"""What `Fn::GetAtt` gives, by logical id and attribute."""


def adoptable(harmful: Sequence[Refusal], deployed: Template, wanted: Template) -> bool:
    """Whether all that was refused is refused only because CloudFormation takes an old value for the actual one."""
    return all(_unread(each) and _stays(each, deployed) and _stays(each, wanted) for each in harmful)


def _unread(refusal: Refusal) -> bool:
    change = refusal.change
    blind = bool(change.real) and all(each.before_from == PREVIOUS for each in change.real)
    return change.action == "Modify" and change.replacement == "False" and change.drift in SEEN and blind


def _stays(refusal: Refusal, template: Template) -> bool:
    """Whether the template retains the resource, and names it so that it can be imported."""
    body = template["Resources"].get(refusal.change.logical_id, {})
    name = body.get("Properties", {}).get(NAMED.get(refusal.change.type, ""))
    return body.get("DeletionPolicy") in RETAINED and bool(name == refusal.change.physical_id)


def left(template: Template, leaving: Mapping[str, str], known: Known) -> Template:
    """The template without `leaving` (logical to physical ids); references to them become literal."""
    parts = {name: _literal(part, leaving, known) for name, part in template.items() if name != "Resources"}
    resources = {
        logical_id: _literal(_independent(body, leaving), leaving, known)
        for logical_id, body in template["Resources"].items()
        if logical_id not in leaving
    }
    return {**parts, "Resources": resources}


def _independent(body: Json, leaving: Mapping[str, str]) -> Json:
    """The resource, without DependsOn on what leaves."""
    depends = body.get("DependsOn", [])
    kept = [each for each in ([depends] if isinstance(depends, str) else depends) if each not in leaving]
    rest = {name: part for name, part in body.items() if name != "DependsOn"}
    return {**rest, "DependsOn": kept} if kept else rest


def _literal(value: Json, leaving: Mapping[str, str], known: Known) -> Json:
    match value:
        case {"Ref": str(logical_id)} if logical_id in leaving and len(value) == 1:
            return leaving[logical_id]
        case {"Fn::GetAtt": [str(logical_id), str(name)]} if logical_id in leaving:
            return known[logical_id, name]
        case {"Fn::Sub": str(text)} if len(value) == 1:
            return {"Fn::Sub": _VARIABLE.sub(lambda match: _variable(match, leaving, known), text)}
        case dict():
            return {name: _literal(part, leaving, known) for name, part in value.items()}
        case list():
            return [_literal(part, leaving, known) for part in value]
        case _:
            return value


def _variable(match: re.Match[str], leaving: Mapping[str, str], known: Known) -> str:
    logical_id, _, name = match[1].partition(".")
    if logical_id not in leaving:
        return match[0]
    return known[logical_id, name] if name else leaving[logical_id]


def attributes(template: Template, leaving: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    """The attributes of `leaving` that the rest of the template refers to."""
    references: set[tuple[str, str]] = set()

    def look(value: Json) -> None:
        match value:
            case {"Fn::GetAtt": [str(logical_id), str(name)]} if logical_id in leaving:
                references.add((logical_id, name))
            case {"Fn::Sub": str(text)}:
                pairs = (each[1].partition(".") for each in _VARIABLE.finditer(text))
                references.update((pair[0], pair[2]) for pair in pairs if pair[0] in leaving and pair[2])
            case dict():
                for part in value.values():
                    look(part)
            case list():
                for part in value:
                    look(part)

    look({name: part for name, part in template["Resources"].items() if name not in leaving})
    look(template.get("Outputs", {}))
    return frozenset(references)
