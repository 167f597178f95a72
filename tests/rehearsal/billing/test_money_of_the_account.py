"""What else a bill shows: credits and refunds, another currency, what is stranded, what a week cost."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from optimizer.observe.prices import price_of
from optimizer.rehearsal.billing.ledger import stranded, week
from optimizer.rehearsal.billing.spec import BillingSpec
from tests.rehearsal.billing.emulated import EC2, billed, by, explorer, halve, of_service, period
from tests.rehearsal.life import NOW, REGION

JANUARY = period(date(2027, 1, 1), date(2027, 2, 1))
LIST = float(price_of("m5.4xlarge", REGION).usd)
MONTH = {"TimePeriod": JANUARY, "Granularity": "MONTHLY", "Metrics": ["UnblendedCost"]}


def test_credits_and_refunds_are_records_of_their_own():
    adjustments = [
        {"month": "2027-01-01", "service": EC2, "usd": 500},
        {"month": "2027-01-01", "service": EC2, "usd": 20, "kind": "Refund"},
    ]
    with billed(BillingSpec.model_validate({"adjustments": adjustments})) as account:
        ce = explorer(account)
        (found,) = ce.get_cost_and_usage(**MONTH, GroupBy=by("RECORD_TYPE"), Filter=of_service(EC2))["ResultsByTime"]
        without = {"Not": {"Dimensions": {"Key": "RECORD_TYPE", "Values": ["Credit", "Refund"]}}}
        (charged,) = ce.get_cost_and_usage(**MONTH, Filter={"And": [of_service(EC2), without]})["ResultsByTime"]
    amounts = {each["Keys"][0]: float(each["Metrics"]["UnblendedCost"]["Amount"]) for each in found["Groups"]}
    assert amounts == pytest.approx({"Usage": 4 * 744 * LIST, "Credit": -500, "Refund": -20})
    assert float(charged["Total"]["UnblendedCost"]["Amount"]) == pytest.approx(4 * 744 * LIST)


def test_another_currency_is_the_unit_of_every_amount():
    with billed(BillingSpec.model_validate({"currency": {"code": "EUR", "per_usd": "0.9"}})) as account:
        (found,) = explorer(account).get_cost_and_usage(**MONTH, Filter=of_service(EC2))["ResultsByTime"]
    cost = found["Total"]["UnblendedCost"]
    assert (cost["Unit"], float(cost["Amount"])) == ("EUR", pytest.approx(0.9 * 4 * 744 * LIST))


def test_what_is_stranded_is_paid_for_by_the_month_until_the_term_ends():
    spec = {"reservations": [{"id": "r", "kind": "m5.4xlarge", "count": 4, "start": "2026-04-01", "discount": 0.4}]}
    with billed(BillingSpec.model_validate(spec)) as account:
        assert stranded(account) == 0
        halve(account)
        account.clock.advance_to(NOW + timedelta(days=1))
        assert stranded(account) == pytest.approx(2 * 0.6 * LIST * 730)
        account.clock.advance_to(NOW + timedelta(days=32))
        assert stranded(account) == 0


def test_a_week_after_the_change_costs_less_by_what_is_gone():
    with billed() as account:
        before = week(account, NOW - timedelta(days=7))
        halve(account)
        account.clock.advance_to(NOW + timedelta(days=8))
        after = week(account, NOW + timedelta(days=1))
    assert before - after == pytest.approx(2 * 7 * 24 * LIST, rel=0.02)  # requests differ from week to week
