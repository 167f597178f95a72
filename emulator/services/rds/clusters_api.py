"""Amazon RDS: cluster snapshots and backup retention that take time, and the effect of retention on restore points."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from moto.rds.models import rds_backends

from emulator.core.errors import AwsError
from emulator.core.registry import Answer, emulates
from emulator.services.rds.clusters import BEGINS, find_cluster, maintenance, refuse_busy

if TYPE_CHECKING:
    from emulator.core.call_record import Call
    from emulator.core.port import Account

API = "https://docs.aws.amazon.com/AmazonRDS/latest/APIReference"

SNAPSHOT = timedelta(minutes=5)
APPLIES = timedelta(seconds=90)


@emulates(
    "rds",
    "CreateDBClusterSnapshot",
    rule="A snapshot is creating, then available; a used name is refused; the cluster must exist and be available.",
    source=f"{API}/API_CreateDBClusterSnapshot.html",
)
def create_cluster_snapshot(account: Account, call: Call) -> Answer:
    cluster = find_cluster(call, call.parameters["DBClusterIdentifier"])
    refuse_busy(cluster)
    answer = call.forward()
    shown = answer["DBClusterSnapshot"]
    snapshot = rds_backends[call.account][call.region].cluster_snapshots[shown["DBClusterSnapshotIdentifier"]]
    snapshot.status, snapshot.percent_progress = "creating", 0

    def complete() -> None:
        snapshot.status, snapshot.percent_progress = "available", 100

    account.schedule(account.clock.now() + SNAPSHOT, complete)
    return {"DBClusterSnapshot": {**shown, "Status": "creating", "PercentProgress": 0}}


@emulates(
    "rds",
    "DeleteDBClusterSnapshot",
    rule="Only an available snapshot can be deleted.",
    source=f"{API}/API_DeleteDBClusterSnapshot.html",
)
def delete_cluster_snapshot(_: Account, call: Call) -> Answer:
    name = call.parameters["DBClusterSnapshotIdentifier"].lower()
    snapshot = rds_backends[call.account][call.region].cluster_snapshots.get(name)
    if snapshot is not None and snapshot.status != "available":
        raise AwsError(
            "InvalidDBClusterSnapshotStateFault", f"The cluster snapshot {name} is in the state {snapshot.status}."
        )
    return call.forward()


@emulates(
    "rds",
    "ModifyDBCluster",
    rule="BackupRetentionPeriod is pending until it is applied: soon with ApplyImmediately, else in the maintenance "
    "window; the status turns to modifying a while after the call; a cluster that is modifying refuses another "
    "change.",
    source=f"{API}/API_ModifyDBCluster.html",
)
def modify_cluster(account: Account, call: Call) -> Answer:
    asked = dict(call.parameters)
    cluster = find_cluster(call, asked["DBClusterIdentifier"])
    refuse_busy(cluster)
    days = asked.pop("BackupRetentionPeriod", None)
    if days is not None and not 1 <= days <= 35:
        raise AwsError("InvalidParameterValue", f"Invalid backup retention period: {days}. Must be from 1 to 35.")
    answer = call.forward(asked)["DBCluster"]
    if days is not None and days != cluster.backup_retention_period:
        answer["PendingModifiedValues"] = cluster.pending_modified_values = {"BackupRetentionPeriod": days}
        now = account.clock.now()
        begins = (
            now + BEGINS if asked.get("ApplyImmediately") else maintenance(cluster.preferred_maintenance_window, now)
        )
        account.schedule(begins, lambda: _begin(cluster, days))
        account.schedule(begins + APPLIES, lambda: _apply(account, cluster, days))
    return {"DBCluster": answer}


@emulates(
    "rds",
    "DescribeDBClusters",
    rule="The earliest restorable time moves with time and never back: a longer retention fills up day by day.",
    source="https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Aurora.Managing.Backups.html",
)
def describe_clusters(account: Account, call: Call) -> Answer | None:
    for cluster in rds_backends[call.account][call.region].clusters.values():
        _forget_old_points(account, cluster)
    return None


def _begin(cluster: Any, days: int) -> bool:
    if cluster.pending_modified_values != {"BackupRetentionPeriod": days}:
        return False  # another change replaced it
    cluster.status = "modifying"
    return True


def _apply(account: Account, cluster: Any, days: int) -> bool:
    if cluster.status != "modifying" or cluster.pending_modified_values != {"BackupRetentionPeriod": days}:
        return False
    _forget_old_points(account, cluster)
    cluster.backup_retention_period = days
    cluster.pending_modified_values = None
    cluster.status = "available"
    return True


def _forget_old_points(account: Account, cluster: Any) -> None:
    oldest = account.clock.now().replace(tzinfo=None) - timedelta(days=cluster.backup_retention_period)
    cluster.earliest_restorable_time = max(cluster.earliest_restorable_time, oldest)
