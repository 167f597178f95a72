"""The moves that take a secondary cluster away: headless in the window, and gone for good at acceptance."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from optimizer.action import Move, When
from optimizer.resources.database.global_database import name_of, region_of
from optimizer.resources.database.instance import InstanceState
from optimizer.resources.database.kinds import touched_in_rds
from optimizer.resources.database.secondary import SecondaryCluster


def make_headless(arn: str, name: str, was: Mapping[str, Any]) -> Move:
    region, instance = region_of(arn), InstanceState(name_of(arn), name)
    description, kind, tier = was["created"], was["class"], was["tier"]
    return Move(
        name=f"headless {name}",
        when=When.APPLY,
        summary=f"delete {name} in {region}; the storage of {name_of(arn)} stays in sync",
        is_done=lambda aws: instance.is_gone(aws.at(region)),
        do=lambda aws: instance.delete(aws.at(region), kind),
        undo=lambda aws: instance.create(aws.at(region), description, kind, tier),
        is_undone=lambda aws: instance.is_back(aws.at(region), description, kind, tier),
        is_ready=lambda aws: instance.is_ready(aws.at(region)),
        touches=lambda aws: (touched_in_rds(aws, arn), *instance.touched(aws.at(region))),
    )


def remove(cluster: SecondaryCluster, snapshot: str) -> list[Move]:
    """The irreversible tail of one secondary."""
    return [
        Move(
            name=f"close {cluster.name}",
            when=When.ACCEPT,
            summary=f"close the security groups of {cluster.name}, which could write by itself",
            is_done=cluster.is_closed,
            do=cluster.close,
            touches=cluster.touched,
        ),
        Move(
            name=f"detach {cluster.name}",
            when=When.ACCEPT,
            summary=f"{cluster.name} leaves the global database for good",
            is_done=cluster.is_detached,
            do=cluster.detach,
            is_ready=cluster.is_ready,
            touches=cluster.touched,
        ),
        Move(
            name=f"unprotect {cluster.name}",
            when=When.ACCEPT,
            summary=f"deletion protection of {cluster.name} off",
            is_done=cluster.is_unprotected,
            do=cluster.unprotect,
            is_ready=cluster.is_ready,
            touches=cluster.touched,
        ),
        Move(
            name=f"delete {cluster.name}",
            when=When.ACCEPT,
            summary=f"delete {cluster.name} with the final snapshot {snapshot}",
            is_done=lambda aws: cluster.is_deleted(aws, snapshot),
            do=lambda aws: cluster.delete(aws, snapshot),
            is_ready=cluster.is_ready,
            touches=cluster.touched,
            deadline=timedelta(hours=6),
            poll=timedelta(minutes=1),
        ),
    ]
