"""The moves of a replication group: a snapshot first, then one change after the other."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from optimizer.action import Move, When
from optimizer.model.resource import Governed, Touched
from optimizer.ports.aws import Aws
from optimizer.resources.cache.replication_group import ReplicationGroup
from optimizer.resources.cache.tags import cache_tags


def take_snapshot(redis: ReplicationGroup, name: str, group: Governed) -> Move:
    arn = f"{group.arn.split(':replicationgroup:')[0]}:snapshot:{name}"
    return Move(
        name="snapshot",
        when=When.APPLY,
        summary=f"snapshot {name}",
        is_done=lambda aws: redis.has_snapshot(aws, name) and redis.is_settled(aws),
        do=lambda aws: redis.take_snapshot(aws, name),
        undo=lambda aws: redis.delete_snapshot(aws, name),
        is_undone=lambda aws: redis.snapshot(aws, name) is None,
        is_ready=redis.is_settled,
        deadline=timedelta(hours=4),
        poll=timedelta(minutes=1),
        touches=lambda aws: (Touched(name, lambda: cache_tags(aws, arn)),),
    )


def change(
    redis: ReplicationGroup,
    name: str,
    summary: str,
    reached: Callable[[Aws, Any], bool],
    ask: Callable[[Aws, Any], None],
    before: Any,
    after: Any,
    deadline: timedelta,
) -> Move:
    """From `before` to `after` and back, asked for when the group takes a change; health is watched afterwards."""
    return Move(
        name=name,
        when=When.APPLY,
        summary=summary,
        is_done=lambda aws: reached(aws, after),
        do=lambda aws: ask(aws, after),
        undo=lambda aws: ask(aws, before),
        is_undone=lambda aws: reached(aws, before),
        is_ready=redis.is_settled,
        deadline=deadline,
        poll=timedelta(minutes=2),
        settle=timedelta(minutes=15),
    )
