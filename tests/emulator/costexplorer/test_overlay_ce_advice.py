"""Cost Explorer's Savings Plans, recommendations and forecast: their sources, and their absence."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from domain.list_prices import price_of
from emulator.billing.spec import BillingSpec
from tests.emulator.billing.emulated import EC2, billed, by, explorer, figures, halve, of_service, period
from tests.rehearsal.life import NOW, REGION

DAY = period(date(2027, 2, 10), date(2027, 2, 11))
LIST = float(price_of("m5.4xlarge", REGION).usd)
PLANNED = BillingSpec.model_validate(
    {
        "reservations": [{"id": "fleet", "kind": "m5.4xlarge", "count": 1, "start": "2026-06-15", "discount": 0.4}],
        "savings_plans": [{"id": "compute", "per_hour": 1.5 * LIST * 0.75, "start": "2026-10-05", "discount": 0.25}],
    }
)


def reservations(account: Any, **asked: Any) -> list[dict[str, Any]]:
    answer = explorer(account).get_reservation_purchase_recommendation(
        **{"Service": "Amazon Elastic Compute Cloud - Compute", "LookbackPeriodInDays": "SIXTY_DAYS", **asked}
    )
    return [details for each in answer["Recommendations"] for details in each["RecommendationDetails"]]


def plans(account: Any, kind: str = "COMPUTE_SP") -> dict[str, Any]:
    asked = {"TermInYears": "ONE_YEAR", "PaymentOption": "NO_UPFRONT", "LookbackPeriodInDays": "SIXTY_DAYS"}
    answer = explorer(account).get_savings_plans_purchase_recommendation(SavingsPlansType=kind, **asked)
    return dict(answer["SavingsPlansPurchaseRecommendation"])


def test_a_savings_plan_covers_what_reservations_leave():
    with billed(PLANNED) as account:
        ce = explorer(account)
        (row,) = ce.get_savings_plans_coverage(TimePeriod=DAY, Granularity="DAILY")["SavingsPlansCoverages"]
        (grouped,) = ce.get_savings_plans_coverage(TimePeriod=DAY, GroupBy=by("INSTANCE_FAMILY"))[
            "SavingsPlansCoverages"
        ]
        cost = ce.get_cost_and_usage(
            TimePeriod=DAY,
            Granularity="DAILY",
            Metrics=["UnblendedCost", "AmortizedCost"],
            GroupBy=by("RECORD_TYPE"),
            Filter={"Dimensions": {"Key": "SERVICE", "Values": [EC2, "Savings Plans for AWS Compute usage"]}},
        )
    assert figures(row["Coverage"]) == pytest.approx(
        {
            "SpendCoveredBySavingsPlans": 36 * LIST,
            "OnDemandCost": 36 * LIST,
            "TotalCost": 72 * LIST,
            "CoveragePercentage": 50,
        }
    )
    assert grouped["Attributes"] == {"INSTANCE_FAMILY": "m5"}
    by_record = {
        each["Keys"][0]: [float(each["Metrics"][name]["Amount"]) for name in ("UnblendedCost", "AmortizedCost")]
        for each in cost["ResultsByTime"][0]["Groups"]
    }
    assert by_record["SavingsPlanCoveredUsage"] == pytest.approx([36 * LIST, 27 * LIST])
    assert by_record["Usage"] == pytest.approx([36 * LIST, 36 * LIST])
    assert by_record["SavingsPlanNegation"] == pytest.approx([-36 * LIST, 0])
    assert by_record["SavingsPlanRecurringFee"] == pytest.approx([27 * LIST, 0])


def test_a_savings_plan_that_is_not_used_is_paid_for():
    with billed(PLANNED) as account:
        halve(account)
        account.clock.advance_to(NOW + timedelta(days=20))
        day = period(date(2027, 3, 10), date(2027, 3, 11))
        total = explorer(account).get_savings_plans_utilization(TimePeriod=day)["Total"]
    used = figures(total["Utilization"])
    assert used["UtilizationPercentage"] == pytest.approx(200 / 3)  # one instance and a half were covered, one is left
    assert used["UnusedCommitment"] == pytest.approx(24 * 0.5 * LIST * 0.75)


def test_without_a_savings_plan_there_is_no_utilization():
    with billed() as account, pytest.raises(ClientError, match="DataUnavailableException"):
        explorer(account).get_savings_plans_utilization(TimePeriod=DAY)


def test_the_advice_is_for_what_ran_and_stays_for_the_old_footprint_after_a_change():
    with billed() as account:
        before = reservations(account)
        halve(account)
        account.clock.advance_to(NOW + timedelta(days=7))
        after = reservations(account)
        account.clock.advance_to(NOW + timedelta(days=70))
        later = reservations(account)
    counts = [each[0]["RecommendedNumberOfInstancesToPurchase"] for each in (before, after, later)]
    assert counts == ["4", "4", "2"]
    assert before[0]["InstanceDetails"]["EC2InstanceDetails"]["InstanceType"] == "m5.4xlarge"
    assert float(before[0]["EstimatedMonthlySavingsAmount"]) == pytest.approx(4 * 730 * LIST * 0.3)


def test_the_advice_is_net_of_what_is_covered():
    with billed(PLANNED) as account:
        (found,) = reservations(account)
    assert found["MaximumNumberOfInstancesUsedPerHour"] == "1.5"


def test_advice_on_savings_plans():
    with billed() as account:
        (compute,) = plans(account)["SavingsPlansPurchaseRecommendationDetails"]
        (family,) = plans(account, "EC2_INSTANCE_SP")["SavingsPlansPurchaseRecommendationDetails"]
        database = plans(account, "DATABASE_SP")
    assert float(compute["HourlyCommitmentToPurchase"]) == pytest.approx(4 * LIST * 0.7, rel=1e-4)
    assert float(compute["EstimatedAverageUtilization"]) == pytest.approx(100, rel=1e-3)
    assert family["SavingsPlansDetails"] | {"OfferingId": ""} == {
        "Region": REGION,
        "InstanceFamily": "m5",
        "OfferingId": "",
    }
    assert "SavingsPlansPurchaseRecommendationDetails" not in database


def test_the_advice_is_in_the_accounts_currency():
    with billed(BillingSpec.model_validate({"currency": {"code": "EUR", "per_usd": "0.5"}})) as account:
        (found,) = reservations(account)
        (plan,) = plans(account)["SavingsPlansPurchaseRecommendationDetails"]
    assert (found["CurrencyCode"], plan["CurrencyCode"]) == ("EUR", "EUR")
    assert float(found["EstimatedMonthlySavingsAmount"]) == pytest.approx(4 * 730 * LIST * 0.3 / 2)
    assert float(plan["HourlyCommitmentToPurchase"]) == pytest.approx(4 * LIST * 0.7 / 2, rel=1e-3)


def test_there_is_no_advice_on_what_does_not_run():
    with billed() as account:
        assert reservations(account, Service="Amazon ElastiCache") == []


@pytest.mark.parametrize("days", [0, 1])
def test_a_new_account_has_neither_advice_nor_forecast(days):
    with billed(BillingSpec(earlier_months=0), days=days) as account:
        with pytest.raises(ClientError, match="DataUnavailableException"):
            reservations(account)
        with pytest.raises(ClientError, match="DataUnavailableException"):
            plans(account)
        with pytest.raises(ClientError, match="DataUnavailableException"):
            explorer(account).get_cost_forecast(
                TimePeriod=period(NOW, NOW + timedelta(days=1)), Granularity="DAILY", Metric="UNBLENDED_COST"
            )


def test_the_forecast_follows_the_last_weeks():
    asked = {
        "Granularity": "MONTHLY",
        "Metric": "UNBLENDED_COST",
        "Filter": of_service("Amazon Elastic Compute Cloud - Compute"),
    }
    with billed() as account:
        until = period(NOW, date(2027, 5, 1))
        before = explorer(account).get_cost_forecast(TimePeriod=until, **asked)
        halve(account)
        account.clock.advance_to(NOW + timedelta(days=60))
        after = explorer(account).get_cost_forecast(TimePeriod=period(date(2027, 5, 1), date(2027, 5, 2)), **asked)
        with pytest.raises(ClientError, match="ValidationException"):
            explorer(account).get_cost_forecast(TimePeriod=DAY, **asked)
    months = before["ForecastResultsByTime"]
    assert [each["TimePeriod"]["End"] for each in months] == ["2027-04-01", "2027-05-01"]
    assert float(before["Total"]["Amount"]) == pytest.approx(61 * 96 * LIST)
    assert float(months[0]["PredictionIntervalLowerBound"]) <= float(months[0]["MeanValue"])
    assert float(after["Total"]["Amount"]) == pytest.approx(48 * LIST)
