"""Tags, as each way of asking for them shows them, and what an error says of the owner."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError

from optimizer.model.resource import OURS, Answer, Ownership, Tags, Touched, tenant_tag
from optimizer.ports.aws import Aws

# Errors that pass by themselves: a resource that is being changed, and a service that is asked too much.
_THROTTLED = (
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "TooManyRequestsException",
    "ProvisionedThroughputExceededException",
    "InternalError",
    "InternalFailure",
    "InternalServerError",
    "InternalServiceException",
    "ServiceUnavailable",
    "ServiceUnavailableException",
)
# Resources that are being changed (the errors of DescribeTags: Amazon EC2 Auto Scaling API Reference).
_BUSY = ("ResourceInUseException", "ResourceInUse", "ResourceContention")
NOT_READ = (ClientError, ConnectionError, HTTPClientError)  # AWS refused, or nothing answered


def ownership(touched: Iterable[Touched]) -> Ownership:
    """The owner of these. A tenant's tag on one of them decides; then what could not be read; a missing resource has
    none.
    """
    owner = OURS
    try:
        for each in touched:
            try:
                tags = each.read()
            except NOT_READ as error:
                owner = owner if owner.answer is Answer.UNREADABLE else unread(error)
                continue
            if owned := tenant_tag(tags):
                return Ownership(Answer.TENANT, f"its part {each.name} is owned by a tenant: tag {owned}")
    except NOT_READ as error:  # of the call that lists them: whatever it would have named behind it was not read
        owner = owner if owner.answer is Answer.UNREADABLE else _unlisted(error)
    return owner


def is_gone(error: BotoCoreError | ClientError) -> bool:
    """Whether AWS says that the named resource does not exist."""
    if not isinstance(error, ClientError):
        return False
    code = error.response["Error"]["Code"]
    return "NotFound" in code or code in ("ResourceNotFoundException", "NoSuchEntity")


def unread(error: BotoCoreError | ClientError) -> Ownership:
    """The ownership that an error leaves: unknown; a resource that is gone belongs to nobody."""
    if not isinstance(error, ClientError):
        return Ownership(Answer.UNREADABLE, f"its owner cannot be read now: {error}", passes=True)
    code = error.response["Error"]["Code"]
    if is_gone(error):
        return OURS
    if code in _THROTTLED:
        reason = f"its owner cannot be read now: {error.operation_name} is throttled ({code})"
        return Ownership(Answer.UNREADABLE, reason, passes=True)
    if "State" in code or code in _BUSY:
        reason = f"its owner cannot be read now: it is being changed ({error.operation_name} answered {code})"
        return Ownership(Answer.UNREADABLE, reason, passes=True)
    return Ownership(
        Answer.UNREADABLE, f"ownership unknown, so it counts as owned: {error.operation_name} answered {code}"
    )


def _unlisted(error: BotoCoreError | ClientError) -> Ownership:
    """The same of a call that lists parts: that one of them is gone says nothing of the others."""
    told = f"not all of its parts can be read now: {error}"
    return Ownership(Answer.UNREADABLE, told, passes=True) if is_gone(error) else unread(error)


def flat(tags: Iterable[Any]) -> Tags:
    """A list of keys and values as AWS shows it, as a mapping."""
    return {each["Key"]: each.get("Value", "") for each in tags}


def known(name: str, tags: Tags) -> Touched:
    """A resource whose tags were shown along with it."""
    return Touched(name, lambda: tags)


def tagged(aws: Aws, kind: str, tag: tuple[str, str]) -> Iterator[str]:
    """The ARNs of one kind that carry a tag of this key and value."""
    pages = aws.tagging.get_paginator("get_resources").paginate(
        TagFilters=[{"Key": tag[0], "Values": [tag[1]]}], ResourceTypeFilters=[kind]
    )
    for page in pages:
        yield from (each["ResourceARN"] for each in page["ResourceTagMappingList"])


def tagging_tags(aws: Aws, arns: Sequence[str]) -> dict[str, Tags]:
    """The tags of these, as the Resource Groups Tagging API has them, whatever state they are in.

    It answers for up to 100 ARNs at once, and leaves out what never had a tag (API Reference, GetResources).
    """
    tags: dict[str, Tags] = {}
    for first in range(0, len(arns), 100):
        page = aws.tagging.get_resources(ResourceARNList=list(arns[first : first + 100]))
        tags |= {each["ResourceARN"]: flat(each.get("Tags", [])) for each in page["ResourceTagMappingList"]}
    return tags


def touched_in_ec2(aws: Aws, ids: Sequence[str]) -> Iterator[Touched]:
    """Resources of EC2, by id; their tags are read together."""
    tags: dict[str, dict[str, str]] = {each: {} for each in ids}
    for first in range(0, len(ids), 200):  # a filter takes up to 200 values (EC2 User Guide, "Filtering")
        pages = aws.ec2.get_paginator("describe_tags").paginate(
            Filters=[{"Name": "resource-id", "Values": list(ids[first : first + 200])}]
        )
        for tag in (each for page in pages for each in page["Tags"]):
            tags[tag["ResourceId"]][tag["Key"]] = tag.get("Value", "")
    yield from (known(name, own_tags) for name, own_tags in tags.items())
