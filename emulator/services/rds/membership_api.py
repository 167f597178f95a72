"""Amazon RDS: leaving a global database, and deleting a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from moto.rds.models import rds_backends

from emulator.core.errors import AwsError
from emulator.core.registry import Answer, emulates
from emulator.services.rds.clusters import backend, find_cluster, members, refuse_busy, status_of

if TYPE_CHECKING:
    from emulator.core.call_record import Call
    from emulator.core.port import Account

API = "https://docs.aws.amazon.com/AmazonRDS/latest/APIReference"
GUIDE = "https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide"

DETACHES = timedelta(minutes=3)
DELETES = timedelta(minutes=6)


@emulates(
    "rds",
    "RemoveFromGlobalCluster",
    rule="Needs the member's ARN, in the member's own Region; the primary leaves last; the member is listed until it "
    "is detached, then it is a writable cluster of its own, which cannot return.",
    source=f"{GUIDE}/aurora-global-database-detaching.html",
)
def remove_from_global_cluster(account: Account, call: Call) -> Answer:
    database = _global_cluster(call)
    arn = call.parameters["DbClusterIdentifier"]
    found = [each for each in database.members if each.db_cluster_arn == arn]
    if not found or found[0].region != call.region:
        raise AwsError("DBClusterNotFoundFault", f"DBCluster {arn} is no member of it in this Region.", 404)
    cluster = found[0]
    refuse_busy(cluster)
    if cluster.is_writer and len(database.members) > 1:
        raise AwsError("InvalidGlobalClusterStateFault", "The primary cluster can be removed only after the others.")
    cluster.status = "promoting"

    def detach() -> None:
        database.members = [each for each in database.members if each is not cluster]
        cluster.global_cluster_identifier = None
        cluster.is_writer = False
        cluster.status = "available"

    account.schedule(account.clock.now() + DETACHES, detach)
    client = account.client("rds", call.account, call.region)
    shown = client.describe_global_clusters(GlobalClusterIdentifier=database.global_cluster_identifier)
    return {"GlobalCluster": shown["GlobalClusters"][0]}


@emulates(
    "rds",
    "DeleteDBCluster",
    rule="Refuses a protected cluster, a member of a global database, one with instances, and one that is busy; needs "
    "a final snapshot or SkipFinalSnapshot; the cluster is deleting, then gone, and the snapshot stays.",
    source=f"{API}/API_DeleteDBCluster.html",
)
def delete_cluster(account: Account, call: Call) -> Answer:
    asked = call.parameters
    cluster = find_cluster(call, asked["DBClusterIdentifier"])
    refuse_busy(cluster)
    if cluster.deletion_protection:
        raise AwsError(
            "InvalidParameterCombination", "Cannot delete protected Cluster, please disable it and try again."
        )
    if any(cluster in each.members for each in _global_clusters(call)):
        raise AwsError(
            "InvalidDBClusterStateFault",
            "This cluster is a part of a global cluster, please remove it from globalcluster first.",
        )
    if members(cluster):
        raise AwsError("InvalidDBClusterStateFault", "Cluster cannot be deleted, it still contains DB instances.")
    final, skip = asked.get("FinalDBSnapshotIdentifier"), asked.get("SkipFinalSnapshot", False)
    if bool(final) == bool(skip):
        raise AwsError("InvalidParameterCombination", "Give either FinalDBSnapshotIdentifier or SkipFinalSnapshot.")
    name = cluster.db_cluster_identifier
    client = account.client("rds", call.account, call.region)
    shown = client.describe_db_clusters(DBClusterIdentifier=name)["DBClusters"][0]
    store = backend(call)
    if final:
        _keep_final(account, store, cluster, final)
    cluster.status = "deleting"
    account.schedule(account.clock.now() + DELETES, lambda: store.clusters.pop(name, None))
    return {"DBCluster": {**shown, "Status": status_of(cluster)}}


def _keep_final(account: Account, store: Any, cluster: Any, name: str) -> None:
    if name.lower() in store.cluster_snapshots:
        raise AwsError("DBClusterSnapshotAlreadyExistsFault", f"DBClusterSnapshot {name} already exists.")
    store.create_db_cluster_snapshot(cluster.db_cluster_identifier, name)
    snapshot = store.cluster_snapshots[name.lower()]
    snapshot.status, snapshot.percent_progress = "creating", 0

    def complete() -> None:
        snapshot.status, snapshot.percent_progress = "available", 100

    account.schedule(account.clock.now() + DELETES, complete)


def _global_clusters(call: Call) -> Iterator[Any]:
    for region in rds_backends[call.account].values():
        yield from region.global_clusters.values()


def _global_cluster(call: Call) -> Any:
    wanted = call.parameters["GlobalClusterIdentifier"].lower()
    for each in _global_clusters(call):
        if each.global_cluster_identifier == wanted:
            return each
    raise AwsError("GlobalClusterNotFoundFault", f"Global cluster {wanted} not found.", 404)
