"""The metrics that the workload publishes, each under the dimensions under which AWS lists it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from emulator.services.cloudwatch.published_metrics import samples_of
from emulator.workload.metric_catalog import known
from emulator.workload.snapshot import RegionSnapshot
from emulator.workload.tables import OPERATIONS
from emulator.workload.tenants import TIERS
from emulator.workload.workload import MetricRequest, Sources

if TYPE_CHECKING:
    from emulator.core.port import Account

LISTED = timedelta(weeks=2)
Place = tuple[str, str]  # account, Region
Dimensions = tuple[tuple[str, str], ...]


def workload_metrics(account: Account, place: Place, namespace: str | None = None) -> Iterator[Mapping[str, Any]]:
    """Metrics with a datapoint in the past two weeks, of one namespace or of all, as ListMetrics shows them."""
    workload, now = account.part(Sources).workload, account.clock.now()
    if workload is None or place[0] != account.production:
        return
    regions = [held[place[1]] for _, held in workload.timeline if place[1] in held]
    others = sorted({name for _, held in workload.timeline for name in held} - {place[1]})
    span = MetricRequest(int((now - LISTED).timestamp()), int(now.timestamp()), 3_600)
    by_namespace: dict[str, list[Dimensions]] = {}
    for signal in known():
        if namespace not in (None, signal.namespace):
            continue
        if signal.namespace not in by_namespace:
            held = {each for region in regions for each in _dimensions(signal.namespace, region, others)}
            by_namespace[signal.namespace] = sorted(held)
        for dimensions in by_namespace[signal.namespace]:
            metric = {
                "Namespace": signal.namespace,
                "MetricName": signal.name,
                "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions],
            }
            samples = samples_of(account, place, metric, None, span, now)
            if samples is not None and len(samples.statistic("SampleCount")[0]):
                yield metric


def _dimensions(namespace: str, region: RegionSnapshot, others: list[str]) -> Iterator[Dimensions]:
    """Every combination of dimensions under which a namespace may publish; each metric decides for itself."""
    match namespace:
        case "AWS/ApplicationELB":
            for balancer in region.balancers:
                yield (("LoadBalancer", balancer),)
                for group in region.target_groups.get(balancer, ()):
                    yield (("LoadBalancer", balancer), ("TargetGroup", group))
        case "AWS/AutoScaling" | "AWS/EC2" | "CWAgent":
            for name, fleet in region.fleets.items():
                yield (("AutoScalingGroupName", name),)
                yield from ((("InstanceId", id),) for id, _ in fleet.instances)
        case "AWS/DynamoDB":
            yield from _of_tables(region)
        case "AWS/ElastiCache":
            for cache in region.caches.values():
                for node, _ in cache.members:
                    yield (("CacheClusterId", node),)
                    yield (("CacheClusterId", node), ("CacheNodeId", "0001"))
        case "AWS/RDS":
            for name, database in region.databases.items():
                yield (("DBClusterIdentifier", name),)
                yield from ((("DBClusterIdentifier", name), ("Role", role)) for role in ("READER", "WRITER"))
                yield from ((("DBInstanceIdentifier", id),) for id, _ in database.instances)
            yield from ((("SourceRegion", other),) for other in others)
        case "Tap/Tenants":
            yield from ((("Tier", tier),) for tier in TIERS)


def _of_tables(region: RegionSnapshot) -> Iterator[Dimensions]:
    for table, indexes in region.tables.items():
        yield (("TableName", table),)
        yield from ((("GlobalSecondaryIndexName", index), ("TableName", table)) for index in indexes)
        yield from ((("Operation", name), ("TableName", table)) for name in OPERATIONS.get(table, {}))
        if label := region.streams.get(table):
            yield (("Operation", "GetRecords"), ("StreamLabel", label), ("TableName", table))
