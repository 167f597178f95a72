"""Keep Aurora's automated backups for fewer days: 30 to 14.

Saves the changes of 16 days in backup storage. Risks the restore points of days 15 to 30: they are gone
the moment the retention is cut, and raising it again takes 16 days to rebuild them. So the cut is one-way
and made at acceptance only; before it, in the window, a manual snapshot is taken, which undo deletes.

The snapshot costs nothing while it is younger than the retention period, then the volume's full size
each month: delete it on the day in its tag `tap:delete-after`, when 30 days of retention would have let
go of its data too. Kept longer it costs more than the step saves: the decision shows both, and goes on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from domain.errors import MoveFailed
from domain.names import DATABASE_NAME
from domain.sizing import Sizing
from optimizer.action import Action, Before, Bills, Move, Permission, When
from optimizer.costs.footprint import BACKUP
from optimizer.decide.policy import Policy
from optimizer.model.decision import ChangeCost, Criterion, Decision, Measured, Projection, brief, decide_by, guard
from optimizer.model.fingerprint import fingerprint
from optimizer.model.phase import Phase
from optimizer.model.resource import Governed, Kind, name_in
from optimizer.observe.metrics import Measurements, Query
from optimizer.ports.aws import Aws
from optimizer.resources.database import cluster as aurora
from optimizer.resources.database.kinds import touched_in_rds
from optimizer.resources.database.storage import Storage
from optimizer.resources.registry import is_sized

if TYPE_CHECKING:
    from types_boto3_rds.type_defs import DBClusterSnapshotTypeDef, DBClusterTypeDef

ID = "aurora_backups"
HOLD_TAG = "legalhold"  # however it is spelt: legal-hold, LegalHold, legal_hold
DELETE_AFTER = "tap:delete-after"
MONTH = 30.4  # days
BILLED = "billed backup storage"


@dataclass(frozen=True)
class Evidence:
    """One Aurora cluster's backups. `storage` is None without metrics; `obstacles` are in words."""

    cluster: str
    before: Before
    storage: Storage | None
    legal_hold: str | None
    backup_plan: str | None  # the AWS Backup recovery point that owns the cluster's backups
    obstacles: tuple[str, ...]


def queries(cluster: Governed) -> tuple[Query, ...]:
    dimensions = (("DBClusterIdentifier", cluster.name),)
    volume, backups = (
        Query("AWS/RDS", name, dimensions, ("Average",), region=cluster.region)
        for name in ("VolumeBytesUsed", "BackupRetentionPeriodStorageUsed")
    )
    return volume, backups


def collect(aws: Aws, cluster: Governed, measured: Measurements) -> Evidence:
    """Read the cluster; take the newest sizes of its volume and its backups from what was measured."""
    described = _cluster(aws, cluster.name)
    volume, backups = (measured.of(query, "Average").values for query in queries(cluster))
    before = describe(aws, cluster)
    return Evidence(
        cluster=cluster.arn,
        before=before,
        storage=Storage.measured(float(volume[-1]), float(backups[-1]), before["retention_days"])
        if len(volume) and len(backups)
        else None,
        legal_hold=_legal_hold(cluster.tags),
        backup_plan=described.get("AwsBackupRecoveryPointArn"),
        obstacles=tuple(_obstacles(described)),
    )


def decide(evidence: Evidence, policy: Policy) -> Decision:
    """The brief asks for 14 days without a condition: only who holds or owns the backups keeps them.

    The cost of the snapshot stands beside the saving, and vetoes nothing.
    """
    days, target, storage = evidence.before["retention_days"], policy.backups.retention_days, evidence.storage
    today = float(storage.billed_backup_gb(days)) if storage else None
    after = float(storage.billed_backup_gb(target)) if storage else None
    # Billed from the day it leaves the retention period until 30 days would have let go of its data too.
    kept = float(storage.volume_gb) * max(days - target, 0) / MONTH if storage else None
    saved_in_a_year = 12 * max(today - after, 0.0) if today is not None and after is not None else None

    def over(name: str, observed: Measured, unit: str = "", **limit: Any) -> Criterion:
        return guard(name, observed, unit=unit, lifted=policy.is_lifted(ID, name), **limit)

    criteria = (
        brief("retention today", days, unit="days", at_least=target + 1),
        over("under legal hold", evidence.legal_hold or "no", equals="no"),
        over("owned by AWS Backup", evidence.backup_plan or "no", equals="no"),
        over("obstacles to a change", "; ".join(evidence.obstacles) or "none", equals="none"),
    )
    projected = (
        Projection(BILLED, today, after, "GB"),
        Projection(
            "the snapshot as long as it is needed, beside what a year saves", saved_in_a_year, kept, "GB-months"
        ),
        Projection("snapshot, should it be kept on", 0.0, float(storage.volume_gb) if storage else None, "GB"),
    )
    return decide_by(
        ID,
        evidence.cluster,
        criteria,
        before=evidence.before,
        target={"retention_days": target},
        projected=projected,
        costs=(
            ChangeCost(
                "the snapshot, as long as it is needed", "database", BACKUP, evidence.cluster.split(":")[3], kept
            ),
        ),
        undo="in the window the snapshot is deleted; after acceptance none: lost restore points do not come back",
    )


def describe(aws: Aws, cluster: Governed) -> Before:
    """The retention, and which cluster it is: one made anew under the same name is another."""
    described = _cluster(aws, cluster.name)
    return {"retention_days": described["BackupRetentionPeriod"], "resource_id": described.get("DbClusterResourceId")}


def bills(cluster: Governed, decision: Decision) -> Bills:
    """The automated backups beyond the free amount."""
    billed = next(each for each in decision.projected if each.name == BILLED)
    if billed.today is None or billed.after is None:
        return {}
    return {(cluster.region, BACKUP): Decimal(str(billed.after)) - Decimal(str(billed.today))}


def moves(cluster: Governed, before: Before, decision: Decision) -> list[Move]:
    """A snapshot in the window; at acceptance the retention."""
    days, target = before["retention_days"], decision.target["retention_days"]
    snapshot = _snapshot_id(cluster, decision)

    def is_taken(aws: Aws) -> bool:
        taken = _snapshot(aws, snapshot)
        if taken is not None and taken["Status"] == "failed":
            raise MoveFailed(f"{cluster.name}: the snapshot {snapshot} failed. Delete it, then run this again.")
        return taken is not None and taken["Status"] == "available"

    def take(aws: Aws) -> None:
        if _snapshot(aws, snapshot) is None:  # else it is being made
            delete_after = aws.clock.now() + timedelta(days=days)
            aws.rds.create_db_cluster_snapshot(
                DBClusterIdentifier=cluster.name,
                DBClusterSnapshotIdentifier=snapshot,
                Tags=[{"Key": DELETE_AFTER, "Value": f"{delete_after:%Y-%m-%d}"}],
            )

    def delete(aws: Aws) -> None:
        taken = _snapshot(aws, snapshot)
        if taken is not None and taken["Status"] == "creating":  # cannot be deleted yet
            raise MoveFailed(f"{cluster.name}: the snapshot {snapshot} is still being made. Run this again in a while.")
        if taken is not None:
            aws.rds.delete_db_cluster_snapshot(DBClusterSnapshotIdentifier=snapshot)

    def is_cut(aws: Aws) -> bool:
        described = _cluster(aws, cluster.name)
        settled = described["Status"] == "available" and not described.get("PendingModifiedValues")
        return settled and described["BackupRetentionPeriod"] == target

    def cut(aws: Aws) -> None:
        described = _cluster(aws, cluster.name)
        if described.get("PendingModifiedValues", {}).get("BackupRetentionPeriod") == target:
            return  # asked for already, by a run that did not hear the answer
        if held := _held_back(described):
            raise MoveFailed(
                f"{cluster.name}: the retention stays, it is {held} by now. Run this again when it is not."
            )
        if obstacles := list(_obstacles(described)):
            raise MoveFailed(f"{cluster.name}: the retention stays, {'; '.join(obstacles)}. Run this again then.")
        if not is_taken(aws):
            raise MoveFailed(f"{cluster.name}: the snapshot {snapshot} is gone: nothing is cut without it.")
        # Without ApplyImmediately the change would wait for the maintenance window.
        aws.rds.modify_db_cluster(DBClusterIdentifier=cluster.name, BackupRetentionPeriod=target, ApplyImmediately=True)

    return [
        Move(
            name="snapshot",
            when=When.APPLY,
            summary=f"manual snapshot {snapshot}",
            is_done=is_taken,
            do=take,
            undo=delete,
            is_undone=lambda aws: _snapshot(aws, snapshot) is None,
            deadline=timedelta(hours=6),
            poll=timedelta(minutes=1),
            touches=lambda aws: (
                touched_in_rds(aws, f"{cluster.arn.split(':cluster:')[0]}:cluster-snapshot:{snapshot}"),
            ),
        ),
        Move(
            name="retention",
            when=When.ACCEPT,
            summary=f"backups of {cluster.name} kept for {target} days instead of {days}",
            is_done=is_cut,
            do=cut,
        ),
    ]


def resize(sizing: Sizing, decision: Decision) -> Sizing:
    if name_in(decision.resource) != DATABASE_NAME:
        return sizing  # it speaks of one, and this is another
    aurora = sizing.aurora.model_copy(update={"backup_retention_days": decision.target["retention_days"]})
    return sizing.model_copy(update={"aurora": aurora})


def _cluster(aws: Aws, name: str) -> DBClusterTypeDef:
    (cluster,) = aws.rds.describe_db_clusters(DBClusterIdentifier=name)["DBClusters"]
    return cluster


def _snapshot(aws: Aws, name: str) -> DBClusterSnapshotTypeDef | None:
    try:
        (taken,) = aws.rds.describe_db_cluster_snapshots(DBClusterSnapshotIdentifier=name)["DBClusterSnapshots"]
    except aws.rds.exceptions.DBClusterSnapshotNotFoundFault:
        return None
    return taken


def _snapshot_id(cluster: Governed, decision: Decision) -> str:
    """The same for the same decision: a second run finds what the first one made."""
    return f"{cluster.name}-before-retention-{fingerprint([decision.resource, decision.before, decision.target])}"


def _obstacles(described: DBClusterTypeDef) -> Iterator[str]:
    """ApplyImmediately would apply whatever else is pending, and a busy cluster refuses changes."""
    if described["Status"] != "available":
        yield f"the cluster is {described['Status']}"
    if pending := described.get("PendingModifiedValues"):
        yield f"other changes are pending: {', '.join(sorted(pending))}"


def _held_back(described: DBClusterTypeDef) -> str | None:
    """Whether somebody came to hold or own the backups since the plan; read once more before restore points are
    lost.
    """
    if hold := _legal_hold({each["Key"]: each["Value"] for each in described.get("TagList", [])}):
        return f"under legal hold ({hold})"
    return "owned by AWS Backup" if described.get("AwsBackupRecoveryPointArn") else None


def _legal_hold(tags: Mapping[str, str]) -> str | None:
    """The tag that holds the backups back; None when there is none, or it says no."""
    for key, value in tags.items():
        spelt = "".join(letter for letter in key.casefold() if letter.isalnum())
        if HOLD_TAG in spelt and value.casefold() not in ("", "no", "false", "none"):
            return f"{key}={value}"
    return None


_REFERENCE = "https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonrds.html"
_CLUSTERS = "arn:{partition}:rds:{region}:{account}:cluster:tap-database*"
_SNAPSHOTS = "arn:{partition}:rds:{region}:{account}:cluster-snapshot:tap-database*-before-retention-*"


ACTION = Action(
    id=ID,
    phase=Phase.DATABASE,
    title="Keep Aurora backups for fewer days",
    kind=Kind.DATABASE,
    applies_to=aurora.is_no_copy,
    queries=queries,
    collect=collect,
    decide=decide,
    describe=describe,
    moves=moves,
    resize=resize,
    bills=bills,
    sized=is_sized,
    permissions=(
        Permission("rds:DescribeDBClusters", source=_REFERENCE),
        Permission("rds:DescribeDBClusterSnapshots", source=_REFERENCE),
        Permission("rds:CreateDBClusterSnapshot", (_CLUSTERS, _SNAPSHOTS), writes=True, source=_REFERENCE),
        Permission("rds:AddTagsToResource", (_SNAPSHOTS,), writes=True, dependent=True, source=_REFERENCE),
        Permission("rds:DeleteDBClusterSnapshot", (_SNAPSHOTS,), writes=True, source=_REFERENCE),
        Permission("rds:ModifyDBCluster", (_CLUSTERS,), writes=True, source=_REFERENCE),
    ),
)
