"""The account's footprint now, counted by describing what runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from optimizer.costs.footprint import Footprint, Surroundings, footprint_from
from optimizer.model.resource import GOVERNED, Governed, Kind, Selection
from optimizer.ports.aws import Aws
from optimizer.resources.database.storage import Storage, storage_in
from optimizer.resources.registry import resource_kinds
from optimizer.resources.tags import flat


def footprint_in(
    aws: Aws, governed: Iterable[Governed], *, storage: Storage | None = None, selection: Selection = GOVERNED
) -> Footprint:
    """The account's footprint now, from the governed resources and what surrounds them.

    Only instances that run are counted. Keys are those that the governed resources are encrypted
    with; NAT gateways are those of the selection.
    """
    counted: Counter[tuple[str, str, str]] = Counter()
    retention: dict[str, int] = {}
    keys: set[tuple[str, str]] = set()
    regions = {aws.region}
    for each in governed:
        there = aws.at(each.region)
        regions.add(each.region)
        kind = resource_kinds()[each.kind]
        billed = kind.billed(there, each.name)
        counted.update({(kind.part, item, each.region): count for item, count in billed.items.items()})
        keys |= {(each.region, key) for key in billed.keys}
        if billed.backup_days is not None:
            retention[each.region] = billed.backup_days
    gateways = {region: _nat_gateways(aws.at(region), selection) for region in sorted(regions)}
    around = Surroundings(gateways, {}, Counter(region for region, _ in keys))
    return footprint_from(counted, storage, retention, around)


def footprint_now(aws: Aws, governed: Sequence[Governed]) -> tuple[Footprint, Storage | None]:
    """The account's footprint now, with the measured contents of the primary Region's Aurora volume."""
    primary = [each for each in governed if each.kind is Kind.DATABASE and each.region == aws.region]
    storage = storage_in(aws, primary[0]) if primary else None
    return footprint_in(aws, governed, storage=storage), storage


def _nat_gateways(aws: Aws, selection: Selection) -> int:
    """The number of the selection's NAT gateways in the Region."""
    pages = aws.ec2.get_paginator("describe_nat_gateways").paginate()
    return sum(
        selection.holds(flat(each.get("Tags", [])))
        for page in pages
        for each in page["NatGateways"]
        if each["State"] in {"pending", "available"}
    )
