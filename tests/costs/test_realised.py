"""A week after acceptance, compared with its cost without the plan, and with the plan's projection."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from optimizer.costs.cost_explorer import Cost
from optimizer.costs.realised import Accepted, days_of, due_weeks, realised_week
from optimizer.model.plan_costs import Later, Saving

MONDAY = date(2027, 3, 8)
BEFORE = {
    MONDAY - timedelta(days=n): Decimal(100 if (MONDAY - timedelta(days=n)).weekday() < 5 else 70) for n in range(1, 29)
}
SAVING = Saving("fleet_rightsize", "tap-fleet", Decimal("304.375"), net=Decimal("304.375"))  # ten dollars a day


def week(start: date, weekday: int, weekend: int) -> dict[date, Decimal]:
    return {
        day: Decimal(weekday if day.weekday() < 5 else weekend) for n in range(7) for day in [start + timedelta(days=n)]
    }


def test_what_was_measured_is_compared_weekday_by_weekday() -> None:
    found = realised_week(MONDAY, week(MONDAY, 90, 60), BEFORE, [Accepted(date(2027, 3, 1), SAVING)])
    assert (found.without, found.measured, found.realised, found.projected) == (640, 570, 70, 70)
    assert found.low == found.high == 70  # every week before was the same
    assert (found.start, found.end) == (MONDAY, date(2027, 3, 15))


def test_noise_before_widens_the_interval() -> None:
    noisy = {day: amount + (3 if day.toordinal() % 2 else -3) for day, amount in BEFORE.items()}
    found = realised_week(MONDAY, week(MONDAY, 90, 60), noisy, [])
    assert found.low < found.realised < found.high
    assert found.projected == 0


@pytest.mark.parametrize(
    ("case", "accepted", "saving", "projected"),
    [
        ("accepted on Wednesday: from Thursday on", date(2027, 3, 10), SAVING, 40),
        ("accepted afterwards", date(2027, 3, 20), SAVING, 0),
        ("reserved", date(2027, 3, 1), Saving("a", "r", Decimal(900), net=Decimal(0)), 0),
        (
            "the reservation ends on Saturday",
            date(2027, 3, 1),
            Saving(
                "a", "r", Decimal(900), Decimal(0), later=(Later(date(2027, 3, 13), Decimal("304.375"), Decimal(0)),)
            ),
            20,
        ),
        ("commitments are not known: at list price", date(2027, 3, 1), Saving("a", "r", Decimal("304.375")), 70),
    ],
)
def test_what_was_promised_counts_by_the_day(case: str, accepted: date, saving: Saving, projected: int) -> None:
    found = realised_week(MONDAY, week(MONDAY, 90, 60), BEFORE, [Accepted(accepted, saving)])
    assert found.projected == projected, case


@pytest.mark.parametrize(
    ("settled", "known", "due"),
    [
        (date(2027, 3, 12), (), ()),
        (date(2027, 3, 13), (), (date(2027, 3, 6),)),
        (date(2027, 3, 27), (date(2027, 3, 13),), (date(2027, 3, 6), date(2027, 3, 20))),
        (date(2027, 3, 1), (), ()),
    ],
)
def test_only_whole_settled_weeks_are_due_and_each_once(
    settled: date, known: tuple[date, ...], due: tuple[date, ...]
) -> None:
    assert due_weeks(date(2027, 3, 5), settled, known) == due


def test_only_the_services_that_the_plan_changes_are_compared() -> None:
    costs = [
        Cost(MONDAY, (service,), Decimal(1), Decimal(amount), None, estimated=False)
        for service, amount in (("EC2", 5), ("RDS", 7), ("Lambda", 100))
    ]
    assert days_of(costs, ("EC2", "RDS")) == {MONDAY: 12}
