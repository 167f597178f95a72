"""Ownership of a resource, checked going forward and on the way back: ours, a tenant's, or unreadable for now."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from domain.errors import OwnerUnread, TenantOwned
from emulator.core.errors import AwsError
from emulator.core.registry import Emulated, operations
from optimizer.execute.records import PhaseState
from optimizer.model.decision import Choice
from optimizer.model.phase import Phase
from tests.execute.conftest import APPLIED, DESIGNED, TABLE, World, another_table

TAGS = ("dynamodb", "ListTagsOfResource")
BUSY, THROTTLED, DENIED = "ResourceInUseException", "ThrottlingException", "AccessDeniedException"


@contextmanager
def unreadable(world: World, code: str, wait: timedelta = timedelta(days=30)) -> Iterator[None]:
    """Tags of tables answer with this error until so much time has gone by."""
    until = world.account.clock.now() + wait

    def refuse(account: Any, _call: Any) -> None:
        if account.clock.now() < until:
            raise AwsError(code, "not now")

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(operations(), TAGS, Emulated(*TAGS, refuse, "", ""))
        yield


@contextmanager
def unreachable(world: World, wait: timedelta = timedelta(days=30)) -> Iterator[None]:
    """Nothing answers when tags of tables are read, until so much time has gone by."""
    until = world.account.clock.now() + wait

    def hang(account: Any, _call: Any) -> None:
        if account.clock.now() < until:
            raise ReadTimeoutError(endpoint_url="https://dynamodb.us-east-1.amazonaws.com", error="timed out")

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(operations(), TAGS, Emulated(*TAGS, hang, "", ""))
        yield


def test_what_nothing_answers_about_is_asked_again_and_is_undone_all_the_same(world: World) -> None:
    plan = world.approved()
    with unreachable(world, timedelta(minutes=20)):
        assert world.fresh().apply(plan, Phase.COMPUTE).state is PhaseState.OBSERVING
    assert world.table() == APPLIED
    with unreachable(world):
        assert world.fresh().rollback(Phase.COMPUTE, "a breach").state is PhaseState.ROLLED_BACK
    assert world.table() == DESIGNED


LISTED = ("ec2", "DescribeCapacityReservations")


@pytest.mark.parametrize("code", ["RequestLimitExceeded", "UnauthorizedOperation"])
def test_what_a_move_touches_and_cannot_be_listed_holds_it_and_not_its_undo(world: World, code: str) -> None:
    plan, life = world.approved(), world.fresh()
    (action,) = life.actions.values()

    def touches(aws: Any) -> list[Any]:
        aws.ec2.describe_capacity_reservations()
        return []

    def moves(*args: Any) -> list[Any]:
        return [replace(move, touches=touches) for move in action.moves(*args)]

    listing = {action.id: replace(action, moves=moves)}

    def refuse(_account: Any, _call: Any) -> None:
        raise AwsError(code, "not now")

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(operations(), LISTED, Emulated(*LISTED, refuse, "", ""))
        with pytest.raises(OwnerUnread, match="DescribeCapacityReservations"):
            replace(life, actions=listing).apply(plan, Phase.COMPUTE)
    assert world.table() == DESIGNED
    replace(world.fresh(), actions=listing).apply(plan, Phase.COMPUTE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(operations(), LISTED, Emulated(*LISTED, refuse, "", ""))
        replace(world.fresh(), actions=listing).rollback(Phase.COMPUTE, "a breach")
    assert world.table() == DESIGNED


@pytest.mark.parametrize("code", [BUSY, THROTTLED])
def test_what_cannot_be_read_now_is_asked_again_and_then_changed(world: World, code: str) -> None:
    plan = world.approved()
    with unreadable(world, code, timedelta(minutes=20)):
        assert world.fresh().apply(plan, Phase.COMPUTE).state is PhaseState.OBSERVING
    assert world.table() == APPLIED


@pytest.mark.parametrize(
    ("code", "said", "within"),
    [
        (BUSY, "cannot be read now: it is being changed", timedelta(hours=2)),
        (THROTTLED, "cannot be read now: ListTagsOfResource is throttled", timedelta(hours=2)),
        (DENIED, "ListTagsOfResource answered AccessDenied", timedelta(minutes=1)),
    ],
)
def test_what_stays_unreadable_holds_the_phase_and_names_no_tenant(
    world: World, code: str, said: str, within: timedelta
) -> None:
    plan, began = world.approved(), world.account.clock.now()
    with unreadable(world, code), pytest.raises(OwnerUnread, match=said) as held:
        world.fresh().apply(plan, Phase.COMPUTE)
    assert "tenant" not in str(held.value)
    assert world.account.clock.now() - began <= within
    assert world.table() == DESIGNED
    assert world.fresh().apply(plan, Phase.COMPUTE).state is PhaseState.OBSERVING, "nothing was vetoed meanwhile"


@pytest.mark.parametrize("code", [BUSY, THROTTLED, DENIED])
def test_what_cannot_be_read_is_undone_all_the_same(world: World, code: str) -> None:
    world.fresh().apply(world.approved(), Phase.COMPUTE)
    with unreadable(world, code):
        assert world.fresh().rollback(Phase.COMPUTE, "a breach").state is PhaseState.ROLLED_BACK
    assert world.table() == DESIGNED


def test_a_table_that_lost_its_governed_tag_is_undone_all_the_same(world: World) -> None:
    world.fresh().apply(world.approved(), Phase.COMPUTE)
    world.tag("tap:governed", "false")
    assert world.fresh().rollback(Phase.COMPUTE, "a breach").state is PhaseState.ROLLED_BACK


@pytest.mark.parametrize(("taken", "other"), [(TABLE, "parcels"), ("parcels", TABLE)])
def test_a_tenants_tag_on_one_resource_holds_that_one_alone(world: World, taken: str, other: str) -> None:
    """Whichever comes first on the way back."""
    decision, plan = another_table(world, "parcels"), world.plan()
    world.fresh().apply(world.approved(replace(plan, decisions=(*plan.decisions, decision))), Phase.COMPUTE)
    world.tag("TenantId", "acme", taken)
    for _ in range(2):
        with pytest.raises(TenantOwned, match=f"{taken} stays as it is"):
            world.fresh().rollback(Phase.COMPUTE, "a breach")
    assert (world.table(taken), world.table(other)) == (APPLIED, DESIGNED)
    world.untag("TenantId", taken)
    assert world.fresh().rollback(Phase.COMPUTE, "a breach").state is PhaseState.ROLLED_BACK
    assert world.table(taken) == DESIGNED


def test_one_resource_that_waits_lets_the_others_go_back_at_once(world: World) -> None:
    decision, plan = another_table(world, "parcels"), world.plan()
    world.fresh().apply(world.approved(replace(plan, decisions=(*plan.decisions, decision))), Phase.COMPUTE)
    life, began = world.fresh(), world.account.clock.now()
    slow = began + timedelta(minutes=50)
    undone: dict[str, timedelta] = {}
    (action,) = life.actions.values()

    def moves(governed: Any, *rest: Any) -> list[Any]:
        def told(undo: Callable[[Any], None]) -> Callable[[Any], None]:
            def ask(aws: Any) -> None:
                undone.setdefault(governed.name, aws.clock.now() - began)
                undo(aws)

            return ask

        def ready(aws: Any) -> bool:
            return governed.name != "parcels" or aws.clock.now() >= slow

        return [
            replace(move, undo=move.undo and told(move.undo), is_ready=ready) for move in action.moves(governed, *rest)
        ]

    replace(life, actions={action.id: replace(action, moves=moves)}).rollback(Phase.COMPUTE, "a breach")
    assert undone[TABLE] < timedelta(minutes=1)
    assert undone["parcels"] >= timedelta(minutes=50)


def test_what_could_not_be_read_when_the_window_opened_is_watched_from_the_next_look_on(world: World) -> None:
    """The phase changed one of two decided tables; the other's tags cannot be read at first."""
    other, plan = another_table(world, "parcels"), world.plan()
    keep = replace(other, choice=Choice.KEEP)
    plan = world.approved(replace(plan, decisions=(*plan.decisions, keep)))
    life = world.fresh()

    def refuse(_account: Any, call: Any) -> None:
        if call.parameters["ResourceArn"] == other.resource:
            raise AwsError(BUSY, "not now")

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(operations(), TAGS, Emulated(*TAGS, refuse, "", ""))
        life.apply(plan, Phase.COMPUTE)
        assert [each.name for each in life.journal.left(plan, Phase.COMPUTE)] == [TABLE]
        world.account.clock.sleep(7200)
        world.fresh().watch()
        assert [each.name for each in life.journal.left(plan, Phase.COMPUTE)] == [TABLE]
    world.account.clock.sleep(7200)
    world.fresh().watch()
    assert {each.name: each.own for each in life.journal.left(plan, Phase.COMPUTE)} == {TABLE: True, "parcels": False}
