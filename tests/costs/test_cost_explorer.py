"""The bill is read in few requests, all pages, settled days; each refusal has its own message."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from botocore.exceptions import ClientError

from domain.errors import CostsUnknown
from optimizer.costs.cost_explorer import (
    Cost,
    CostExplorer,
    amount,
    daily_costs,
    expected_costs,
    given_back,
    monthly_costs,
    months_before,
)
from tests.costs.answers import Recorded, group, period

EC2 = "Amazon Elastic Compute Cloud - Compute"
ASKED: dict[str, Any] = {
    "TimePeriod": {"Start": "2026-02-01", "End": "2027-03-10"},  # thirteen whole months and this one; today is left out
    "Granularity": "MONTHLY",
    "Metrics": ["UnblendedCost", "AmortizedCost", "NetAmortizedCost"],
    "GroupBy": [{"Type": "DIMENSION", "Key": "SERVICE"}, {"Type": "DIMENSION", "Key": "USAGE_TYPE"}],
    "Filter": {
        "And": [
            {"Not": {"Dimensions": {"Key": "RECORD_TYPE", "Values": ["Credit", "Refund", "Tax"]}}},
            {"Dimensions": {"Key": "LINKED_ACCOUNT", "Values": ["222222222222"]}},
        ]
    },
}


def test_months_are_read_page_by_page_and_each_page_is_counted() -> None:
    recorded = Recorded()
    first = period("2027-02-01", group(EC2, "BoxUsage:m5.4xlarge", billed="10.5", effective="12", net="11"))
    second = period("2027-03-01", group(EC2, "BoxUsage:m5.4xlarge", billed="4"), estimated=True)
    recorded.costs({"ResultsByTime": [first], "NextPageToken": "more"}, **ASKED)
    recorded.costs({"ResultsByTime": [second]}, **ASKED, NextPageToken="more")
    explorer = CostExplorer(recorded.aws)

    costs = monthly_costs(explorer)

    kind = (EC2, "BoxUsage:m5.4xlarge")
    assert costs == (
        Cost(date(2027, 2, 1), kind, Decimal("10.5"), Decimal(12), Decimal(11), estimated=False),
        Cost(date(2027, 3, 1), kind, Decimal(4), Decimal(4), None, estimated=True),
    )
    assert (explorer.requests, explorer.spent) == (2, Decimal("0.02"))
    recorded.all_asked()


def test_the_last_two_days_are_not_settled() -> None:
    assert CostExplorer(Recorded().aws).settled == date(2027, 3, 8)


def test_days_are_read_by_service_up_to_the_end() -> None:
    recorded = Recorded()
    recorded.costs(
        {"ResultsByTime": [period("2027-03-01", group(EC2, billed="1"))]},
        **ASKED
        | {
            "TimePeriod": {"Start": "2027-01-07", "End": "2027-03-08"},
            "Granularity": "DAILY",
            "GroupBy": [{"Type": "DIMENSION", "Key": "SERVICE"}],
        },
    )
    explorer = CostExplorer(recorded.aws)
    (cost,) = daily_costs(explorer, date(2027, 1, 7), explorer.settled)
    assert (cost.start, cost.group) == (date(2027, 3, 1), (EC2,))


def test_credits_and_refunds_are_asked_for_by_themselves() -> None:
    recorded = Recorded()
    recorded.costs({"ResultsByTime": [period("2027-02-01", group("Credit", billed="-100"))]})
    (credit,) = given_back(CostExplorer(recorded.aws))
    assert (credit.group, credit.billed) == (("Credit",), -100)


@pytest.mark.parametrize(
    ("code", "message", "words"),
    [
        (
            "AccessDeniedException",
            "User not enabled for cost explorer access",
            "not enabled in this account: enable it",
        ),
        ("AccessDeniedException", "User: x is not authorized", "GetCostAndUsage is not allowed to the analyze role"),
        ("DataUnavailableException", "", "has no data for GetCostAndUsage yet"),
        ("LimitExceededException", "", "too many requests at GetCostAndUsage: analyze again later"),
        ("ValidationException", "start date too early", "refused GetCostAndUsage: start date too early"),
    ],
)
def test_each_refusal_has_its_words(code: str, message: str, words: str) -> None:
    recorded = Recorded()
    recorded.refuse("cost_explorer", "get_cost_and_usage", code, message)
    with pytest.raises(CostsUnknown, match=words) as raised:
        monthly_costs(CostExplorer(recorded.aws))
    assert raised.value.code == code


def test_any_other_error_is_no_answer_about_money() -> None:
    recorded = Recorded()
    recorded.refuse("cost_explorer", "get_cost_and_usage", "InternalFailure")
    with pytest.raises(ClientError, match="InternalFailure"):
        monthly_costs(CostExplorer(recorded.aws))


def test_another_currency_is_not_taken_for_dollars() -> None:
    recorded = Recorded()
    groups = group(EC2, "BoxUsage:m5.4xlarge", billed="1"), group(EC2, "BoxUsage:m5.large", billed="7", unit="CNY")
    recorded.costs({"ResultsByTime": [period("2027-02-01", *groups)]})
    with pytest.raises(CostsUnknown, match="amounts in CNY: only USD"):
        monthly_costs(CostExplorer(recorded.aws))


@pytest.mark.parametrize(
    ("day", "months", "first"),
    [
        (date(2027, 3, 10), 0, date(2027, 3, 1)),
        (date(2027, 3, 31), 13, date(2026, 2, 1)),
        (date(2027, 1, 1), 1, date(2026, 12, 1)),
        (date(2027, 12, 5), -1, date(2028, 1, 1)),
    ],
)
def test_months_are_counted_by_their_first_days(day: date, months: int, first: date) -> None:
    assert months_before(day, months) == first


def test_members_that_are_absent_are_no_error() -> None:
    """Every member of Cost Explorer's answers is optional (Cost Explorer API)."""
    recorded = Recorded()
    start = {"Start": "2027-02-01", "End": "2027-03-01"}
    some = {"Keys": [EC2, "x"], "Metrics": {"UnblendedCost": {"Amount": "3", "Unit": "USD"}}}
    none = {"Keys": [EC2, "y"]}
    recorded.costs({"ResultsByTime": [{"TimePeriod": start, "Groups": [some, none]}, {"TimePeriod": start}, {}]})
    first, second = monthly_costs(CostExplorer(recorded.aws))
    assert (first.billed, first.effective, first.net, first.estimated) == (3, 3, None, False)
    assert (second.billed, second.effective) == (0, 0)
    recorded.costs({})
    assert monthly_costs(CostExplorer(recorded.aws)) == ()


@pytest.mark.parametrize("text", [None, "", "N/A", "NaN", "Infinity", "-"])
def test_what_is_no_figure_counts_nothing(text: str | None) -> None:
    assert amount({"x": text}, "x") == amount({}, "x") == 0


def test_the_forecast_is_awss_of_the_same_costs_and_of_whole_months() -> None:
    recorded = Recorded()
    rows = [
        {"TimePeriod": {"Start": start, "End": "x"}, "MeanValue": mean, "PredictionIntervalUpperBound": "120"}
        for start, mean in (("2027-03-10", "70"), ("2027-04-01", "100"), ("2027-05-01", "0"))
    ]
    recorded.answer(
        "cost_explorer",
        "get_cost_forecast",
        {"Total": {"Amount": "1", "Unit": "USD"}, "ForecastResultsByTime": rows},
        TimePeriod={"Start": "2027-03-10", "End": "2027-07-01"},
        Granularity="MONTHLY",
        Metric="AMORTIZED_COST",
        PredictionIntervalLevel=95,
        Filter=ASKED["Filter"],
    )
    (april,) = expected_costs(CostExplorer(recorded.aws))
    assert (april.month, april.cost, april.low, april.high) == (date(2027, 4, 1), 100, 0, 120)


@pytest.mark.parametrize(
    ("answer", "words"),
    [({"Total": {"Amount": "1", "Unit": "EUR"}}, "amounts in EUR"), ("DataUnavailableException", "has no data")],
)
def test_without_a_forecast_the_reason_is_said(answer: Any, words: str) -> None:
    recorded = Recorded()
    if isinstance(answer, str):
        recorded.refuse("cost_explorer", "get_cost_forecast", answer)
    else:
        recorded.answer("cost_explorer", "get_cost_forecast", answer)
    with pytest.raises(CostsUnknown, match=words):
        expected_costs(CostExplorer(recorded.aws))
