"""Aurora clusters: states, maintenance windows, zones and capacity, shared by several operations."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from moto.rds.models import rds_backends

from emulator.core.errors import AwsError
from emulator.core.instance_types import vcpus
from emulator.workload.workload import Sources

if TYPE_CHECKING:
    from emulator.core.call_record import Call
    from emulator.core.port import Account

BEGINS = timedelta(seconds=30)  # right after the call the status still says "available"
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def backend(call: Call) -> Any:
    return rds_backends[call.account][call.region]


def find_cluster(call: Call, name: str) -> Any:
    """The cluster of that name or ARN. Raises AwsError when there is none."""
    cluster = backend(call).clusters.get(name.rsplit(":", 1)[-1].lower())
    if cluster is None:
        raise AwsError("DBClusterNotFoundFault", f"DBCluster {name} not found.", 404)
    return cluster


def find_instance(call: Call) -> Any:
    """The instance that the call names. Raises AwsError when there is none."""
    name = call.parameters["DBInstanceIdentifier"].lower()
    instance = backend(call).databases.get(name)
    if instance is None:
        raise AwsError("DBInstanceNotFound", f"DBInstance {name} not found.", 404)
    return instance


def status_of(cluster: Any) -> str:
    """The status, without moto's side effect: a read there turns "creating" into "available"."""
    return str(vars(cluster)["_status"])


def refuse_busy(cluster: Any) -> None:
    """Raises AwsError unless the cluster is available: Aurora changes it only then."""
    # moto's "creating" becomes "available" at the first read, so it does not count.
    if status_of(cluster) not in ("available", "creating"):
        raise AwsError(
            "InvalidDBClusterStateFault",
            f"The cluster {cluster.db_cluster_identifier} is in the state {status_of(cluster)}.",
        )


def refuse_unavailable(instance: Any) -> None:
    """Raises AwsError unless the instance is available: Aurora changes it only then."""
    if instance.status != "available":
        raise AwsError(
            "InvalidDBInstanceState",
            f"Instance {instance.db_instance_identifier} is in the state {instance.status}, not available.",
        )


def refuse_shortage(account: Account, instance_class: str) -> None:
    """Raises AwsError if AWS has no capacity for this instance class in the scenario."""
    workload = account.part(Sources).workload
    if workload is not None and workload.lacks(instance_class, account.clock.now()):
        raise AwsError(
            "InsufficientDBInstanceCapacity",
            f"The DB instance class {instance_class} is not available in the specified Availability Zone.",
        )


def members(cluster: Any) -> list[Any]:
    """The cluster's instances, those being deleted included."""
    return [
        each
        for each in cluster.backend.databases.values()
        if getattr(each, "db_cluster_identifier", None) == cluster.db_cluster_identifier
    ]


def heir(cluster: Any) -> Any | None:
    """The reader that Aurora promotes: available, of the lowest tier, the largest; None without one."""
    readers = [each for each in members(cluster) if not each.is_cluster_writer and each.status == "available"]
    return min(
        readers,
        key=lambda each: (each.promotion_tier, -vcpus(each.db_instance_class), each.db_instance_identifier),
        default=None,
    )


def emptiest_zone(call: Call, cluster: Any) -> str:
    """The zone of the cluster's subnets with the fewest of its instances."""
    group = backend(call).subnet_groups.get(cluster.db_subnet_group_name)
    named = {each.availability_zone for each in vars(group).get("_subnets", [])} if group else set()
    zones = sorted(named) or list(cluster.availability_zones)
    taken = Counter(each.availability_zone for each in members(cluster))
    return str(min(zones, key=lambda zone: taken[zone]))


def maintenance(window: str, now: datetime) -> datetime:
    """The next start of a maintenance window such as `wed:02:40-wed:03:10`."""
    day, hour, minute = window.lower().split("-")[0].split(":")
    begins = now.astimezone(UTC).replace(hour=int(hour), minute=int(minute), second=0, microsecond=0)
    begins += timedelta(days=(DAYS.index(day) - begins.weekday()) % 7)
    return begins if begins > now else begins + timedelta(days=7)
