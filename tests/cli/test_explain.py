"""`explain`: one decision in words, from a plan file or the journal."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from domain.errors import UsageError
from optimizer.cli.explain import decisions_of, explain_lines
from optimizer.cli.verbs import main
from optimizer.model.plan import Plan
from optimizer.model.plan_costs import PlanCosts, Saving
from rehearsal.job_world import job_world
from tests.dashboard.made_histories import BACKUPS, FLEET, FLEET_ARN, backup_decision, fleet_decision
from tests.execute.conftest import ENVIRON, World
from tests.execute.conftest import make_world as make_world
from tests.execute.conftest import world as world

NOW = datetime(2027, 3, 1, tzinfo=UTC)
SAVING = Saving("fleet_rightsize", FLEET_ARN, Decimal("6209.74"), net=Decimal("6209.74"), once=Decimal("0.77"))
PLAN = Plan(
    created_at=NOW,
    period_start=NOW,
    period_end=NOW,
    covered_days=60.0,
    sizing_revision=0,
    code_revision="abc",
    actions=(FLEET, BACKUPS),
    decisions=(fleet_decision(), backup_decision()),
    excluded=(),
    policy={},
    costs=PlanCosts(Decimal(30_000), Decimal(23_790), (SAVING,), "2026-11"),
    held=None,
)


def explained(plan: Plan, action: str = "fleet_rightsize") -> str:
    (decision,) = decisions_of(plan, action, None)
    return "\n".join(explain_lines(plan, decision))


def test_a_change_is_told_with_its_arithmetic_its_undo_and_its_cost() -> None:
    said = explained(PLAN)
    assert "Right-size the fleet (fleet_rightsize) on tap-fleet: APPLY" in said
    assert "met: p95 CPU: 7.9 % < 20 %, 40 % of the limit\n      from the brief" in said
    assert "met: p95 CPU after the change, one zone lost: 44.44 % <= 60 %, 74 % of the limit" in said
    assert "from a guard: 240 to 64 vCPU multiplies CPU by 3.75" in said
    assert "instance type: m5.4xlarge to m5.2xlarge" in said
    assert "p95 CPU: 7.9 % today, 29.62 % after (x 3.75)" in said
    assert "Undo: A second instance refresh" in said
    assert "Saves: $6,209.74 a month at list price" in said
    assert "Costs: $0.77 once" in said


@pytest.mark.parametrize(
    ("cpu", "says"),
    [(43.1, "NOT MET: p95 CPU: 43.1 % >= 20 %"), (None, "NO DATA: p95 CPU: no data; < 20 % is required")],
)
def test_what_is_kept_says_which_criterion_keeps_it(cpu: float | None, says: str) -> None:
    said = explained(replace(PLAN, decisions=(fleet_decision(cpu),)))
    assert says in said
    assert "Cost: nothing, because nothing is changed" in said


def test_what_cannot_be_taken_back_is_named() -> None:
    assert "at acceptance, not to be undone: retention 14 days" in explained(PLAN, "aurora_backups")


def test_a_plan_file_is_enough(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "plan.json"
    path.write_text(PLAN.dump())
    assert main(["explain", "fleet_rightsize", "tap-fleet", "--plan", str(path)]) == 0
    assert "Right-size the fleet" in capsys.readouterr().out
    assert main(["explain", "fleet_rightsize", "--plan", str(path), "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["criteria"][0]["arithmetic"] == "7.9 % < 20 %, 40 % of the limit"
    assert (found["monthly_saving"], found["choice"]) == ("6209.74", "APPLY")


def test_the_journal_holds_the_plan_in_force(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.approved()
    assert main(["explain", "tidy_table", "orders"], world=job_world(world.account, ENVIRON)) == 0
    assert "Tidy a table (tidy_table) on orders: APPLY" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("action", "resource", "says"),
    [
        ("fleet", None, "aurora_backups and fleet_rightsize"),
        ("fleet_rightsize", "another", "It has: tap-fleet"),
    ],
)
def test_what_is_not_there_names_what_is(action: str, resource: str | None, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        decisions_of(PLAN, action, resource)
