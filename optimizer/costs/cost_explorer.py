"""Cost Explorer: what was billed, month by month and day by day.

Every request costs $0.01, each page being one (Cost Explorer pricing), so the few there are ask for much, and
are counted. Answers are settled after two days; `End` is exclusive (Cost Explorer API, GetCostAndUsage).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from domain.errors import CostsUnknown
from optimizer.ports.aws import Aws

if TYPE_CHECKING:
    from types_boto3_ce.type_defs import ExpressionTypeDef, GroupDefinitionTypeDef

PER_REQUEST = Decimal("0.01")
MONTHS = 13  # whole ones before the current: what Cost Explorer keeps unless more is asked for in its settings
DAYS = 60
AHEAD = 3  # months that are forecast
UNSETTLED = timedelta(days=2)
CURRENCY = "USD"
GIVEN_BACK = ("Credit", "Refund")
NOT_USED = (*GIVEN_BACK, "Tax")
METRICS = ("UnblendedCost", "AmortizedCost", "NetAmortizedCost")


@dataclass(frozen=True)
class Cost:
    """The bill of one group in one month or day, in US dollars.

    `billed` is unblended, `effective` amortized; `net` is amortized less private discounts, None where the
    account has none to show. `estimated` until the bill is closed.
    """

    start: date
    group: tuple[str, ...]
    billed: Decimal
    effective: Decimal
    net: Decimal | None
    estimated: bool


@dataclass(frozen=True)
class Expected:
    """AWS's own forecast of a month, with its 95 % interval, in US dollars."""

    month: date
    cost: Decimal
    low: Decimal
    high: Decimal


@dataclass
class CostExplorer:
    """Cost Explorer of one account, with the number of requests made."""

    aws: Aws
    requests: int = 0

    @property
    def spent(self) -> Decimal:
        """The cost of the requests, in US dollars."""
        return self.requests * PER_REQUEST

    def own(self, *expressions: ExpressionTypeDef) -> ExpressionTypeDef:
        """A filter for this account alone: in a payer's account Cost Explorer answers for the whole organization."""
        account: ExpressionTypeDef = {"Dimensions": {"Key": "LINKED_ACCOUNT", "Values": [self.aws.account]}}
        return {"And": [*expressions, account]} if expressions else account

    @property
    def today(self) -> date:
        return self.aws.clock.now().date()

    @property
    def settled(self) -> date:
        """The first day that is not settled: an exclusive end."""
        return self.today - UNSETTLED

    def pages(
        self,
        call: Callable[..., Any],
        parameters: Mapping[str, Any],
        token: str = "NextPageToken",  # noqa: S107 -- of pages
    ) -> Iterator[Mapping[str, Any]]:
        """All pages of one operation. Raises CostsUnknown when it does not answer."""
        following: dict[str, str] = {}
        while True:
            self.requests += 1
            try:
                page = call(**parameters, **following)
            except ClientError as error:
                raise _unknown(error) from error
            yield page
            if not page.get(token):
                return
            following = {token: page[token]}

    def page(self, call: Callable[..., Any], parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        """The only page of an operation without pages."""
        return next(self.pages(call, parameters, "-"))


def monthly_costs(explorer: CostExplorer) -> tuple[Cost, ...]:
    """By service and usage type, of 13 whole months and the current one, without credits, refunds and tax."""
    start = months_before(explorer.today, MONTHS)
    return _costs(explorer, "MONTHLY", start, explorer.today, ("SERVICE", "USAGE_TYPE"), _without(NOT_USED))


def daily_costs(explorer: CostExplorer, start: date, end: date) -> tuple[Cost, ...]:
    """By service, of the days from `start` up to `end`, which is left out."""
    return _costs(explorer, "DAILY", start, end, ("SERVICE",), _without(NOT_USED))


def given_back(explorer: CostExplorer) -> tuple[Cost, ...]:
    """Credits and refunds of the same months; their amounts are negative."""
    only: ExpressionTypeDef = {"Dimensions": {"Key": "RECORD_TYPE", "Values": list(GIVEN_BACK)}}
    start = months_before(explorer.today, MONTHS)
    return _costs(explorer, "MONTHLY", start, explorer.today, ("RECORD_TYPE",), only)


def months_before(day: date, months: int) -> date:
    """The first day of the month that many months earlier."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(year, month + 1, 1)


def _costs(
    explorer: CostExplorer, granularity: str, start: date, end: date, by: Sequence[str], only: ExpressionTypeDef
) -> tuple[Cost, ...]:
    groups: list[GroupDefinitionTypeDef] = [{"Type": "DIMENSION", "Key": key} for key in by]
    request = {
        "TimePeriod": {"Start": start.isoformat(), "End": end.isoformat()},
        "Granularity": granularity,
        "Metrics": list(METRICS),
        "GroupBy": groups,
        "Filter": explorer.own(only),
    }
    costs = []
    for page in explorer.pages(explorer.aws.cost_explorer.get_cost_and_usage, request):
        for day, period in dated(page.get("ResultsByTime", [])):
            estimated = period.get("Estimated", False)
            costs += [_cost(day, group, len(by), estimated=estimated) for group in period.get("Groups", [])]
    return tuple(costs)


def expected_costs(explorer: CostExplorer) -> tuple[Expected, ...]:
    """AWS's own forecast of the next whole months, of the same costs, each with its 95 % interval.

    Raises CostsUnknown where AWS has too little history for one.
    """
    start, end = explorer.today, months_before(explorer.today, -AHEAD - 1)
    request = {
        "TimePeriod": {"Start": start.isoformat(), "End": end.isoformat()},
        "Granularity": "MONTHLY",
        "Metric": "AMORTIZED_COST",
        "PredictionIntervalLevel": 95,
        "Filter": explorer.own(_without(NOT_USED)),
    }
    answer = explorer.page(explorer.aws.cost_explorer.get_cost_forecast, request)
    _require_dollars(answer.get("Total", {}))
    return tuple(
        Expected(
            month,
            amount(each, "MeanValue"),
            amount(each, "PredictionIntervalLowerBound"),
            amount(each, "PredictionIntervalUpperBound"),
        )
        for month, each in dated(answer.get("ForecastResultsByTime", []))
        if month.day == 1 and month > start and amount(each, "MeanValue")
    )


def _require_dollars(metric: Mapping[str, Any]) -> None:
    if metric.get("Unit", CURRENCY) not in (CURRENCY, "N/A"):
        raise CostsUnknown(
            f"Cost Explorer shows amounts in {metric['Unit']}: only {CURRENCY} is reckoned with, "
            "so no figure of the bill is used."
        )


def _cost(start: date, group: Mapping[str, Any], keys: int, *, estimated: bool) -> Cost:
    metrics = group.get("Metrics", {})
    for metric in metrics.values():
        _require_dollars(metric)
    billed = amount(metrics.get("UnblendedCost", {}), "Amount")
    return Cost(
        start,
        tuple([*group.get("Keys", ()), *[""] * keys][:keys]),
        billed,
        amount(metrics["AmortizedCost"], "Amount") if "AmortizedCost" in metrics else billed,
        amount(metrics["NetAmortizedCost"], "Amount") if "NetAmortizedCost" in metrics else None,
        estimated,
    )


def dated(periods: Iterable[Mapping[str, Any]]) -> Iterator[tuple[date, Mapping[str, Any]]]:
    """Each period with its first day; one that does not tell it says nothing."""
    for each in periods:
        try:
            yield date.fromisoformat(each.get("TimePeriod", {}).get("Start", "")[:10]), each
        except ValueError:
            continue


def amount(metrics: Mapping[str, Any], name: str) -> Decimal:
    """A figure that Cost Explorer gives as text; 0 where it is absent, empty or no number. Every member is optional."""
    try:
        value = Decimal(str(metrics.get(name) or 0))
    except InvalidOperation:
        return Decimal(0)
    return value if value.is_finite() else Decimal(0)


def _without(types: Sequence[str]) -> ExpressionTypeDef:
    return {"Not": {"Dimensions": {"Key": "RECORD_TYPE", "Values": list(types)}}}


def _unknown(error: ClientError) -> CostsUnknown | ClientError:
    """The meaning of a refusal and what to do; any other error is returned as it is."""
    code, message = error.response["Error"].get("Code", ""), error.response["Error"].get("Message", "")
    match code:
        case "AccessDeniedException" if "not enabled" in message:
            words = (
                "Cost Explorer is not enabled in this account: enable it in the Billing and Cost Management console "
                "of the management account; the figures follow within a day."
            )
        case "AccessDeniedException":
            words = (
                f"{error.operation_name} is not allowed to the analyze role ({message}): deploy its permissions again."
            )
        case "DataUnavailableException":
            words = (
                f"Cost Explorer has no data for {error.operation_name} yet: those of a new account follow within a day."
            )
        case "LimitExceededException" | "ThrottlingException":
            words = f"Cost Explorer got too many requests at {error.operation_name}: analyze again later."
        case "BillExpirationException" | "ValidationException" | "BillingViewHealthStatusException":
            words = f"Cost Explorer refused {error.operation_name}: {message}"
        case _:
            return error
    return CostsUnknown(words, code)
