"""A month of a footprint at list price.

Commitments come on top (`decide/commitments.py`); a price that is not known is an error and never guessed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from domain.list_prices import EMBEDDED, Price, PriceBook
from optimizer.costs.footprint import Footprint, Usage

CENT = Decimal("0.01")


@dataclass(frozen=True)
class Line:
    """One line of a bill, in US dollars a month, rounded to the cent."""

    usage: Usage
    price: Price
    monthly: Decimal


@dataclass(frozen=True)
class Bill:
    """A month of a footprint at list price."""

    lines: tuple[Line, ...]

    @property
    def monthly(self) -> Decimal:
        """US dollars; the sum of the lines, each in whole cents."""
        return sum((line.monthly for line in self.lines), Decimal("0.00"))


def bill(footprint: Footprint, prices: PriceBook = EMBEDDED) -> Bill:
    """Price a footprint, the dearest line last. Raises PriceMissing for the first item without a price."""
    priced = [(usage, prices.of(usage.item, usage.region)) for usage in footprint.usages]
    priced.sort(key=lambda each: each[0].quantity * each[1].monthly)  # the dearest takes what rounding leaves
    exact = [usage.quantity * price.monthly for usage, price in priced]
    rounded = to_the_cent(exact, in_cents(sum(exact, Decimal(0))))
    return Bill(tuple(Line(*each, monthly) for each, monthly in zip(priced, rounded, strict=True)))


def in_cents(amount: Decimal) -> Decimal:
    """An amount in whole cents, half a cent upward."""
    return amount.quantize(CENT, ROUND_HALF_UP)


def to_the_cent(amounts: Sequence[Decimal], total: Decimal) -> tuple[Decimal, ...]:
    """The amounts in cents. The last takes what rounding left over, so that they add up to `total`."""
    if not amounts:
        return ()
    rounded = [in_cents(each) for each in amounts[:-1]]
    return (*rounded, total - sum(rounded, Decimal(0)))
