"""The lines of the bill, hour by hour, as the Cost and Usage Report has them; Cost Explorer adds them up.

Unblended cost shows each charge when it is made; amortized cost spreads the fees of commitments
over their term, to the hours that used them ("Cost and Usage Report, line item details").
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from domain.list_prices import HOURS_PER_MONTH
from emulator.billing.catalog import COST_EXPLORER, EC2, item, normalized, rate
from emulator.billing.commitments import Coverage, PlanUse, ReservationUse, active, cover
from emulator.billing.metering import Metered, meter
from emulator.billing.spec import AccountMember, Adjustment, BillingSpec, ReservationSpec, SavingsPlanSpec
from emulator.workload.noise import Array
from emulator.workload.workload import Sources

if TYPE_CHECKING:
    from emulator.core.port import Account

SAVINGS_PLANS = "Savings Plans for AWS Compute usage"


@dataclass(frozen=True)
class LedgerLine:
    """One kind of charge: by hour its quantity, and its cost in both ways, in US dollars."""

    service: str
    usage_type: str
    region: str
    record: str
    unit: str
    quantity: Array
    unblended: Array
    amortized: Array
    account: str = ""  # the account that is billed; empty: the production account


@dataclass(frozen=True)
class Ledger:
    """All charges from hour `first` (since 1970) on, up to the current hour."""

    first: int
    lines: tuple[LedgerLine, ...]
    coverage: Coverage
    running: dict[tuple[str, str], Array]  # hours of instances, by Region and item

    @property
    def hours(self) -> int:
        return len(self.lines[0].quantity) if self.lines else 0

    def slice(self, begin: datetime, end: datetime) -> slice:
        """The hours of a range that the ledger has."""
        low, high = (int(each.timestamp() // 3600) - self.first for each in (begin, end))
        return slice(max(low, 0), max(high, 0))


@dataclass
class Billing:
    """The bill of the scenario's file, and the ledger that was computed last."""

    spec: BillingSpec = field(default_factory=BillingSpec)
    made: tuple[object, Ledger] | None = None


def empty(first: int) -> Ledger:
    """The bill of an account without resources."""
    return Ledger(first, (), cover({}, first, (), ()), {})


def ledger(account: Account) -> Ledger:
    """The production account's bill as of now."""
    billing, workload = account.part(Billing), account.part(Sources).workload
    last = int(account.clock.now().timestamp() // 3600)
    if workload is None or not workload.timeline:
        return empty(last)
    key = (last, len(workload.timeline), billing.spec)
    if billing.made is None or billing.made[0] != key:
        metered = meter(workload, begun(billing.spec, workload.timeline[0][0]), last)
        billing.made = key, settle(metered, billing.spec)
    made = billing.made[1]
    asked = _requests(account, made.first, made.hours)
    return Ledger(made.first, (*made.lines, *asked), made.coverage, made.running)


def stranded(account: Account) -> float:
    """US dollars a month, at the rate of the last hour, for commitments that nothing uses."""
    coverage = ledger(account).coverage
    unused = [each.unused * each.cost for each in coverage.reservations]
    unused += [each.committed - each.used for each in coverage.plans]
    return float(sum(each[-1] for each in unused if len(each))) * float(HOURS_PER_MONTH)


def week(account: Account, start: datetime) -> float:
    """Cost of a week in US dollars: fees of commitments spread over their term, without credits and refunds."""
    book = ledger(account)
    hours = book.slice(start, start + timedelta(weeks=1))
    return float(sum(each.amortized[hours].sum() for each in book.lines if each.record not in ("Credit", "Refund")))


def begun(spec: BillingSpec, lived: float) -> int:
    """The account's first hour: that of its first lived day, or the first of the month `earlier_months` before."""
    if not spec.earlier_months:
        return int(lived // 3600)
    day = datetime.fromtimestamp(lived, UTC)
    years, month = divmod(day.year * 12 + day.month - 1 - spec.earlier_months, 12)
    return int(datetime(years, month + 1, 1, tzinfo=UTC).timestamp() // 3600)


def settle(metered: Metered, spec: BillingSpec) -> Ledger:
    """Price what was used, and let the commitments cover it."""
    running = {key: amounts for key, amounts in metered.quantities.items() if item(key[1]).is_instance}
    coverage = cover(running, metered.first, spec.reservations, spec.savings_plans)
    count = len(next(iter(metered.quantities.values()), np.zeros(0)))
    lines: list[LedgerLine] = []
    for key, amounts in sorted(metered.quantities.items()):
        lines += _use(key, amounts, coverage)
    for reservation in coverage.reservations:
        lines += _reservation_fees(reservation, metered.first, count)
    for plan in coverage.plans:
        lines += _plan_lines(plan, metered.first, count)
    lines += [_adjustment(each, metered.first, count) for each in spec.adjustments]
    lines += [_member(each, count) for each in spec.members]
    return Ledger(metered.first, tuple(lines), coverage, running)


def _use(key: tuple[str, str], amounts: Array, coverage: Coverage) -> Iterator[LedgerLine]:
    """An item's use: use that a reservation covers costs nothing here, because the reservation's fee pays for it."""
    region, name = key
    what, price = item(name), rate(name, region)
    by_plans = coverage.by_plans(key)
    reserved = coverage.reserved.get(key)
    at_list = amounts - by_plans - (0.0 if reserved is None else reserved)
    usage_type = what.usage_type_in(region)

    def line(record: str, quantity: Array, unblended: Array, amortized: Array) -> LedgerLine:
        return LedgerLine(what.service, usage_type, region, record, what.unit, quantity, unblended, amortized)

    if reserved is not None and reserved.any():
        yield line("DiscountedUsage", reserved, np.zeros_like(reserved), coverage.cost[key])
    for each in coverage.plans:
        if key in each.covers and each.covers[key].any():
            hours = each.covers[key]
            yield line("SavingsPlanCoveredUsage", hours, hours * price, hours * price * (1 - each.plan.discount))
            yield line("SavingsPlanNegation", np.zeros_like(hours), -hours * price, np.zeros_like(hours))
    if at_list.any():
        yield line("Usage", at_list, at_list * price, at_list * price)


def _reservation_fees(use: ReservationUse, first: int, count: int) -> Iterator[LedgerLine]:
    """The recurring fee of each month, on the first, and the upfront payment; the amortized cost is the unused part."""
    each = use.reservation
    what = item(each.kind)
    fee_type = f"{what.prefix_in(each.region)}HeavyUsage:{what.usage_type.partition(':')[2]}"
    hours = _monthly_hours(each, first, count) * each.count
    price = use.cost * normalized(each.kind)
    zero = np.zeros(count)
    recurring = hours * price * (1 - each.upfront)
    unused = use.unused * use.cost
    yield LedgerLine(what.service, fee_type, each.region, "RIFee", "Hrs", hours, recurring, unused, each.owner)
    if each.upfront:
        paid = _upfront(each, price * each.count, first, count)
        yield LedgerLine(what.service, fee_type, each.region, "Upfront", "Quantity", zero, paid, zero, each.owner)


def _plan_lines(use: PlanUse, first: int, count: int) -> Iterator[LedgerLine]:
    """The commitment of every hour, and the upfront payment; the amortized cost is the unused part."""
    plan = use.plan
    what = "ComputeSP:" if plan.type == "Compute" else f"EC2SP:{plan.family}."
    kind = f"{what}{plan.years}yr{plan.payment.replace(' ', '')}"
    region, unused = plan.region or "global", use.committed - use.used
    hours, recurring = active(plan, first, count), use.committed * (1 - plan.upfront)
    yield LedgerLine(SAVINGS_PLANS, kind, region, "SavingsPlanRecurringFee", "Hrs", hours, recurring, unused)
    if plan.upfront:
        zero, paid = np.zeros(count), _upfront(plan, plan.per_hour, first, count)
        yield LedgerLine(SAVINGS_PLANS, kind, region, "SavingsPlanUpfrontFee", "Quantity", zero, paid, zero)


def _upfront(bought: ReservationSpec | SavingsPlanSpec, per_hour: float, first: int, count: int) -> Array:
    """The payment for the whole term, in the hour in which it begins."""
    paid = np.zeros(count)
    at = int(bought.begin.timestamp() // 3600) - first
    if 0 <= at < count:
        paid[at] = per_hour * bought.upfront * (bought.end - bought.begin).total_seconds() / 3600
    return paid


def _monthly_hours(reservation: ReservationSpec, first: int, count: int) -> Array:
    """The hours of the term in each month, all in its first hour: a month's fee is charged when the month begins."""
    result = np.zeros(count)
    for month in range(reservation.years * 12 + 1):
        years, number = divmod(reservation.begin.year * 12 + reservation.begin.month - 1 + month, 12)
        start = datetime(years, number + 1, 1, tzinfo=UTC)
        following = datetime(years + (number + 1) // 12, (number + 1) % 12 + 1, 1, tzinfo=UTC)
        begin, end = max(start, reservation.begin), min(following, reservation.end)
        at = int(begin.timestamp() // 3600) - first
        if begin < end and 0 <= at < count:
            result[at] = (end - begin).total_seconds() / 3600
    return result


def _member(each: AccountMember, count: int) -> LedgerLine:
    """The hourly charges of another account of the organization."""
    cost = np.full(count, each.per_hour)
    return LedgerLine(EC2, "BoxUsage:m5.large", "us-east-1", "Usage", "Hrs", cost, cost, cost, each.account)


def _adjustment(each: Adjustment, first: int, count: int) -> LedgerLine:
    amounts = np.zeros(count)
    at = int(datetime(each.month.year, each.month.month, 1, tzinfo=UTC).timestamp() // 3600) - first
    if 0 <= at < count:
        amounts[at] = -each.usd
    return LedgerLine(each.service, each.kind, "us-east-1", each.kind, "", np.zeros(count), amounts, amounts)


def _requests(account: Account, first: int, count: int) -> list[LedgerLine]:
    """The charges for Cost Explorer requests."""
    calls = np.zeros(count)
    for call in account.calls.of("ce"):
        at = int(call.at.timestamp() // 3600) - first
        if call.account == account.production and 0 <= at < count:
            calls[at] += 1
    if not calls.any():
        return []
    what = item("Cost Explorer request")
    cost = calls * rate(what.name, "us-east-1")
    return [LedgerLine(COST_EXPLORER, what.usage_type, "us-east-1", "Usage", what.unit, calls, cost, cost)]
