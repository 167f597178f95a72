"""AWS's purchase recommendations: the commitment that would have saved most in the lookback period.

Only the past counts: right after the footprint shrank, the advice is still to buy for the old one
("Understanding your reservation recommendations", AWS Cost Management User Guide). Use that is covered
already is left out. The discount is the scenario's `offered`, for every term and payment option.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from emulator.billing.catalog import EC2, family, item, normalized, rate
from emulator.billing.ledger import Ledger
from emulator.billing.spec import BillingSpec
from emulator.workload.noise import Array


@dataclass(frozen=True)
class Purchase:
    """`count` reserved instances of one type. `used` is their hourly use at list price, in instances."""

    region: str
    kind: str
    count: int
    used: Array
    price: float
    discount: float

    @property
    def saved(self) -> float:
        """Saving in the lookback period, in the account's currency."""
        return saving(self.used, self.count, self.price, self.discount)

    @property
    def utilization(self) -> float:
        return float(np.minimum(self.used, self.count).mean() / self.count)


@dataclass(frozen=True)
class Commitment:
    """A Savings Plan of `per_hour`, in the account's currency. `spend` is the hourly spend that it could cover."""

    per_hour: float
    spend: Array
    discount: float
    region: str | None = None
    family: str | None = None

    @property
    def covered(self) -> Array:
        result: Array = np.minimum(self.spend, self.per_hour / (1 - self.discount))
        return result

    @property
    def saved(self) -> float:
        """Saving in the lookback period, in the account's currency."""
        return float((self.covered - self.per_hour).sum())


def reservations(book: Ledger, service: str, hours: slice, spec: BillingSpec) -> list[Purchase]:
    """The reservations worth buying for one service, one for each family and Region; sizes count by their units."""
    kin: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for key in sorted(book.running):
        if item(key[1]).service == service:
            kin.setdefault((key[0], family(key[1])), []).append(key)
    found = [_purchase(book, region, keys, hours, spec) for (region, _), keys in kin.items()]
    return [each for each in found if each is not None and each.saved > 0]


def savings_plans(book: Ledger, hours: slice, spec: BillingSpec, *, by_family: bool) -> list[Commitment]:
    """The Savings Plans worth buying: one Compute plan for all of EC2, or an EC2 Instance plan for each family."""
    spend: dict[tuple[str | None, str | None], Array] = {}
    for key in sorted(book.running):
        if item(key[1]).service == EC2:
            whose = (key[0], family(key[1])) if by_family else (None, None)
            spend[whose] = spend.get(whose, 0.0) + at_list(book, key)[hours] * _price(key, spec)
    found = [_commitment(amounts, spec.offered, *whose) for whose, amounts in spend.items() if amounts.any()]
    return [each for each in found if each.saved > 0]


def at_list(book: Ledger, key: tuple[str, str]) -> Array:
    """The hours of an instance type that no commitment covers."""
    covered = book.coverage.reserved.get(key, 0.0) + book.coverage.by_plans(key)
    result: Array = np.maximum(book.running[key] - covered, 0.0)
    return result


def saving(used: Array, count: float, price: float, discount: float) -> float:
    """Saving of `count` reserved instances, less their cost in the hours in which nothing used them."""
    return float((np.minimum(used, count) * price - count * price * (1 - discount)).sum())


def _purchase(
    book: Ledger, region: str, keys: list[tuple[str, str]], hours: slice, spec: BillingSpec
) -> Purchase | None:
    """The purchase for one family, counted in instances of its most used type."""
    units = {key: at_list(book, key)[hours] * normalized(key[1]) for key in keys}
    kind = max(units, key=lambda key: float(units[key].sum()))[1]
    used = np.sum(list(units.values()), axis=0) / normalized(kind)
    price, discount = _price((region, kind), spec), spec.offered
    counts = range(1, int(np.ceil(used.max(initial=0.0))) + 1)
    best = max(counts, key=lambda count: saving(used, count, price, discount), default=0)
    return Purchase(region, kind, best, used, price, discount) if best else None


def _price(key: tuple[str, str], spec: BillingSpec) -> float:
    """The list price of an hour, in the account's currency."""
    return rate(key[1], key[0]) * float(spec.currency.per_usd)


def _commitment(spend: Array, discount: float, region: str | None, kin: str | None) -> Commitment:
    """The best of the amounts that would have covered some hour exactly."""
    amounts = [
        Commitment(float(each) * (1 - discount), spend, discount, region, kin) for each in np.unique(spend.round(4))
    ]
    return max(amounts, key=lambda each: each.saved)
