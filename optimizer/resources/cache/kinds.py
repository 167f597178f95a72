"""ElastiCache replication groups: found by tag or all, owned with their nodes."""

from __future__ import annotations

from collections.abc import Iterator

from botocore.exceptions import ClientError

from domain.names import CACHE_NAME
from optimizer.model.resource import Kind, Selection, Tags, Touched
from optimizer.ports.aws import Aws
from optimizer.resources.kind import Found, ResourceKind
from optimizer.resources.tags import flat, known, tagged, tagging_tags


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


def cache_tags(aws: Aws, arn: str) -> Tags:
    """The tags of something in ElastiCache.

    It tells them itself only while it is available ("If the cluster is not in the available state,
    ListTagsForResource returns an error"); while it is being changed, the tagging API does.
    """
    try:
        return flat(aws.elasticache.list_tags_for_resource(ResourceName=arn)["TagList"])
    except ClientError as error:
        if "State" not in error.response["Error"]["Code"]:
            raise
    return tagging_tags(aws, [arn]).get(arn, {})


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


KINDS = (ResourceKind(Kind.CACHE, _find_caches, cache_tags, _cache_parts, lambda _: (CACHE_NAME,)),)
