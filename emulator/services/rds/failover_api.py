"""Amazon RDS: failovers that take time, and in which writing clients get errors."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from emulator.core.errors import AwsError
from emulator.core.registry import Answer, emulates
from emulator.services.rds.clusters import backend, find_cluster, heir, members, refuse_busy
from emulator.workload.disturbances import Disturbances
from emulator.workload.workload import Sources

if TYPE_CHECKING:
    from emulator.core.call_record import Call
    from emulator.core.port import Account

GUIDE = "https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide"

FAILOVER = timedelta(seconds=30)  # "typically within 60 seconds, often under 30" with connected, well-behaved clients


@emulates(
    "rds",
    "FailoverDBCluster",
    rule="Promotes the named reader, else the reader of the lowest promotion tier, the largest of it; needs an "
    "available cluster and an available reader; during the failover the cluster is failing-over and writes fail.",
    source=f"{GUIDE}/Concepts.AuroraHighAvailability.html",
)
def failover(account: Account, call: Call) -> Answer:
    cluster = find_cluster(call, call.parameters["DBClusterIdentifier"])
    refuse_busy(cluster)
    target = _target(call, cluster)
    length = _length(account)
    cluster.status = "failing-over"
    account.part(Disturbances).add(account.clock.now(), length)

    def promote() -> None:
        for each in members(cluster):
            each.is_cluster_writer = each is target
        cluster.status = "available"

    account.schedule(account.clock.now() + length, promote)
    client = account.client("rds", call.account, call.region)
    found = client.describe_db_clusters(DBClusterIdentifier=cluster.db_cluster_identifier)
    return {"DBCluster": found["DBClusters"][0]}


@emulates(
    "rds",
    "DescribeDBClusterEndpoints",
    rule="Every cluster has a writer and a reader endpoint; custom endpoints only if somebody made one.",
    source=f"{GUIDE}/Aurora.Overview.Endpoints.html",
)
def describe_endpoints(_: Account, call: Call) -> Answer:
    wanted = call.parameters.get("DBClusterIdentifier")
    clusters = [find_cluster(call, wanted)] if wanted else list(backend(call).clusters.values())
    return {
        "DBClusterEndpoints": [
            {
                "DBClusterIdentifier": each.db_cluster_identifier,
                "Endpoint": address,
                "Status": "available",
                "EndpointType": kind,
            }
            for each in clusters
            for kind, address in (("WRITER", each.endpoint), ("READER", each.reader_endpoint))
        ]
    }


def _target(call: Call, cluster: Any) -> Any:
    asked = call.parameters.get("TargetDBInstanceIdentifier")
    if asked is None:
        found = heir(cluster)
    else:
        named = [each for each in members(cluster) if each.db_instance_identifier == asked.lower()]
        if not named:
            raise AwsError("DBInstanceNotFound", f"DBInstance {asked} not found in the cluster.", 404)
        found = named[0]
    if found is None or found.status != "available" or found.is_cluster_writer:
        raise AwsError(
            "InvalidDBClusterStateFault",
            f"{cluster.db_cluster_identifier} has no available reader to fail over to.",
        )
    return found


def _length(account: Account) -> timedelta:
    workload = account.part(Sources).workload
    longer = workload.failover_seconds(account.clock.now()) if workload else None
    return FAILOVER if longer is None else timedelta(seconds=longer)
