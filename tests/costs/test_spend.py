"""The account's spending: months by service, a trend that ignores the week, a forecast with the year's season."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from optimizer.costs.commitment_use import CommittedMonth
from optimizer.costs.cost_explorer import Cost, months_before
from optimizer.costs.trend import ServiceMonth, by_day, forecast, service_months, trend

TODAY = date(2027, 3, 10)
EC2 = "Amazon Elastic Compute Cloud - Compute"


def days(amount: Callable[[int, date], float], count: int = 60) -> dict[date, Decimal]:
    first = date(2027, 3, 8) - timedelta(days=count)
    return {
        day: Decimal(str(round(amount(number, day), 6)))
        for number in range(count)
        for day in [first + timedelta(days=number)]
    }


def month(start: date, a_day: float, service: str = EC2) -> ServiceMonth:
    cost = Decimal(str(round(a_day * (months_before(start, -1) - start).days, 2)))
    return ServiceMonth(start, service, cost, cost, cost, None, Decimal(0), estimated=False)


def weekend(day: date) -> float:
    return 0.7 if day.weekday() >= 5 else 1.0


def year(by_month: Callable[[int], float], count: int = 13) -> list[ServiceMonth]:
    return [month(start, by_month(start.month)) for n in range(count, 0, -1) for start in [months_before(TODAY, n)]]


@pytest.mark.parametrize(
    ("case", "amount", "change"),
    [
        ("level", lambda n, day: 1000.0, 0.0),
        ("only the week swings", lambda n, day: 1000 * weekend(day), 0.0),
        ("a dollar more each day", lambda n, day: 1000.0 + n, 2.91),  # 30 of a level of 1029.5
        ("less each day, with a week", lambda n, day: 2000 * weekend(day) - 4 * n, -7.0),
    ],
)
def test_the_trend_is_what_the_week_leaves(case: str, amount: Callable[[int, date], float], change: float) -> None:
    found = trend(days(amount), [], TODAY)
    assert found is not None
    assert found.monthly_change == pytest.approx(change, abs=0.2), case
    assert found.low <= found.monthly_change <= found.high
    assert found.yearly is None


def test_noise_widens_the_interval_and_does_not_make_a_trend() -> None:
    noisy = trend(days(lambda n, day: 1000 + 100 * ((n * 7919) % 13 - 6) / 6), [], TODAY)
    assert noisy is not None
    assert noisy.low < 0 < noisy.high
    assert noisy.high - noisy.low > 2


def test_a_month_is_compared_with_the_same_month_a_year_ago() -> None:
    months = [
        month(months_before(TODAY, 13), 100.0),
        *year(lambda number: 50.0, 12)[:-1],
        month(date(2027, 2, 1), 110.0),
    ]
    found = trend(days(lambda n, day: 110.0), months, TODAY)
    assert found is not None
    assert found.yearly == 10.0


def test_a_reservation_bought_in_between_is_no_season() -> None:
    def paid(each: ServiceMonth, share: str) -> ServiceMonth:
        return replace(each, effective_cost=each.effective_cost * Decimal(share))

    months = [paid(each, "1" if each.month < date(2026, 9, 1) else "0.7") for each in year(lambda number: 100.0)]
    found = trend(days(lambda n, day: 70.0), months, TODAY)
    assert found is not None
    assert found.yearly == 0.0
    assert forecast(days(lambda n, day: 70.0), months, TODAY)[0].cost == Decimal("2100.00")


def test_too_few_days_give_neither_trend_nor_forecast() -> None:
    short = days(lambda n, day: 100.0, 27)
    assert trend(short, [], TODAY) is None
    assert forecast(short, [], TODAY) == ()
    assert trend(days(lambda n, day: 0.0), [], TODAY) is None


def test_the_forecast_stays_level_without_a_last_year() -> None:
    found = forecast(days(lambda n, day: 100.0), [], TODAY)
    assert [(each.month, each.cost, each.seasonal) for each in found] == [
        (date(2027, 4, 1), Decimal("3000.00"), False),
        (date(2027, 5, 1), Decimal("3100.00"), False),
        (date(2027, 6, 1), Decimal("3000.00"), False),
    ]


def test_the_forecast_follows_last_years_season() -> None:
    season = {4: 120.0, 5: 150.0}
    found = forecast(days(lambda n, day: 200.0), year(lambda number: season.get(number, 100.0)), TODAY)
    assert [(each.cost, each.seasonal) for each in found] == [
        (Decimal(200 * 30) * Decimal("1.2"), True),
        (Decimal(200 * 31) * Decimal("1.5"), True),
        (Decimal(200 * 30), True),
    ]


def test_the_interval_widens_with_the_distance() -> None:
    found = forecast(days(lambda n, day: 1000 + 60 * ((n * 7919) % 13 - 6) / 6), [], TODAY)
    widths = [each.high - each.low for each in found]
    assert 0 < widths[0] < widths[1] < widths[2]
    assert all(each.low <= each.cost <= each.high for each in found)


def cost(start: str, service: str, kind: str, billed: str, effective: str, net: str | None = None) -> Cost:
    amounts = Decimal(billed), Decimal(effective), Decimal(net) if net else None
    return Cost(date.fromisoformat(start), (service, kind), *amounts, estimated=start == "2027-03-01")


def test_months_by_service_with_list_and_stranded_cost() -> None:
    rows = [
        cost("2027-02-01", EC2, "BoxUsage", "100", "100", "90"),
        cost("2027-02-01", EC2, "HeavyUsage", "0", "60", "60"),
        cost("2027-02-01", "Amazon DynamoDB", "WriteRequestUnits", "7", "7"),
        cost("2027-03-01", EC2, "BoxUsage", "10", "10"),
    ]
    did = [CommittedMonth(date(2027, 2, 1), EC2, Decimal(60), Decimal(80), Decimal(12))]
    dynamo, ec2, now = service_months(rows, did)
    assert (dynamo.list_cost, dynamo.effective_cost, dynamo.stranded) == (7, 7, 0)
    # What is covered would have cost 80 in the place of the 60 of the reservation.
    assert (ec2.list_cost, ec2.billed_cost, ec2.effective_cost, ec2.net_cost) == (180, 100, 160, 150)
    assert (ec2.stranded, ec2.estimated, now.estimated) == (12, False, True)


def test_without_commitments_list_cost_is_not_known() -> None:
    (only,) = service_months([cost("2027-02-01", EC2, "BoxUsage", "1", "1")], None)
    assert (only.list_cost, only.stranded) == (None, None)


def test_days_add_up_over_services() -> None:
    costs = [cost("2027-03-02", EC2, "", "1", "2"), cost("2027-03-02", "Amazon RDS", "", "1", "3")]
    assert by_day(costs) == {date(2027, 3, 2): 5}
