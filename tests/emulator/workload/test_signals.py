"""Every metric of the catalog: published where AWS publishes it, and following the resources under load."""

from datetime import timedelta

import numpy as np
import pytest

from emulator.workload.metric_catalog import known
from tests.rehearsal.life import (
    BALANCER,
    BORN,
    CLUSTER,
    DESIGNED,
    FLEET,
    NOW,
    QUIET,
    platform,
    series,
    values,
    workload,
)

DAY = timedelta(days=1)
NODE = {"CacheClusterId": "tap-cache-0001-001"}
DIMENSIONS = {
    "AWS/ApplicationELB": [BALANCER],
    "AWS/EC2": [FLEET, {"InstanceId": "i-3"}],
    "AWS/RDS": [CLUSTER, {"DBInstanceIdentifier": "tap-database-2"}],
    "AWS/ElastiCache": [NODE, {**NODE, "CacheNodeId": "0001"}],
    "AWS/AutoScaling": [FLEET],
    "CWAgent": [FLEET],
    "Tap/Tenants": [{"Tier": "enterprise"}],
    "AWS/DynamoDB": [{"TableName": "users"}, {"TableName": "users", "Operation": "Query"}],
}
GROUP = {**BALANCER, "TargetGroup": "targetgroup/tap/1"}
OTHER = {name: [GROUP] for name in ("UnHealthyHostCount", "HealthyHostCount")}
SECONDARY = {"AuroraGlobalDBReplicationLag"}
NEVER = {"ReadThrottleEvents", "WriteThrottleEvents", "RejectedConnectionCount"}  # published when not zero


@pytest.mark.parametrize("signal", known(), ids=lambda signal: f"{signal.namespace} {signal.name}")
def test_every_metric_has_datapoints_under_its_dimensions_and_under_no_others(signal):
    life, day = workload(), {"start": NOW - DAY, "end": NOW}
    region, places = "us-east-1", OTHER.get(signal.name, DIMENSIONS[signal.namespace])
    if signal.name in SECONDARY:
        region, places = "us-west-2", [{"DBClusterIdentifier": "tap-database-region2"}]
    found = [series(life, signal.namespace, signal.name, each, "Average", region=region, **day) for each in places]
    assert any(found) is (signal.name not in NEVER)
    for dimensions in ({}, {"Nonsense": "x"}, {**places[0], "Nonsense": "x"}):
        assert not series(life, signal.namespace, signal.name, dimensions, "Average", region=region, **day)


@pytest.mark.parametrize("signal", known(), ids=lambda signal: f"{signal.namespace} {signal.name}")
def test_no_metric_of_a_resource_that_was_not_there_yet(signal):
    life = workload()
    for dimensions in DIMENSIONS[signal.namespace]:
        assert not series(life, signal.namespace, signal.name, dimensions, "Sum", start=BORN - DAY, end=BORN)


@pytest.mark.parametrize(
    ("spec", "lowest", "highest"),
    [(QUIET, 6.5, 8.0), (DESIGNED, 60.0, 75.0)],
)
def test_fleet_cpu_of_the_design_at_its_95th_percentile(spec, lowest, highest):
    cpu = values(series(workload(spec), "AWS/EC2", "CPUUtilization", FLEET, "Average", start=BORN, end=NOW))
    assert lowest < np.percentile(cpu, 95) < highest


def test_the_cpu_at_this_moment_is_that_of_the_fleet_as_it_became_just_now():
    life = workload()
    before = life.fleet_cpu("us-east-1", NOW)
    life.remember(NOW, platform("m5.2xlarge", 8))
    assert 3.3 < life.fleet_cpu("us-east-1", NOW) / before < 3.8


def test_a_quarter_of_the_processors_work_almost_four_times_as_hard():
    life = workload()
    life.remember(NOW - DAY, platform("m5.2xlarge", 8))
    week = timedelta(days=7)
    before, after = (
        values(series(life, "AWS/EC2", "CPUUtilization", FLEET, "Average", start=at - DAY, end=at))
        for at in (NOW - week, NOW)
    )
    assert after.mean() / before.mean() == pytest.approx(3.45, abs=0.1)  # 3.75, but for what an idle instance does
    assert np.percentile(after, 95) * 1.5 < 60


def test_latency_hardly_rises_in_a_small_quiet_fleet_and_soars_in_a_saturated_one():
    def rise(spec):
        life = workload(spec)
        life.remember(NOW - DAY, platform("m5.2xlarge", 8))
        week = timedelta(days=7)
        before, after = (
            values(series(life, "AWS/ApplicationELB", "TargetResponseTime", BALANCER, "p99", start=at - DAY, end=at))
            for at in (NOW - week, NOW)
        )
        return np.median(after) / np.median(before)

    assert 1.005 < rise(QUIET) < 1.06
    assert rise(DESIGNED) > 3


def test_a_saturated_fleet_fails_requests():
    def errors(spec):
        life = workload(spec)
        life.remember(NOW - DAY, platform("m5.2xlarge", 8))
        day = {"start": NOW - DAY, "end": NOW}
        failed = values(series(life, "AWS/ApplicationELB", "HTTPCode_Target_5XX_Count", BALANCER, "Sum", **day))
        return failed.sum() / values(series(life, "AWS/ApplicationELB", "RequestCount", BALANCER, "Sum", **day)).sum()

    assert errors(QUIET) < 0.001
    assert errors(DESIGNED) > 0.05


def test_errors_are_published_only_when_there_are_any():
    day = {"start": NOW - DAY, "end": NOW}
    failed = values(series(workload(), "AWS/ApplicationELB", "HTTPCode_Target_5XX_Count", BALANCER, "Sum", **day))
    assert 0 < len(failed) < 288
    assert failed.min() >= 1


def test_without_a_fleet_only_the_load_balancer_answers():
    life = workload()
    life.remember(NOW - DAY, platform(count=0))
    day = {"start": NOW - DAY, "end": NOW}
    assert not series(life, "AWS/ApplicationELB", "RequestCount", BALANCER, "Sum", **day)
    assert len(series(life, "AWS/ApplicationELB", "HTTPCode_ELB_5XX_Count", BALANCER, "Sum", **day)) == 288


def test_backups_shrink_at_once_with_their_retention_and_grow_back_by_a_day_a_day():
    life = workload()
    life.remember(NOW, platform(retention=14))
    life.remember(NOW + DAY, platform(retention=30))
    used = series(
        life, "AWS/RDS", "BackupRetentionPeriodStorageUsed", CLUSTER, "Average", start=BORN, end=NOW + 9 * DAY
    )
    volume = series(life, "AWS/RDS", "VolumeBytesUsed", CLUSTER, "Average", start=BORN, end=NOW + 9 * DAY)
    days = {
        ahead: round((used[at] / volume[at] - 1) / 0.02, 1)
        for ahead in (-55, -1, 0, 1, 5)
        for at in [int((NOW + ahead * DAY).timestamp())]
    }
    assert days == {-55: 6.0, -1: 30.0, 0: 14.0, 1: 14.0, 5: 18.0}


def test_a_manual_snapshot_is_billed_once_it_leaves_the_retention_period():
    life, taken = workload(), NOW - 20 * DAY
    life.remember(taken, platform(snapshots=(taken.timestamp(),)))
    life.remember(NOW, platform(snapshots=(taken.timestamp(),), retention=14))
    billed = series(life, "AWS/RDS", "SnapshotStorageUsed", CLUSTER, "Average", start=NOW - DAY, end=NOW + DAY)
    assert billed[int((NOW - DAY).timestamp())] == 0
    assert billed[int(NOW.timestamp())] > 400e9  # the whole volume


def test_a_cache_that_is_too_small_evicts_and_the_database_reads_more():
    life = workload(DESIGNED)
    life.remember(NOW - DAY, platform(node_type="cache.r6g.xlarge", shards=2))
    reader = {"DBInstanceIdentifier": "tap-database-2"}
    week = timedelta(days=7)

    def mean(namespace, name, dimensions, at):
        return values(series(life, namespace, name, dimensions, "Average", start=at - DAY, end=at)).mean()

    assert mean("AWS/ElastiCache", "Evictions", NODE, NOW - week) == 0
    assert mean("AWS/ElastiCache", "Evictions", NODE, NOW) > 0
    assert mean("AWS/ElastiCache", "DatabaseMemoryUsagePercentage", NODE, NOW) == pytest.approx(100)
    assert mean("AWS/RDS", "ReadIOPS", reader, NOW) > 2 * mean("AWS/RDS", "ReadIOPS", reader, NOW - week)


def test_without_a_reader_the_writer_reads_too():
    life = workload()
    life.remember(NOW - DAY, platform(readers=0))
    writer, week = {"DBInstanceIdentifier": "tap-database-1"}, timedelta(days=7)
    before, after = (
        values(series(life, "AWS/RDS", "CPUUtilization", writer, "Average", start=at - DAY, end=at)).mean()
        for at in (NOW - week, NOW)
    )
    assert after > 1.5 * before


def test_a_headless_cluster_still_follows_but_has_no_instance():
    life = workload()
    life.remember(NOW - DAY, platform(headless=True))
    secondary, day = {"DBClusterIdentifier": "tap-database-region2"}, {"start": NOW - DAY, "end": NOW}
    lag = series(life, "AWS/RDS", "AuroraGlobalDBReplicationLag", secondary, "Average", region="us-west-2", **day)
    assert len(lag) == 288
    assert not series(life, "AWS/RDS", "CPUUtilization", secondary, "Average", region="us-west-2", **day)


def test_an_index_nobody_queries_is_written_and_never_read():
    life, day = workload(), {"start": NOW - DAY, "end": NOW}
    idle = {"TableName": "tenants", "GlobalSecondaryIndexName": "by-region"}
    used = {"TableName": "tenants", "GlobalSecondaryIndexName": "by-domain"}
    assert not series(life, "AWS/DynamoDB", "ConsumedReadCapacityUnits", idle, "Sum", **day)
    assert series(life, "AWS/DynamoDB", "ConsumedWriteCapacityUnits", idle, "Sum", **day)
    assert series(life, "AWS/DynamoDB", "ConsumedReadCapacityUnits", used, "Sum", **day)
