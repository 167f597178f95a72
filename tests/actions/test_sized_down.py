"""The phases that size Redis and Aurora down, each test with its own foundation: accepted, refused, failed."""

from __future__ import annotations

import pytest

from domain.errors import MoveFailed
from domain.sizing import Sizing
from emulator.workload.spec import WorkloadSpec
from optimizer.action import When
from optimizer.actions import aurora_presence, aurora_readers, aurora_writer, redis_rightsize
from optimizer.model.decision import Choice
from tests.actions.carrying import carry_out, take_back
from tests.actions.sized_foundation import Foundation, foundation

pytestmark = pytest.mark.slow

REDIS, PRESENCE = redis_rightsize.ACTION, aurora_presence.ACTION
WRITER, READERS = aurora_writer.ACTION, aurora_readers.ACTION
NAMES = {REDIS.id: "tap-cache", PRESENCE.id: "tap-global", WRITER.id: "tap-database", READERS.id: "tap-database"}
IN_ORDER = (REDIS, PRESENCE, WRITER, READERS)


def test_the_whole_plan_ends_without_a_difference() -> None:
    with foundation() as loaded:
        planned = [(action, loaded.decision(action, NAMES[action.id])) for action in IN_ORDER]
        assert {decision.choice for _, decision in planned} == {Choice.APPLY}
        changes = [
            (action, decision, action.moves(loaded.governed(action, NAMES[action.id]), decision.before, decision))
            for action, decision in planned
        ]
        sizing = Sizing.AS_DESIGNED
        for when in (When.APPLY, When.ACCEPT):
            for _, _, moves in changes:
                carry_out([move for move in moves if move.when is when], loaded.aws)
        for action, decision, _ in changes:
            sizing = action.resize(sizing, decision)
        assert sizing.cache.model_dump() == {
            "node_type": "cache.r6g.xlarge",
            "shards": ("0001", "0002"),
            "replicas_per_shard": 1,
        }
        assert [(each.id, each.instance_class, each.promotion_tier) for each in sizing.aurora.instances] == [
            ("tap-database-1", "db.r6g.xlarge", 1),
            ("tap-database-2", "db.r6g.xlarge", 0),
        ]
        assert sizing.aurora.secondaries == ()
        assert loaded.drift(sizing) == ()
        assert loaded.drift(Sizing.AS_DESIGNED) != ()
        assert loaded.described(WRITER, "tap-database")["writer"] == "tap-database-2"
        _is_removed_with_a_final_snapshot(loaded, "us-west-2", "tap-database-region2")
        assert {loaded.decision(action, NAMES[action.id]).choice for action in IN_ORDER} == {Choice.KEEP}
        _the_next_push_leaves_it_alone(loaded, sizing)


def _the_next_push_leaves_it_alone(loaded: Foundation, sizing: Sizing) -> None:
    """Resources that are gone are retained by policy; their dependents are deleted; nothing else changes."""
    described = [loaded.described(action, NAMES[action.id]) for action in IN_ORDER]
    done = loaded.push(sizing)
    assert [loaded.described(action, NAMES[action.id]) for action in IN_ORDER] == described
    assert loaded.drift(sizing) == ()
    assert len(done["tap-primary"].deleted) == 4  # alarms of the two shards that went
    for stack in ("tap-replica-2", "tap-replica-3"):
        assert any("Subnets" in each for each in done[stack].deleted)
    assert loaded.push(sizing)["tap-replica-2"].deleted == ()


def _is_removed_with_a_final_snapshot(loaded: Foundation, region: str, name: str) -> None:
    rds = loaded.aws.at(region).rds
    assert rds.describe_db_clusters()["DBClusters"] == []
    snapshots = rds.describe_db_cluster_snapshots(DBClusterIdentifier=name)["DBClusterSnapshots"]
    manual = [each["Status"] for each in snapshots if each["SnapshotType"] == "manual"]
    assert manual == ["available"]
    (database,) = loaded.aws.rds.describe_global_clusters()["GlobalClusters"]
    assert [each["IsWriter"] for each in database["GlobalClusterMembers"]] == [True]


def test_a_node_type_that_does_not_fit_fails_with_what_elasticache_told() -> None:
    """With the guards set aside: 15,000 tenants' sessions do not fit into two nodes of an xlarge."""
    with foundation(WorkloadSpec(tenants=7_000, requests_per_day=2_000_000)) as loaded:
        decision = loaded.decision(REDIS, "tap-cache")
        assert decision.choice is Choice.KEEP
        group = loaded.governed(REDIS, "tap-cache")
        _, shards, node_type, _ = REDIS.moves(group, decision.before, decision)
        before = loaded.described(REDIS, "tap-cache")
        carry_out([shards], loaded.aws)
        with pytest.raises(MoveFailed, match="insufficient memory"):
            carry_out([node_type], loaded.aws)
        _, shards, node_type, _ = REDIS.moves(group, decision.before, decision)  # as the next run makes them
        take_back([shards, node_type], loaded.aws)
        assert loaded.described(REDIS, "tap-cache") == before


def test_resharding_that_stops_short_is_told() -> None:
    with foundation(WorkloadSpec(tenants=16_000, requests_per_day=2_000_000)) as loaded:
        decision = loaded.decision(REDIS, "tap-cache")
        _, shards, *_ = REDIS.moves(loaded.governed(REDIS, "tap-cache"), decision.before, decision)
        with pytest.raises(MoveFailed, match="has not been removed"):
            carry_out([shards], loaded.aws)


def test_a_region_in_use_is_kept() -> None:
    with foundation(WorkloadSpec(tenants=10_000, requests_per_day=20_000_000)) as loaded:
        kept = [loaded.decision(action, NAMES[action.id]) for action in IN_ORDER]
        assert {each.choice for each in kept} == {Choice.KEEP}
        redis, presence, writer, readers = (each.reason for each in kept)
        assert "commands a second" in redis
        assert "connections to a secondary" in presence
        assert "p95 CPU of the writer after" in writer
        assert "p95 CPU of the one that stays" in readers
