"""The tags of what is in ElastiCache, whatever state it is in."""

from __future__ import annotations

from botocore.exceptions import ClientError

from optimizer.model.resource import Tags
from optimizer.ports.aws import Aws
from optimizer.resources.tags import flat, tagging_tags


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
