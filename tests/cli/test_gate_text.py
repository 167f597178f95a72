"""The text of the plan's gate, within CodePipeline's limits."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

from optimizer.cli.gate_text import LIMIT, gate_text
from optimizer.model.decision import Choice, Decision
from optimizer.model.plan import Plan, PlannedAction
from optimizer.model.plan_costs import Later, PlanCosts, Saving, Totals

NOW = datetime(2027, 3, 1, tzinfo=UTC)
TABLES = tuple(f"arn:aws:dynamodb:us-east-1:222222222222:table/{name}" for name in ("tenants", "users"))
PLAN = Plan(
    created_at=NOW,
    period_start=NOW,
    period_end=NOW,
    covered_days=60.0,
    sizing_revision=0,
    code_revision="abc",
    actions=(
        PlannedAction("gsi_removal", 1, "Remove indexes", ("delete a", "delete b")),
        PlannedAction("fleet_rightsize", 2, "Right-size the fleet", ()),
    ),
    decisions=(
        *(Decision("gsi_removal", table, Choice.APPLY, "", ()) for table in TABLES),
        Decision("fleet_rightsize", "arn:x:autoScalingGroupName/tap-fleet", Choice.APPLY, "", ()),
        Decision("fleet_rightsize", "arn:x:autoScalingGroupName/other", Choice.KEEP, "", ()),
    ),
    excluded=(),
    policy={},
    costs=PlanCosts(
        Decimal(30_000),
        Decimal(12_500),
        (),
        "2026-11",
        Totals(Decimal(30_000), Decimal(30_000), Decimal(30_000), Decimal(0)),
        Totals(Decimal(12_500), Decimal(12_500), Decimal(12_500), Decimal(0)),
    ),
    held=None,
)


def test_it_names_hash_saving_changes_and_what_is_one_way() -> None:
    assert gate_text(PLAN) == (
        f"Plan {PLAN.hash[:12]}. Saves $17,500 of $30,000 a month at list price. "
        "One-way at acceptance: gsi_removal (2). "
        "Phase 1 (DynamoDB): gsi_removal on 2. Phase 2 (EC2 and Redis): fleet_rightsize on tap-fleet."
    )


def test_it_names_what_a_change_costs_from_then_on() -> None:
    """The figure of the merged table, of both of its rows, and beside it that of a snapshot."""
    savings = [
        Saving("table_consolidation", TABLES[0], Decimal("0.00")),
        Saving("table_consolidation", TABLES[1], Decimal("-0.42"), kept=Decimal("0.42")),
        Saving("aurora_backups", "cluster", Decimal("100.00"), kept=Decimal("3.10")),
        Saving("fleet_rightsize", "fleet", Decimal("9000.00")),
    ]
    assert PLAN.costs is not None
    text = gate_text(replace(PLAN, costs=replace(PLAN.costs, savings=tuple(savings))))
    assert "Costs a month, in that already: $3.10 aurora_backups, $0.42 table_consolidation." in text
    assert "Costs a month" not in gate_text(PLAN)


def test_what_nobody_measures_is_said_once() -> None:
    decisions = [
        replace(each, unmeasured=("memory of the instances, since nobody publishes it",)) for each in PLAN.decisions
    ]
    text = gate_text(replace(PLAN, decisions=tuple(decisions[2:])))
    assert text.count("Not measured: memory of the instances (fleet_rightsize).") == 1
    assert "Not measured" not in gate_text(PLAN)


def test_a_plan_without_one_way_moves_or_prices_says_so_or_nothing() -> None:
    plan = replace(PLAN, actions=tuple(replace(each, one_way=()) for each in PLAN.actions), costs=None)
    assert "Nothing in it is one-way." in gate_text(plan)
    assert "$" not in gate_text(plan)


def test_a_held_plan_says_why() -> None:
    assert gate_text(replace(PLAN, held="12 days of metrics are there")).endswith("Held: 12 days of metrics are there.")


def test_what_does_not_fit_is_counted_and_what_matters_stays_whole() -> None:
    long = tuple(PlannedAction(f"an_action_with_a_long_name_{n}", 1, "", ("x",) * 12) for n in range(9))
    decisions = tuple(Decision(each.id, f"table/{'t' * 60}{each.id}", Choice.APPLY, "", ()) for each in long)
    plan = replace(PLAN, actions=long, decisions=decisions)
    text = gate_text(plan)
    assert len(text) <= LIMIT
    assert text.endswith("What each phase changes is on the dashboard.")
    assert all(f"{each.id} (12)" in text for each in long)


def test_what_is_reserved_is_said_with_its_end() -> None:
    assert PLAN.costs is not None
    saving = Saving(
        "fleet_rightsize",
        "tap-fleet",
        Decimal(17_500),
        Decimal(4_000),
        Decimal(9_000),
        (Later(date(2027, 12, 1), Decimal(17_500), Decimal(0)),),
    )
    reserved = replace(
        PLAN.costs,
        savings=(saving,),
        totals_after=Totals(Decimal(12_500), Decimal(20_000), Decimal(26_000), Decimal(9_000)),
    )
    text = gate_text(replace(PLAN, costs=reserved))
    assert (
        "Saves $4,000 a month now, net of commitments ($17,500 of $30,000 a month at list price, "
        "the rest as commitments end, by 2027-12-01)." in text
    )
    unknown = replace(PLAN.costs, totals_before=None, totals_after=None)
    assert "what is reserved of it is not known" in gate_text(replace(PLAN, costs=unknown))
