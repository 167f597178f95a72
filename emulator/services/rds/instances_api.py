"""Amazon RDS: Aurora instances that take time to be created, changed and deleted."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from emulator.core.errors import AwsError
from emulator.core.registry import Answer, emulates
from emulator.services.rds.clusters import (
    BEGINS,
    backend,
    emptiest_zone,
    find_cluster,
    find_instance,
    heir,
    maintenance,
    members,
    refuse_busy,
    refuse_shortage,
    refuse_unavailable,
)
from emulator.workload.disturbances import Disturbances

if TYPE_CHECKING:
    from emulator.core.call_record import Call
    from emulator.core.port import Account

API = "https://docs.aws.amazon.com/AmazonRDS/latest/APIReference"

CREATES = timedelta(minutes=8)
CHANGES_CLASS = timedelta(minutes=10)
RESTARTS = timedelta(minutes=2)  # during these the instance does not answer: on the writer an outage
DELETES = timedelta(minutes=4)
PROMOTES = timedelta(seconds=60)  # after the writer's deletion: detection, then a reader takes over

# Request members that moto drops, under the names that its serializer reads.
_KEPT = {
    "EnablePerformanceInsights": "performance_insights_enabled",
    "PerformanceInsightsKMSKeyId": "performance_insights_kms_key_id",
    "PerformanceInsightsRetentionPeriod": "performance_insights_retention_period",
}


@emulates(
    "rds",
    "CreateDBInstance",
    rule="An Aurora instance is creating, then available; unless one is named, it goes to the zone with the fewest of "
    "its cluster's instances; needs an available cluster; AWS may have no capacity.",
    source=f"{API}/API_CreateDBInstance.html",
)
def create_instance(account: Account, call: Call) -> Answer | None:
    asked = dict(call.parameters)
    if "DBClusterIdentifier" not in asked:
        return None
    cluster = find_cluster(call, asked["DBClusterIdentifier"])
    refuse_busy(cluster)
    refuse_shortage(account, asked["DBInstanceClass"])
    zone = asked.get("AvailabilityZone") or emptiest_zone(call, cluster)
    call.forward({**asked, "AvailabilityZone": zone})
    instance = find_instance(call)
    instance.status = "creating"
    instance.dbi_resource_id = f"db-{account.identifier().replace('-', '')[:26].upper()}"
    for name, kept in _KEPT.items():
        setattr(instance, kept, asked.get(name))

    def complete() -> None:
        instance.status = "available"

    account.schedule(account.clock.now() + CREATES, complete)
    return _description(account, call)


@emulates(
    "rds",
    "ModifyDBInstance",
    rule="Works only while available; another class is pending, then applied: soon with ApplyImmediately, which "
    "applies every other pending change as well, else in the maintenance window; the instance restarts, on the writer "
    "an outage; a promotion tier, from 0 to 15, takes effect at once.",
    source="https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Aurora.Modifying.html",
)
def modify_instance(account: Account, call: Call) -> Answer:
    asked, instance = dict(call.parameters), find_instance(call)
    refuse_unavailable(instance)
    wanted = asked.pop("DBInstanceClass", None)
    tier = asked.get("PromotionTier")
    if tier is not None and not 0 <= tier <= 15:
        raise AwsError("InvalidParameterValue", f"Invalid promotion tier: {tier}. Must be from 0 to 15.")
    pending: dict[str, Any] = dict(getattr(instance, "pending_modified_values", None) or {})
    if wanted is not None and wanted != instance.db_instance_class:
        refuse_shortage(account, wanted)
        pending["DBInstanceClass"] = wanted
    call.forward(asked)
    if tier is not None:
        instance.promotion_tier = tier
    instance.pending_modified_values = pending
    if pending:
        now = account.clock.now()
        begins = now + BEGINS
        if not asked.get("ApplyImmediately"):
            begins = maintenance(instance.preferred_maintenance_window, now)
        account.schedule(begins, lambda: _begin(account, instance, pending))
        account.schedule(begins + CHANGES_CLASS, lambda: _apply(instance, pending))
    return _description(account, call)


@emulates(
    "rds",
    "DeleteDBInstance",
    rule="The instance is deleting, then gone; no final snapshot of an Aurora instance; the last instance of a read "
    "replica cluster cannot be deleted; after the writer, the reader of the lowest promotion tier takes over, and "
    "writes fail until then; deletion protection of the cluster does not protect it.",
    source=f"{API}/API_DeleteDBInstance.html",
)
def delete_instance(account: Account, call: Call) -> Answer | None:
    instance = find_instance(call)
    if (name := getattr(instance, "db_cluster_identifier", None)) is None:
        return None
    cluster = find_cluster(call, name)
    if instance.status == "deleting":
        raise AwsError(
            "InvalidDBInstanceState", f"Instance {instance.db_instance_identifier} is already being deleted."
        )
    if call.parameters.get("FinalDBSnapshotIdentifier"):
        raise AwsError(
            "InvalidParameterCombination", "FinalDBSnapshotIdentifier cannot be given for a cluster's member."
        )
    if cluster.replication_source_identifier and len(members(cluster)) == 1:
        raise AwsError(
            "InvalidDBClusterStateFault",
            "Cannot delete the last instance of the read replica DB cluster. Promote the DB cluster to a standalone "
            "DB cluster in order to delete it.",
        )
    instance.status = "deleting"
    now = account.clock.now()
    if instance.is_cluster_writer and (successor := heir(cluster)) is not None:
        instance.is_cluster_writer = False
        successor.is_cluster_writer = True
        account.part(Disturbances).add(now, PROMOTES)
    store = backend(call)
    account.schedule(now + DELETES, lambda: store.databases.pop(instance.db_instance_identifier, None))
    return _description(account, call)


def _begin(account: Account, instance: Any, pending: dict[str, Any]) -> bool:
    if instance.pending_modified_values is not pending or instance.status != "available":
        return False  # another change replaced it
    instance.status = "modifying"
    if instance.is_cluster_writer and not _follows(instance):
        account.part(Disturbances).add(account.clock.now(), RESTARTS)
    return True


def _follows(instance: Any) -> bool:
    """Whether the instance belongs to a secondary cluster, which takes no writes."""
    cluster = instance.cluster
    return cluster.global_cluster_identifier is not None and not cluster.is_writer


def _apply(instance: Any, pending: dict[str, Any]) -> bool:
    if instance.status != "modifying" or instance.pending_modified_values is not pending:
        return False
    instance.db_instance_class = pending["DBInstanceClass"]
    instance.pending_modified_values = {}
    instance.status = "available"
    return True


def _description(account: Account, call: Call) -> Answer:
    client = account.client("rds", call.account, call.region)
    name = call.parameters["DBInstanceIdentifier"]
    return {"DBInstance": client.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]}
