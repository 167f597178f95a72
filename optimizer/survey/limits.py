"""In words, what would not be carried out on a resource, and why; and which kinds there are none of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from botocore.exceptions import ClientError

from domain.names import GOVERNED_TAG, GOVERNED_VALUE
from domain.sizing import Sizing
from optimizer.model.resource import Governed, Inventory, Kind
from optimizer.ports.aws import Aws
from optimizer.resources.fleet.shown import group_of
from optimizer.resources.registry import is_sized, resource_kinds

AURORA = ("aurora-postgresql", "aurora-mysql", "aurora")
NOT_OURS = "not created by the foundation's templates"
WHY_OURS = (
    "changes are carried out only on what the foundation's templates created, where code, template and account can be "
    "brought to agree after each"
)


@dataclass(frozen=True)
class Limit:
    """One resource, or in place of one a kind of which there is none, with the reasons, the first the most telling."""

    kind: Kind
    name: str
    arn: str
    region: str
    reasons: tuple[str, ...]


def is_decided(governed: Governed) -> bool:
    """Whether the actions know the engine: RDS lists clusters of other databases as well."""
    return governed.kind not in (Kind.DATABASE, Kind.GLOBAL_DATABASE) or governed.attributes.get("engine") in AURORA


def limits_of(aws: Aws, inventory: Inventory, regions: Sequence[str]) -> Iterator[Limit]:
    """Every resource on which something would not be carried out, then every kind of which there is none."""
    for each in inventory.governed:
        if reasons := tuple(_reasons(aws.at(each.region), each, inventory)):
            yield Limit(each.kind, each.name, each.arn, each.region, reasons)
    seen = {each.kind for each in inventory.governed} | {each.kind for each in inventory.excluded}
    for kind, declared in resource_kinds().items():
        if kind not in seen and declared.none is not None:
            yield Limit(kind, "none", "", ", ".join(regions), (declared.none,))


def _reasons(aws: Aws, governed: Governed, inventory: Inventory) -> Iterator[str]:
    engine = governed.attributes.get("engine", "")
    match governed.kind:
        case Kind.LOAD_BALANCER:
            yield "it is watched, and nothing of it is changed"
            return
        case Kind.DATABASE_INSTANCE:
            if not governed.attributes.get("cluster"):
                yield f"an instance of {engine or 'RDS'} without an Aurora cluster: no action knows it"
            return  # one of a cluster is decided on with its cluster
        case Kind.DATABASE | Kind.GLOBAL_DATABASE if not is_decided(governed):
            yield f"engine {engine or 'unknown'}: only Aurora PostgreSQL and Aurora MySQL are decided on"
            return
        case Kind.DATABASE if governed.attributes.get("secondary"):
            yield "a global database's copy: it goes or stays with its Region, by the global database's own decision"
            return
        case Kind.FLEET:
            yield from _of_fleet(aws, governed)
    if governed.tags.get(GOVERNED_TAG) != GOVERNED_VALUE or not is_sized(Sizing.AS_DESIGNED, governed):
        yield NOT_OURS
    if not inventory.of(Kind.LOAD_BALANCER):
        yield "there is no Application Load Balancer by which a window of 48 hours could be judged"


def _of_fleet(aws: Aws, governed: Governed) -> Iterator[str]:
    try:
        group = group_of(aws, governed.name)
    except ClientError:
        return  # what could be read of it is said with its decision
    if not group.get("TargetGroupARNs"):
        yield "the group has no target group: no load balancer's errors and latency tell how its users fare"
    if "MixedInstancesPolicy" in group:
        yield "it launches several instance types, and this tool changes groups of one type"
    elif not group.get("LaunchTemplate"):
        yield "it has no launch template, of which a smaller type would be a new version"
