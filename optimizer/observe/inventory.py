"""The resources that the optimizer may change: found by stack tag, and owned by no tenant.

A resource is tenant-owned when it carries the tag key `TenantId`, or a key that begins with `TenantId:`
(both readings of the brief's `TenantId:*`), in any letter case; and so is what has a tenant's part, as a
group of instances of which one is a tenant's. Whose something is has three answers: ours, a tenant's, or
unreadable. What is unreadable is not changed, and is not called a tenant's (docs/adr/0023).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain

from botocore.exceptions import ClientError

from optimizer.model.resource import (
    GOVERNED,
    OURS,
    Answer,
    Excluded,
    Governed,
    Inventory,
    Kind,
    Ownership,
    Selection,
    Tags,
    Touched,
    name_in,
    tenant_tag,
)
from optimizer.ports.aws import Aws
from optimizer.resources.registry import resource_kinds
from optimizer.resources.tags import NOT_READ, is_gone, ownership, unread


def take_inventory(
    aws: Aws, regions: Sequence[str], kinds: Sequence[Kind] = tuple(Kind), selection: Selection = GOVERNED
) -> Inventory:
    """All resources of these kinds in the selection, in these Regions, split by who owns them.

    Found in as many calls as there are pages; then the native tags of each, and of its parts,
    say whose it is. What was found by the tagging API and natively has no such tag does not count.
    """
    governed: list[Governed] = []
    excluded: list[Excluded] = []
    unreadable: dict[str, Ownership] = {}
    seen: set[str] = set()  # a global cluster shows in each of its Regions
    for region in regions:
        here = aws.at(region)
        for kind in kinds:
            resources = [each for each in resource_kinds()[kind].find(here, selection) if each[1] not in seen]
            known = _tags_of(here, kind, [arn for _, arn, _ in resources])
            for name, arn, attributes in resources:
                if arn in seen:
                    continue
                seen.add(arn)
                each = Governed(kind, name, arn, region, {}, attributes)
                tags, owner = _whose(known[arn], selection) if arn in known else _own(here, each, selection)
                if owner.answer is Answer.OURS:
                    owner = ownership(_parts(here, each))
                if owner.answer is Answer.OURS:
                    governed.append(Governed(kind, name, arn, region, tags, attributes))
                elif selection.holds(tags) or owner.answer is Answer.UNREADABLE:
                    excluded.append(Excluded(kind, name, arn, region, owner.reason))
                    if owner.answer is Answer.UNREADABLE:
                        unreadable[arn] = owner
    return Inventory(tuple(governed), tuple(excluded), unreadable)


def named(kind: Kind, arn: str, region: str) -> Governed:
    """The resource of that ARN without asking for it: its name is in the ARN, and its Region, where it has one."""
    name = arn.split("/")[-2] if kind is Kind.LOAD_BALANCER else name_in(arn)
    return Governed(kind, name, arn, arn.split(":")[3] or region, {})


def owner_of(aws: Aws, governed: Governed) -> str | None:
    """Why the resource is not ours to change now; None when it is. Reads native tags, parts included."""
    owner = ownership_of(aws, governed)
    return None if owner.answer is Answer.OURS else owner.reason


def ownership_of(aws: Aws, governed: Governed, touched: Iterable[Touched] = ()) -> Ownership:
    """The owner of a resource with all its parts, and of what else is touched: a change going forward needs all of it.

    A resource that lost its governed tag is not ours either.
    """
    here = aws.at(governed.region)
    _, own = _own(here, governed)
    if own.answer is Answer.TENANT:
        return own
    rest = ownership(chain(_parts(here, governed), touched))
    return own if rest.answer is Answer.OURS else rest


def tenants_of(
    aws: Aws, governed: Governed, touched: Iterable[Touched] | None, also: Iterable[Touched] = ()
) -> Ownership:
    """Whether a tenant owns the resource, or any of what is touched (None: of its parts): what the way back asks.

    `also`: what is touched beside its parts.
    """
    here = aws.at(governed.region)
    own = Touched(governed.name, lambda: resource_kinds()[governed.kind].tags(here, governed.arn))
    return ownership(chain((own,), _parts(here, governed) if touched is None else touched, also))


def _own(aws: Aws, governed: Governed, selection: Selection = GOVERNED) -> tuple[Tags, Ownership]:
    """A resource's own tags, and whose it is by them alone."""
    try:
        tags = resource_kinds()[governed.kind].tags(aws, governed.arn)
    except NOT_READ as error:
        return {}, Ownership(Answer.TENANT, "it is gone") if is_gone(error) else unread(error)
    return _whose(tags, selection)


def _tags_of(aws: Aws, kind: Kind, arns: Sequence[str]) -> Mapping[str, Tags]:
    """The native tags of many, where they are read together; what that does not give is read one by one."""
    try:
        return resource_kinds()[kind].tags_of(aws, arns)
    except ClientError:
        return {}


def _whose(tags: Tags, selection: Selection) -> tuple[Tags, Ownership]:
    """The tags, and whose a resource with these is."""
    if owned := tenant_tag(tags):
        return tags, Ownership(Answer.TENANT, f"owned by a tenant: tag {owned}")
    if selection.tag and not selection.holds(tags):
        return tags, Ownership(Answer.TENANT, f"not governed: tag {selection.tag[0]} is gone")
    return tags, OURS


def _parts(aws: Aws, governed: Governed) -> Iterator[Touched]:
    return resource_kinds()[governed.kind].parts(aws, governed.name)
