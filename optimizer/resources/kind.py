"""One kind of resource, declared once: how it is called and found, whose it is, how it really is, what it costs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from domain.sizing import Sizing
from optimizer.model.resource import Kind, Selection, Tags, Touched
from optimizer.ports.aws import Aws
from optimizer.resources.actual_state import Comparable

Found = tuple[str, str, Mapping[str, Any]]  # name, ARN, what the describe call showed


@dataclass(frozen=True)
class Billed:
    """The bill of one resource for merely existing: items with their number, customer keys, days of backups."""

    items: Mapping[str, int] = field(default_factory=dict)
    keys: Collection[str] = ()
    backup_days: int | None = None


def _one_by_one(_aws: Aws, _arns: Sequence[str]) -> Mapping[str, Tags]:
    return {}


@dataclass(frozen=True)
class ResourceKind:
    """Everything the optimizer knows of one kind: a new kind is one more of these.

    `words` is what a person calls one. `arn` is its service and how the ARN goes on behind the account (Service
    Authorization Reference). `part` is the part of the platform whose costs it is counted with; `service` is the one
    that Cost Explorer shows it under.

    `find(aws, selection)` yields those of the selection in one Region, in as many calls as there are pages. `tags(aws,
    arn)` reads one's native tags now, and `tags_of(aws, arns)` those of many at once, where AWS has a call for that; it
    may raise when one of them is gone. `parts(aws, name)` are all that a change of it may change or destroy, each
    of which could be owned by itself. `sized(sizing)` are the names that the sizing speaks of; None for a kind that
    it says nothing of. `compared` are the CloudFormation types that come with it, its own among them, and how each
    really is. `billed(aws, name)` counts what one is billed for merely existing.

    `reads` are the IAM actions that all of this takes, by the page of the Service Authorization Reference with them;
    `readable` the resources that they are allowed on. `none` says in a survey what it means that an account has none.
    """

    kind: Kind
    words: str
    arn: tuple[str, str]
    part: str
    service: str
    find: Callable[[Aws, Selection], Iterator[Found]]
    tags: Callable[[Aws, str], Tags]
    parts: Callable[[Aws, str], Iterator[Touched]] = lambda _aws, _name: iter(())
    sized: Callable[[Sizing], Collection[str]] | None = None
    tags_of: Callable[[Aws, Sequence[str]], Mapping[str, Tags]] = _one_by_one
    compared: Mapping[str, Comparable] = field(default_factory=dict)
    billed: Callable[[Aws, str], Billed] = lambda _aws, _name: Billed()
    reads: Mapping[str, Sequence[str]] = field(default_factory=dict)
    readable: tuple[str, ...] = ("*",)  # describe and list actions take no resource, or lose their list by one
    none: str | None = None

    def is_sized(self, sizing: Sizing, name: str) -> bool:
        """Whether what becomes of a resource can be said in the sizing: else the next push would undo it."""
        return self.sized is None or name in self.sized(sizing)
