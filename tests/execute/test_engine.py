"""The engine's checks right before a call, and right after one: each by itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from domain.errors import Breach, TenantOwned, Unhealthy
from optimizer.action import When
from optimizer.execute.journal_writer import JournalWriter
from optimizer.execute.lease import Purpose
from optimizer.execute.records import PhaseState
from optimizer.model.phase import Phase
from tests.execute.conftest import ACTION, APPLIED, ARN, DESIGNED, World


def tagged_at(world: World, words: str) -> Any:
    """A log during which a tenant takes the table: the engine prints its step between its two checks."""

    def say(line: str) -> None:
        if words in line:
            world.tag("TenantId", "acme")

    return say


def test_a_tenants_tag_that_comes_right_before_the_call_stops_it(world: World) -> None:
    plan = world.approved()
    with pytest.raises(TenantOwned):
        replace(world.fresh(), say=tagged_at(world, "protect the table")).apply(plan, Phase.COMPUTE)
    assert world.table() == DESIGNED


def test_so_it_does_on_the_way_back(world: World) -> None:
    world.fresh().apply(world.approved(), Phase.COMPUTE)
    with pytest.raises(TenantOwned, match="stays as it is"):
        replace(world.fresh(), say=tagged_at(world, "undo: point-in-time")).rollback(Phase.COMPUTE, "asked")
    assert world.table() == APPLIED


def test_a_way_back_that_is_refused_again_writes_nothing_again(world: World) -> None:
    """The watch tries it every five minutes: for days, each would add events, and a page to publish."""
    world.fresh().apply(world.approved(), Phase.COMPUTE)
    world.tag("TenantId", "acme")
    for _ in range(3):
        life = world.fresh()
        with pytest.raises(TenantOwned, match="stays as it is"):
            life.rollback(Phase.COMPUTE, "asked")
    assert life.journal.written == 0
    world.untag("TenantId")
    world.fresh().rollback(Phase.COMPUTE, "asked")
    assert world.table() == DESIGNED


def test_of_what_is_a_tenants_no_intent_is_written(world: World) -> None:
    """A record says that all the move touches was read as ours: the way back rests on it."""
    plan = world.approved()
    life = world.fresh()
    engine = life._engine(plan, Phase.COMPUTE, None)
    governed = engine.find(plan.decisions)[ARN]
    world.tag("TenantId", "acme")
    with life.journal.lease(Purpose.APPLY, "test") as lease, pytest.raises(TenantOwned):  # noqa: PT012 -- the run
        pen = JournalWriter(life.journal, lease)
        change = engine.change(plan, Phase.COMPUTE, plan.decisions[0], governed, pen)
        engine.run(plan, Phase.COMPUTE, change, When.APPLY, pen)
    assert life.journal.moves(plan, Phase.COMPUTE) == []


@pytest.mark.parametrize(("p99_ms", "error"), [(300.0, Breach), (None, Unhealthy)])
def test_what_is_seen_while_a_move_settles_keeps_the_next_from_beginning(
    world: World, p99_ms: float | None, error: type[Exception]
) -> None:
    """A breach is rolled back; a service whose health is unknown is not changed further."""

    def moves(*arguments: Any) -> list[Any]:
        first, *rest = ACTION.moves(*arguments)

        def protect(aws: Any) -> None:
            first.do(aws)
            world.service.p99_ms, world.service.since = p99_ms, world.account.clock.now()

        return [replace(first, do=protect, settle=timedelta(hours=3)), *rest]

    world.action = replace(ACTION, moves=moves)
    plan = world.approved()
    with pytest.raises(error):
        world.fresh().apply(plan, Phase.COMPUTE)
    assert world.table()["recovery"] == "DISABLED"
    state = world.fresh().journal.phase(plan, Phase.COMPUTE).state
    assert state is (PhaseState.ROLLED_BACK if error is Breach else PhaseState.APPLYING)


def test_what_is_seen_while_the_last_move_settles_is_taken_back_at_once(world: World) -> None:
    """Nothing comes after it that would look again before the window."""

    def moves(*arguments: Any) -> list[Any]:
        first, second, *rest = ACTION.moves(*arguments)

        def recover(aws: Any) -> None:
            second.do(aws)
            world.service.p99_ms, world.service.since = 300.0, world.account.clock.now()

        return [first, replace(second, do=recover, settle=timedelta(hours=3)), *rest]

    world.action = replace(ACTION, moves=moves)
    plan = world.approved()
    with pytest.raises(Breach):
        world.fresh().apply(plan, Phase.COMPUTE)
    assert world.fresh().journal.phase(plan, Phase.COMPUTE).state is PhaseState.ROLLED_BACK
    assert world.table() == DESIGNED
