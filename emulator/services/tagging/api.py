"""The Resource Groups Tagging API: its results, and what it leaves out without an error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from moto.core.resource_tagging import TaggedResource, iter_taggable_backends, match_resource_type
from moto.elasticache.models import elasticache_backends

from emulator.core.errors import AwsError
from emulator.core.registry import Answer, emulates

if TYPE_CHECKING:
    from emulator.core.call_record import Call
    from emulator.core.port import Account

_API = "https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference"
_ONCE_TAGGED = "A resource that lost its last tag still counts as tagged once."
_PER_PAGE, _TAGS_PER_PAGE = 50, 100


@dataclass
class OnceTagged:
    """The ARNs of resources that lost a tag."""

    arns: set[str] = field(default_factory=set)


@emulates(
    "resourcegroupstaggingapi",
    "GetResources",
    rule="Only resources of this Region that are or were tagged; never Auto Scaling groups; every key of the filter "
    "must match, with one of its values; an unknown ARN is left out without an error; pages by resources and tags.",
    source=f"{_API}/API_GetResources.html",
)
def get_resources(account: Account, call: Call) -> Answer:
    asked = call.parameters
    _refuse(asked)
    found = [each for each in _tagged(account, call) if _is_wanted(each, asked)]
    start = _place(asked.get("PaginationToken"), len(found))
    page = list(
        _page(found[start:], asked.get("ResourcesPerPage", _PER_PAGE), asked.get("TagsPerPage", _TAGS_PER_PAGE))
    )
    end = start + len(page)
    return {
        "PaginationToken": str(end) if end < len(found) else "",
        "ResourceTagMappingList": [_show(each) for each in page],
    }


def _tagged(account: Account, call: Call) -> Iterator[TaggedResource]:
    once = account.part(OnceTagged).arns
    for backend in iter_taggable_backends(call.account, call.region):
        for each in backend.iter_tagged_resources():
            if each.tags or each.arn in once:
                yield each
    yield from (each for each in _nodes(call) if each.tags or each.arn in once)


def _nodes(call: Call) -> Iterator[TaggedResource]:
    """The nodes of replication groups: clusters with tags of their own, which moto does not list."""
    backend = elasticache_backends[call.account][call.region]
    for group in backend.replication_groups.values():
        for member in (each for shard in group.node_groups for each in shard["node_group_members"]):
            arn = f"arn:aws:elasticache:{call.region}:{call.account}:cluster:{member.get('cache_cluster_id')}"
            yield TaggedResource(arn, backend.tagging_service.get_tag_dict_for_resource(arn), "elasticache:cluster")


def _is_wanted(resource: TaggedResource, asked: Mapping[str, Any]) -> bool:
    arns, kinds = asked.get("ResourceARNList"), asked.get("ResourceTypeFilters")
    return (
        (not arns or resource.arn in arns)
        and (not kinds or match_resource_type(resource.resource_type, kinds))
        and all(
            wanted["Key"] in resource.tags
            and (not wanted.get("Values") or resource.tags[wanted["Key"]] in wanted["Values"])
            for wanted in asked.get("TagFilters", ())
        )
    )


def _page(found: Sequence[TaggedResource], resources: int, tags: int) -> Iterator[TaggedResource]:
    """The resources that fit on a page: a resource and its tags are never divided."""
    taken = 0
    for each in found[:resources]:
        taken += len(each.tags)
        if taken > tags:
            return
        yield each


def _refuse(asked: Mapping[str, Any]) -> None:
    others = {"TagFilters", "ResourceTypeFilters", "ResourcesPerPage", "TagsPerPage"} & asked.keys()
    refused = {
        "ResourceARNList cannot be used with other filters or page sizes.": "ResourceARNList" in asked and others,
        "ResourcesPerPage is from 1 to 100.": not 1 <= asked.get("ResourcesPerPage", 1) <= 100,
        "TagsPerPage is from 100 to 500, in hundreds.": asked.get("TagsPerPage", 100) not in range(100, 501, 100),
        "At most 50 tag filters, each with at most 20 values.": len(asked.get("TagFilters", ())) > 50
        or any(len(each.get("Values", ())) > 20 for each in asked.get("TagFilters", ())),
    }
    for why, broken in refused.items():
        if broken:
            raise AwsError("InvalidParameterException", why)


def _place(token: str | None, resources: int) -> int:
    if not token:
        return 0
    if not token.isdigit() or int(token) > resources:
        raise AwsError("PaginationTokenExpiredException", "The pagination token is not valid any more.")
    return int(token)


def _show(resource: TaggedResource) -> dict[str, Any]:
    return {
        "ResourceARN": resource.arn,
        "Tags": [{"Key": key, "Value": value} for key, value in resource.tags.items()],
    }
