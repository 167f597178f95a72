"""The plan's hash: only the approved plan runs."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from domain.errors import PlanTampered, UsageError
from optimizer.model.decision import Choice, Decision, brief
from optimizer.model.phase import Phase
from optimizer.model.plan import Plan, PlannedAction, load_plan, read_plan
from optimizer.model.plan_costs import PlanCosts, Saving
from optimizer.model.resource import Excluded, Kind

T = datetime(2027, 3, 1, tzinfo=UTC)
PLAN = Plan(
    created_at=T,
    period_start=T,
    period_end=T,
    covered_days=60.0,
    sizing_revision=0,
    code_revision="abc",
    actions=(PlannedAction("shrink", 2, "Shrink", ()), PlannedAction("drop", 3, "Drop", ("drop it",))),
    decisions=(
        Decision(
            "shrink", "arn:1", Choice.APPLY, "yes", (brief("cpu", 7.5, at_most=20.0, unit="%"),), {"size": [1, 2]}
        ),
        Decision("drop", "arn:2", Choice.KEEP, "no", ()),
    ),
    excluded=(Excluded(Kind.TABLE, "t", "arn:3", "us-east-1", "owned"),),
    policy={"period": 1.0},
    costs=PlanCosts(Decimal("10.10"), Decimal("7.00"), (Saving("shrink", "arn:1", Decimal("3.10")),), "2026-11"),
    held=None,
)


def test_a_plan_survives_its_file_with_the_same_hash():
    assert load_plan(PLAN.dump(), "plan.json") == PLAN
    assert load_plan(PLAN.dump(), "plan.json").hash == PLAN.hash


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), -float("inf")])
def test_a_plan_is_strict_json_whatever_its_numbers(odd):
    """RFC 8259 has no NaN and no Infinity: a browser's JSON.parse, jq and others refuse such a file."""
    first = replace(PLAN.decisions[0], before={"x": [odd]}, target={"y": odd})
    text = replace(PLAN, covered_days=60.0, decisions=(first, *PLAN.decisions[1:])).dump()

    def refuse(constant):
        raise ValueError(constant)

    json.loads(text, parse_constant=refuse)
    assert load_plan(text, "plan.json").decisions[0].before == {"x": [None]}


@pytest.mark.parametrize(
    "edit",
    [
        lambda d: d["plan"]["decisions"][1].update(choice="APPLY"),
        lambda d: d["plan"]["decisions"][0]["before"].update(size=[1, 3]),
        lambda d: d["plan"].update(covered_days=59.0),
        lambda d: d["plan"]["excluded"].clear(),
        lambda d: d.update(hash="0" * 64),
        lambda d: d["plan"].update(extra=1),
        lambda d: d["plan"].pop("policy"),
        lambda d: d.pop("hash"),
    ],
)
def test_any_edit_is_seen(edit):
    document = json.loads(PLAN.dump())
    edit(document)
    with pytest.raises(PlanTampered):
        load_plan(json.dumps(document), "plan.json")


@pytest.mark.parametrize("text", ["", "[]", "null", "{", '{"hash": 1}'])
def test_what_is_not_a_plan_is_said_to_be_none(text):
    with pytest.raises(PlanTampered, match="not a plan"):
        load_plan(text, "plan.json")


def test_a_missing_file_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="no plan there"):
        read_plan(tmp_path / "plan.json")


@pytest.mark.parametrize(("phase", "count"), [(Phase.NON_CRITICAL, 0), (Phase.COMPUTE, 1), (Phase.DATABASE, 0)])
def test_a_phase_applies_only_what_was_decided_for_it(phase, count):
    assert len(PLAN.to_apply(phase)) == count


def test_a_held_plan_applies_nothing():
    assert all(replace(PLAN, held="too young").to_apply(phase) == () for phase in Phase)
