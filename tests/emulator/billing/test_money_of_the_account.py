"""Other parts of a bill: credits and refunds, another currency, unused commitments, the cost of a week."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from domain.list_prices import price_of
from emulator.billing.ledger import stranded, week
from emulator.billing.spec import BillingSpec
from tests.emulator.billing.emulated import EC2, billed, by, explorer, halve, of_service, period
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


@pytest.mark.parametrize(
    ("bought", "unblended"),
    [
        # A year that began on 11 January: 21 days of the fee in the first month.
        ({"reservations": [{"id": "r", "kind": "m5.4xlarge", "count": 2, "start": "2027-01-11", "discount": 0.4}]},
         {"RIFee": 2 * 0.6 * LIST * 21 * 24}),
        ({"reservations": [{"id": "r", "kind": "m5.4xlarge", "count": 2, "start": "2026-01-11", "discount": 0.4}]},
         {"RIFee": 2 * 0.6 * LIST * 10 * 24}),
        ({"reservations": [{"id": "r", "kind": "m5.4xlarge", "count": 2, "start": "2027-01-11", "discount": 0.4,
                            "payment": "Partial Upfront"}]},
         {"RIFee": 0.6 * LIST * 21 * 24, "Upfront": 0.6 * LIST * 365 * 24}),
        ({"savings_plans": [{"id": "p", "per_hour": 2, "start": "2027-01-11", "discount": 0.2,
                             "payment": "Partial Upfront"}]},
         {"SavingsPlanRecurringFee": 21 * 24, "SavingsPlanUpfrontFee": 365 * 24}),
    ],
)  # fmt: skip
def test_fees_are_charged_when_they_are_due(bought, unblended):
    with billed(BillingSpec.model_validate(bought)) as account:
        (found,) = explorer(account).get_cost_and_usage(**MONTH, GroupBy=by("RECORD_TYPE"))["ResultsByTime"]
    fees = {
        each["Keys"][0]: float(each["Metrics"]["UnblendedCost"]["Amount"])
        for each in found["Groups"]
        if "Fee" in each["Keys"][0] or each["Keys"][0] == "Upfront"
    }
    assert fees == pytest.approx(unblended)


@pytest.mark.parametrize("payment", ["No Upfront", "Partial Upfront", "All Upfront"])
def test_however_it_is_paid_it_is_amortized_the_same(payment):
    plan = {"id": "p", "per_hour": 1, "start": "2026-06-01", "discount": 0.2, "payment": payment}
    reservation = {
        "id": "r",
        "kind": "m5.4xlarge",
        "count": 6,
        "start": "2026-06-01",
        "discount": 0.4,
        "payment": payment,
    }
    spec = BillingSpec.model_validate({"reservations": [reservation], "savings_plans": [plan]})
    with billed(spec) as account:
        asked = {**MONTH, "Metrics": ["AmortizedCost"], "Filter": {"Not": of_service("EC2 - Other")}}
        (found,) = explorer(account).get_cost_and_usage(**asked, GroupBy=by("RECORD_TYPE"))["ResultsByTime"]
    amounts = {each["Keys"][0]: float(each["Metrics"]["AmortizedCost"]["Amount"]) for each in found["Groups"]}
    assert amounts["DiscountedUsage"] == pytest.approx(4 * 0.6 * LIST * 744)
    assert amounts["RIFee"] == pytest.approx(2 * 0.6 * LIST * 744)
    assert amounts["SavingsPlanRecurringFee"] == pytest.approx(744)  # reservations left nothing for it


def test_a_week_after_the_change_costs_less_by_what_is_gone():
    with billed() as account:
        before = week(account, NOW - timedelta(days=7))
        halve(account)
        account.clock.advance_to(NOW + timedelta(days=8))
        after = week(account, NOW + timedelta(days=1))
    assert before - after == pytest.approx(2 * 7 * 24 * LIST, rel=0.02)  # requests differ from week to week
