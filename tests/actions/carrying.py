"""Carries moves out and takes them back for tests: as the engine does, without its journal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from domain.errors import MoveFailed
from optimizer.action import Move
from optimizer.ports.aws import Aws


def wait(move: Move, aws: Aws, reached: Callable[[Aws], bool]) -> None:
    """Poll as the engine does."""
    deadline = aws.clock.now() + move.deadline
    while not reached(aws):
        if aws.clock.now() >= deadline:
            raise MoveFailed(f"{move.name} did not end within {move.deadline}")
        aws.clock.sleep(move.poll.total_seconds())


def carry_out(moves: Sequence[Move], aws: Aws) -> None:
    for move in moves:
        if not _found(move, aws, move.is_done):
            move.do(aws)
            wait(move, aws, move.is_done)


def take_back(moves: Sequence[Move], aws: Aws) -> None:
    for move in reversed(moves):
        assert move.undo is not None
        assert move.is_undone is not None
        if not _found(move, aws, move.is_undone):
            move.undo(aws)
            wait(move, aws, move.is_undone)


def _found(move: Move, aws: Aws, reached: Callable[[Aws], bool]) -> bool:
    """Whether there is nothing to do; else the resource is ready for the move."""
    if reached(aws):
        return True
    if move.is_ready is not None:
        wait(move, aws, move.is_ready)
    return reached(aws)


def group_of(aws: Aws) -> dict[str, Any]:
    """The fleet in short: capacity, and how many instances of each type are in service."""
    (group,) = aws.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=["tap-fleet"])["AutoScalingGroups"]
    serving = [each["InstanceType"] for each in group["Instances"] if each["LifecycleState"] == "InService"]
    return {
        "capacity": (group["MinSize"], group["DesiredCapacity"], group["MaxSize"]),
        "serving": {kind: serving.count(kind) for kind in sorted(set(serving))},
    }
