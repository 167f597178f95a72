"""A recorded account as a scenario: its sizes and its load, and the parts that are left out."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from domain.errors import UsageError
from emulator.core.instance_types import vcpus
from emulator.workload.scene import IDLE_CPU, REQUEST_VCPU_SECONDS, WRITER_VCPU_SECONDS
from optimizer.survey.record import Record, write_record
from rehearsal.recorded import scenario_of

A_SECOND = 50.0  # requests


def resource(kind: str, name: str, engine: str = "", **state: Any) -> dict[str, Any]:
    arn = f"arn:aws:x:us-east-1:222222222222:{name}"
    return {"kind": kind, "name": name, "arn": arn, "region": "us-east-1", "engine": engine, "tags": {}, **state}


def metric(namespace: str, name: str, statistic: str, value: float, **dimensions: str) -> dict[str, Any]:
    return {
        "namespace": namespace,
        "metric": name,
        "dimensions": sorted(dimensions.items()),
        "region": "us-east-1",
        "statistic": statistic,
        "period": 3600,
        "coverage": 100.0,
        "p95": value,
        "highest": value,
        "hours": [value] * 168,
    }


def fleet(name: str, kind: str, count: int) -> dict[str, Any]:
    return resource("FLEET", name, fleet={"instance_type": kind, "minimum": 0, "desired": count, "maximum": 30})


def cluster(*classes: str) -> dict[str, Any]:
    instances = [{"instance_class": each, "tier": 1, "writes": not n} for n, each in enumerate(classes)]
    return resource("DATABASE", "orders", "aurora-mysql", cluster={"instances": instances, "retention_days": 21})


def written(folder: Path, resources: list[dict[str, Any]], metrics: list[dict[str, Any]]) -> Path:
    record = Record.model_validate(
        {
            "version": 1,
            "anonymous": False,
            "account": "222222222222",
            "at": datetime(2027, 5, 1, tzinfo=UTC),
            "regions": ["us-east-1"],
            "covered_days": 60.0,
            "resources": resources,
            "metrics": metrics,
        }
    )
    write_record(record, folder / "mine.json")
    return folder / "mine.json"


def test_sizes_and_load_are_ones_own(tmp_path: Path) -> None:
    cache = resource("CACHE", "sessions", "valkey", cache={"node_type": "cache.r6g.2xlarge", "replicas": [1, 1]})
    busy = 100 * (IDLE_CPU + 2 * REQUEST_VCPU_SECONDS * A_SECOND / (12 * vcpus("m5.4xlarge")))  # twice the usual work
    writes = 100 * 3 * WRITER_VCPU_SECONDS * A_SECOND / vcpus("db.r6g.4xlarge")
    fitted = scenario_of(
        written(
            tmp_path,
            [fleet("web", "m5.4xlarge", 12), fleet("worker", "m5.2xlarge", 2), cache, cluster(*["db.r6g.4xlarge"] * 2)],
            [
                metric("AWS/ApplicationELB", "RequestCount", "Sum", A_SECOND * 3600, LoadBalancer="app/web/1"),
                metric("AWS/EC2", "CPUUtilization", "Average", busy, AutoScalingGroupName="web"),
                metric("AWS/EC2", "CPUUtilization", "Average", 1.0, AutoScalingGroupName="worker"),
                metric("AWS/RDS", "CPUUtilization", "Average", writes, DBClusterIdentifier="orders", Role="WRITER"),
            ],
        )
    )
    sizing, workload = fitted.scenario.starts_from, fitted.scenario.workload
    assert sizing is not None
    assert (sizing.fleet.instance_type, sizing.fleet.desired, sizing.fleet.minimum) == ("m5.4xlarge", 12, 1)
    assert (sizing.cache.node_type, len(sizing.cache.shards), sizing.cache.replicas_per_shard) == (
        "cache.r6g.2xlarge",
        2,
        1,
    )
    assert [each.id for each in sizing.aurora.instances] == ["tap-database-1", "tap-database-2"]
    assert (sizing.aurora.secondaries, sizing.aurora.backup_retention_days) == ((), 21)
    assert workload.requests_per_day == pytest.approx(A_SECOND * 86_400)
    assert workload.work.fleet == pytest.approx(2, abs=0.01)
    assert workload.work.writer == pytest.approx(3, abs=0.01)
    assert workload.work.readers == 1.0  # not measured
    told = "; ".join(fitted.left_out)
    assert "the Auto Scaling group worker: the largest, web, stands for all" in told
    assert "orders is aurora-mysql: it is rehearsed as Aurora PostgreSQL" in told
    assert "sessions is Valkey" in told
    assert "0 tables" in told


def test_what_is_not_there_is_the_foundations_and_said(tmp_path: Path) -> None:
    fitted = scenario_of(written(tmp_path, [fleet("web", "m5.4xlarge", 4)], []))
    told = "; ".join(fitted.left_out)
    assert "no replication group is in the record: the foundation's own stands in" in told
    assert "no load balancer's requests are in the record" in told


def test_a_record_of_nothing_cannot_be_rehearsed(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no group, replication group or Aurora cluster"):
        scenario_of(written(tmp_path, [], []))
