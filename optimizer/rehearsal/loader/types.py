"""Every CloudFormation type the loader can make. What is not here is left out, counted and printed."""

from __future__ import annotations

from collections.abc import Mapping

from optimizer.rehearsal.loader import (
    balancer,
    cache,
    database,
    fleet,
    keys,
    network,
    roles,
    storage,
    tables,
    telemetry,
)
from optimizer.rehearsal.loader.resource import ResourceType

TYPES: Mapping[str, ResourceType] = {
    **network.TYPES,
    **keys.TYPES,
    **roles.TYPES,
    **fleet.TYPES,
    **balancer.TYPES,
    **tables.TYPES,
    **cache.TYPES,
    **database.TYPES,
    **storage.TYPES,
    **telemetry.TYPES,
}
