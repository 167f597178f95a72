"""A global database's secondary clusters, each described in its own Region."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from optimizer.ports.aws import Aws
from optimizer.resources.database import cluster as aurora

if TYPE_CHECKING:
    from types_boto3_rds.type_defs import GlobalClusterTypeDef


def secondaries_of(described: GlobalClusterTypeDef) -> list[str]:
    members = described.get("GlobalClusterMembers", [])
    return sorted(each["DBClusterArn"] for each in members if not each.get("IsWriter", False))


def region_of(arn: str) -> str:
    return arn.split(":")[3]


def name_of(arn: str) -> str:
    return arn.rsplit(":", 1)[1]


def forwarding(aws: Aws, described: GlobalClusterTypeDef) -> Iterator[str]:
    """A secondary that forwards writes is in use, even while it shows no connection."""
    for member in described.get("GlobalClusterMembers", []):
        arn = member["DBClusterArn"]
        own = aurora.cluster(aws.at(region_of(arn)), name_of(arn))
        requested = own.get("GlobalWriteForwardingRequested", False) if own else False
        if requested or member.get("GlobalWriteForwardingStatus", "disabled") not in ("disabled", "unknown"):
            yield name_of(arn)


def obstacles(aws: Aws, described: GlobalClusterTypeDef, secondaries: Iterable[str]) -> Iterator[str]:
    """Obstacles that would refuse a change of the secondaries, or work against it."""
    if described["Status"] != "available":
        yield f"the global database is {described['Status']}"
    if state := described.get("FailoverState", {}).get("Status"):
        yield f"a switchover or failover of it is {state}"
    for arn in secondaries:
        yield from aurora.busy(aws.at(region_of(arn)), name_of(arn))
