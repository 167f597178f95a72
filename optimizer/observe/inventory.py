"""What the optimizer may change: resources found by stack tag, and owned by no tenant.

Ownership fails closed. A resource is tenant-owned when it carries the tag key `TenantId`, or a key
that begins with `TenantId:` (both readings of the brief's `TenantId:*`), in any letter case; when
its tags cannot be read, it counts as owned.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

GOVERNED_TAG = "tap:governed"
GOVERNED_VALUE = "true"
TENANT_TAG = "TenantId"


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


def tenant_tag(tags: Mapping[str, str]) -> str | None:
    """The tag that makes a tenant the owner, as `key=value`; None when there is none."""
    for key, value in tags.items():
        folded = key.strip().casefold()
        if folded == TENANT_TAG.casefold() or folded.startswith(f"{TENANT_TAG.casefold()}:"):
            return f"{key}={value}"
    return None
