"""The figures of a rehearsal do not come from the product: with a fault planted there, a life ends wrong.

The lives are short ones that end as they should without the fault (test_rehearse.py).
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from domain.list_prices import PriceBook
from optimizer.reconcile import compare
from optimizer.reconcile.bring_templates import TemplateUpdate
from optimizer.reconcile.drift import DriftReport
from rehearsal.run import rehearse
from rehearsal.scenario import ByHand, Scenario, load_scenario
from rehearsal.workspace import RehearsalRequest

pytestmark = pytest.mark.slow

BALANCER = "arn:aws:elasticloadbalancing:us-east-1:222222222222:loadbalancer/app/tap/50dc6c495c0c9188"


ONE_PHASE = load_scenario("sick-while-applying")  # one is accepted and reconciled
NONE = load_scenario("drift")
QUIET = load_scenario("quiet")


def ended(out: Path, scenario: Scenario) -> tuple[int, dict[str, Any]]:
    """The exit code of a scenario and its summary."""
    code = rehearse(RehearsalRequest(out, scenario))
    return code, json.loads((out / "summary.json").read_text())


def test_a_comparator_that_always_says_equal_hides_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(compare, "differences", lambda stacks, at: DriftReport((), 1, {}))
    change = ByHand(
        on="plan.approved",
        service="dynamodb",
        call="update_time_to_live",
        parameters={
            "TableName": "audit_logs",
            "TimeToLiveSpecification": {"Enabled": False, "AttributeName": "expires_at"},
        },
    )
    code, summary = ended(tmp_path, ONE_PHASE.model_copy(update={"by_hand": (change,)}))
    assert code == 1
    assert summary["drift_differences"] > 0


def test_templates_that_nobody_brings_after_the_account_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(TemplateUpdate, "bring", lambda agreement, stacks: False)
    code, summary = ended(tmp_path, ONE_PHASE)
    assert code == 1
    assert summary["next_deployment_changes"] > 0


def test_a_wrong_price_is_told_by_the_accounts_own_bill(tmp_path, monkeypatch):
    right = PriceBook.of

    def halved(book, item, region):
        price = right(book, item, region)
        return replace(price, usd=price.usd / 2) if item == "m5.4xlarge" else price

    monkeypatch.setattr(PriceBook, "of", halved)
    expect = NONE.expect.model_copy(update={"planned_cost_within": QUIET.expect.planned_cost_within})
    code, summary = ended(tmp_path, NONE.model_copy(update={"expect": expect}))
    assert code == 1
    assert summary["planned_cost"]["before"] < 0.99 * summary["monthly_cost"]["before"]
