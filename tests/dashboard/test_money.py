"""Bills, commitments and measurements: the page shows the values of plan, bill and journal, or the reason for none."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from optimizer.costs.commitments import Commitments
from optimizer.costs.money_evidence import MoneyEvidence
from optimizer.dashboard.compose.money import monthly_bill, net_of, why_unknown, worth_of
from optimizer.dashboard.compose.page import view_of
from optimizer.dashboard.compose.timeline import added_up, timeline_of
from optimizer.dashboard.figures import evidence as evidence_charts
from optimizer.dashboard.figures import money as money_charts
from tests.dashboard import made_histories as made

SEPTEMBER = datetime(2027, 9, 15, tzinfo=UTC)


def test_the_bill_is_stacked_by_service_and_adds_up_by_month() -> None:
    bill = monthly_bill(made.money())
    assert bill is not None
    assert [each.name for each in bill.services][-1] == "2 further services"
    assert len(bill.services) == 6
    for place, row in enumerate(bill.months):
        assert sum(service.amounts[place] for service in bill.services) == row.effective
    last = bill.months[-1]
    assert (last.listed, last.stranded, last.estimated) == (last.effective + 800, Decimal("12.50"), True)
    assert "January 2027 cost" in bill.summary  # the last month that is closed
    assert "March will cost $33,400 ($32,100 to $34,700)" in bill.summary


@pytest.mark.parametrize(
    ("yearly", "said"),
    [
        (10.0, "A year ago the same month cost 9.1 % less."),
        (-20.0, "A year ago the same month cost 25.0 % more."),
        (0.01, "A year ago the same month cost the same."),
        (None, ""),
    ],
)
def test_the_year_before_is_seen_from_today(yearly: float | None, said: str) -> None:
    money = made.money()
    assert money.trend is not None
    bill = monthly_bill(replace(money, trend=replace(money.trend, yearly=yearly)))
    assert bill is not None
    assert said in bill.summary
    assert ("A year ago" in bill.summary) == bool(said)


def test_the_chart_holds_the_bill_its_list_price_and_what_is_ahead() -> None:
    bill = monthly_bill(made.money())
    assert bill is not None
    *bars, listed, ahead = money_charts.by_month(bill).data
    assert [list(each.y) for each in bars] == [[float(it) for it in each.amounts] for each in bill.services]
    assert list(listed.y) == [float(each.listed or 0) for each in bill.months]
    assert (list(ahead.y), list(ahead.error_y.array)) == ([33_400.0], [1_300.0])
    unknown = replace(bill, months=tuple(replace(each, listed=None) for each in bill.months), ahead=())
    assert len(money_charts.by_month(unknown).data) == len(bill.services)


def test_each_change_is_told_net_now_and_later() -> None:
    record = made.reserved().record
    assert record is not None
    net = net_of(record.plan, made.money())
    assert net is not None
    fleet, backups = net.rows
    assert (fleet.listed, fleet.net, fleet.later) == ("$6,167.04", "$3,517.04", "from 15 Sep 2027: $6,167.04")
    assert (fleet.once, fleet.payback) == ("$0.00", "at once")
    assert (backups.later, backups.once, backups.payback) == ("the same", "$12.50", "0.6 months")
    assert [(row.name, row.before, row.after) for row in net.totals][-1] == (
        "Of it stranded", Decimal("12.50"), Decimal("2662.50"),
    )  # fmt: skip
    assert "commitments of $2,650 a month are left without use until they end (15 Sep 2027)" in net.summary
    free = net_of(record.plan, replace(made.money(), commitments=Commitments()))
    assert free is not None
    assert free.summary.startswith("No reservation and no Savings Plan is in force")


def test_without_known_commitments_nothing_is_told_net() -> None:
    assert net_of(made.plan(), made.money()) is None
    assert net_of(None, None) is None


@pytest.mark.parametrize(
    ("money", "said"),
    [
        (None, "no bill was read for this plan"),
        (replace(made.money(), months=(), notes=("Cost Explorer is not enabled.",)), "Cost Explorer is not enabled."),
    ],
)
def test_a_bill_that_was_not_read_has_its_reason(money: MoneyEvidence | None, said: str) -> None:
    assert monthly_bill(money) is None
    assert said in why_unknown(money)


def test_savings_follow_the_end_of_a_commitment() -> None:
    line = timeline_of(made.reserved(), made.START + timedelta(days=30))
    assert line is not None
    assert line.net
    assert line.ends == (SEPTEMBER,)
    fleet = line.phases[0]
    assert (fleet.monthly, fleet.later) == (Decimal("3517.04"), ((SEPTEMBER, Decimal("6167.04")),))
    day = timedelta(days=1)
    before = added_up(fleet, SEPTEMBER) - added_up(fleet, SEPTEMBER - day)
    after = added_up(fleet, SEPTEMBER + day) - added_up(fleet, SEPTEMBER)
    assert before * Decimal("30.4375") == pytest.approx(Decimal("3517.04"))
    assert after * Decimal("30.4375") == pytest.approx(Decimal("6167.04"))


def test_measured_weeks_add_up_with_their_interval() -> None:
    line = timeline_of(made.reserved(), made.START + timedelta(days=30))
    assert line is not None
    first, second = line.measured
    assert (first.saved, first.low, first.high) == (Decimal(800), Decimal(650), Decimal(950))
    assert second.saved == Decimal(1600)
    assert second.high - second.saved == pytest.approx(Decimal(150) * Decimal(2).sqrt())
    assert line.projected == Decimal(1627)
    points = evidence_charts.savings(line).data[-1]
    assert list(points.y) == [800.0, 1600.0]


def test_a_newer_plan_does_not_hide_what_the_one_before_saves() -> None:
    as_of = made.START + timedelta(days=30)
    view = view_of(made.followed(), as_of)
    assert view.timeline is None
    assert view.earlier == timeline_of(made.reserved(), as_of)
    assert [(each.label, each.value, each.note) for each in view.figures][1:] == [
        ("Saved by the plan before", "$1,600", "measured on the bill in 2 weeks; $1,627 were expected")
    ]
    assert view_of(made.reserved(), as_of).earlier is None


def test_weeks_stay_with_the_plan_that_was_measured() -> None:
    newer = replace(made.proposed(), earlier=made.followed().earlier)
    view = view_of(newer, made.START + timedelta(days=30))
    assert view.timeline is not None
    assert view.earlier is not None
    assert (view.timeline.measured, len(view.earlier.measured)) == ((), 2)


def test_what_is_worth_looking_at_says_when_to_commit() -> None:
    worth = worth_of(made.money())
    assert worth is not None
    assert worth.findings[0].title == "Graviton"
    assert (worth.purchases[0].offered, worth.purchases[0].target) == ("384 for $4,700 a month", "32")
    assert worth.advice.startswith("Buy nothing before 4 steady weeks")
    assert worth_of(replace(made.money(), findings=(), advice=())) is None


def test_what_asking_cost_and_what_was_not_answered_is_said() -> None:
    notes = view_of(made.reserved()).money_notes
    assert notes[-1] == "The analysis for this plan made 14 Cost Explorer requests, $0.14."
    assert any("ce:GetSavingsPlansCoverage" in each for each in notes)
