"""Quantities of a sizing that are billed for existing.

Instances with the volumes and the monitoring that come with them, nodes, gateways, load balancers, keys,
Aurora storage and backups. The tables come from `table_use`. What else is billed by use (KMS requests, Aurora I/O, data
transfer, load balancer capacity units) follows the load, not the sizing, and is left out.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from types import MappingProxyType

from domain.list_prices import OPTIMIZED, VALKEY, PriceBook
from domain.sizing import FLEET_VOLUME_GB, SECONDARY_BACKUP_DAYS, SECONDARY_CLASS, Sizing
from optimizer.resources.database.storage import Storage

NAT_GATEWAY = "NAT gateway"
LOAD_BALANCER = "Application Load Balancer"
KEY = "KMS key"
STORAGE = "Aurora storage"
BACKUP = "Aurora backup"
WRITES = "DynamoDB write request units"
VOLUME = "EBS gp3 volume"
MONITORING = "EC2 detailed monitoring"
# What each instance of the fleet brings with it. Detailed monitoring is billed as seven metrics
# (Amazon CloudWatch pricing, "EC2 Detailed Monitoring").
OF_EACH_INSTANCE = {VOLUME: Decimal(FLEET_VOLUME_GB), MONITORING: Decimal(7)}


@dataclass(frozen=True)
class Usage:
    """So many of one billed item in one Region. `part` is the part of the platform that needs it."""

    part: str
    item: str
    region: str
    quantity: Decimal


@dataclass(frozen=True)
class Footprint:
    """Everything that is billed for existing, as quantities. `brings`: what comes and goes with each EC2 instance."""

    usages: tuple[Usage, ...]
    brings: tuple[tuple[str, Decimal], ...] = tuple(OF_EACH_INSTANCE.items())

    @property
    def quantities(self) -> dict[tuple[str, str, str], Decimal]:
        """The quantity of each part's item in each Region."""
        counted: dict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
        for usage in self.usages:
            counted[usage.part, usage.item, usage.region] += usage.quantity
        return dict(counted)

    @property
    def variants(self) -> dict[str, str]:
        """By part, what stands behind the names of its instances: those that are made for them are so too."""
        return {
            usage.part: variant
            for usage in self.usages
            for variant in (OPTIMIZED, VALKEY)
            if usage.item.endswith(variant)
        }

    def without_unpriced(self, prices: PriceBook) -> tuple[Footprint, tuple[str, ...]]:
        """The usages with a price, and in words those without: a missing price takes its own line away, not all
        costs.
        """
        known = [usage for usage in self.usages if (usage.region, usage.item) in prices.prices]
        missing = {f"{usage.item} in {usage.region}" for usage in self.usages} - {
            f"{u.item} in {u.region}" for u in known
        }
        return replace(self, usages=tuple(known)), tuple(sorted(missing))

    def with_change(self, before: Footprint, after: Footprint) -> Footprint:
        """This footprint once what is `before` in the sizing became `after`.

        What the change does away with is gone however many there were: a group that had scaled out is
        replaced whole.
        """
        now, old, new = self.quantities, before.quantities, after.quantities
        for key in {*old, *new}:
            wanted = now.get(key, Decimal(0)) + new.get(key, Decimal(0)) - old.get(key, Decimal(0))
            now[key] = max(wanted, Decimal(0)) if key in new else Decimal(0)
        return _whole((Usage(*key, quantity) for key, quantity in now.items()), self.brings)

    def plus(self, usages: Iterable[Usage]) -> Footprint:
        """This footprint and these with it."""
        counted = Footprint((*self.usages, *usages)).quantities
        return _whole((Usage(*key, quantity) for key, quantity in counted.items()), self.brings)


@dataclass(frozen=True)
class Surroundings:
    """The parts of the foundation in each Region that its sizing does not change, counted."""

    nat_gateways: Mapping[str, int]
    load_balancers: Mapping[str, int]
    keys: Mapping[str, int]


def footprint_of(
    sizing: Sizing,
    regions: Sequence[str],
    *,
    storage: Storage | None = None,
    surroundings: Surroundings | None = None,
    variants: Mapping[str, str] = MappingProxyType({}),
) -> Footprint:
    """The footprint of a sizing. `regions` holds Region 1 (the primary) first, then 2, 3 and so on.

    Without `storage`, storage and backups are left out; without `surroundings`, gateways, load
    balancers and keys are. A secondary Region runs one instance of its own class, whatever the writer's.
    `variants` holds by part what stands behind the names of its instances, as I/O-Optimized.
    """
    primary, aurora = regions[0], sizing.aurora
    counted: Counter[tuple[str, str, str]] = Counter()
    counted["fleet", sizing.fleet.instance_type, primary] = sizing.fleet.desired
    node = sizing.cache.node_type + variants.get("cache", "")
    of_database = variants.get("database", "")
    counted["cache", node, primary] = len(sizing.cache.shards) * (1 + sizing.cache.replicas_per_shard)
    for instance in aurora.instances:
        counted["database", instance.instance_class + of_database, primary] += 1
    database_regions = [primary, *(regions[number - 1] for number in aurora.secondaries)]
    for region in database_regions[1:]:
        counted["database", SECONDARY_CLASS + of_database, region] += 1
    retention = dict.fromkeys(database_regions, SECONDARY_BACKUP_DAYS) | {primary: aurora.backup_retention_days}
    return footprint_from(counted, storage, retention, surroundings)


def footprint_from(
    counted: Counter[tuple[str, str, str]],
    storage: Storage | None,
    retention_days: Mapping[str, int],
    around: Surroundings | None,
) -> Footprint:
    """All usages, by Region and part. Storage and backups exist once in every Region with a cluster."""
    usages = [Usage(*key, Decimal(quantity)) for key, quantity in counted.items()]
    if storage:
        for region, days in retention_days.items():
            optimized = any(i.endswith(OPTIMIZED) and r == region for part, i, r in counted if part == "database")
            item = STORAGE + OPTIMIZED if optimized else STORAGE
            usages.append(Usage("database", item, region, storage.volume_gb))
            usages.append(Usage("database", BACKUP, region, storage.billed_backup_gb(days)))
    if around:
        usages += [Usage("network", NAT_GATEWAY, region, Decimal(n)) for region, n in around.nat_gateways.items()]
        usages += [Usage("fleet", LOAD_BALANCER, region, Decimal(n)) for region, n in around.load_balancers.items()]
        usages += [Usage("keys", KEY, region, Decimal(n)) for region, n in around.keys.items()]
    return _whole(usages)


def _whole(
    usages: Iterable[Usage], brings: tuple[tuple[str, Decimal], ...] = tuple(OF_EACH_INSTANCE.items())
) -> Footprint:
    """In order, and each instance of a fleet with what it brings: that comes and goes with the instances."""
    present = [usage for usage in usages if usage.quantity and usage.item not in OF_EACH_INSTANCE]
    instances: dict[str, Decimal] = defaultdict(Decimal)
    for usage in present:
        if usage.part == "fleet" and "." in usage.item:  # a load balancer has no type
            instances[usage.region] += usage.quantity
    for region, count in instances.items():
        present += [Usage("fleet", item, region, count * each) for item, each in brings]
    return Footprint(tuple(sorted(present, key=lambda u: (u.part, u.item, u.region))), brings)
