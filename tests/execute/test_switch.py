"""The kill switch: set at any moment, nothing is changed from the next call on."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest
from botocore.exceptions import ClientError

from domain.errors import Stopped
from optimizer.action import Move, Notes, When
from optimizer.execute.records import PhaseState
from optimizer.model.decision import Decision
from optimizer.model.phase import Phase
from optimizer.model.resource import Governed
from optimizer.ports.aws import Aws
from tests.execute.conftest import ACTION, ENVIRON, World

SWITCH = "/tap/switch"
DESIGNED = {"protected": False, "recovery": "DISABLED", "stream": False}
HALF = {"protected": True, "recovery": "DISABLED", "stream": False}
APPLIED = {"protected": True, "recovery": "ENABLED", "stream": False}


def put(world: World, value: str) -> None:
    ssm = world.account.session("111111111111", "us-east-1").client("ssm")
    ssm.put_parameter(Name=SWITCH, Type="String", Value=value, Overwrite=True)


@pytest.fixture
def switched(world: World) -> World:
    put(world, "go")
    return replace(world, environ={**ENVIRON, "TAP_SWITCH_PARAMETER": SWITCH})


@pytest.mark.parametrize("position", ["undo", "stop", "halt"])
def test_nothing_begins_unless_it_says_go(switched: World, position: str) -> None:
    plan = switched.approved()
    put(switched, position)
    with pytest.raises(Stopped, match=f"says '{position}'"):
        switched.fresh().apply(plan, Phase.COMPUTE)
    assert switched.table() == DESIGNED
    assert switched.fresh().journal.phase(plan, Phase.COMPUTE).state is PhaseState.WAITING
    put(switched, "go")
    switched.fresh().apply(plan, Phase.COMPUTE)
    assert switched.table() == APPLIED


def test_set_between_two_changes_the_second_is_not_made_and_the_phase_goes_on_later(switched: World) -> None:
    plan = switched.approved()
    life = replace(switched.fresh(), say=lambda line: put(switched, "stop") if "recovery on" in line else None)
    with pytest.raises(Stopped):
        life.apply(plan, Phase.COMPUTE)
    assert switched.table() == HALF
    put(switched, "go")
    assert switched.fresh().apply(plan, Phase.COMPUTE).state is PhaseState.OBSERVING
    assert switched.table() == APPLIED


@pytest.mark.parametrize(("position", "after"), [("undo", DESIGNED), ("stop", APPLIED)])
def test_undo_lets_a_rollback_through_and_stop_does_not(switched: World, position: str, after: object) -> None:
    plan = switched.approved()
    switched.fresh().apply(plan, Phase.COMPUTE)
    put(switched, position)
    if position == "undo":
        switched.fresh().rollback(Phase.COMPUTE, "asked")
    else:
        with pytest.raises(Stopped):
            switched.fresh().rollback(Phase.COMPUTE, "asked")
        assert switched.fresh().journal.phase(plan, Phase.COMPUTE).state is PhaseState.OBSERVING
    assert switched.table() == after


def test_set_between_two_undos_the_second_is_not_made_and_the_rollback_goes_on_later(switched: World) -> None:
    plan = switched.approved()
    switched.fresh().apply(plan, Phase.COMPUTE)
    life = replace(switched.fresh(), say=lambda line: put(switched, "stop") if "undo: protect" in line else None)
    with pytest.raises(Stopped):
        life.rollback(Phase.COMPUTE, "asked")
    assert switched.table() == HALF
    put(switched, "undo")
    switched.fresh().rollback(Phase.COMPUTE, "asked")
    assert switched.table() == DESIGNED


def test_acceptance_is_stopped_too(switched: World) -> None:
    plan = switched.approved()
    switched.fresh().apply(plan, Phase.COMPUTE)
    switched.account.clock.sleep(48 * 3600)
    put(switched, "stop")
    with pytest.raises(Stopped):
        switched.fresh().accept(Phase.COMPUTE)
    assert switched.table() == APPLIED


def test_a_switch_that_cannot_be_read_is_no_consent(world: World) -> None:
    unreadable = replace(world, environ={**ENVIRON, "TAP_SWITCH_PARAMETER": "/tap/elsewhere"})
    plan = unreadable.approved()
    with pytest.raises(ClientError, match="ParameterNotFound"):
        unreadable.fresh().apply(plan, Phase.COMPUTE)
    assert unreadable.table() == DESIGNED


@pytest.mark.parametrize(("position", "after"), [("go", 6), ("undo", 1), ("stop", 1)])
def test_a_move_of_hours_is_stopped_in_the_middle(switched: World, position: str, after: int) -> None:
    """It keeps notes as it goes, and each may be its last."""
    kept: list[int] = []

    def moves(governed: Governed, before: object, decision: Decision, notes: Notes) -> list[Move]:
        def copy(aws: Aws) -> None:
            for number in range(1, 7):
                notes.write({"at": number})
                kept.append(number)
                put(switched, position)
                aws.clock.sleep(30)

        done = lambda aws: len(kept) == 6  # noqa: E731
        return [Move("copy", When.APPLY, "copy", is_done=done, do=copy, undo=lambda aws: None, is_undone=done)]

    switched.action = replace(ACTION, keeps_notes=True, moves=moves)
    plan = switched.approved()
    with suppress(Stopped):
        switched.fresh().apply(plan, Phase.COMPUTE)
    assert len(kept) == after
