"""Cluster snapshots and backup retention, in simulated time."""

from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from emulator.account import EmulatedAccount

START = datetime(2027, 3, 1, 8, tzinfo=UTC)  # a Monday


@pytest.fixture
def account():
    with EmulatedAccount(start=START, tooling="111111111111", production="222222222222") as account:
        yield account


@pytest.fixture
def rds(account):
    client = account.client("rds", account.production, "us-east-1")
    client.create_db_cluster(
        DBClusterIdentifier="tap-database",
        Engine="aurora-postgresql",
        MasterUsername="tap",
        ManageMasterUserPassword=True,
        BackupRetentionPeriod=30,
        PreferredMaintenanceWindow="sun:04:00-sun:05:00",
    )
    account.clock.advance_to(START + timedelta(days=60))
    return client


def cluster(rds):
    return rds.describe_db_clusters(DBClusterIdentifier="tap-database")["DBClusters"][0]


def snapshot(rds):
    return rds.create_db_cluster_snapshot(
        DBClusterIdentifier="tap-database", DBClusterSnapshotIdentifier="before-retention"
    )["DBClusterSnapshot"]


def snapshot_status(rds):
    found = rds.describe_db_cluster_snapshots(DBClusterSnapshotIdentifier="before-retention")["DBClusterSnapshots"]
    return found[0]["Status"], found[0]["PercentProgress"]


def test_a_snapshot_takes_time(account, rds):
    assert snapshot(rds)["Status"] == "creating"
    assert snapshot_status(rds) == ("creating", 0)
    account.clock.sleep(301)
    assert snapshot_status(rds) == ("available", 100)


def test_a_snapshots_name_is_taken_once(rds):
    snapshot(rds)
    with pytest.raises(rds.exceptions.DBClusterSnapshotAlreadyExistsFault):
        snapshot(rds)


def test_a_snapshot_is_deleted_when_available_only(account, rds):
    snapshot(rds)
    with pytest.raises(rds.exceptions.InvalidDBClusterSnapshotStateFault):
        rds.delete_db_cluster_snapshot(DBClusterSnapshotIdentifier="before-retention")
    account.clock.sleep(301)
    rds.delete_db_cluster_snapshot(DBClusterSnapshotIdentifier="before-retention")
    with pytest.raises(rds.exceptions.DBClusterSnapshotNotFoundFault):
        snapshot_status(rds)


def retain(rds, days, immediately=True):
    return rds.modify_db_cluster(
        DBClusterIdentifier="tap-database", BackupRetentionPeriod=days, ApplyImmediately=immediately
    )["DBCluster"]


def test_retention_is_pending_while_the_status_still_says_available(account, rds):
    answer = retain(rds, 14)
    assert (answer["BackupRetentionPeriod"], answer["PendingModifiedValues"]) == (30, {"BackupRetentionPeriod": 14})
    assert (cluster(rds)["Status"], cluster(rds)["PendingModifiedValues"]) == (
        "available",
        {"BackupRetentionPeriod": 14},
    )
    account.clock.sleep(40)
    assert cluster(rds)["Status"] == "modifying"
    with pytest.raises(rds.exceptions.InvalidDBClusterStateFault):
        retain(rds, 20)
    account.clock.sleep(90)
    assert (cluster(rds)["Status"], cluster(rds)["BackupRetentionPeriod"]) == ("available", 14)
    assert "PendingModifiedValues" not in cluster(rds)


def test_without_apply_immediately_it_waits_for_the_maintenance_window(account, rds):
    retain(rds, 14, immediately=False)
    sunday = datetime(2027, 5, 2, 4, tzinfo=UTC)
    account.clock.advance_to(sunday - timedelta(minutes=1))
    assert cluster(rds)["BackupRetentionPeriod"] == 30
    account.clock.advance_to(sunday + timedelta(minutes=5))
    assert cluster(rds)["BackupRetentionPeriod"] == 14


def test_a_change_asked_for_later_replaces_the_pending_one(account, rds):
    retain(rds, 14, immediately=False)
    retain(rds, 20)
    account.clock.sleep(300)
    assert cluster(rds)["BackupRetentionPeriod"] == 20
    account.clock.sleep(14 * 86400)
    assert cluster(rds)["BackupRetentionPeriod"] == 20


def test_restore_points_that_are_gone_do_not_come_back(account, rds):
    assert cluster(rds)["EarliestRestorableTime"] == account.clock.now() - timedelta(days=30)
    retain(rds, 14)
    account.clock.sleep(300)
    shortened = cluster(rds)["EarliestRestorableTime"]
    assert shortened == account.clock.now() - timedelta(days=14)
    retain(rds, 30)
    account.clock.sleep(86400)
    assert cluster(rds)["BackupRetentionPeriod"] == 30
    assert cluster(rds)["EarliestRestorableTime"] == pytest.approx(shortened, abs=timedelta(minutes=5))


@pytest.mark.parametrize("days", [0, 36])
def test_retention_is_from_1_to_35_days(rds, days):
    with pytest.raises(ClientError, match="InvalidParameterValue"):
        retain(rds, days)


def test_an_unknown_cluster_is_named(rds):
    with pytest.raises(rds.exceptions.DBClusterNotFoundFault):
        rds.modify_db_cluster(DBClusterIdentifier="absent", BackupRetentionPeriod=14)
