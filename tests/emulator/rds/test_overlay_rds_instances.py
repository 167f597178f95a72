"""Aurora instances, failovers, global membership and deletion, in simulated time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from emulator.account import EmulatedAccount
from emulator.workload.disturbances import Disturbances
from emulator.workload.spec import WorkloadEvent, WorkloadSpec
from emulator.workload.workload import Workload

PRIMARY, ELSEWHERE = "us-east-1", "us-west-2"
LARGE, SMALL = "db.r6g.4xlarge", "db.r6g.xlarge"
CLUSTER, SECONDARY = "tap-database", "tap-database-region2"


def add_instance(client: Any, cluster: str, number: int, tier: int, kind: str = LARGE) -> None:
    client.create_db_instance(
        DBInstanceIdentifier=f"{cluster}-{number}",
        DBClusterIdentifier=cluster,
        DBInstanceClass=kind,
        Engine="aurora-postgresql",
        PromotionTier=tier,
        PreferredMaintenanceWindow="sun:04:00-sun:05:00",
    )


@pytest.fixture
def rds(account: EmulatedAccount) -> Any:
    """A global database: a primary with a writer and two readers, a secondary with one instance."""
    here = account.client("rds", account.production, PRIMARY)
    there = account.client("rds", account.production, ELSEWHERE)
    here.create_global_cluster(GlobalClusterIdentifier="tap-global", Engine="aurora-postgresql")
    shared = {"Engine": "aurora-postgresql", "GlobalClusterIdentifier": "tap-global", "DeletionProtection": True}
    here.create_db_cluster(
        DBClusterIdentifier=CLUSTER, MasterUsername="tap", MasterUserPassword="rehearsal-password", **shared
    )
    there.create_db_cluster(DBClusterIdentifier=SECONDARY, **shared)
    for number, tier in ((1, 1), (2, 1), (3, 2)):
        add_instance(here, CLUSTER, number, tier)
    add_instance(there, SECONDARY, 1, 1)
    account.clock.sleep(3600)
    return here


@pytest.fixture
def there(account: EmulatedAccount, rds: Any) -> Any:
    return account.client("rds", account.production, ELSEWHERE)


def instance(client: Any, name: str) -> Any:
    return client.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]


def writer(client: Any, name: str = CLUSTER) -> list[str]:
    (cluster,) = client.describe_db_clusters(DBClusterIdentifier=name)["DBClusters"]
    return [each["DBInstanceIdentifier"] for each in cluster["DBClusterMembers"] if each["IsClusterWriter"]]


def status(client: Any, name: str = CLUSTER) -> str:
    return str(client.describe_db_clusters(DBClusterIdentifier=name)["DBClusters"][0]["Status"])


def resize(client: Any, name: str = f"{CLUSTER}-2", *, immediately: bool = True, **more: Any) -> Any:
    wanted = {"DBInstanceIdentifier": name, "DBInstanceClass": SMALL, "ApplyImmediately": immediately, **more}
    return client.modify_db_instance(**wanted)["DBInstance"]


def refused(code: str) -> Any:
    return pytest.raises(ClientError, match=code)


def test_instances_are_spread_over_the_zones(rds: Any) -> None:
    zones = [instance(rds, f"{CLUSTER}-{number}")["AvailabilityZone"] for number in (1, 2, 3)]
    assert len(set(zones)) == 3


def test_an_instance_takes_time_to_come(account: EmulatedAccount, rds: Any) -> None:
    add_instance(rds, CLUSTER, 4, 5)
    assert instance(rds, f"{CLUSTER}-4")["DBInstanceStatus"] == "creating"
    with refused("InvalidDBInstanceState"):
        resize(rds, f"{CLUSTER}-4")
    account.clock.sleep(481)
    assert instance(rds, f"{CLUSTER}-4")["DBInstanceStatus"] == "available"


def test_a_class_is_pending_then_applied(account: EmulatedAccount, rds: Any) -> None:
    assert resize(rds)["PendingModifiedValues"] == {"DBInstanceClass": SMALL}
    assert (instance(rds, f"{CLUSTER}-2")["DBInstanceStatus"], instance(rds, f"{CLUSTER}-2")["DBInstanceClass"]) == (
        "available",
        LARGE,
    )
    account.clock.sleep(60)
    assert instance(rds, f"{CLUSTER}-2")["DBInstanceStatus"] == "modifying"
    with refused("InvalidDBInstanceState"):
        resize(rds)
    account.clock.sleep(600)
    shown = instance(rds, f"{CLUSTER}-2")
    assert (shown["DBInstanceClass"], shown["PendingModifiedValues"]) == (SMALL, {})


def test_without_apply_immediately_a_class_waits_for_the_maintenance_window(account: EmulatedAccount, rds: Any) -> None:
    resize(rds, immediately=False)
    account.clock.advance_to(datetime(2027, 3, 7, 3, 59, tzinfo=UTC))
    assert instance(rds, f"{CLUSTER}-2")["DBInstanceClass"] == LARGE
    account.clock.advance_to(datetime(2027, 3, 7, 5, tzinfo=UTC))
    assert instance(rds, f"{CLUSTER}-2")["DBInstanceClass"] == SMALL


def test_apply_immediately_applies_what_else_is_pending(account: EmulatedAccount, rds: Any) -> None:
    resize(rds, immediately=False)
    rds.modify_db_instance(DBInstanceIdentifier=f"{CLUSTER}-2", PromotionTier=3, ApplyImmediately=True)
    account.clock.sleep(900)
    assert instance(rds, f"{CLUSTER}-2")["DBInstanceClass"] == SMALL


@pytest.mark.parametrize("tier", [-1, 16])
def test_promotion_tiers_are_0_to_15(rds: Any, tier: int) -> None:
    with refused("InvalidParameterValue"):
        rds.modify_db_instance(DBInstanceIdentifier=f"{CLUSTER}-2", PromotionTier=tier)


@pytest.mark.parametrize(("name", "outages"), [(f"{CLUSTER}-1", 1), (f"{CLUSTER}-2", 0)])
def test_another_class_is_an_outage_on_the_writer_alone(
    account: EmulatedAccount, rds: Any, name: str, outages: int
) -> None:
    resize(rds, name)
    account.clock.sleep(900)
    assert len(account.part(Disturbances)) == outages


def test_a_failover_takes_its_time_and_requests_fail_meanwhile(account: EmulatedAccount, rds: Any) -> None:
    rds.failover_db_cluster(DBClusterIdentifier=CLUSTER, TargetDBInstanceIdentifier=f"{CLUSTER}-3")
    assert (status(rds), writer(rds)) == ("failing-over", [f"{CLUSTER}-1"])
    with refused("InvalidDBClusterStateFault"):
        rds.failover_db_cluster(DBClusterIdentifier=CLUSTER)
    account.clock.sleep(30)
    assert (status(rds), writer(rds)) == ("available", [f"{CLUSTER}-3"])
    (felt,) = account.part(Disturbances)
    assert felt.end - felt.begin == 30


@pytest.mark.parametrize(
    ("tiers", "sizes", "heir"),
    [
        ({2: 1, 3: 2}, {}, 2),
        ({2: 2, 3: 1}, {}, 3),
        ({2: 1, 3: 1}, {2: SMALL}, 3),  # in one tier the largest
        ({2: 0, 3: 1}, {2: SMALL}, 2),  # which is why the next writer needs a tier of its own
    ],
)
def test_promotion_follows_tier_then_size(
    account: EmulatedAccount, rds: Any, tiers: dict[int, int], sizes: dict[int, str], heir: int
) -> None:
    for number, tier in tiers.items():
        name = f"{CLUSTER}-{number}"
        rds.modify_db_instance(DBInstanceIdentifier=name, PromotionTier=tier, ApplyImmediately=True)
        if number in sizes:
            resize(rds, name)
    account.clock.sleep(900)
    rds.failover_db_cluster(DBClusterIdentifier=CLUSTER)
    account.clock.sleep(60)
    assert writer(rds) == [f"{CLUSTER}-{heir}"]


def test_nobody_fails_over_to_the_writer_a_stranger_or_an_instance_that_changes(
    account: EmulatedAccount, rds: Any
) -> None:
    for target, code in (("1", "InvalidDBClusterStateFault"), ("9", "DBInstanceNotFound")):
        with refused(code):
            rds.failover_db_cluster(DBClusterIdentifier=CLUSTER, TargetDBInstanceIdentifier=f"{CLUSTER}-{target}")
    resize(rds)
    account.clock.sleep(60)
    with refused("InvalidDBClusterStateFault"):
        rds.failover_db_cluster(DBClusterIdentifier=CLUSTER, TargetDBInstanceIdentifier=f"{CLUSTER}-2")


def test_an_instance_takes_time_to_go(account: EmulatedAccount, rds: Any) -> None:
    rds.delete_db_instance(DBInstanceIdentifier=f"{CLUSTER}-3", SkipFinalSnapshot=True)
    assert instance(rds, f"{CLUSTER}-3")["DBInstanceStatus"] == "deleting"
    with refused("InvalidDBInstanceState"):
        rds.delete_db_instance(DBInstanceIdentifier=f"{CLUSTER}-3", SkipFinalSnapshot=True)
    account.clock.sleep(241)
    with pytest.raises(rds.exceptions.DBInstanceNotFoundFault):
        instance(rds, f"{CLUSTER}-3")


def test_an_aurora_instance_has_no_final_snapshot(rds: Any) -> None:
    with refused("InvalidParameterCombination"):
        rds.delete_db_instance(DBInstanceIdentifier=f"{CLUSTER}-3", FinalDBSnapshotIdentifier="last")


def test_deleting_the_writer_promotes_a_reader_and_is_felt(account: EmulatedAccount, rds: Any) -> None:
    rds.delete_db_instance(DBInstanceIdentifier=f"{CLUSTER}-1", SkipFinalSnapshot=True)
    assert writer(rds) == [f"{CLUSTER}-2"]
    assert len(account.part(Disturbances)) == 1


def test_a_secondary_can_go_headless_and_the_cluster_stays(account: EmulatedAccount, there: Any) -> None:
    there.delete_db_instance(DBInstanceIdentifier=f"{SECONDARY}-1", SkipFinalSnapshot=True)
    account.clock.sleep(300)
    (cluster,) = there.describe_db_clusters(DBClusterIdentifier=SECONDARY)["DBClusters"]
    assert (cluster["Status"], cluster["DBClusterMembers"]) == ("available", [])
    add_instance(there, SECONDARY, 1, 1)


def members(client: Any) -> list[tuple[str, bool]]:
    (database,) = client.describe_global_clusters(GlobalClusterIdentifier="tap-global")["GlobalClusters"]
    return [(each["DBClusterArn"].rsplit(":", 1)[1], each["IsWriter"]) for each in database["GlobalClusterMembers"]]


def detach(client: Any, name: str = SECONDARY, region: str = ELSEWHERE) -> Any:
    arn = f"arn:aws:rds:{region}:222222222222:cluster:{name}"
    return client.remove_from_global_cluster(GlobalClusterIdentifier="tap-global", DbClusterIdentifier=arn)


def test_a_secondary_leaves_the_global_database_and_stands_alone(
    account: EmulatedAccount, rds: Any, there: Any
) -> None:
    detach(there)
    assert members(rds) == [(CLUSTER, True), (SECONDARY, False)]
    assert status(there, SECONDARY) == "promoting"
    account.clock.sleep(181)
    assert members(rds) == [(CLUSTER, True)]
    (alone,) = there.describe_db_clusters(DBClusterIdentifier=SECONDARY)["DBClusters"]
    assert alone["Status"] == "available"
    assert "GlobalClusterIdentifier" not in alone


def test_a_member_is_removed_in_its_own_region(rds: Any) -> None:
    with refused("DBClusterNotFoundFault"):
        detach(rds)


def test_the_primary_leaves_last(rds: Any) -> None:
    with refused("InvalidGlobalClusterStateFault"):
        detach(rds, CLUSTER, PRIMARY)


def delete(client: Any, **how: Any) -> Any:
    return client.delete_db_cluster(DBClusterIdentifier=SECONDARY, **(how or {"FinalDBSnapshotIdentifier": "last"}))


def test_a_cluster_is_deleted_only_unprotected_alone_and_empty(account: EmulatedAccount, there: Any) -> None:
    with refused("InvalidParameterCombination"):
        delete(there)  # protected
    there.modify_db_cluster(DBClusterIdentifier=SECONDARY, DeletionProtection=False, ApplyImmediately=True)
    with refused("InvalidDBClusterStateFault.*global"):
        delete(there)
    detach(there)
    with refused("InvalidDBClusterStateFault"):
        delete(there)  # promoting
    account.clock.sleep(300)
    with refused("InvalidDBClusterStateFault.*instances"):
        delete(there)
    there.delete_db_instance(DBInstanceIdentifier=f"{SECONDARY}-1", SkipFinalSnapshot=True)
    account.clock.sleep(300)
    for how in ({"SkipFinalSnapshot": False}, {"SkipFinalSnapshot": True, "FinalDBSnapshotIdentifier": "last"}):
        with refused("InvalidParameterCombination"):
            delete(there, **how)
    delete(there)
    assert status(there, SECONDARY) == "deleting"
    account.clock.sleep(400)
    with pytest.raises(there.exceptions.DBClusterNotFoundFault):
        status(there, SECONDARY)
    (last,) = there.describe_db_cluster_snapshots(DBClusterSnapshotIdentifier="last")["DBClusterSnapshots"]
    assert (last["Status"], last["DBClusterIdentifier"]) == ("available", SECONDARY)


def test_every_cluster_has_a_writer_and_a_reader_endpoint(rds: Any) -> None:
    found = rds.describe_db_cluster_endpoints(DBClusterIdentifier=CLUSTER)["DBClusterEndpoints"]
    assert [each["EndpointType"] for each in found] == ["WRITER", "READER"]


@pytest.fixture
def troubled(account: EmulatedAccount, rds: Any) -> Workload:
    """For an hour from now failovers take four minutes, and there are no large instances."""
    events = (WorkloadEvent(on="phase1.applied", until_minutes=60, no_capacity=(LARGE,), failover_seconds=240),)
    workload = Workload(WorkloadSpec(tenants=2_500, requests_per_day=2e6), account, 0, events=events)
    workload.milestone("phase1.applied", account.clock.now())
    return workload


@pytest.mark.usefixtures("troubled")
def test_without_capacity_no_instance_comes_or_grows(account: EmulatedAccount, rds: Any) -> None:
    with refused("InsufficientDBInstanceCapacity"):
        add_instance(rds, CLUSTER, 4, 5)
    resize(rds)
    account.clock.sleep(900)
    with refused("InsufficientDBInstanceCapacity"):
        resize(rds, DBInstanceClass=LARGE)
    account.clock.sleep(3600)
    resize(rds, DBInstanceClass=LARGE)


@pytest.mark.usefixtures("troubled")
def test_a_failover_can_take_longer(account: EmulatedAccount, rds: Any) -> None:
    rds.failover_db_cluster(DBClusterIdentifier=CLUSTER)
    account.clock.sleep(239)
    assert status(rds) == "failing-over"
    account.clock.sleep(1)
    assert status(rds) == "available"


def test_what_a_failover_costs_is_felt_in_its_periods_alone(account: EmulatedAccount, rds: Any) -> None:
    workload = Workload(WorkloadSpec(tenants=2_500, requests_per_day=2e6), account, 0, events=())
    first = int(account.clock.now().timestamp()) // 300
    rds.failover_db_cluster(DBClusterIdentifier=CLUSTER)
    account.clock.sleep(60)
    rates = workload._effects(first, first + 12).error_rate
    assert rates[0] == pytest.approx(0.3 * 30 / 300)
    assert rates[1:].max() == 0
