"""One kind of resource, declared once: how it is found, how its tags are read, and which parts it has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from optimizer.model.resource import Kind, Tags, Touched
from optimizer.ports.aws import Aws

Found = tuple[str, str, Mapping[str, Any]]  # name, ARN, what the describe call showed


@dataclass(frozen=True)
class ResourceKind:
    """How the resources of one kind are found by their governed tag, and what says whose one of them is.

    `find(aws)` yields those with the governed tag in one Region, in as many calls as there are pages. `tags(aws,
    arn)` reads one's native tags now. `parts(aws, name)` are all that a change of it may change or destroy, each
    of which could be owned by itself.
    """

    kind: Kind
    find: Callable[[Aws], Iterator[Found]]
    tags: Callable[[Aws, str], Tags]
    parts: Callable[[Aws, str], Iterator[Touched]] = lambda _aws, _name: iter(())
