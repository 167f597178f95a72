"""Two groups, two caches, two tables, and pairs of actions on one resource: sizes belong to resources."""

from __future__ import annotations

from itertools import combinations
from types import SimpleNamespace
from typing import Any

import pytest

from domain.sizing import Sizing
from optimizer.action import Action, Order
from optimizer.actions import fleet_rightsize, ordered, registry
from optimizer.analyze.analysis import keep_unsized
from optimizer.model.decision import Choice, Decision
from optimizer.model.phase import Phase
from optimizer.model.resource import Governed, Kind, name_in
from optimizer.observe.inventory import named
from optimizer.resources.registry import resource_kinds

ACTIONS = [pytest.param(action, id=action.id) for action in registry() if action.id != "table_consolidation"]
OTHERS = {
    Kind.FLEET: "arn:aws:autoscaling:us-east-1:222222222222:autoScalingGroup:id:autoScalingGroupName/batch-fleet",
    Kind.CACHE: "arn:aws:elasticache:us-east-1:222222222222:replicationgroup:batch-cache",
    Kind.DATABASE: "arn:aws:rds:us-east-1:222222222222:cluster:batch-database",
    Kind.GLOBAL_DATABASE: "arn:aws:rds::222222222222:global-cluster:batch-global",
    Kind.TABLE: "arn:aws:dynamodb:us-east-1:222222222222:table/batches",
}


@pytest.mark.parametrize("action", ACTIONS)
def test_a_decision_about_another_resource_leaves_the_sizing_as_it_is(action: Action) -> None:
    arn = OTHERS[action.kind]
    assert action.resize(Sizing.AS_DESIGNED, Decision(action.id, arn, Choice.APPLY, "", ())) == Sizing.AS_DESIGNED


def test_a_group_whose_name_ends_with_that_of_the_fleet_is_another() -> None:
    """A group's name takes a slash; what is behind it is not the name."""
    arn = OTHERS[Kind.FLEET].replace("batch-fleet", "batch/tap-fleet")
    assert named(Kind.FLEET, arn, "us-east-1").name == "batch/tap-fleet"
    decision = Decision(fleet_rightsize.ID, arn, Choice.APPLY, "", (), target={"instance_type": "m5.2xlarge"})
    assert fleet_rightsize.ACTION.resize(Sizing.AS_DESIGNED, decision) == Sizing.AS_DESIGNED


@pytest.mark.parametrize("action", ACTIONS)
def test_what_the_sizing_does_not_speak_of_is_kept_with_a_reason(action: Action) -> None:
    arn = OTHERS[action.kind]
    governed = Governed(action.kind, name_in(arn), arn, "us-east-1", {})
    assert not action.sized(Sizing.AS_DESIGNED, governed)
    decision = keep_unsized(action, governed)
    assert decision.choice is Choice.KEEP
    assert "named in the sizing" in decision.reason


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (Kind.FLEET, "tap-fleet"),
        (Kind.CACHE, "tap-cache"),
        (Kind.DATABASE, "tap-database"),
        (Kind.GLOBAL_DATABASE, "tap-global"),
        (Kind.TABLE, "users"),
        (Kind.LOAD_BALANCER, "any"),
    ],
)
def test_what_it_speaks_of_is_decided_on(kind: Kind, name: str) -> None:
    assert resource_kinds()[kind].is_sized(Sizing.AS_DESIGNED, name)


SMALL = {"class": "db.r6g.xlarge", "tier": 1}
DECIDED: dict[str, dict[str, Any]] = {
    "gsi_removal": {"remove": ["by-role"]},
    "stream_disable": {},
    "aurora_writer": {
        "writer": "tap-database-2",
        "instances": {"tap-database-1": SMALL, "tap-database-2": {**SMALL, "tier": 0}},
    },
    "aurora_readers": {"stays": "tap-database-2", "leaves": {"tap-database-3": {"class": "db.r6g.4xlarge", "tier": 2}}},
    "aurora_backups": {"retention_days": 14},
}
OURS = {Kind.TABLE: "table/users", Kind.DATABASE: "cluster:tap-database"}
BESIDE = [
    pytest.param(one, other, id=f"{one.id}-{other.id}")
    for one, other in combinations(registry(), 2)
    if one.kind is other.kind and other.id not in one.order.conflicts and one.id not in other.order.conflicts
]


@pytest.mark.parametrize(("one", "other"), BESIDE)
def test_two_actions_on_one_resource_write_both_into_the_sizing_in_either_order(one: Action, other: Action) -> None:
    def resized(sizing: Sizing, *actions: Action) -> Sizing:
        for action in actions:
            arn = f"arn:aws:any:us-east-1:222222222222:{OURS[action.kind]}"
            decision = Decision(action.id, arn, Choice.APPLY, "", (), target=DECIDED[action.id])
            sizing = action.resize(sizing, decision)
        return sizing

    both = resized(Sizing.AS_DESIGNED, one, other)
    assert both == resized(Sizing.AS_DESIGNED, other, one)
    assert both not in (resized(Sizing.AS_DESIGNED, one), resized(Sizing.AS_DESIGNED, other), Sizing.AS_DESIGNED)


def test_pairs_on_one_resource_are_known() -> None:
    """A new action beside another one is decided on here."""
    assert {action.id for each in BESIDE for action in each.values} == set(DECIDED)  # type: ignore[union-attr]


def _action(name: str, phase: Phase = Phase.COMPUTE, **order: Any) -> Any:
    return SimpleNamespace(id=name, phase=phase, order=Order(**order))


def test_an_action_can_ask_to_come_before_another() -> None:
    pair = [_action("one"), _action("two", before=("one",))]
    assert [each.id for each in ordered(pair)] == ["two", "one"]
    with pytest.raises(TypeError, match="wait for each other"):
        ordered([_action("one", before=("two",)), _action("two", before=("one",))])
    with pytest.raises(TypeError, match="earlier phase"):
        ordered([_action("one", Phase.NON_CRITICAL), _action("two", before=("one",))])
