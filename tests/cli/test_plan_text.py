"""Costs in the analysis's output: net savings with their ends, commitments to buy, other items of the bill."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

from optimizer.cli.plan_text import money_lines, plan_lines
from optimizer.costs.commitment_use import Used
from optimizer.costs.findings import Finding
from optimizer.costs.money_evidence import MoneyEvidence
from optimizer.costs.purchase_advice import PurchaseAdvice
from optimizer.costs.trend import ForecastMonth, Trend
from optimizer.model.plan_costs import Later, PlanCosts, Saving, Totals
from tests.model.test_plan import PLAN

UNITS = Decimal(480)
NONE = MoneyEvidence((), (), (), None, (), None, (), (), None, (), 1, Decimal("0.01"), ())


def test_a_saving_is_told_with_its_ends_and_what_the_change_costs() -> None:
    saving = Saving(
        "shrink",
        "arn:1",
        Decimal("3.10"),
        Decimal(0),
        Decimal("1.20"),
        (Later(date(2027, 12, 1), Decimal("3.10"), Decimal(0)),),
        Decimal("0.50"),
        payback_months=Decimal("9.2"),
        notes=("double running: $0.50 once",),
    )
    totals = Totals(Decimal(10), Decimal(8), Decimal(9), Decimal("1.20"))
    plan = replace(PLAN, costs=PlanCosts(Decimal(10), Decimal("6.90"), (saving,), "", totals, totals))
    text = "\n".join(plan_lines(plan))
    assert "EffectiveCost $9.00, committed and unused $1.20" in text
    assert "$3.10 at list price, net 0 until 2027-12-01, then $3.10 a month" in text
    assert "earned back after 9.2 months" in text
    assert "double running: $0.50 once" in text


def test_nothing_is_told_where_nothing_was_read() -> None:
    assert list(money_lines(NONE)) == []
    assert NONE.summary == "1 Cost Explorer requests, $0.01"


def test_trend_offers_and_findings() -> None:
    month = date(2027, 4, 1)
    money = MoneyEvidence(
        (), (), (), Trend(Decimal("100.00"), 1.25, -0.5, 3.0, 10.0),
        (ForecastMonth(month, Decimal(3000), Decimal(2900), Decimal(3100), seasonal=True),),
        None, (Used("EC2", 53.3, 80.0, Decimal(720)), Used("RDS", None, None, Decimal(0))),
        (PurchaseAdvice("EC2", "us-east-1", "m5", UNITS, Decimal(2400), UNITS, Decimal(128), Decimal("672.77")),),
        None, (Finding("Graviton", "m5 came to $900", "Try it", Decimal(900), month, "https://aws.amazon.com/"),),
        12, Decimal("0.12"), (),
    )  # fmt: skip
    text = "\n".join(money_lines(money))
    assert "$100.00 a day, +1.2 % in 30 days (-0.5 to +3.0 %), +10.0 % over a year" in text
    assert "April 2027 without the plan: $3,000.00 ($2,900.00 to $3,100.00), with last year's season" in text
    assert "EC2: 80 % of what is committed is used, 53.3 % of what runs is covered" in text
    assert "RDS" not in text
    assert "Buy nothing before 4 steady weeks" in text
    assert "AWS offers 480 units from what ran ($2,400.00 a month less); 480 run uncovered now, 128 after" in text
    assert "128 after the plan, $672.77 a month less" in text
    assert "finding  Graviton: m5 came to $900. Try it (https://aws.amazon.com/)" in text
