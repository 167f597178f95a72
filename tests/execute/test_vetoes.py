"""A re-collected decision may veto an approved one, in whole or in part; it never adds."""

from dataclasses import replace

import pytest

from domain.names import GOVERNED_TAG, GOVERNED_VALUE
from optimizer.execute.engine import Engine
from optimizer.model.decision import Choice, Decision
from optimizer.model.resource import Governed, Kind
from tests.execute.conftest import ACTION, ARN

TABLE = Governed(Kind.TABLE, "orders", ARN, "us-east-1", {GOVERNED_TAG: GOVERNED_VALUE})


def decided(choice, target):
    return Decision("tidy_table", ARN, choice, "as measured", (), target=target)


@pytest.mark.parametrize(
    ("choice", "again", "veto"),
    [
        (Choice.APPLY, {"remove": ["a", "b"]}, None),
        (Choice.APPLY, {"remove": ["b", "a", "c"]}, None),  # more would be wanted by now: not approved, not added
        (Choice.APPLY, {"remove": ("a", "b")}, None),  # a tuple is what JSON calls a list
        (Choice.APPLY, {"remove": ["a"]}, "b is not wanted any more: as measured"),
        (Choice.APPLY, {}, "a, b is not wanted any more: as measured"),
        (Choice.KEEP, {"remove": ["a", "b"]}, "as measured"),
        (Choice.NO_DATA, {"remove": []}, "as measured"),
    ],
)
def test_what_was_approved_must_all_be_wanted_still(world, choice, again, veto):
    action = replace(ACTION, decide=lambda evidence, policy: decided(choice, again))
    life = world.fresh()
    engine = Engine(
        life.production, ["us-east-1"], life.policy, {action.id: action}, print, life.switch, lambda wait: None
    )
    approved = replace(decided(Choice.APPLY, {"remove": ["a", "b"]}), before=world.table())
    assert engine.still_wanted(approved, TABLE, None) == veto
