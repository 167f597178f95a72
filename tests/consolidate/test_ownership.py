"""Ownership of a consolidation's tables and pointers: checked going forward, no block on the way back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from domain.errors import OwnerUnread, TenantOwned
from domain.indexes import INDEXES
from emulator.core.errors import AwsError
from emulator.core.registry import Emulated, operations
from optimizer.action import Move
from optimizer.actions import table_consolidation
from optimizer.consolidate.switches import POINTER, is_blocked
from optimizer.costs.copy_engine import CopyEngine
from optimizer.model.decision import Choice, Decision
from optimizer.model.resource import Governed, Kind
from tests.actions.carrying import carry_out, take_back
from tests.consolidate.platform import MERGE, PRODUCTION, REGION, Platform, emulated

TABLES = f"arn:aws:dynamodb:{REGION}:{PRODUCTION}:table/"
SOURCES = {f"{TABLES}tenants", f"{TABLES}users"}
TARGET = {f"{TABLES}{MERGE.target}"}
POINTERS = {f"{POINTER}tenants", f"{POINTER}users"}
USERS = Governed(Kind.TABLE, "users", f"{TABLES}users", REGION, {})
KEPT = [name for each in ("tenants", "users") for name in INDEXES[each]]


@pytest.fixture
def platform() -> Iterator[Platform]:
    with emulated(20, 5) as made:
        made.application.busy = False
        yield made


def moves_of(platform: Platform, engine: CopyEngine = CopyEngine.WHOLE) -> dict[str, Move]:
    target = {"layout": {"kept": KEPT}, "engine": engine.value, "units_per_second": 10_000, "run": "1"}
    decision = Decision(table_consolidation.ID, USERS.arn, Choice.APPLY, "", (), target=target)
    before = table_consolidation.describe(platform.aws, USERS)
    moves = table_consolidation.moves(USERS, before, decision, platform.notes)
    return {each.name: each for each in moves if each.name != "back-up"}


@contextmanager
def answered(service: str, operation: str, code: str) -> Iterator[None]:
    """This call is refused."""

    def refuse(_account: Any, _call: Any) -> None:
        raise AwsError(code, "not now")

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(operations(), (service, operation), Emulated(service, operation, refuse, "", ""))
        yield


@pytest.mark.parametrize(
    ("name", "touched"),
    [
        ("streams", SOURCES | TARGET),
        ("make", TARGET),
        ("copy", SOURCES | TARGET),
        ("flip", SOURCES | TARGET | POINTERS),
        ("expire", TARGET),
        ("stop", SOURCES | TARGET | POINTERS),
    ],
)
def test_each_move_names_what_it_touches(platform: Platform, name: str, touched: set[str]) -> None:
    move = moves_of(platform, CopyEngine.STREAMS)[name]
    assert move.touches is not None
    assert {each.name for each in move.touches(platform.aws)} == touched


@pytest.mark.parametrize("code", ["ThrottlingException", "ResourceInUseException", "AccessDeniedException"])
def test_what_cannot_be_read_is_turned_back_all_the_same(platform: Platform, code: str) -> None:
    moves = [each for each in moves_of(platform).values() if each.undo]
    carry_out(moves, platform.aws)
    platform.write(5)
    with answered("dynamodb", "ListTagsOfResource", code), answered("ssm", "ListTagsForResource", code):
        take_back(moves, platform.aws)
    assert not platform.missing_in_sources()


def test_a_pointer_of_a_tenant_is_not_turned_and_no_write_is_denied(platform: Platform) -> None:
    moves = moves_of(platform)
    carry_out([moves["make"], moves["copy"]], platform.aws)
    tag: Any = [{"Key": "TenantId", "Value": "acme"}]
    platform.aws.ssm.add_tags_to_resource(ResourceType="Parameter", ResourceId=f"{POINTER}users", Tags=tag)
    with pytest.raises(TenantOwned, match=f"{POINTER}users is owned by a tenant: tag TenantId=acme"):
        moves["flip"].do(platform.aws)
    assert not is_blocked(platform.aws, "users")


def test_what_cannot_be_read_right_before_the_turn_holds_it(platform: Platform) -> None:
    moves = moves_of(platform)
    carry_out([moves["make"], moves["copy"]], platform.aws)
    with (
        answered("dynamodb", "ListTagsOfResource", "ThrottlingException"),
        pytest.raises(OwnerUnread, match=r"cannot be read now: ListTagsOfResource is throttled .* the same command"),
    ):
        moves["flip"].do(platform.aws)
    assert not is_blocked(platform.aws, "users")
    carry_out([moves["flip"]], platform.aws)
