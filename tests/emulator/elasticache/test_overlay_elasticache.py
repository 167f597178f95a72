"""Replication groups in cluster mode: ElastiCache's refusals, durations, and later failures."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from emulator.account import EmulatedAccount
from emulator.core.instance_types import usable_cache_bytes
from emulator.services.elasticache import replication_groups
from emulator.workload.spec import WorkloadEvent, WorkloadSpec
from emulator.workload.workload import Workload

GROUP = "tap-cache"
XLARGE, LARGER = "cache.r6g.xlarge", "cache.r6g.4xlarge"


@pytest.fixture
def redis(account: EmulatedAccount) -> Any:
    client = account.client("elasticache", account.production, "us-east-1")
    client.create_replication_group(
        ReplicationGroupId=GROUP,
        ReplicationGroupDescription="Sessions",
        Engine="redis",
        EngineVersion="7.1",
        CacheNodeType=LARGER,
        NumNodeGroups=4,
        ReplicasPerNodeGroup=2,
        CacheParameterGroupName="default.redis7.cluster.on",
        AutomaticFailoverEnabled=True,
        MultiAZEnabled=True,
    )
    return client


def group(redis: Any) -> Any:
    return redis.describe_replication_groups(ReplicationGroupId=GROUP)["ReplicationGroups"][0]


def nodes(redis: Any) -> list[Any]:
    return list(redis.describe_cache_clusters()["CacheClusters"])


def slots(redis: Any) -> list[str]:
    return [each["Slots"] for each in group(redis)["NodeGroups"]]


def holding(monkeypatch: pytest.MonkeyPatch, size: float) -> None:
    """Every shard holds this many bytes."""

    def bytes_of(_account: Any, _call: Any, shard: Any) -> float:
        return size

    monkeypatch.setattr(replication_groups, "_bytes_of", bytes_of)


def events(redis: Any) -> list[str]:
    found = redis.describe_events(SourceIdentifier=GROUP, SourceType="replication-group", Duration=600)["Events"]
    return [each["Message"] for each in found]


def refused(code: str) -> Any:
    return pytest.raises(ClientError, match=code)


def reshard(redis: Any, count: int, **how: Any) -> Any:
    return redis.modify_replication_group_shard_configuration(
        **{"ReplicationGroupId": GROUP, "NodeGroupCount": count, "ApplyImmediately": True, **how}
    )


def retype(redis: Any, kind: str = XLARGE) -> Any:
    return redis.modify_replication_group(ReplicationGroupId=GROUP, CacheNodeType=kind, ApplyImmediately=True)


def test_a_cluster_has_shards_members_and_a_configuration_endpoint(redis: Any) -> None:
    shown = group(redis)
    assert shown["ClusterEnabled"]
    assert shown["ConfigurationEndpoint"]["Address"].startswith("clustercfg.tap-cache.")
    assert slots(redis) == ["0-4095", "4096-8191", "8192-12287", "12288-16383"]
    assert len(shown["MemberClusters"]) == 12
    assert "tap-cache-0004-003" in shown["MemberClusters"]
    for shard in shown["NodeGroups"]:
        assert len({each["PreferredAvailabilityZone"] for each in shard["NodeGroupMembers"]}) == 3


def test_every_node_is_a_cache_cluster_of_its_own(redis: Any) -> None:
    shown = nodes(redis)
    assert {each["CacheNodeType"] for each in shown} == {LARGER}
    assert {each["ReplicationGroupId"] for each in shown} == {GROUP}
    (one,) = redis.describe_cache_clusters(CacheClusterId="tap-cache-0002-001")["CacheClusters"]
    assert redis.list_tags_for_resource(ResourceName=one["ARN"])["TagList"] == []


def test_a_change_is_refused_while_another_is_under_way(account: EmulatedAccount, redis: Any) -> None:
    retype(redis)
    with refused("InvalidReplicationGroupState"):
        redis.decrease_replica_count(ReplicationGroupId=GROUP, NewReplicaCount=1, ApplyImmediately=True)
    account.clock.sleep(60)
    assert group(redis)["Status"] == "modifying"
    for again in (
        lambda: retype(redis),
        lambda: reshard(redis, 2, NodeGroupsToRetain=["0001", "0002"]),
        lambda: redis.create_snapshot(ReplicationGroupId=GROUP, SnapshotName="s"),
        lambda: redis.increase_replica_count(ReplicationGroupId=GROUP, NewReplicaCount=3, ApplyImmediately=True),
    ):
        with refused("InvalidReplicationGroupState"):
            again()
    account.clock.sleep(7200)
    assert group(redis)["Status"] == "available"


def test_the_status_says_available_a_while_after_the_call(account: EmulatedAccount, redis: Any) -> None:
    assert retype(redis)["ReplicationGroup"]["Status"] == "modifying"
    assert group(redis)["Status"] == "available"
    assert {each["PendingModifiedValues"]["CacheNodeType"] for each in nodes(redis)} == {XLARGE}
    account.clock.sleep(7200)
    assert group(redis)["CacheNodeType"] == XLARGE
    assert {each["CacheNodeType"] for each in nodes(redis)} == {XLARGE}
    assert not any(each["PendingModifiedValues"] for each in nodes(redis))


def test_data_that_does_not_fit_fails_later_by_an_event(
    account: EmulatedAccount, redis: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    holding(monkeypatch, usable_cache_bytes(XLARGE) + 1)
    retype(redis)
    account.clock.sleep(7200)
    assert group(redis)["Status"] == "available"
    assert {each["CacheNodeType"] for each in nodes(redis)} == {LARGER}
    assert "insufficient memory" in events(redis)[-1]


def test_data_that_just_fits_does(account: EmulatedAccount, redis: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    holding(monkeypatch, usable_cache_bytes(XLARGE))
    retype(redis)
    account.clock.sleep(7200)
    assert group(redis)["CacheNodeType"] == XLARGE


def test_only_types_that_are_allowed(redis: Any) -> None:
    allowed = redis.list_allowed_node_type_modifications(ReplicationGroupId=GROUP)
    assert XLARGE in allowed["ScaleDownModifications"]
    assert "cache.r6g.8xlarge" in allowed["ScaleUpModifications"]
    assert LARGER not in [*allowed["ScaleDownModifications"], *allowed["ScaleUpModifications"]]
    with refused("InvalidParameterValue"):
        retype(redis, "cache.m5.large")


def test_shards_go_and_the_slots_are_shared_anew(account: EmulatedAccount, redis: Any) -> None:
    reshard(redis, 2, NodeGroupsToRetain=["0001", "0002"])
    assert len(group(redis)["NodeGroups"]) == 4
    assert "Resharding" in group(redis)["PendingModifiedValues"]
    account.clock.sleep(7200)
    assert [each["NodeGroupId"] for each in group(redis)["NodeGroups"]] == ["0001", "0002"]
    assert slots(redis) == ["0-8191", "8192-16383"]
    assert len(nodes(redis)) == 6


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"ApplyImmediately": False, "NodeGroupsToRetain": ["0001", "0002"]}, "InvalidParameterValue"),
        ({}, "InvalidParameterCombination"),
        ({"NodeGroupsToRetain": ["0001", "0002"], "NodeGroupsToRemove": ["0003", "0004"]}, "InvalidParameterComb"),
        ({"NodeGroupsToRetain": ["0001"]}, "InvalidParameterValue"),
        ({"NodeGroupsToRemove": ["0009", "0004"]}, "NodeGroupNotFoundFault"),
    ],
)
def test_resharding_that_is_refused(redis: Any, change: dict[str, Any], code: str) -> None:
    with refused(code):
        reshard(redis, 2, **change)


# Each of the two removed shards of 40 % needs 1.5 x 40 % = 60 %, once, on two shards that are 60 % free.
@pytest.mark.parametrize(("percent", "left"), [(40, 2), (41, 3), (45, 3)])
def test_without_room_of_one_and_a_half_times_shards_are_left_over(
    account: EmulatedAccount, redis: Any, monkeypatch: pytest.MonkeyPatch, percent: int, left: int
) -> None:
    holding(monkeypatch, usable_cache_bytes(LARGER) * percent / 100)
    reshard(redis, 2, NodeGroupsToRetain=["0001", "0002"])
    account.clock.sleep(7200)
    assert len(group(redis)["NodeGroups"]) >= left
    assert any("has not been removed" in each for each in events(redis)) is (percent > 40)


def test_new_shards_get_their_ids_from_aws_and_computed_ones_are_refused(account: EmulatedAccount, redis: Any) -> None:
    reshard(redis, 2, NodeGroupsToRemove=["0001", "0003"])
    account.clock.sleep(7200)
    with refused("InvalidParameterValue"):
        reshard(redis, 4, ReshardingConfiguration=[{"NodeGroupId": "0001"}])
    with refused("InvalidParameterValue"):
        reshard(redis, 4, ReshardingConfiguration=[{"NodeGroupId": f"000{n}"} for n in range(1, 5)])
    reshard(redis, 4)
    account.clock.sleep(7200)
    assert [each["NodeGroupId"] for each in group(redis)["NodeGroups"]] == ["0001", "0002", "0003", "0004"]
    assert {len(each["NodeGroupMembers"]) for each in group(redis)["NodeGroups"]} == {3}
    assert slots(redis)[0] == "0-4095"


def test_replicas_go_and_come_with_time(account: EmulatedAccount, redis: Any) -> None:
    redis.decrease_replica_count(ReplicationGroupId=GROUP, NewReplicaCount=1, ApplyImmediately=True)
    assert len(nodes(redis)) == 12
    account.clock.sleep(1200)
    assert len(nodes(redis)) == 8
    assert "tap-cache-0001-001" in group(redis)["MemberClusters"]
    redis.increase_replica_count(ReplicationGroupId=GROUP, NewReplicaCount=2, ApplyImmediately=True)
    account.clock.sleep(1200)
    assert len(nodes(redis)) == 12


@pytest.mark.parametrize("count", [0, 2, 3])
def test_replicas_only_go_down_and_never_to_none_with_multi_az(redis: Any, count: int) -> None:
    with refused("InvalidParameterValue"):
        redis.decrease_replica_count(ReplicationGroupId=GROUP, NewReplicaCount=count, ApplyImmediately=True)


@pytest.mark.parametrize("count", [1, 2, 6])
def test_replicas_only_go_up_and_to_five_at_most(redis: Any, count: int) -> None:
    with refused("InvalidParameterValue"):
        redis.increase_replica_count(ReplicationGroupId=GROUP, NewReplicaCount=count, ApplyImmediately=True)


def test_replicas_change_at_once_or_not_at_all(redis: Any) -> None:
    with refused("InvalidParameterValue"):
        redis.decrease_replica_count(ReplicationGroupId=GROUP, NewReplicaCount=1, ApplyImmediately=False)


def test_a_snapshot_takes_time_and_keeps_the_group_busy(account: EmulatedAccount, redis: Any) -> None:
    made = redis.create_snapshot(ReplicationGroupId=GROUP, SnapshotName="before")["Snapshot"]
    assert (made["SnapshotStatus"], group(redis)["Status"]) == ("creating", "snapshotting")
    with refused("InvalidSnapshotState"):
        redis.delete_snapshot(SnapshotName="before")
    account.clock.sleep(601)
    (shown,) = redis.describe_snapshots(SnapshotName="before")["Snapshots"]
    assert (shown["SnapshotStatus"], group(redis)["Status"]) == ("available", "available")
    redis.delete_snapshot(SnapshotName="before")


def test_events_are_those_of_the_time_that_is_asked_for(account: EmulatedAccount, redis: Any) -> None:
    retype(redis)
    account.clock.sleep(7200)
    assert len(events(redis)) == 1
    assert redis.describe_events(Duration=60)["Events"] == []
    with refused("InvalidParameterValue"):
        redis.describe_events(StartTime=account.clock.now() - timedelta(days=15))
    with refused("InvalidParameterCombination"):
        redis.describe_events(SourceIdentifier=GROUP)


def test_without_capacity_nothing_grows(account: EmulatedAccount, redis: Any) -> None:
    shortage = WorkloadEvent(on="phase1.applied", until_minutes=60, no_capacity=(LARGER, "cache.r6g.8xlarge"))
    workload = Workload(WorkloadSpec(tenants=1, requests_per_day=1), account, 0, events=(shortage,))
    workload.milestone("phase1.applied", account.clock.now())
    for grow in (
        lambda: retype(redis, "cache.r6g.8xlarge"),
        lambda: reshard(redis, 5),
        lambda: redis.increase_replica_count(ReplicationGroupId=GROUP, NewReplicaCount=3, ApplyImmediately=True),
    ):
        with refused("InsufficientCacheClusterCapacity"):
            grow()
    account.clock.sleep(3600)
    retype(redis, "cache.r6g.8xlarge")


def test_a_deleted_group_is_deleting_then_gone_with_its_nodes(account: EmulatedAccount, redis: Any) -> None:
    assert redis.delete_replication_group(ReplicationGroupId=GROUP)["ReplicationGroup"]["Status"] == "deleting"
    with pytest.raises(ClientError, match="InvalidReplicationGroupState"):
        redis.delete_replication_group(ReplicationGroupId=GROUP)
    account.clock.sleep(3_600)
    assert nodes(redis) == []
    with pytest.raises(ClientError, match="ReplicationGroupNotFoundFault"):
        group(redis)
