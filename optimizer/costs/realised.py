"""Savings of the plan as measured, week by week, against what it was expected to save. Pure.

What the weeks would have cost without the plan is taken from the four weeks before its first change, each
weekday by its own mean. Only the services that the plan changes are compared: what happened elsewhere is
not its doing. The expectation is net of commitments, counted by the day from each phase's acceptance.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

import numpy as np

from optimizer.costs.cost_explorer import Cost
from optimizer.costs.list_bill import in_cents
from optimizer.model.plan_costs import DAYS_PER_MONTH, Saving

WEEK = timedelta(days=7)
BASELINE = timedelta(weeks=4)
Z = 1.96  # 95 %
Days = Mapping[date, Decimal]


@dataclass(frozen=True)
class RealisedWeek:
    """One week after acceptance, from `start` up to `end`; US dollars in that week.

    `measured` is its effective cost, `without` what it would have cost; `realised` their difference, with
    its 95 % interval; `projected` what the plan said would be saved in these days.
    """

    start: date
    end: date
    without: Decimal
    measured: Decimal
    realised: Decimal
    low: Decimal
    high: Decimal
    projected: Decimal


@dataclass(frozen=True)
class Accepted:
    """One saving, and the day its phase was accepted."""

    day: date
    saving: Saving


def due_weeks(accepted: date, settled: date, known: Iterable[date]) -> tuple[date, ...]:
    """The first days of the whole settled weeks after acceptance that are not measured yet."""
    first = accepted + timedelta(days=1)
    done = set(known)
    weeks = (settled - first) // WEEK
    return tuple(start for number in range(max(weeks, 0)) if (start := first + number * WEEK) not in done)


def days_of(costs: Iterable[Cost], services: Iterable[str]) -> dict[date, Decimal]:
    """Effective cost of each day, of these services together."""
    wanted = frozenset(services)
    days: dict[date, Decimal] = defaultdict(Decimal)
    for cost in costs:
        days[cost.start] += cost.effective if cost.group[0] in wanted else Decimal(0)
    return dict(days)


def realised_week(start: date, days: Days, before: Days, accepted: Sequence[Accepted]) -> RealisedWeek:
    """Measure one week. Every one of its days, and of the four weeks `before`, must be there."""
    week = [start + timedelta(days=number) for number in range(WEEK.days)]
    by_weekday: dict[int, list[float]] = defaultdict(list)
    for day, amount in before.items():
        by_weekday[day.weekday()].append(float(amount))
    without = sum((_mean(before, day.weekday()) for day in week), Decimal(0))
    measured = sum((days[day] for day in week), Decimal(0))
    left = [value - float(np.mean(values)) for values in by_weekday.values() for value in values]
    spread = float(np.sqrt(np.sum(np.square(left)) / max(len(left) - len(by_weekday), 1)))
    # Seven days vary, and so do the means that they are compared with.
    wide = Decimal(Z * spread * float(np.sqrt(len(week) * (1 + len(by_weekday) / max(len(before), 1)))))
    saved = without - measured
    projected = sum((_a_day(each, day) for each in accepted for day in week), Decimal(0))
    amounts = (without, measured, saved, saved - wide, saved + wide, projected)
    return RealisedWeek(start, start + WEEK, *(in_cents(each) for each in amounts))


def _mean(days: Days, weekday: int) -> Decimal:
    values = [amount for day, amount in days.items() if day.weekday() == weekday]
    return sum(values, Decimal(0)) / len(values)


def _a_day(accepted: Accepted, day: date) -> Decimal:
    """The expected saving of one change on one day: nothing before it was accepted, more once a commitment ended."""
    return accepted.saving.on(day) / DAYS_PER_MONTH if day > accepted.day else Decimal(0)
