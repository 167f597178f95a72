"""AWS Cost Explorer: its forecast of the costs of the coming days and months.

AWS does not publish its model. This one repeats the mean of the last four complete weeks, so that it
follows a change only as fast as those weeks do, with an interval from the variation between days.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from emulator.billing.ledger import Billing
from emulator.billing.selection import chosen
from emulator.billing.window import amount, book_of, midnight, opened, require_granularity, spans, unavailable
from emulator.core.errors import AwsError
from emulator.core.registry import Answer, emulates
from emulator.services.costexplorer.cost_api import API

if TYPE_CHECKING:
    from emulator.core.call_record import Call
    from emulator.core.port import Account

_WEEKS = 4
_COSTS = {
    "UNBLENDED_COST": "unblended",
    "NET_UNBLENDED_COST": "unblended",
    "BLENDED_COST": "unblended",
    "AMORTIZED_COST": "amortized",
    "NET_AMORTIZED_COST": "amortized",
}


@emulates(
    "ce",
    "GetCostForecast",
    rule="From today on, at most a year ahead; a mean and its prediction interval (80 % by default) by day or month; "
    "DataUnavailable without some weeks of history.",
    source=f"{API}/API_GetCostForecast.html",
)
def get_cost_forecast(account: Account, call: Call) -> Answer:
    asked = call.parameters
    opened(account, call)
    require_granularity(asked["Granularity"])
    now = account.clock.now()
    start, end = (date.fromisoformat(asked["TimePeriod"][each]) for each in ("Start", "End"))
    if start < now.date():
        raise AwsError("ValidationException", "Start date must be today or in the future")
    if start >= end or end > now.date() + timedelta(days=366):
        raise AwsError("ValidationException", "End date must be after the start date and within a year")
    if asked["Metric"] not in _COSTS:
        raise NotImplementedError(f"a forecast of {asked['Metric']} is not emulated; there are {', '.join(_COSTS)}.")
    mean, deviation = _days(account, call, now)
    currency = account.part(Billing).spec.currency
    scale = float(currency.per_usd)
    width = NormalDist().inv_cdf(0.5 + (asked.get("PredictionIntervalLevel") or 80) / 200) * deviation
    rows = []
    for first, last in spans(start, end, asked["Granularity"]):
        days = (last - first).days
        rows.append(
            {
                "TimePeriod": {"Start": first.isoformat(), "End": last.isoformat()},
                "MeanValue": amount(mean * days * scale),
                "PredictionIntervalLowerBound": amount(max(mean * days - width * days**0.5, 0.0) * scale),
                "PredictionIntervalUpperBound": amount((mean * days + width * days**0.5) * scale),
            }
        )
    total = {"Amount": amount(mean * (end - start).days * scale), "Unit": currency.code}
    return {"Total": total, "ForecastResultsByTime": rows}


def _days(account: Account, call: Call, now: datetime) -> tuple[float, float]:
    """Mean cost of a day in the last complete weeks, and the standard deviation between days."""
    book = book_of(account, call)
    last = midnight(now.date()) - timedelta(days=2)
    hours = book.slice(last - timedelta(weeks=_WEEKS), last)
    if hours.stop - hours.start < _WEEKS * 7 * 24:
        raise unavailable()
    cost = _COSTS[call.parameters["Metric"]]
    lines = [each for each in book.lines if chosen(each, call.parameters.get("Filter"), call.account)]
    by_hour = np.sum([getattr(each, cost)[hours] for each in lines], axis=0) if lines else np.zeros(_WEEKS * 7 * 24)
    by_day = by_hour.reshape(-1, 24).sum(axis=1)
    return float(by_day.mean()), float(by_day.std())
