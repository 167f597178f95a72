"""One kind of resource, declared once: how it is found, how its tags are read, and which parts it has."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from domain.sizing import Sizing
from optimizer.model.resource import Kind, Selection, Tags, Touched
from optimizer.ports.aws import Aws

Found = tuple[str, str, Mapping[str, Any]]  # name, ARN, what the describe call showed


def _one_by_one(_aws: Aws, _arns: Sequence[str]) -> Mapping[str, Tags]:
    return {}


@dataclass(frozen=True)
class ResourceKind:
    """How the resources of one kind are found, and what says whose one of them is.

    `find(aws, selection)` yields those of the selection in one Region, in as many calls as there are pages. `tags(aws,
    arn)` reads one's native tags now, and `tags_of(aws, arns)` those of many at once, where AWS has a call for that; it
    may raise when one of them is gone. `parts(aws, name)` are all that a change of it may change or destroy, each
    of which could be owned by itself. `sized(sizing)` are the names that the sizing speaks of; None for a kind that
    it says nothing of.
    """

    kind: Kind
    find: Callable[[Aws, Selection], Iterator[Found]]
    tags: Callable[[Aws, str], Tags]
    parts: Callable[[Aws, str], Iterator[Touched]] = lambda _aws, _name: iter(())
    sized: Callable[[Sizing], Collection[str]] | None = None
    tags_of: Callable[[Aws, Sequence[str]], Mapping[str, Tags]] = _one_by_one

    def is_sized(self, sizing: Sizing, name: str) -> bool:
        """Whether what becomes of a resource can be said in the sizing: else the next push would undo it."""
        return self.sized is None or name in self.sized(sizing)
