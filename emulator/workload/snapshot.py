"""State of the emulated account at one moment, as far as it determines the metrics."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC

from moto.autoscaling.models import FakeAutoScalingGroup, autoscaling_backends
from moto.core.base_backend import BackendDict
from moto.dynamodb.models import dynamodb_backends
from moto.ec2.models import ec2_backends
from moto.elasticache.models import elasticache_backends
from moto.elbv2.models import elbv2_backends
from moto.kms.models import kms_backends
from moto.pipes.models import pipes_backends
from moto.rds.models import rds_backends

from emulator.core.policy_evaluation import READS, denies

AGENT = "amazon-cloudwatch-agent"  # the package that user data installs


@dataclass(frozen=True)
class FleetSnapshot:
    """One Auto Scaling group: its instances in service, as (id, type).

    `counted`: its own metrics are enabled. `agent`: its instances start the CloudWatch agent.
    """

    instances: tuple[tuple[str, str], ...]
    counted: bool = True
    agent: bool = True


@dataclass(frozen=True)
class DatabaseSnapshot:
    """One Aurora cluster. Instances as (id, class); `snapshots` are manual ones, by the second they were taken."""

    instances: tuple[tuple[str, str], ...]
    writer: str | None
    secondary: bool
    retention_days: int
    snapshots: tuple[float, ...]


@dataclass(frozen=True)
class CacheSnapshot:
    """One replication group: its members as (node id, shard)."""

    node_type: str
    shards: tuple[str, ...]
    members: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class RegionSnapshot:
    """The resources of one Region, by the name their metrics carry."""

    fleets: Mapping[str, FleetSnapshot] = field(default_factory=dict)
    balancers: tuple[str, ...] = ()
    target_groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # by load balancer
    databases: Mapping[str, DatabaseSnapshot] = field(default_factory=dict)
    caches: Mapping[str, CacheSnapshot] = field(default_factory=dict)
    tables: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # indexes by table
    unreadable: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # indexes that are denied or being deleted
    streams: Mapping[str, str] = field(default_factory=dict)  # label of the active stream by table
    consumers: Mapping[str, int] = field(default_factory=dict)  # number of stream readers by table
    gateways: int = 0  # NAT gateways that are billed
    keys: int = 0  # customer keys
    left_snapshots: int = 0  # manual snapshots of deleted Aurora clusters


Configuration = Mapping[str, RegionSnapshot]  # by Region name

NOTHING = RegionSnapshot()


def configuration(account: str) -> Configuration:
    """Read the account's present configuration from moto's backends: without a call or a record."""
    services = (autoscaling_backends, elbv2_backends, rds_backends, elasticache_backends, dynamodb_backends)
    regions = {region for service in services if account in service for region in service[account]}
    return {region: _region(account, region) for region in sorted(regions)}


def _region(account: str, region: str) -> RegionSnapshot:
    return RegionSnapshot(
        fleets=_fleets(account, region),
        balancers=_balancers(account, region),
        target_groups=_target_groups(account, region),
        databases=_databases(account, region),
        caches=_caches(account, region),
        tables=_tables(account, region),
        unreadable=_unreadable(account, region),
        streams=_streams(account, region),
        consumers=_consumers(account, region),
        gateways=_gateways(account, region),
        keys=_keys(account, region),
        left_snapshots=_left_snapshots(account, region),
    )


def _there(service: BackendDict, account: str, region: str) -> bool:
    """Whether moto has this backend already: access by key would create it."""
    return account in service and region in service[account]


def _fleets(account: str, region: str) -> dict[str, FleetSnapshot]:
    if not _there(autoscaling_backends, account, region):
        return {}
    return {
        name: FleetSnapshot(
            tuple(
                (s.instance.id, s.instance.instance_type)
                for s in group.instance_states
                if s.lifecycle_state == "InService"
            ),
            counted="GroupInServiceInstances" in group.metrics,
            agent=AGENT in _user_data(group),
        )
        for name, group in autoscaling_backends[account][region].autoscaling_groups.items()
    }


def _user_data(group: FakeAutoScalingGroup) -> str:
    """User data that the group's instances run at launch. moto stores it encoded or plain, depending on the version."""
    if template := group.ec2_launch_template:
        kept = template.get_version(group.launch_template_version).data.get("UserData")
    else:
        kept = group.launch_config.user_data if group.launch_config else None
    return b64decode(str(kept or "")).decode(errors="replace")


def _balancers(account: str, region: str) -> tuple[str, ...]:
    if not _there(elbv2_backends, account, region):
        return ()
    return tuple(arn.split(":loadbalancer/", 1)[1] for arn in elbv2_backends[account][region].load_balancers)


def _target_groups(account: str, region: str) -> dict[str, tuple[str, ...]]:
    """Target groups by load balancer, named as in the metrics: targetgroup/NAME/ID, by app/NAME/ID."""
    groups: dict[str, tuple[str, ...]] = {}
    if _there(elbv2_backends, account, region):
        for arn, group in elbv2_backends[account][region].target_groups.items():
            for balancer in group.load_balancer_arns:
                name = balancer.split(":loadbalancer/", 1)[1]
                groups[name] = (*groups.get(name, ()), arn.rsplit(":", 1)[1])
    return groups


def _databases(account: str, region: str) -> dict[str, DatabaseSnapshot]:
    if not _there(rds_backends, account, region):
        return {}
    backend = rds_backends[account][region]
    followers = _followers(account)
    found = {}
    for name, cluster in backend.clusters.items():
        members = [each for each in cluster.members if each.status not in ("creating", "deleting")]
        found[name] = DatabaseSnapshot(
            instances=tuple((each.db_instance_identifier, each.db_instance_class) for each in members),
            writer=cluster.writer.db_instance_identifier if cluster.writer else None,
            secondary=cluster in followers,
            retention_days=int(cluster.backup_retention_period),
            snapshots=tuple(
                each.created.replace(tzinfo=UTC).timestamp()
                for each in backend.cluster_snapshots.values()
                if each.db_cluster_identifier == name and each.snapshot_type == "manual"
            ),
        )
    return found


def _followers(account: str) -> list[object]:
    """The secondary clusters of all global databases: every member but the writer."""
    return [
        member
        for backend in rds_backends[account].values()
        for database in backend.global_clusters.values()
        for place, member in enumerate(database.members)
        if place > 0 and not member.is_writer
    ]


def _caches(account: str, region: str) -> dict[str, CacheSnapshot]:
    if not _there(elasticache_backends, account, region):
        return {}
    return {
        name: CacheSnapshot(
            node_type=group.cache_node_type,
            shards=tuple(each["node_group_id"] for each in group.node_groups),
            members=tuple(
                (member["cache_cluster_id"], each["node_group_id"])
                for each in group.node_groups
                for member in each["node_group_members"]
            ),
        )
        for name, group in elasticache_backends[account][region].replication_groups.items()
    }


def _tables(account: str, region: str) -> dict[str, tuple[str, ...]]:
    if not _there(dynamodb_backends, account, region):
        return {}
    return {
        name: tuple(index.name for index in table.global_indexes)
        for name, table in dynamodb_backends[account][region].tables.items()
    }


def _unreadable(account: str, region: str) -> dict[str, tuple[str, ...]]:
    if not _there(dynamodb_backends, account, region):
        return {}
    backend = dynamodb_backends[account][region]
    found = {}
    for name, table in backend.tables.items():
        policy = backend.resource_policies.get(table.table_arn)
        indexes = tuple(
            index.name
            for index in table.global_indexes
            if index.status == "DELETING"
            or (policy and any(denies(policy.policy_doc, r, f"{table.table_arn}/index/{index.name}") for r in READS))
        )
        if indexes:
            found[name] = indexes
    return found


def _streams(account: str, region: str) -> dict[str, str]:
    if not _there(dynamodb_backends, account, region):
        return {}
    return {
        name: table.latest_stream_label
        for name, table in dynamodb_backends[account][region].tables.items()
        if (table.stream_specification or {}).get("StreamEnabled") and table.latest_stream_label
    }


def _consumers(account: str, region: str) -> dict[str, int]:
    """Number of pipes whose desired state is not STOPPED, by the table whose stream they read."""
    if not _there(pipes_backends, account, region):
        return {}
    sources = [
        pipe.source for pipe in pipes_backends[account][region].pipes.values() if pipe.desired_state != "STOPPED"
    ]
    tables = [source.split(":table/", 1)[1].split("/", 1)[0] for source in sources if ":table/" in source]
    return {name: tables.count(name) for name in sorted(set(tables))}


def _gateways(account: str, region: str) -> int:
    if not _there(ec2_backends, account, region):
        return 0
    return sum(each.state in ("pending", "available") for each in ec2_backends[account][region].nat_gateways.values())


def _keys(account: str, region: str) -> int:
    """Number of customer keys; those pending deletion are not billed (AWS KMS pricing)."""
    if not _there(kms_backends, account, region):
        return 0
    keys = kms_backends[account][region].keys.values()
    return sum(each.key_manager == "CUSTOMER" and each.key_state != "PendingDeletion" for each in keys)


def _left_snapshots(account: str, region: str) -> int:
    if not _there(rds_backends, account, region):
        return 0
    backend = rds_backends[account][region]
    snapshots = (each for each in backend.cluster_snapshots.values() if each.snapshot_type == "manual")
    return sum(each.db_cluster_identifier not in backend.clusters for each in snapshots)
