"""One ElastiCache replication group in cluster mode: how it stands, and the changes it takes, one at a time.

Right after a call the group still says available: what is pending, and the target itself, tell. A later failure is an
event (ElastiCache User Guide, "Events for self-designed clusters").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from domain.errors import MoveFailed
from domain.list_prices import VALKEY
from optimizer.ports.aws import Aws

if TYPE_CHECKING:
    from types_boto3_elasticache.type_defs import CacheClusterTypeDef, ReplicationGroupTypeDef, SnapshotTypeDef

SLOTS = 16_384
FAILURES = ("failed", "could not", "insufficient")


@dataclass
class ReplicationGroup:
    """The group of that name. Remembers since when this run waits, so that only its own failures count."""

    name: str
    _asked: datetime | None = None

    def description(self, aws: Aws) -> ReplicationGroupTypeDef:
        (group,) = aws.elasticache.describe_replication_groups(ReplicationGroupId=self.name)["ReplicationGroups"]
        return group

    def nodes(self, aws: Aws) -> list[CacheClusterTypeDef]:
        """The member nodes, each a cache cluster of its own."""
        pages = aws.elasticache.get_paginator("describe_cache_clusters").paginate()
        return [each for page in pages for each in page["CacheClusters"] if each.get("ReplicationGroupId") == self.name]

    def is_settled(self, aws: Aws) -> bool:
        """Whether the group takes a change: it and its nodes are available, and nothing is pending."""
        group = self.description(aws)
        settled = group["Status"] == "available" and not group.get("PendingModifiedValues")
        return settled and all(
            each["CacheClusterStatus"] == "available" and not each.get("PendingModifiedValues")
            for each in self.nodes(aws)
        )

    def has_shards(self, aws: Aws, wanted: Sequence[str]) -> bool:
        """Whether as many shards hold all slots. MoveFailed when ElastiCache told that it stopped short.

        By count: which ids shards get that are added again is AWS's to say.
        """
        group = self.description(aws)
        held = sum(_slots(each.get("Slots", "")) for each in group.get("NodeGroups", []))
        if len(shards_of(group)) == len(wanted) and held == SLOTS:
            return self.is_settled(aws)
        self._refuse_failure(aws, "shard")
        return False

    def has_type(self, aws: Aws, wanted: str) -> bool:
        """Whether the group and every node have this type. MoveFailed when ElastiCache told that it failed."""
        types = {self.description(aws)["CacheNodeType"], *(each["CacheNodeType"] for each in self.nodes(aws))}
        if types == {wanted}:
            return self.is_settled(aws)
        self._refuse_failure(aws, "cache node type")
        return False

    def has_replicas(self, aws: Aws, wanted: int) -> bool:
        """Whether every shard has so many."""
        sizes = {len(nodes) - 1 for nodes in shards_of(self.description(aws)).values()}
        if sizes == {wanted}:
            return self.is_settled(aws)
        self._refuse_failure(aws, "replica")
        return False

    def reshard(self, aws: Aws, wanted: Sequence[str]) -> None:
        """Ask for as many shards: of those that are there the wanted ones stay first; AWS names the ones it adds."""
        present = sorted(shards_of(self.description(aws)), key=lambda shard: (shard not in wanted, shard))
        how: dict[str, Any] = {}
        if len(wanted) < len(present):
            how = {"NodeGroupsToRetain": present[: len(wanted)]}
        self._asked = aws.clock.now()
        aws.elasticache.modify_replication_group_shard_configuration(
            ReplicationGroupId=self.name, NodeGroupCount=len(wanted), ApplyImmediately=True, **how
        )

    def change_type(self, aws: Aws, wanted: str) -> None:
        """Ask for this node type now; without ApplyImmediately it would wait for the maintenance window."""
        self._asked = aws.clock.now()
        aws.elasticache.modify_replication_group(
            ReplicationGroupId=self.name, CacheNodeType=wanted, ApplyImmediately=True
        )

    def set_replicas(self, aws: Aws, wanted: int) -> None:
        """Ask for so many replicas on each shard; never 0."""
        assert wanted >= 1, "without a replica a shard's data dies with its node"
        present = min(len(nodes) for nodes in shards_of(self.description(aws)).values()) - 1
        redis, self._asked = aws.elasticache, aws.clock.now()
        if wanted > present:
            redis.increase_replica_count(ReplicationGroupId=self.name, NewReplicaCount=wanted, ApplyImmediately=True)
        else:
            redis.decrease_replica_count(ReplicationGroupId=self.name, NewReplicaCount=wanted, ApplyImmediately=True)

    def snapshot(self, aws: Aws, name: str) -> SnapshotTypeDef | None:
        """The snapshot of that name; None when there is none."""
        try:
            (taken,) = aws.elasticache.describe_snapshots(SnapshotName=name)["Snapshots"]
        except aws.elasticache.exceptions.SnapshotNotFoundFault:
            return None
        return taken

    def has_snapshot(self, aws: Aws, name: str) -> bool:
        """Whether it is there and whole. MoveFailed when taking it failed."""
        taken = self.snapshot(aws, name)
        if taken is not None and taken["SnapshotStatus"] == "failed":
            raise MoveFailed(f"{self.name}: the snapshot {name} failed. Delete it, then run this again.")
        return taken is not None and taken["SnapshotStatus"] == "available"

    def take_snapshot(self, aws: Aws, name: str) -> None:
        if self.snapshot(aws, name) is None:
            aws.elasticache.create_snapshot(ReplicationGroupId=self.name, SnapshotName=name)

    def delete_snapshot(self, aws: Aws, name: str) -> None:
        if self.snapshot(aws, name) is not None:
            aws.elasticache.delete_snapshot(SnapshotName=name)

    def _refuse_failure(self, aws: Aws, about: str) -> None:
        """Raise MoveFailed with ElastiCache's message when a change of this run failed.

        An event has no name, only its text: it must speak of what was asked for, for snapshots fail as well.
        """
        if self._asked is None:
            return
        pages = aws.elasticache.get_paginator("describe_events").paginate(
            SourceIdentifier=self.name,
            SourceType="replication-group",
            StartTime=self._asked,
            EndTime=aws.clock.now() + timedelta(minutes=1),
        )
        for event in (each for page in pages for each in page["Events"]):
            text = event["Message"].lower()
            if about in text and "snapshot" not in text and any(word in text for word in FAILURES):
                raise MoveFailed(
                    f"{self.name}: ElastiCache says: {event['Message']} "
                    "Mend that and run the same command again, or roll back."
                )


def shards_of(group: ReplicationGroupTypeDef) -> dict[str, list[str]]:
    """The nodes of each shard, by id."""
    return {
        each["NodeGroupId"]: [member["CacheClusterId"] for member in each.get("NodeGroupMembers", [])]
        for each in group.get("NodeGroups", [])  # a group that is being created or deleted has none
    }


def variant_of(engine: str) -> str:
    """The suffix of a node type's name in the price table."""
    return VALKEY if engine.casefold() == "valkey" else ""


def _slots(ranges: str) -> int:
    """The number of slots in a text such as `0-4095,8192`."""
    bounds = (each.split("-") for each in ranges.split(",") if each.strip())
    return sum(int(each[-1]) - int(each[0]) + 1 for each in bounds)
