"""All kinds of resources: each folder here declares its own in `kinds.py`; a new kind is a new folder."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache

import optimizer.resources
from domain.sizing import Sizing
from optimizer.model.resource import Governed, Kind
from optimizer.resources.actual_state import Comparable
from optimizer.resources.kind import ResourceKind


def is_sized(sizing: Sizing, governed: Governed) -> bool:
    """Whether the sizing speaks of this resource: what becomes of another one, the next push would not know."""
    return resource_kinds()[governed.kind].is_sized(sizing, governed.name)


@cache
def resource_kinds() -> Mapping[Kind, ResourceKind]:
    """Every kind with its declaration. Raises TypeError when a kind is declared twice, or not at all."""
    kinds: dict[Kind, ResourceKind] = {}
    for folder in pkgutil.iter_modules(optimizer.resources.__path__):
        if not folder.ispkg:
            continue
        declared: tuple[ResourceKind, ...] = importlib.import_module(
            f"{optimizer.resources.__name__}.{folder.name}.kinds"
        ).KINDS
        for each in declared:
            if each.kind in kinds:
                raise TypeError(f"the kind {each.kind.name} is declared twice, the second time in {folder.name}")
            kinds[each.kind] = each
            if each.kind.value not in each.compared:
                raise TypeError(f"{folder.name} does not say how a {each.words} really is ({each.kind.value})")
    if missing := [each.name for each in Kind if each not in kinds]:
        raise TypeError(f"no folder of optimizer/resources/ declares the kinds {', '.join(missing)}")
    return kinds


@cache
def compared_types() -> Mapping[str, Comparable]:
    """Every CloudFormation type that is compared with its template, of all kinds."""
    return {name: each for kind in resource_kinds().values() for name, each in kind.compared.items()}
