"""A replication group's shards by AWS's own ids, and the meaning of its events."""

from __future__ import annotations

from typing import Any

import pytest

from domain.errors import MoveFailed
from emulator.services.elasticache.replication_groups import CacheEvent, CacheEvents
from optimizer.ports.aws import Aws
from optimizer.resources.cache.replication_group import ReplicationGroup
from tests.actions import conftest as small_account

account, aws = small_account.account, small_account.aws
NAME = "tap-cache"


@pytest.fixture
def redis(aws: Aws) -> ReplicationGroup:
    """A group that was resharded before: its shards are 0001, 0003, 0005 and 0006."""
    aws.elasticache.create_replication_group(
        ReplicationGroupId=NAME,
        ReplicationGroupDescription="Sessions",
        Engine="redis",
        CacheNodeType="cache.r6g.large",
        NumNodeGroups=6,
        ReplicasPerNodeGroup=1,
    )
    group = ReplicationGroup(NAME)
    group.reshard(aws, ["0001", "0003", "0005", "0006"])
    aws.clock.sleep(7200)
    assert sorted(shards(aws)) == ["0001", "0003", "0005", "0006"]
    return ReplicationGroup(NAME)


def shards(aws: Aws) -> list[str]:
    (group,) = aws.elasticache.describe_replication_groups()["ReplicationGroups"]
    return [each["NodeGroupId"] for each in group["NodeGroups"]]


def test_the_way_back_is_reached_by_count_and_slots(aws: Aws, redis: ReplicationGroup) -> None:
    before = sorted(shards(aws))
    redis.reshard(aws, ["0003", "0006"])
    aws.clock.sleep(7200)
    assert sorted(shards(aws)) == ["0003", "0006"]
    assert not redis.has_shards(aws, before)
    redis.reshard(aws, before)
    aws.clock.sleep(7200)
    assert sorted(shards(aws)) != before, "AWS gives ids of its own choice"
    assert redis.has_shards(aws, before)


def test_ids_that_were_computed_are_refused(aws: Aws, redis: ReplicationGroup) -> None:
    wanted = [{"NodeGroupId": each} for each in ("0001", "0003", "0005", "0006", "0007")]
    with pytest.raises(aws.elasticache.exceptions.ClientError, match="0007"):
        aws.elasticache.modify_replication_group_shard_configuration(
            ReplicationGroupId=NAME,
            NodeGroupCount=5,
            ApplyImmediately=True,
            ReshardingConfiguration=wanted,  # type: ignore[arg-type]
        )


@pytest.mark.parametrize(
    ("message", "fails"),
    [
        ("Failed applying modification to cache node type to cache.r6g.xlarge due to insufficient memory.", True),
        ("Snapshot failed for snapshot with ID 'automatic.tap-cache-2027-03-01': insufficient memory.", False),
        ("Automatic snapshot of cache node type cache.r6g.large failed.", False),
        ("Failover to replica node tap-cache-0001-002 could not be completed.", False),
        ("Finished modifying the cache node type.", False),
    ],
)
def test_only_an_event_of_what_was_asked_is_its_failure(
    aws: Aws, account: Any, redis: ReplicationGroup, message: str, fails: bool
) -> None:
    redis.change_type(aws, "cache.r6g.xlarge")
    account.part(CacheEvents).events.append(CacheEvent(aws.region, NAME, aws.clock.now(), message))
    if fails:
        with pytest.raises(MoveFailed, match="insufficient memory"):
            redis.has_type(aws, "cache.r6g.xlarge")
    else:
        assert not redis.has_type(aws, "cache.r6g.xlarge")
