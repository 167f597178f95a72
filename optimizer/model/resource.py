"""Resources as the optimizer sees them: governed, excluded, and the tags that say which."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from domain.names import TENANT_TAG
from optimizer.observe.inventory import Ownership


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


@dataclass(frozen=True)
class Inventory:
    """What was found: governed resources, and those left alone with the reason.

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


def tenant_tag(tags: Tags) -> str | None:
    """The tag that makes a tenant the owner, as `key=value`; None when there is none."""
    for key, value in tags.items():
        folded = key.strip().casefold()
        if folded == TENANT_TAG.casefold() or folded.startswith(f"{TENANT_TAG.casefold()}:"):
            return f"{key}={value}"
    return None
