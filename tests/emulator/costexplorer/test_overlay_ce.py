"""Cost Explorer in the emulated account: its refusals, and the display of commitments."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from domain.list_prices import price_of
from emulator.billing.spec import BillingSpec
from tests.emulator.billing.emulated import billed, by, explorer, figures, halve, of_service, period
from tests.rehearsal.life import NOW, REGION

FEBRUARY = period(date(2027, 2, 1), date(2027, 3, 1))
DAY = period(date(2027, 2, 10), date(2027, 2, 11))
RESERVED = BillingSpec.model_validate(
    {
        "reservations": [
            {"id": "fleet", "kind": "m5.2xlarge", "count": 6, "start": "2026-06-15", "discount": 0.4},
        ]
    }
)
LIST = float(price_of("m5.4xlarge", REGION).usd)


def ask(account: Any, **asked: Any) -> Any:
    defaults: dict[str, Any] = {"TimePeriod": DAY, "Granularity": "DAILY", "Metrics": ["UnblendedCost"]}
    return explorer(account).get_cost_and_usage(**{**defaults, **asked})


@pytest.mark.parametrize(
    ("spec", "days", "asked", "code", "words"),
    [
        ({"cost_explorer": "off"}, 61, {}, "AccessDeniedException", "User not enabled for cost explorer access"),
        ({"cost_explorer": "denied"}, 61, {}, "AccessDeniedException", "not authorized to perform: ce:GetCostAndUsage"),
        ({"earlier_months": 0}, 0, {}, "DataUnavailableException", "Data is not available"),
        (
            {"earlier_months": 0}, 12, {"TimePeriod": period(date(2027, 1, 1), date(2027, 2, 1))},
            "DataUnavailableException", "Data is not available",
        ),
        (
            {}, 61, {"TimePeriod": period(date(2026, 1, 31), date(2027, 2, 1))},
            "ValidationException", "historical data beyond 14 months",
        ),
        ({}, 61, {"TimePeriod": period(date(2027, 2, 1), date(2027, 2, 1))}, "ValidationException", "before end date"),
        ({}, 61, {"TimePeriod": period(date(2027, 4, 1), date(2027, 4, 2))}, "ValidationException", "after the"),
        ({}, 61, {"Metrics": ["Unblended"]}, "ValidationException", "Unblended"),
        ({}, 61, {"GroupBy": by("SERVICE", "REGION", "USAGE_TYPE")}, "ValidationException", "more than 2"),
        ({}, 61, {"GroupBy": by("SERVICE"), "NextPageToken": "99999"}, "InvalidNextTokenException", "invalid"),
    ],
)  # fmt: skip
def test_what_cost_explorer_refuses(spec, days, asked, code, words):
    with billed(BillingSpec.model_validate(spec), days=days) as account, pytest.raises(ClientError) as refused:
        ask(account, **asked)
    assert refused.value.response["Error"]["Code"] == code
    assert words in refused.value.response["Error"]["Message"]


def test_its_own_requests_are_on_the_bill():
    with billed() as account, account.acting("Analyze"):
        for _ in range(3):
            ask(account)
        account.clock.advance_to(NOW + timedelta(days=4))
        found = ask(account, TimePeriod=period(NOW, NOW + timedelta(days=1)), Filter=of_service("AWS Cost Explorer"))
    assert float(found["ResultsByTime"][0]["Total"]["UnblendedCost"]["Amount"]) == pytest.approx(0.03)


def test_a_reservation_is_paid_on_the_first_of_the_month_and_amortized_where_it_is_used():
    with billed(RESERVED) as account:
        asked = {"GroupBy": by("RECORD_TYPE"), "Metrics": ["UnblendedCost", "AmortizedCost"], "Granularity": "MONTHLY"}
        ec2 = of_service("Amazon Elastic Compute Cloud - Compute")
        (month,) = ask(account, TimePeriod=period(date(2027, 1, 1), date(2027, 2, 1)), Filter=ec2, **asked)[
            "ResultsByTime"
        ]
        (first,) = ask(account, TimePeriod=period(date(2027, 1, 1), date(2027, 1, 2)), Filter=ec2, **asked)[
            "ResultsByTime"
        ]
    cost = {
        each["Keys"][0]: {name: float(value["Amount"]) for name, value in each["Metrics"].items()}
        for each in month["Groups"]
    }
    fee = 6 * 0.6 * LIST / 2 * 31 * 24
    assert cost["RIFee"] == pytest.approx({"UnblendedCost": fee, "AmortizedCost": 0})
    assert cost["DiscountedUsage"] == pytest.approx({"UnblendedCost": 0, "AmortizedCost": fee})
    assert cost["Usage"]["UnblendedCost"] == pytest.approx(LIST * 31 * 24)  # the fourth instance
    fees = [each for each in first["Groups"] if each["Keys"] == ["RIFee"]]
    assert float(fees[0]["Metrics"]["UnblendedCost"]["Amount"]) == pytest.approx(fee)


def test_coverage_counts_normalized_units_across_sizes():
    with billed(RESERVED) as account:
        total = explorer(account).get_reservation_coverage(TimePeriod=DAY)["Total"]
        units = figures(total["CoverageNormalizedUnits"])
        groups = explorer(account).get_reservation_coverage(TimePeriod=DAY, GroupBy=by("INSTANCE_TYPE"))
        none = explorer(account).get_reservation_coverage(TimePeriod=DAY, Filter=of_service("Amazon ElastiCache"))
    assert units == pytest.approx(
        {
            "OnDemandNormalizedUnits": 32 * 24,
            "ReservedNormalizedUnits": 96 * 24,
            "TotalRunningNormalizedUnits": 128 * 24,
            "CoverageNormalizedUnitsPercentage": 75,
        }
    )
    assert float(total["CoverageCost"]["OnDemandCost"]) == pytest.approx(LIST * 24)
    ((group,),) = [each["Groups"] for each in groups["CoveragesByTime"]]
    assert group["Attributes"] == {"instanceType": "m5.4xlarge"}
    assert float(none["Total"]["CoverageHours"]["TotalRunningHours"]) == 0


def test_what_is_not_used_any_more_is_paid_for_until_the_term_ends():
    with billed(RESERVED) as account:
        halve(account)
        account.clock.advance_to(NOW + timedelta(days=120))
        ce = explorer(account)
        may = ce.get_reservation_utilization(
            TimePeriod=period(date(2027, 5, 1), date(2027, 5, 2)), GroupBy=by("SUBSCRIPTION_ID")
        )
        ended = ce.get_reservation_utilization(TimePeriod=period(date(2027, 6, 16), date(2027, 6, 17)))
    ((one,),) = [each["Groups"] for each in may["UtilizationsByTime"]]
    assert (one["Value"], one["Attributes"]["endDateTime"]) == ("fleet", "2027-06-15T00:00:00.000Z")
    total = figures(may["Total"])
    assert total["PurchasedUnits"] == pytest.approx(96 * 24)
    assert total["UnusedUnits"] == pytest.approx(32 * 24)
    assert total["UtilizationPercentageInUnits"] == pytest.approx(200 / 3)
    assert total["RICostForUnusedHours"] == pytest.approx(24 * 0.6 * LIST)
    assert total["NetRISavings"] == pytest.approx(24 * (2 * LIST - 3 * 0.6 * LIST))
    assert figures(ended["Total"])["PurchasedUnits"] == 0


def test_coverage_is_asked_by_time_or_by_group():
    with billed(RESERVED) as account, pytest.raises(ClientError, match="ValidationException"):
        explorer(account).get_reservation_coverage(TimePeriod=DAY, Granularity="DAILY", GroupBy=by("REGION"))


def test_the_tooling_account_has_a_bill_of_its_own():
    with billed() as account:
        theirs = account.client("ce", account.tooling, REGION).get_cost_and_usage(
            TimePeriod=FEBRUARY, Granularity="MONTHLY", Metrics=["UnblendedCost"]
        )
    assert theirs["ResultsByTime"][0]["Total"]["UnblendedCost"] == {"Amount": "0", "Unit": "USD"}
