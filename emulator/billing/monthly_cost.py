"""Cost of a month of the account in its present state, at list price.

It counts every item that is billed for existing, and the requests of the tables. Other use (I/O, data transfer,
capacity units) follows the load and is left out, and so are commitments and manual snapshots.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from domain.list_prices import HOURS_PER_MONTH
from domain.sizing import FLEET_VOLUME_GB
from emulator.billing.catalog import rate
from emulator.billing.metering import METRICS_IN_DETAIL, kinds, request_units
from emulator.core.instance_types import GIB
from emulator.workload.database_volume import CHANGED_PER_DAY, volume
from emulator.workload.noise import DAY, PERIOD
from emulator.workload.snapshot import RegionSnapshot, configuration
from emulator.workload.workload import Sources

if TYPE_CHECKING:
    from emulator.core.port import Account

MONTH = 30 * DAY  # periods
_BY_THE_MONTH = frozenset({"Aurora storage", "Aurora backup", "KMS key", "EBS gp3 volume", "EC2 detailed monitoring"})


def monthly_cost(account: Account) -> float:
    """US dollars for a month of 730 hours. Raises PriceMissing for an item without a price."""
    total = 0.0
    for name, region in configuration(account.production).items():
        for item, quantity in standing(region, _volume_gb(account, name)).items():
            hours = 1.0 if item in _BY_THE_MONTH else float(HOURS_PER_MONTH)
            total += quantity * hours * rate(item, name)
        total += sum(quantity * rate(item, name) for item, quantity in _requested(account, name, region).items())
    return round(total, 2)


def _requested(account: Account, name: str, region: RegionSnapshot) -> Mapping[str, float]:
    """Request units of the present tables under the load of the last 30 days."""
    workload = account.part(Sources).workload
    if workload is None or not region.tables:
        return {}
    now = int(account.clock.now().timestamp() // PERIOD)
    scene = workload.scene_of([(0.0, {name: region})], name, now - MONTH, now)
    reads, writes = request_units(scene, scene.demand)
    return {"DynamoDB read request units": float(reads.sum()), "DynamoDB write request units": float(writes.sum())}


def standing(region: RegionSnapshot, volume_gb: float) -> dict[str, float]:
    """Quantities of the items that are billed for existing; `volume_gb` is the size of each Aurora volume.

    Backup storage of the volume's own size is free (Aurora User Guide, "Understanding Amazon Aurora backup storage
    usage"); beyond it each day of retention keeps what changed that day.
    """
    instances = sum(len(fleet.instances) for fleet in region.fleets.values())
    return {
        **kinds(region),
        "NAT gateway": region.gateways,
        "Application Load Balancer": len(region.balancers),
        "KMS key": region.keys,
        "EBS gp3 volume": instances * FLEET_VOLUME_GB,
        "EC2 detailed monitoring": instances * METRICS_IN_DETAIL,
        "Aurora storage": volume_gb * len(region.databases),
        "Aurora backup": volume_gb * CHANGED_PER_DAY * sum(each.retention_days for each in region.databases.values()),
    }


def _volume_gb(account: Account, region: str) -> float:
    workload = account.part(Sources).workload
    if workload is None or not workload.timeline:
        return 0.0
    now = int(account.clock.now().timestamp() // PERIOD)
    return float(volume(workload.scene_of(workload.timeline, region, now - 1, now))[-1] / GIB)
