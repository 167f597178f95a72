"""The bill follows the account: resources are billed by the hour, from their creation on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from domain.list_prices import price_of
from emulator.account import EmulatedAccount
from tests.emulator.billing.emulated import EC2, billed, by, explorer, halve, of_service, period
from tests.rehearsal.life import NOW, REGION


@pytest.fixture
def account() -> Iterator[EmulatedAccount]:
    with billed() as account:
        yield account


def costs(account: EmulatedAccount, start: date | datetime, end: date | datetime, **asked: Any) -> list[dict[str, Any]]:
    defaults: dict[str, Any] = {"Granularity": "DAILY", "Metrics": ["UnblendedCost", "UsageQuantity"]}
    answer = explorer(account).get_cost_and_usage(TimePeriod=period(start, end), **{**defaults, **asked})
    return list(answer["ResultsByTime"])


def fleet(account: EmulatedAccount, start: date | datetime, end: date | datetime) -> list[tuple[float, float]]:
    """By day: hours and dollars of EC2."""
    found = costs(account, start, end, Filter=of_service(EC2))
    totals = [each["Total"] for each in found]
    return [(float(each["UsageQuantity"]["Amount"]), float(each["UnblendedCost"]["Amount"])) for each in totals]


def test_instances_are_billed_by_the_hour_at_list_price(account):
    (day,) = fleet(account, date(2027, 2, 10), date(2027, 2, 11))
    assert day == pytest.approx((96.0, 96 * float(price_of("m5.4xlarge", REGION).usd)))


def test_a_changed_count_changes_the_bill_from_that_moment_on(account):
    account.clock.advance_to(NOW + timedelta(days=1, hours=4))  # noon
    halve(account)
    account.clock.advance_to(NOW + timedelta(days=6))
    hours = [hours for hours, _ in fleet(account, date(2027, 3, 1), date(2027, 3, 5))]
    assert hours[0] == pytest.approx(96)
    assert 70 < hours[1] < 74  # four until noon, then two, with the minutes of the drain
    assert hours[2:] == pytest.approx([48, 48])


def test_the_last_two_days_are_not_complete(account):
    days = fleet(account, NOW - timedelta(days=4), NOW + timedelta(days=1))
    hours = [hours for hours, _ in days]
    assert hours[0] == hours[1] == pytest.approx(96)
    assert 96 > hours[2] > hours[3] > hours[4] == 0


def test_a_month_stays_estimated_until_its_bill_is_final(account):
    found = costs(account, date(2027, 1, 1), date(2027, 3, 2), Granularity="MONTHLY")
    assert [each["Estimated"] for each in found] == [False, True, True]
    assert found[-1]["TimePeriod"] == {"Start": "2027-03-01", "End": "2027-03-02"}
    account.clock.advance_to(NOW + timedelta(days=5))
    assert [
        each["Estimated"] for each in costs(account, date(2027, 2, 1), date(2027, 3, 1), Granularity="MONTHLY")
    ] == [False]


def test_before_the_lived_days_the_account_was_as_founded_and_its_use_grew_with_the_seasons(account):
    months = costs(
        account,
        date(2026, 2, 1),
        date(2027, 3, 1),
        Granularity="MONTHLY",
        GroupBy=by("USAGE_TYPE"),
    )
    by_type = [
        {each["Keys"][0]: float(each["Metrics"]["UsageQuantity"]["Amount"]) for each in m["Groups"]} for m in months
    ]
    assert len(by_type) == 13
    assert by_type[0]["BoxUsage:m5.4xlarge"] == pytest.approx(4 * 28 * 24)
    per_day = [each["LCUUsage"] / (4 * each["BoxUsage:m5.4xlarge"]) for each in by_type]
    assert per_day[0] < 0.95 * per_day[-2]
    assert per_day[9] > per_day[0]  # November


def test_groups_come_in_pages_that_fit_together(account, monkeypatch):
    ce = explorer(account)
    asked = {
        "TimePeriod": {"Start": "2027-02-01", "End": "2027-02-06"},
        "Granularity": "DAILY",
        "Metrics": ["UnblendedCost"],
        "GroupBy": by("SERVICE", "USAGE_TYPE"),
    }
    whole = ce.get_cost_and_usage(**asked)
    assert "NextPageToken" not in whole
    monkeypatch.setattr("emulator.services.costexplorer.cost_api.PAGE", 7)
    pages = [ce.get_cost_and_usage(**asked)]
    while token := pages[-1].get("NextPageToken"):
        pages.append(ce.get_cost_and_usage(**asked, NextPageToken=token))
    rows = [
        (each["TimePeriod"]["Start"], *group["Keys"])
        for page in pages
        for each in page["ResultsByTime"]
        for group in each["Groups"]
    ]
    assert len(pages) > 2
    assert rows == [
        (each["TimePeriod"]["Start"], *group["Keys"]) for each in whole["ResultsByTime"] for group in each["Groups"]
    ]
    assert {day for day, *_ in rows} == {f"2027-02-0{n}" for n in range(1, 6)}
