"""Aurora's backups: when the cut is worth it, and that nothing is cut in the window."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from domain.errors import MoveFailed
from domain.sizing import Sizing
from emulator.account import EmulatedAccount
from optimizer.action import When
from optimizer.actions import aurora_backups
from optimizer.actions.aurora_backups import ACTION, Evidence
from optimizer.decide.policy import Policy
from optimizer.model.decision import Choice, Decision
from optimizer.model.resource import Governed
from optimizer.observe.metrics import Measurements, Series
from optimizer.ports.aws import Aws
from optimizer.resources.database.storage import Storage
from tests.actions.carrying import carry_out, take_back, wait

EVIDENCE = Evidence(
    cluster="arn:aws:rds:us-east-1:222222222222:cluster:tap-database",
    before={"retention_days": 30, "resource_id": "cluster-1"},
    storage=Storage(Decimal(500), Decimal(10)),
    legal_hold=None,
    backup_plan=None,
    obstacles=(),
)


@pytest.mark.parametrize(
    ("name", "change", "choice"),
    [
        ("as designed", {}, Choice.APPLY),
        ("14 days already", {"before": {"retention_days": 14}}, Choice.KEEP),
        ("a secondary keeps one day", {"before": {"retention_days": 1}}, Choice.KEEP),
        ("hardly any change: the snapshot costs more", {"storage": Storage(Decimal(500), Decimal(1))}, Choice.APPLY),
        ("nothing changes: nothing is saved", {"storage": Storage(Decimal(500), Decimal(0))}, Choice.APPLY),
        ("sizes were not measured", {"storage": None}, Choice.APPLY),
        ("a legal hold", {"legal_hold": "legal-hold=case 7"}, Choice.KEEP),
        ("AWS Backup owns the backups", {"backup_plan": "arn:aws:backup:..."}, Choice.KEEP),
        ("another change is pending", {"obstacles": ("other changes are pending",)}, Choice.KEEP),
        ("no data and a reason to keep", {"storage": None, "legal_hold": "hold=1"}, Choice.KEEP),
    ],
)
def test_decision(name: str, change: dict[str, Any], choice: Choice) -> None:
    decision = ACTION.decide(replace(EVIDENCE, **change), Policy())
    assert decision.choice is choice, decision.reason


def test_a_lifted_guard_is_recorded_as_lifted() -> None:
    held = replace(EVIDENCE, backup_plan="arn:aws:backup:...")
    lifted = Policy(lifted=frozenset({"aurora_backups/owned by AWS Backup"}))
    decision = ACTION.decide(held, lifted)
    assert decision.choice is Choice.APPLY
    assert "lifted" in {criterion.verdict.value for criterion in decision.criteria}


def test_what_the_snapshot_costs_is_shown_beside_the_saving_and_vetoes_nothing() -> None:
    """The brief sets 14 days without a condition."""
    # 500 GB for 16 days are 263 GB-months; 16 days of 1 GB saved for a year are 192
    decision = ACTION.decide(replace(EVIDENCE, storage=Storage(Decimal(500), Decimal(1))), Policy())
    shown = {each.name: (each.today, each.after) for each in decision.projected}
    saved, kept = shown["the snapshot as long as it is needed, beside what a year saves"]
    assert (saved, kept) == (192.0, pytest.approx(263.2, abs=0.1))
    assert decision.costs[0].quantity == kept
    assert decision.choice is Choice.APPLY


@pytest.mark.parametrize(
    ("tags", "held"),
    [
        ({}, None),
        ({"tap:part": "database"}, None),
        ({"legal-hold": "case 7"}, "legal-hold=case 7"),
        ({"LegalHold": "true"}, "LegalHold=true"),
        ({"org:legal_hold": "yes"}, "org:legal_hold=yes"),
        ({"legal-hold": "false"}, None),
    ],
)
def test_legal_holds_are_found_however_they_are_spelt(
    aws: Aws, database: Governed, tags: dict[str, str], held: str | None
) -> None:
    assert _collect(aws, replace(database, tags=tags)).legal_hold == held


def test_evidence_is_read_from_the_cluster_and_its_metrics(aws: Aws, database: Governed) -> None:
    evidence = _collect(aws, database)
    assert evidence.before["retention_days"] == 30
    assert evidence.storage == Storage(Decimal(500), Decimal(10))
    assert evidence.obstacles == ()
    assert _collect(aws, database, empty=True).storage is None


def test_nothing_is_cut_before_acceptance_and_undo_leaves_nothing(aws: Aws, database: Governed) -> None:
    decision = _approved(aws, database)
    in_window = [m for m in ACTION.moves(database, decision.before, decision) if m.when is When.APPLY]
    carry_out(in_window, aws)
    assert _retention(aws) == 30
    (snapshot,) = aws.rds.describe_db_cluster_snapshots(SnapshotType="manual")["DBClusterSnapshots"]
    assert (snapshot["Status"], snapshot["SnapshotType"]) == ("available", "manual")
    assert {"Key": "tap:delete-after", "Value": "2027-04-01"} in snapshot["TagList"]
    take_back(in_window, aws)
    assert aws.rds.describe_db_cluster_snapshots(SnapshotType="manual")["DBClusterSnapshots"] == []
    assert ACTION.describe(aws, database) == decision.before


def test_acceptance_cuts_the_retention_once(account: EmulatedAccount, aws: Aws, database: Governed) -> None:
    decision = _approved(aws, database)
    every = ACTION.moves(database, decision.before, decision)
    assert [m.when for m in every] == [When.APPLY, When.ACCEPT]
    carry_out(every, aws)
    assert _retention(aws) == 14
    calls = len(account.calls)
    carry_out(ACTION.moves(database, decision.before, decision), aws)  # a second run finds itself done
    assert not any(call.mutating for call in list(account.calls)[calls:])
    assert ACTION.resize(Sizing.AS_DESIGNED, decision).aurora.backup_retention_days == 14


def test_a_run_that_did_not_hear_the_answer_waits_for_what_it_asked(aws: Aws, database: Governed) -> None:
    decision = _approved(aws, database)
    snapshot, retention = ACTION.moves(database, decision.before, decision)
    snapshot.do(aws)
    snapshot.do(aws)  # being made already
    wait(snapshot, aws, snapshot.is_done)
    retention.do(aws)
    retention.do(aws)
    wait(retention, aws, retention.is_done)
    assert _retention(aws) == 14


def test_nothing_is_cut_without_the_snapshot(aws: Aws, database: Governed) -> None:
    decision = _approved(aws, database)
    _, retention = ACTION.moves(database, decision.before, decision)
    with pytest.raises(MoveFailed, match="nothing is cut"):
        retention.do(aws)
    assert _retention(aws) == 30


def test_nothing_is_cut_under_a_legal_hold_that_came_in_the_window(aws: Aws, database: Governed) -> None:
    decision = _approved(aws, database)
    snapshot, retention = ACTION.moves(database, decision.before, decision)
    carry_out([snapshot], aws)
    aws.rds.add_tags_to_resource(ResourceName=database.arn, Tags=[{"Key": "legal-hold", "Value": "case 7"}])
    with pytest.raises(MoveFailed, match="under legal hold"):
        retention.do(aws)
    assert _retention(aws) == 30


def test_a_pending_change_of_somebody_else_is_not_applied_along(aws: Aws, database: Governed) -> None:
    decision = _approved(aws, database)
    snapshot, retention = ACTION.moves(database, decision.before, decision)
    carry_out([snapshot], aws)
    aws.rds.modify_db_cluster(DBClusterIdentifier="tap-database", BackupRetentionPeriod=20)  # in the maintenance window
    with pytest.raises(MoveFailed, match="pending"):
        retention.do(aws)


def test_a_snapshot_that_is_being_made_cannot_be_undone_yet(aws: Aws, database: Governed) -> None:
    decision = _approved(aws, database)
    snapshot, _ = ACTION.moves(database, decision.before, decision)
    snapshot.do(aws)
    assert snapshot.undo is not None
    assert snapshot.is_undone is not None
    with pytest.raises(MoveFailed, match="still being made"):
        snapshot.undo(aws)
    wait(snapshot, aws, snapshot.is_done)
    snapshot.undo(aws)
    assert snapshot.is_undone(aws)


def _approved(aws: Aws, cluster: Governed) -> Decision:
    decision = ACTION.decide(_collect(aws, cluster), Policy())
    assert decision.choice is Choice.APPLY, decision.reason
    return decision


def _collect(aws: Aws, cluster: Governed, *, empty: bool = False) -> Evidence:
    gib = 1024**3  # 10 a day for 29 more days
    sizes = {"VolumeBytesUsed": 500 * gib, "BackupRetentionPeriodStorageUsed": 790 * gib, "CPUUtilization": 7.0}
    end = aws.clock.now()
    at = np.array([] if empty else [int(end.timestamp()) - 3600], np.int64)
    series = {
        (query, "Average"): Series(at, np.array([sizes[query.name]] * len(at), np.float64), query.period)
        for query in aurora_backups.queries(cluster)
    }
    found = ACTION.collect(aws, cluster, Measurements(end - timedelta(days=60), end, series, 1, 2))
    assert isinstance(found, Evidence)
    return found


def _retention(aws: Aws) -> int:
    return aws.rds.describe_db_clusters(DBClusterIdentifier="tap-database")["DBClusters"][0]["BackupRetentionPeriod"]
