"""The part of the bill that may be queried, its periods, and the share of it that is known already.

Cost Explorer User Guide, "Analyzing your costs and usage with AWS Cost Explorer": data is refreshed at
least once every 24 hours, so the last day or two are not complete. A month stays estimated until its
bill is final, a few days into the next ("When will my AWS bill be ready?", AWS re:Post).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from emulator.billing.ledger import Billing, Ledger, begun, empty, ledger
from emulator.billing.spec import Access, Currency
from emulator.core.errors import AwsError
from emulator.workload.noise import Array
from emulator.workload.workload import Sources

if TYPE_CHECKING:
    from emulator.core.call_record import Call
    from emulator.core.port import Account

_BEGINS, _COMPLETE = 12, 48  # hours after the use: no data before the first, all data after the second
_FINAL = timedelta(days=5)  # into the next month
_MONTHS = 14  # Cost Explorer's default history, with the current month
_UNAVAILABLE = (
    "Data is not available. Please try to adjust the time period. "
    "If just enabled Cost Explorer, data might not be ingested yet"
)

# API_GetCostAndUsage.html, Granularity: there is no week.
GRANULARITIES = ("DAILY", "MONTHLY", "HOURLY")


@dataclass(frozen=True)
class Period:
    """One period of the answer; `hours` are its positions in the ledger."""

    start: date
    end: date
    hours: slice
    estimated: bool

    def time_period(self) -> dict[str, str]:
        return {"Start": self.start.isoformat(), "End": self.end.isoformat()}


@dataclass(frozen=True)
class BillWindow:
    """A time range of the bill, in periods; `known` is the share that has arrived, by hour of the ledger."""

    book: Ledger
    start: date
    end: date
    periods: tuple[Period, ...]
    known: Array
    currency: Currency

    def money(self, usd: float) -> str:
        """A sum in the account's currency, as Cost Explorer writes it."""
        return amount(usd * float(self.currency.per_usd))

    def whole(self) -> Period:
        """All of the range as one period."""
        hours = slice(self.periods[0].hours.start, self.periods[-1].hours.stop)
        return Period(self.start, self.end, hours, self.periods[-1].estimated)

    def sum(self, amounts: Array, period: Period | None = None) -> float:
        """The known part of `amounts` in a period, or in the whole range."""
        where = period.hours if period else self.book.slice(midnight(self.start), midnight(self.end))
        return float((amounts[where] * self.known[where]).sum())


def opened(account: Account, call: Call) -> None:
    """Raise Cost Explorer's refusal if it is not enabled, or if the caller has no permission."""
    access = account.part(Billing).spec.cost_explorer
    if access is Access.OFF:
        raise AwsError("AccessDeniedException", "User not enabled for cost explorer access")
    if access is Access.DENIED:
        action = f"{call.service}:{call.operation}"
        raise AwsError(
            "AccessDeniedException",
            f"User: {account.caller_arn(call)} is not authorized to perform: {action} on resource: "
            f"arn:aws:ce:us-east-1:{call.account}:/{call.operation} because no identity-based policy allows "
            f"the {action} action",
        )


def unavailable() -> AwsError:
    """Cost Explorer's error for a range without data."""
    return AwsError("DataUnavailableException", _UNAVAILABLE)


def window(account: Account, call: Call, granularity: str | None) -> BillWindow:
    """The range of a call's TimePeriod. Raises AwsError where Cost Explorer refuses it."""
    opened(account, call)
    now = account.clock.now()
    start, end = _dates(call.parameters["TimePeriod"])
    if start >= end:
        raise AwsError("ValidationException", "Start date (and hour) should be before end date (and hour)")
    if start > now.date():
        raise AwsError("ValidationException", "Start date cannot be after the current date")
    require_granularity(granularity)
    if granularity == "HOURLY":
        raise NotImplementedError("Cost Explorer by the hour is not emulated: it must be enabled in the account first.")
    if start < _earliest(now):
        raise AwsError("ValidationException", f"You haven't enabled historical data beyond {_MONTHS} months.")
    if midnight(end) <= _history(account, now):
        raise unavailable()
    book = book_of(account, call)
    known = share_known(book, now)
    periods = tuple(_periods(book, start, end, granularity or "DAILY", now))
    return BillWindow(book, start, end, periods, known, account.part(Billing).spec.currency)


def require_granularity(granularity: str | None) -> None:
    """Raises ValidationException for a granularity that Cost Explorer does not have, WEEKLY for example."""
    if granularity is not None and granularity not in GRANULARITIES:
        raise AwsError(
            "ValidationException",
            f"1 validation error detected: Value '{granularity}' at 'granularity' failed to satisfy constraint: "
            f"Member must satisfy enum value set: [{', '.join(GRANULARITIES)}]",
        )


def book_of(account: Account, call: Call) -> Ledger:
    """The bill of the calling account; the tooling account has none."""
    return ledger(account) if call.account == account.production else empty(0)


def share_known(book: Ledger, now: datetime) -> Array:
    """The share that has arrived in Cost Explorer, by hour of the ledger."""
    ages = now.timestamp() / 3600 - (book.first + np.arange(book.hours))
    return np.clip((ages - _BEGINS) / (_COMPLETE - _BEGINS), 0.0, 1.0)


def amount(value: float) -> str:
    """A figure as Cost Explorer writes it: a decimal number of up to ten places."""
    text = f"{value:.10f}".rstrip("0").rstrip(".")
    return "0" if text in ("", "-0") else text


def _dates(period: Mapping[str, Any]) -> tuple[date, date]:
    try:
        return date.fromisoformat(period["Start"]), date.fromisoformat(period["End"])
    except ValueError as error:
        raise AwsError("ValidationException", f"Invalid date: {error}") from error


def _earliest(now: datetime) -> date:
    years, month = divmod(now.year * 12 + now.month - _MONTHS, 12)
    return date(years, month + 1, 1)


def _history(account: Account, now: datetime) -> datetime:
    """Begin of the account's data; now, if there is none yet: data takes a day to arrive."""
    workload = account.part(Sources).workload
    if workload is None or not workload.timeline:
        return now
    first = datetime.fromtimestamp(begun(account.part(Billing).spec, workload.timeline[0][0]) * 3600, UTC)
    return first if first + timedelta(days=1) <= now else now + timedelta(days=365)


def _periods(book: Ledger, start: date, end: date, granularity: str, now: datetime) -> Iterator[Period]:
    for first, last in spans(start, end, granularity):
        final = midnight(_next_month(first)) + _FINAL
        yield Period(first, last, book.slice(midnight(first), midnight(last)), estimated=now < final)


def spans(start: date, end: date, granularity: str) -> Iterator[tuple[date, date]]:
    """Days, or months cut to the range."""
    while start < end:
        stop = min(end, _next_month(start) if granularity == "MONTHLY" else start + timedelta(days=1))
        yield start, stop
        start = stop


def _next_month(day: date) -> date:
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)


def midnight(day: date) -> datetime:
    """The start of a day of the bill: bills are in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
