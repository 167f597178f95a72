"""Redis and Aurora in the loaded foundation: there and back from every move, and accepted without a difference."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from domain.errors import MoveFailed, PlanChanged
from domain.sizing import Sizing
from optimizer.action import Action, When
from optimizer.actions import aurora_presence, aurora_readers, aurora_writer, redis_rightsize
from optimizer.decide.policy import Policy, PresencePolicy
from optimizer.model.decision import Choice
from optimizer.resources.database.instance import InstanceState
from tests.actions.carrying import carry_out, take_back, wait
from tests.actions.sized_foundation import Foundation, foundation

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("sizing down")]  # one foundation for all of them

REDIS, PRESENCE = redis_rightsize.ACTION, aurora_presence.ACTION
WRITER, READERS = aurora_writer.ACTION, aurora_readers.ACTION
NAMES = {REDIS.id: "tap-cache", PRESENCE.id: "tap-global", WRITER.id: "tap-database", READERS.id: "tap-database"}
IN_ORDER = (REDIS, PRESENCE, WRITER, READERS)


@pytest.fixture(scope="module")
def quiet() -> Iterator[Foundation]:
    """Shared by tests that restore it. Every action decided once, before any of them changed anything."""
    with foundation() as loaded:
        for action in IN_ORDER:
            loaded.moves(action, NAMES[action.id])
        yield loaded


@pytest.mark.parametrize("action", IN_ORDER, ids=lambda action: action.id)
def test_from_every_move_undo_restores_what_was_described(quiet: Foundation, action: Action) -> None:
    name = NAMES[action.id]
    before, moves = quiet.described(action, name), quiet.moves(action, name)
    for count in range(1, len(moves) + 1):
        carry_out(moves[:count], quiet.aws)
        assert all(move.is_done(quiet.aws) for move in moves[:count])
        take_back(moves[:count], quiet.aws)
        assert quiet.described(action, name) == before, moves[count - 1].name
        take_back(moves[:count], quiet.aws)  # twice is harmless
        assert quiet.described(action, name) == before
    assert quiet.drift(Sizing.AS_DESIGNED) == ()


@pytest.mark.parametrize("action", IN_ORDER, ids=lambda action: action.id)
def test_undo_takes_back_what_is_only_asked_for(quiet: Foundation, action: Action) -> None:
    """A crash after the call landed: the change is under way when undo comes."""
    name = NAMES[action.id]
    before, moves = quiet.described(action, name), quiet.moves(action, name)
    for place, move in enumerate(moves):
        carry_out(moves[:place], quiet.aws)
        if move.is_ready is not None:
            wait(move, quiet.aws, move.is_ready)
        move.do(quiet.aws)
        quiet.account.clock.sleep(300)  # the lease of the run that crashed has to end first
        take_back(moves[: place + 1], quiet.aws)
        assert quiet.described(action, name) == before, move.name


def test_what_an_action_rests_on_does_not_change_by_its_neighbours(quiet: Foundation) -> None:
    """A run that crashed between two actions decides the later ones again, with the earlier ones carried out."""
    decisions = {action.id: quiet.decision(action, NAMES[action.id]) for action in IN_ORDER}
    presence, writer = quiet.moves(PRESENCE, "tap-global"), quiet.moves(WRITER, "tap-database")
    done = []
    for move in (*presence, *writer):
        carry_out([move], quiet.aws)
        done.append(move)
        for action in (READERS, *((WRITER,) if move in presence else ())):
            again = quiet.decision(action, "tap-database")
            assert again.before == decisions[action.id].before, move.name
            assert again.choice is Choice.APPLY, f"{move.name}: {again.reason}"
            assert again.target.get("leaves") == decisions[action.id].target.get("leaves")
    take_back(done, quiet.aws)


def test_a_reader_of_another_class_than_approved_is_not_deleted(quiet: Foundation) -> None:
    (delete,) = quiet.moves(READERS, "tap-database")
    rds = quiet.aws.rds
    rds.modify_db_instance(
        DBInstanceIdentifier="tap-database-3", DBInstanceClass="db.r6g.2xlarge", ApplyImmediately=True
    )
    quiet.account.clock.sleep(3600)
    with pytest.raises(PlanChanged, match=r"the approved plan saw db\.r6g\.4xlarge"):
        delete.do(quiet.aws)
    rds.modify_db_instance(
        DBInstanceIdentifier="tap-database-3", DBInstanceClass="db.r6g.4xlarge", ApplyImmediately=True
    )
    quiet.account.clock.sleep(3600)


@pytest.mark.parametrize("action", [WRITER, READERS], ids=lambda action: action.id)
def test_an_instance_that_became_the_writer_is_left_as_it_is(quiet: Foundation, action: Action) -> None:
    """A failover without a request, after the plan was made."""
    moves = [move for move in quiet.moves(action, "tap-database") if move.name != "failover"]
    for move in moves:
        name = move.name.split()[-1]
        fail_over(quiet, name)
        with pytest.raises(PlanChanged, match=f"{name} writes"):
            move.do(quiet.aws)
    fail_over(quiet, "tap-database-1")


def fail_over(quiet: Foundation, name: str) -> None:
    if not InstanceState("tap-database", name).writes(quiet.aws):
        quiet.aws.rds.failover_db_cluster(DBClusterIdentifier="tap-database", TargetDBInstanceIdentifier=name)
        quiet.account.clock.sleep(600)


def test_a_secondary_with_an_instance_again_is_not_removed(quiet: Foundation) -> None:
    detach = next(m for m in quiet.moves(PRESENCE, "tap-global", When.ACCEPT) if m.name.startswith("detach"))
    with pytest.raises(MoveFailed, match="tap-database-region"):
        detach.do(quiet.aws)


def test_the_policy_can_keep_the_regions_whatever_the_load(quiet: Foundation) -> None:
    policy = replace(Policy(), presence=PresencePolicy(recovery_loss_accepted=False))
    decision = quiet.decision(PRESENCE, "tap-global", policy)
    assert decision.choice is Choice.KEEP
    assert "loss of recovery" in decision.reason
