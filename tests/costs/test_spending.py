"""The account's costs, read from the emulated bill; the rest continues without parts that cannot be read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain.list_prices import EMBEDDED
from emulator.billing.spec import BillingSpec
from optimizer.costs.commitments import Committed, charge
from optimizer.costs.footprint import Footprint, Usage
from optimizer.costs.read_costs import read_bill, read_running
from optimizer.costs.trend import by_day, forecast, service_months, trend
from optimizer.model.resource import Governed, Kind
from optimizer.ports.aws import Aws
from tests.emulator.billing.emulated import EC2, PRODUCTION, billed, halve
from tests.rehearsal.life import REGION

FLEET = Governed(Kind.FLEET, "fleet", f"arn:aws:autoscaling:{REGION}:{PRODUCTION}:group/fleet", REGION, {})
RESERVED: Mapping[str, Any] = {
    "reservations": [{"id": "r", "kind": "m5.4xlarge", "count": 3, "start": "2026-09-01", "discount": 0.4}],
    "savings_plans": [{"id": "p", "type": "Compute", "per_hour": 0.2, "start": "2026-10-01", "discount": 0.25}],
}


@contextmanager
def account(**spec: Any) -> Iterator[tuple[Any, Aws]]:
    with billed(BillingSpec.model_validate(spec)) as found:
        yield found, Aws(found.session(PRODUCTION, REGION), PRODUCTION, REGION, found.clock)


def test_a_whole_bill_in_fifteen_requests() -> None:
    with account() as (_, aws):
        found = read_bill(aws)
        today = found.explorer.today
    assert found.notes == ()
    assert found.explorer.requests == 15
    assert found.committing is not None
    assert found.committing.commitments.ends == ()
    months = service_months(found.monthly or (), found.committing.months)
    assert {each.month.isoformat() for each in months if each.service == EC2} >= {"2026-03-01", "2027-02-01"}
    days = by_day(found.daily or ())
    assert max(days) == today - timedelta(days=3)  # yesterday and the day before are not settled
    assert trend(days, months, today) is not None
    assert len(forecast(days, months, today)) == 3
    assert [each.month.isoformat() for each in found.expected] == ["2027-04-01", "2027-05-01", "2027-06-01"]
    assert all(each.low < each.cost < each.high for each in found.expected)


def test_reservations_and_plans_are_read_with_their_ends_and_fees() -> None:
    with account(**RESERVED) as (_, aws):
        found = read_bill(aws)
    assert found.notes == ()
    assert found.committing is not None
    (reservation,), (plan,) = found.committing.commitments.reservations, found.committing.commitments.savings_plans
    assert (reservation.service, reservation.units, reservation.instance_type) == (Committed.EC2, 96, "m5.4xlarge")
    assert [each.isoformat() for each in found.committing.commitments.ends] == ["2027-09-01", "2027-10-01"]
    assert float(reservation.monthly) == pytest.approx(3 * 0.6 * 0.768 * 730, rel=1e-3)
    assert (plan.monthly, float(plan.rate)) == (146, pytest.approx(0.75, rel=1e-3))
    used = {each.service: each for each in found.committing.used}
    assert (used[EC2].coverage, used[EC2].utilization) == (75.0, 100.0)


def test_what_the_charge_says_is_what_the_bill_shows() -> None:
    """A month of EC2 by the footprint under its commitments, against the emulated month of Cost Explorer."""
    with account(**RESERVED) as (_, aws):
        found = read_bill(aws)
    assert found.committing is not None
    fleet = Footprint((Usage("fleet", "m5.4xlarge", REGION, Decimal(4)),))
    reckoned = charge(fleet, EMBEDDED, found.committing.commitments)
    months = service_months(found.monthly or (), found.committing.months)
    (january,) = [each for each in months if each.service == EC2 and each.month.isoformat() == "2027-01-01"]
    hours = Decimal(744) / 730  # of January, to those of a reckoned month
    assert float(january.effective_cost) == pytest.approx(float(reckoned.effective * hours), rel=2e-3)
    assert float(january.list_cost or 0) == pytest.approx(float(reckoned.list * hours), rel=2e-3)
    assert january.stranded == 0


def test_fewer_instances_change_what_runs_and_what_is_billed() -> None:
    with account() as (found, aws):
        before = read_running(aws, [FLEET])
        halve(found)
        found.clock.advance_to(found.clock.now() + timedelta(days=12))
        after = read_running(aws, [FLEET])
        daily = read_bill(aws).daily or ()
    assert before.bill is not None
    assert after.bill is not None
    assert before.bill.monthly - after.bill.monthly == Decimal("1133.48")  # 2 x (0.768 x 730 + 50 x 0.08 + 7 x 0.30)
    amounts = [each.effective for each in daily if each.group == (EC2,)]
    assert float(amounts[0] - amounts[-1]) == pytest.approx(2 * 24 * 0.768)


def test_prices_come_from_the_price_list_with_todays_date() -> None:
    with account() as (_, aws):
        running = read_running(aws, [FLEET])
        today = aws.clock.now().date()
    assert running.notes == ()
    price = running.prices.of("m5.4xlarge", REGION)
    assert (price.usd, price.dated) == (Decimal("0.768"), today)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"cost_explorer": "denied"}, "GetCostAndUsage is not allowed to the analyze role"),
        ({"cost_explorer": "off"}, "Cost Explorer is not enabled in this account: enable it"),
        ({"currency": {"code": "EUR", "per_usd": "0.9"}}, "Cost Explorer shows amounts in EUR: only USD"),
    ],
)
def test_what_cannot_be_read_is_said(spec: Mapping[str, Any], words: str) -> None:
    with account(**spec) as (_, aws):
        found, running = read_bill(aws), read_running(aws, [FLEET])
    assert any(words in note for note in found.notes)
    assert (found.monthly, found.committing, found.explorer.requests) == (None, None, 1)
    assert running.bill is not None  # list prices need no Cost Explorer


def test_credits_and_refunds_are_in_no_other_figure() -> None:
    credit = {"month": "2027-01-01", "service": EC2, "usd": 500}
    with account() as (_, aws):
        plain = read_bill(aws)
    with account(adjustments=[credit]) as (_, aws):
        found = read_bill(aws)
    assert [(each.group, each.billed) for each in found.given_back or ()] == [(("Credit",), Decimal(-500))]
    assert service_months(found.monthly or (), ()) == service_months(plain.monthly or (), ())


def test_an_account_of_a_few_days_has_months_and_no_trend() -> None:
    with billed(BillingSpec(earlier_months=0), days=12) as found:
        aws = Aws(found.session(PRODUCTION, REGION), PRODUCTION, REGION, found.clock)
        bill = read_bill(aws)
        today = bill.explorer.today
    days = by_day(bill.daily or ())
    assert trend(days, (), today) is None
    assert forecast(days, (), today) == ()
    assert bill.expected == ()
    assert any("GetCostForecast" in note for note in bill.notes)  # AWS has too little history for one


ANOTHER = "333333333333"


def test_the_bill_of_a_payer_is_that_of_its_own_account_alone() -> None:
    with account() as (_, aws):
        alone = read_bill(aws)
    with account(members=[{"account": ANOTHER, "per_hour": 500.0}]) as (_, aws):
        found = read_bill(aws)
        everybodys = aws.cost_explorer.get_cost_and_usage(
            TimePeriod={"Start": "2027-01-01", "End": "2027-02-01"}, Granularity="MONTHLY", Metrics=["UnblendedCost"]
        )
    assert found.monthly == alone.monthly
    assert found.daily == alone.daily
    assert float(everybodys["ResultsByTime"][0]["Total"]["UnblendedCost"]["Amount"]) > 744 * 500


def test_reservations_of_another_account_are_seen_in_coverage_alone() -> None:
    shared = {"id": "s", "kind": "m5.4xlarge", "count": 2, "start": "2026-09-01", "discount": 0.4, "owner": ANOTHER}
    with account(reservations=[shared]) as (_, aws):
        found = read_bill(aws)
    assert found.committing is not None
    assert found.committing.commitments.reservations == ()
    used = {each.service: each for each in found.committing.used}
    assert (used[EC2].coverage, used[EC2].utilization) == (50.0, None)
    assert any("50 % of what runs is covered by commitments of other accounts" in note for note in found.notes)


@pytest.mark.parametrize("other", [{"platform": "Windows"}, {"tenancy": "dedicated"}])
def test_a_reservation_for_something_else_covers_nothing_of_the_bill_either(other: Mapping[str, str]) -> None:
    bought = {"id": "w", "kind": "m5.4xlarge", "count": 2, "start": "2026-09-01", "discount": 0.4, **other}
    with account(reservations=[bought]) as (_, aws):
        found = read_bill(aws)
    assert found.committing is not None
    (reservation,) = found.committing.commitments.reservations
    assert reservation.bound_to
    fleet = Footprint((Usage("fleet", "m5.4xlarge", REGION, Decimal(4)),))
    charged = charge(fleet, EMBEDDED, found.committing.commitments)
    assert charged.covered == 0
    assert charged.stranded == pytest.approx(reservation.monthly)
    used = {each.service: each for each in found.committing.used}
    assert (used[EC2].coverage, used[EC2].utilization) == (0.0, 0.0)
