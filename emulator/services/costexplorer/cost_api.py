"""AWS Cost Explorer: cost and usage, from the account's bill (see `billing`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from emulator.billing.ledger import LedgerLine
from emulator.billing.selection import chosen, dimension, grouping
from emulator.billing.window import BillWindow, Period, amount, window
from emulator.core.errors import AwsError
from emulator.core.registry import Answer, emulates

if TYPE_CHECKING:
    from emulator.core.call_record import Call
    from emulator.core.port import Account

API = "https://docs.aws.amazon.com/aws-cost-management/latest/APIReference"
PAGE = 1000  # groups; AWS does not document how many a page holds

# Without private discounts a net cost is the cost, and a single account has no blending.
_COSTS = {
    "UnblendedCost": "unblended",
    "NetUnblendedCost": "unblended",
    "BlendedCost": "unblended",
    "AmortizedCost": "amortized",
    "NetAmortizedCost": "amortized",
}
METRICS = (*_COSTS, "UsageQuantity")


@emulates(
    "ce",
    "GetCostAndUsage",
    rule="Days or months, End exclusive, cut to the range; at most two groupings, in pages; a month is estimated until "
    "its bill is final, and the last two days are incomplete; data goes back 14 months at most, DataUnavailable "
    "before the account's own history; unblended fees of commitments when charged, amortized ones where used.",
    source=f"{API}/API_GetCostAndUsage.html",
)
def get_cost_and_usage(account: Account, call: Call) -> Answer:
    asked = call.parameters
    metrics = _metrics(asked.get("Metrics") or ())
    keys = grouping(asked.get("GroupBy") or ())
    found = window(account, call, asked["Granularity"])
    lines = [each for each in found.book.lines if chosen(each, asked.get("Filter"), call.account)]
    measure = _Measure(found, metrics)
    if not keys:
        results = [{**_period(each), "Total": measure.of(lines, each), "Groups": []} for each in found.periods]
        return {"ResultsByTime": results, "DimensionValueAttributes": []}
    groups = _grouped(lines, keys, call.account)
    rows = [
        (period, {"Keys": list(values), "Metrics": measured})
        for period in found.periods
        for values, members in sorted(groups.items())
        if (measured := measure.of(members, period)) and any(float(each["Amount"]) for each in measured.values())
    ]
    return {**_paged(found, rows, asked), "GroupDefinitions": asked["GroupBy"], "DimensionValueAttributes": []}


class _Measure:
    """The metrics of the request, over some lines in one period."""

    def __init__(self, found: BillWindow, metrics: Sequence[str]) -> None:
        self._found, self._metrics = found, metrics

    def of(self, lines: Sequence[LedgerLine], period: Period) -> dict[str, dict[str, str]]:
        return {each: self._one(each, lines, period) for each in self._metrics}

    def _one(self, metric: str, lines: Sequence[LedgerLine], period: Period) -> dict[str, str]:
        if metric == "UsageQuantity":
            units = {each.unit for each in lines}
            total = sum(self._found.sum(each.quantity, period) for each in lines)
            return {"Amount": amount(total), "Unit": units.pop() if len(units) == 1 else "N/A"}
        total = sum(self._found.sum(getattr(each, _COSTS[metric]), period) for each in lines)
        return {"Amount": self._found.money(total), "Unit": self._found.currency.code}


def _metrics(asked: Sequence[str]) -> Sequence[str]:
    if not asked:
        raise AwsError("ValidationException", "Metrics must contain at least one metric")
    if unknown := [each for each in asked if each not in METRICS]:
        raise AwsError("ValidationException", f"Metrics {', '.join(unknown)} are not valid: {', '.join(METRICS)}")
    return asked


def _grouped(lines: Sequence[LedgerLine], keys: Sequence[str], account: str) -> dict[tuple[str, ...], list[LedgerLine]]:
    groups: dict[tuple[str, ...], list[LedgerLine]] = {}
    for each in lines:
        groups.setdefault(tuple(dimension(each, key, account) for key in keys), []).append(each)
    return groups


def _paged(found: BillWindow, rows: Sequence[tuple[Period, Any]], asked: Mapping[str, Any]) -> dict[str, Any]:
    """One page: a period that does not fit on it continues on the next."""
    place = page_start(asked.get("NextPageToken"), len(rows))
    page = rows[place : place + PAGE]
    last = place + PAGE >= len(rows)
    shown = {period.start for period, _ in page}
    if last and not place:
        shown = {each.start for each in found.periods}  # a period without any cost is listed, and empty
    results = [
        {**_period(each), "Total": {}, "Groups": [row for period, row in page if period == each]}
        for each in found.periods
        if each.start in shown
    ]
    return {"ResultsByTime": results} if last else {"ResultsByTime": results, "NextPageToken": str(place + PAGE)}


def page_start(token: str | None, rows: int) -> int:
    """Start of a page. Raises InvalidNextTokenException for a token that was never issued."""
    if token is None:
        return 0
    if not token.isdigit() or not 0 < int(token) < rows:
        raise AwsError("InvalidNextTokenException", "The pagination token is invalid. Try again without a token.")
    return int(token)


def _period(period: Period) -> dict[str, Any]:
    return {"TimePeriod": period.time_period(), "Estimated": period.estimated}
