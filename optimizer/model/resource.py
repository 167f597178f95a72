"""Resources as the optimizer sees them: governed, excluded, and the tags that say which."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from domain.names import GOVERNED_TAG, GOVERNED_VALUE, TENANT_TAG


class Kind(Enum):
    """The kinds of resources the optimizer knows, by CloudFormation type."""

    TABLE = "AWS::DynamoDB::GlobalTable"
    FLEET = "AWS::AutoScaling::AutoScalingGroup"
    LOAD_BALANCER = "AWS::ElasticLoadBalancingV2::LoadBalancer"
    CACHE = "AWS::ElastiCache::ReplicationGroup"
    DATABASE = "AWS::RDS::DBCluster"
    DATABASE_INSTANCE = "AWS::RDS::DBInstance"
    GLOBAL_DATABASE = "AWS::RDS::GlobalCluster"


@dataclass(frozen=True)
class Governed:
    """One resource the optimizer may change. `attributes` holds what finding it showed anyway."""

    kind: Kind
    name: str
    arn: str
    region: str
    tags: Mapping[str, str]
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Excluded:
    """One resource that is left alone, and why."""

    kind: Kind
    name: str
    arn: str
    region: str
    reason: str


class Answer(Enum):
    """The owner of a resource."""

    OURS = "ours"
    TENANT = "a tenant's"
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class Ownership:
    """The owner of one or several resources, and the reason: the tag, or the call that could not tell.

    `passes`: what could not be read now can be read later, as the tags of a cache that is being changed.
    """

    answer: Answer
    reason: str = ""
    passes: bool = False


OURS = Ownership(Answer.OURS)


@dataclass(frozen=True)
class Inventory:
    """The resources found: governed ones, and those left alone with the reason.

    `unreadable` are those among the excluded whose owner could not be read, by ARN: nobody said that a tenant
    owns them.
    """

    governed: tuple[Governed, ...]
    excluded: tuple[Excluded, ...]
    unreadable: Mapping[str, Ownership] = field(default_factory=dict)

    def of(self, kind: Kind) -> tuple[Governed, ...]:
        """The governed resources of one kind."""
        return tuple(each for each in self.governed if each.kind is kind)


Tags = Mapping[str, str]


@dataclass(frozen=True)
class Selection:
    """Which resources an inventory takes in: those with this tag (key and value), or all where it is None."""

    tag: tuple[str, str] | None = (GOVERNED_TAG, GOVERNED_VALUE)

    def holds(self, tags: Tags) -> bool:
        """Whether a resource with these tags is one of them."""
        return self.tag is None or tags.get(self.tag[0]) == self.tag[1]

    @property
    def words(self) -> str:
        """The selection as a person reads it."""
        return "every resource" if self.tag is None else f"resources with the tag {self.tag[0]}={self.tag[1]}"


GOVERNED = Selection()
EVERYTHING = Selection(None)


@dataclass(frozen=True)
class Touched:
    """One resource that a move changes or destroys: its ARN or id, and how its tags are read now."""

    name: str
    read: Callable[[], Tags]


def name_in(arn: str) -> str:
    """The name that an ARN ends with: of a table, a cluster, an Auto Scaling group, whose name may hold slashes."""
    _, group, name = arn.partition(":autoScalingGroupName/")
    return name if group else arn.rsplit("/", 1)[-1].rsplit(":", 1)[-1]


def nothing_else(_aws: object) -> tuple[Touched, ...]:
    """For a move that touches the resource it is about, and none of its parts."""
    return ()


def tenant_tag(tags: Tags) -> str | None:
    """The tag that makes a tenant the owner, as `key=value`; None when there is none."""
    for key, value in tags.items():
        folded = key.strip().casefold()
        if folded == TENANT_TAG.casefold() or folded.startswith(f"{TENANT_TAG.casefold()}:"):
            return f"{key}={value}"
    return None
