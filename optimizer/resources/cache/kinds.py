"""ElastiCache replication groups: found by tag or all, owned with their nodes."""

from __future__ import annotations

from collections.abc import Iterator

from domain.names import CACHE_NAME
from optimizer.model.resource import Kind, Selection, Touched
from optimizer.ports.aws import Aws
from optimizer.resources.cache.actual_state import COMPARED
from optimizer.resources.cache.replication_group import variant_of
from optimizer.resources.cache.tags import cache_tags
from optimizer.resources.kind import Billed, Found, ResourceKind
from optimizer.resources.tags import known, tagged, tagging_tags


def _find_caches(aws: Aws, selection: Selection) -> Iterator[Found]:
    """With the shard of each node and the engine; a group that is being created or deleted has no shards."""
    wanted: set[str] | None = None
    if selection.tag is not None:
        wanted = {arn for arn in tagged(aws, "elasticache", selection.tag) if ":replicationgroup:" in arn}
        if not wanted:
            return
    for page in aws.elasticache.get_paginator("describe_replication_groups").paginate():
        for group in (each for each in page["ReplicationGroups"] if wanted is None or each["ARN"] in wanted):
            nodes = {
                node["CacheClusterId"]: shard["NodeGroupId"]
                for shard in group.get("NodeGroups", [])
                for node in shard.get("NodeGroupMembers", [])
            }
            yield group["ReplicationGroupId"], group["ARN"], {"nodes": nodes, "engine": group.get("Engine", "redis")}


def _cache_parts(aws: Aws, name: str) -> Iterator[Touched]:
    """The nodes, each of which carries tags of its own."""
    arns = {
        node["ARN"]: node["CacheClusterId"]
        for page in aws.elasticache.get_paginator("describe_cache_clusters").paginate()
        for node in page["CacheClusters"]
        if node.get("ReplicationGroupId") == name
    }
    tags = tagging_tags(aws, list(arns))
    yield from (known(node, tags.get(arn, {})) for arn, node in arns.items())


def _billed(aws: Aws, name: str) -> Billed:
    """The nodes: none of a group that is being created or deleted (ElastiCache API, ReplicationGroup)."""
    (group,) = aws.elasticache.describe_replication_groups(ReplicationGroupId=name)["ReplicationGroups"]
    nodes = sum(len(shard.get("NodeGroupMembers", [])) for shard in group.get("NodeGroups", []))
    item = group.get("CacheNodeType", "")
    return Billed(
        {item + variant_of(group.get("Engine", "")): nodes} if item and nodes else {},
        keys=[group["KmsKeyId"]] if group.get("KmsKeyId") else [],
    )


KINDS = (
    ResourceKind(
        Kind.CACHE,
        words="Redis replication group",
        arn=("elasticache", "replicationgroup"),
        part="cache",
        service="Amazon ElastiCache",
        find=_find_caches,
        tags=cache_tags,
        parts=_cache_parts,
        sized=lambda _: (CACHE_NAME,),
        compared=COMPARED,
        billed=_billed,
        reads={
            "amazonelasticache": (
                "elasticache:DescribeCacheClusters",
                "elasticache:DescribeReplicationGroups",
                "elasticache:ListTagsForResource",
            )
        },
        none="no ElastiCache replication group: nothing to decide about shards and nodes",
    ),
)
