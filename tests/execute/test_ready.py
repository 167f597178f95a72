"""A resource that is busy is waited for, on the way there and on the way back: AWS takes one change at a time."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from domain.errors import MoveFailed
from optimizer.model.phase import Phase

BUSY = timedelta(minutes=20)


def waiting(world: Any, asked: list[tuple[str, Any]], busy: timedelta = BUSY) -> Any:
    """The life whose moves are refused before `busy` is over, and the record of each request."""
    life = world.fresh()
    (action,) = life.actions.values()
    begins = world.account.clock.now() + busy

    def told(name: str, call: Any) -> Any:
        def ask(aws: Any) -> None:
            asked.append((name, aws.clock.now()))
            call(aws)

        return ask

    def moves(*arguments: Any) -> list[Any]:
        return [
            replace(
                move,
                do=told(f"do {move.name}", move.do),
                undo=move.undo and told(f"undo {move.name}", move.undo),
                is_ready=lambda aws: aws.clock.now() >= begins,
            )
            for move in action.moves(*arguments)
        ]

    return replace(life, actions={action.id: replace(action, moves=moves)})


def test_a_move_is_asked_for_once_its_resource_is_ready(world: Any) -> None:
    plan, asked, begun = world.approved(), [], world.account.clock.now()
    waiting(world, asked).apply(plan, Phase.COMPUTE)
    assert [name for name, _ in asked] == ["do protect", "do recover"]
    assert min(at for _, at in asked) >= begun + BUSY


def test_so_is_its_undo(world: Any) -> None:
    plan, asked = world.approved(), []
    world.fresh().apply(plan, Phase.COMPUTE)
    begun = world.account.clock.now()
    waiting(world, asked).rollback(Phase.COMPUTE, "because")
    assert [name for name, _ in asked] == ["undo recover", "undo protect"]
    assert min(at for _, at in asked) >= begun + BUSY


def test_what_reached_its_target_meanwhile_is_not_asked_for(world: Any) -> None:
    """The change under way may be this very one, requested by a run that died before it ended."""
    plan, asked = world.approved(), []
    life = waiting(world, asked)
    client = world.account.client("dynamodb", "222222222222", "us-east-1")
    world.account.schedule(
        world.account.clock.now() + BUSY / 2,
        lambda: client.update_table(TableName="orders", DeletionProtectionEnabled=True),
    )
    life.apply(plan, Phase.COMPUTE)
    assert [name for name, _ in asked] == ["do recover"]


def test_it_is_waited_for_until_the_moves_deadline(world: Any) -> None:
    plan = world.approved()
    with pytest.raises(MoveFailed, match="not reached within"):
        waiting(world, [], busy=timedelta(days=1)).apply(plan, Phase.COMPUTE)
