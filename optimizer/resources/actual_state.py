"""The actual state of resources of a type, read by describe calls and put into the shape of their templates.

One `Comparable` a type: how the resource is read, which declared properties are compared, and which are not,
with the reason. A property whose place in the answer AWS left empty is None here; one that the answer does
not hold at all is left out, and reported as not compared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from optimizer.ports.aws import Aws

Actual = Mapping[str, Any]


@dataclass(frozen=True)
class Observed:
    """One Region, described: each list is read once, when first asked for."""

    aws: Aws
    _lists: dict[str, Mapping[str, Any]] = field(default_factory=dict, init=False, repr=False)

    def by(self, name: str, service: str, operation: str, members: str) -> Mapping[str, Any]:
        """All that an operation lists under `members` of its answer, by this name of theirs."""
        if operation not in self._lists:
            pages = getattr(self.aws, service).get_paginator(operation).paginate()
            self._lists[operation] = {each[name]: each for page in pages for each in page[members]}
        return self._lists[operation]


@dataclass(frozen=True)
class Comparable:
    """One CloudFormation type. `name` is the property that fixes the physical name, if one does.

    `read(observed, name)` gives the resource in its template's shape, None when it does not exist.
    `unless_declared` holds what an absent property means, where that absence says something. Under
    the properties in `complete`, what the answer does not hold is not set; elsewhere it is not known.
    `attributes` are those of `Fn::GetAtt` that its service tells, read by the physical name.
    """

    name: str | None
    read: Callable[[Observed, str], Actual | None]
    not_compared: Mapping[str, str] = field(default_factory=dict)
    unless_declared: Mapping[str, Any] = field(default_factory=dict)
    complete: tuple[str, ...] = ()
    attributes: Mapping[str, Callable[[Aws, str], str]] = field(default_factory=dict)


def same(answer: Mapping[str, Any], *names: str, **renamed: str) -> dict[str, Any]:
    """Properties that are called alike in the answer, and those that are not: property=name there."""
    pairs = {**{name: name for name in names}, **renamed}
    return {name: answer[there] for name, there in pairs.items() if there in answer}
