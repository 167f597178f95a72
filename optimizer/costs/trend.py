"""The bill by month and service, and where it goes: trend, season and forecast. Pure.

Two seasons matter. The week: daily costs swing with it, so a day is compared with its own weekday. The year:
a month is compared with the same month a year ago, as soon as there is one. Months have different lengths,
so what is compared is the cost of a day. Statistics are floats; amounts of money are Decimals.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from optimizer.costs.commitment_use import CommittedMonth
from optimizer.costs.cost_explorer import AHEAD, Cost, Expected, months_before
from optimizer.costs.list_bill import in_cents

WEEK = 7
LEAST_DAYS = 28  # four of each weekday
MONTH = 30
Z = 1.96  # 95 %
BY_AWS, OWN = "Cost Explorer's forecast", "the level of the last 28 days"


@dataclass(frozen=True)
class ServiceMonth:
    """One service in one month, in US dollars, by FOCUS's names. `stranded` is the commitment that nothing used.

    `list_cost` and `stranded` are None when the commitments are not known; `net_cost` when the account has no
    private discounts. `estimated` until the bill is closed.
    """

    month: date
    service: str
    list_cost: Decimal | None
    billed_cost: Decimal
    effective_cost: Decimal
    net_cost: Decimal | None
    stranded: Decimal | None
    estimated: bool


@dataclass(frozen=True)
class Trend:
    """The trend of the daily cost, in percent of its level: over 30 days with its 95 % interval, and over a year.

    `yearly` is the last whole month against the same month a year before, at list price where that is known;
    None before there is one.
    """

    daily: Decimal
    monthly_change: float
    low: float
    high: float
    yearly: float | None


@dataclass(frozen=True)
class ForecastMonth:
    """The expected cost of a month when nothing is changed, with its 95 % interval, in US dollars.

    `source` says whose figure it is: AWS's own, or where AWS has none what the last days and last year say.
    """

    month: date
    cost: Decimal
    low: Decimal
    high: Decimal
    seasonal: bool
    source: str = OWN


def service_months(costs: Iterable[Cost], committed: Sequence[CommittedMonth] | None) -> tuple[ServiceMonth, ...]:
    """Cost Explorer's rows added up by month and service."""
    groups: dict[tuple[date, str], list[Cost]] = defaultdict(list)
    for cost in costs:
        groups[cost.start, cost.group[0]].append(cost)
    did: dict[tuple[date, str], list[CommittedMonth]] = defaultdict(list)
    for each in committed or ():
        did[each.month, each.service].append(each)
    return tuple(
        _month(*key, rows, did[key] if committed is not None else None) for key, rows in sorted(groups.items())
    )


def _month(month: date, service: str, rows: Sequence[Cost], did: Sequence[CommittedMonth] | None) -> ServiceMonth:
    effective = sum((each.effective for each in rows), Decimal(0))
    nets = [each.net for each in rows if each.net is not None]
    unused = None if did is None else sum((each.unused for each in did), Decimal(0))
    # What is covered costs its share of the commitment; at list price it would have cost what it covers.
    listed = None if did is None else effective + sum((each.covered - each.cost for each in did), Decimal(0))
    return ServiceMonth(
        month,
        service,
        None if listed is None else in_cents(listed),
        in_cents(sum((each.billed for each in rows), Decimal(0))),
        in_cents(effective),
        in_cents(sum(nets, Decimal(0))) if nets else None,
        None if unused is None else in_cents(unused),
        any(each.estimated for each in rows),
    )


def by_day(costs: Iterable[Cost]) -> dict[date, Decimal]:
    """Effective cost of each day, all services together."""
    days: dict[date, Decimal] = defaultdict(Decimal)
    for cost in costs:
        days[cost.start] += cost.effective
    return dict(sorted(days.items()))


def trend(days: Mapping[date, Decimal], months: Sequence[ServiceMonth], today: date) -> Trend | None:
    """None with fewer than 28 days: then the week's swing cannot be told from a trend."""
    if len(days) < LEAST_DAYS:
        return None
    level, slope, error = _line(days)
    if level <= 0:
        return None
    change, spread = 100 * MONTH * slope / level, 100 * Z * MONTH * error / level
    return Trend(
        in_cents(Decimal(level)),
        round(change, 2),
        round(change - spread, 2),
        round(change + spread, 2),
        _yearly(_a_day(months, today), today),
    )


def as_aws_expects(expected: Iterable[Expected]) -> tuple[ForecastMonth, ...]:
    """Cost Explorer's own forecast, which knows more history than is read here."""
    return tuple(
        ForecastMonth(
            each.month, in_cents(each.cost), in_cents(each.low), in_cents(each.high), seasonal=False, source=BY_AWS
        )
        for each in expected
    )


def forecast(days: Mapping[date, Decimal], months: Sequence[ServiceMonth], today: date) -> tuple[ForecastMonth, ...]:
    """The next three months as they would be without a plan; nothing with fewer than 28 days.

    The level of the last 28 days, moved by how the same months of last year stood to each other; without a
    last year it stays level, and the interval alone widens.
    """
    if len(days) < LEAST_DAYS:
        return ()
    newest = sorted(days)[-LEAST_DAYS:]
    values = np.array([float(days[day]) for day in newest])
    level, spread = float(values.mean()), _spread({day: days[day] for day in newest})
    rates, reference = _a_day(months, today), months_before(newest[LEAST_DAYS // 2], 12)
    _, _, error = _line(days)
    months_ahead = []
    for ahead in range(1, AHEAD + 1):
        month = months_before(today, -ahead)
        last_year = months_before(month, 12)
        seasonal = rates.get(last_year, 0.0) > 0 and rates.get(reference, 0.0) > 0
        factor = rates[last_year] / rates[reference] if seasonal else 1.0
        length = (months_before(month, -1) - month).days
        distance = (month - newest[-1]).days + length / 2
        middle = level * factor * length
        wide = Z * length * factor * float(np.hypot(spread / np.sqrt(LEAST_DAYS), error * distance))
        months_ahead.append(
            ForecastMonth(month, _money(middle), _money(max(middle - wide, 0.0)), _money(middle + wide), seasonal)
        )
    return tuple(months_ahead)


def _money(amount: float) -> Decimal:
    return in_cents(Decimal(amount))


def _line(days: Mapping[date, Decimal]) -> tuple[float, float, float]:
    """Level at the middle, slope a day and its standard error, each weekday with an effect of its own."""
    at = np.array([day.toordinal() for day in days], dtype=np.float64)
    values = np.array([float(each) for each in days.values()])
    weekday = np.array([day.weekday() for day in days])
    design = np.column_stack([at - at.mean(), *(weekday == each for each in sorted(set(weekday)))]).astype(np.float64)
    line, *_ = np.linalg.lstsq(design, values, rcond=None)
    left: NDArray[np.float64] = values - design @ line
    free = max(len(values) - design.shape[1], 1)
    # Days hang together: the error grows by what the residuals carry over (first-order autocorrelation).
    total = float(left @ left)
    carried = min(max(float(left[1:] @ left[:-1]) / total, 0.0), 0.9) if total > 0 else 0.0
    inflated = total / free * (1 + carried) / (1 - carried)
    error = float(np.sqrt(inflated * np.linalg.pinv(design.T @ design)[0, 0]))
    return float(values.mean()), float(line[0]), error


def _spread(days: Mapping[date, Decimal]) -> float:
    """Standard deviation of a day around its weekday's mean."""
    by_weekday: dict[int, list[float]] = defaultdict(list)
    for day, amount in days.items():
        by_weekday[day.weekday()].append(float(amount))
    left = [value - float(np.mean(values)) for values in by_weekday.values() for value in values]
    return float(np.sqrt(np.sum(np.square(left)) / max(len(left) - len(by_weekday), 1)))


def _a_day(months: Sequence[ServiceMonth], today: date) -> dict[date, float]:
    """Cost of a day in each whole month; not of the first, in which the account may have begun.

    At list price where it is known: a reservation bought in between is no season.
    """
    totals: dict[date, Decimal] = defaultdict(Decimal)
    for each in months:
        totals[each.month] += each.effective_cost if each.list_cost is None else each.list_cost
    whole = [month for month in sorted(totals) if month < months_before(today, 0)]
    days = whole if len(whole) > 12 else whole[1:]
    return {month: float(totals[month]) / (months_before(month, -1) - month).days for month in days}


def _yearly(rates: Mapping[date, float], today: date) -> float | None:
    last = months_before(today, 1)
    before = months_before(last, 12)
    if rates.get(before, 0.0) <= 0 or last not in rates:
        return None
    return round(100 * (rates[last] / rates[before] - 1), 2)
