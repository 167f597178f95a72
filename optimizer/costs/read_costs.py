"""Cost of the account: counted from what runs, and as Cost Explorer shows the bill. Reads only.

Money decides nothing here, so what cannot be read is said in words and the plan goes on without it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeVar

from domain.errors import CostsUnknown
from domain.list_prices import EMBEDDED, OLD, PriceBook
from optimizer.costs.cost_explorer import (
    DAYS,
    Cost,
    CostExplorer,
    Expected,
    daily_costs,
    expected_costs,
    given_back,
    monthly_costs,
)
from optimizer.costs.footprint import Footprint
from optimizer.costs.list_bill import Bill, bill
from optimizer.costs.price_list import read_prices
from optimizer.costs.purchase_offers import Offers, read_offers
from optimizer.costs.read_commitments import Committing, read_commitments
from optimizer.costs.running_footprint import footprint_now
from optimizer.costs.table_use import TableUse
from optimizer.model.resource import Governed
from optimizer.ports.aws import Aws
from optimizer.resources.database.storage import Storage

T = TypeVar("T")


@dataclass(frozen=True)
class Running:
    """The running resources that have a price, with the prices. `notes` name what has no price and is left out."""

    footprint: Footprint
    storage: Storage | None
    prices: PriceBook
    bill: Bill | None
    notes: tuple[str, ...]

    def plus(self, use: TableUse) -> Running:
        """This and what the tables are billed for, as far as that has a price."""
        known, missing = Footprint(use.usages).without_unpriced(self.prices)
        footprint = self.footprint.plus(known.usages)
        notes = (*self.notes, *use.notes, *_without_price(missing))
        return replace(self, footprint=footprint, bill=bill(footprint, self.prices), notes=notes)


@dataclass(frozen=True)
class Billed:
    """Cost Explorer's answers: None where there was none; `notes` give the reason."""

    monthly: tuple[Cost, ...] | None
    daily: tuple[Cost, ...] | None
    given_back: tuple[Cost, ...] | None
    committing: Committing | None
    offers: Offers | None
    explorer: CostExplorer
    notes: tuple[str, ...]
    expected: tuple[Expected, ...] = ()  # by AWS; empty where it has no forecast


def read_running(
    aws: Aws, governed: Sequence[Governed], others: Collection[tuple[str, str]] = tuple(EMBEDDED.prices)
) -> Running:
    """Count what runs and price it, by the Price List where it answers; it is asked for these `others` as well."""
    footprint, storage = footprint_now(aws, governed)
    return priced(aws, footprint, storage, others)


def priced(aws: Aws, footprint: Footprint, storage: Storage | None, others: Collection[tuple[str, str]]) -> Running:
    """A footprint at today's list prices."""
    used = [(each.region, each.item) for each in footprint.usages]
    newer, notes = read_prices(aws, {*used, *others})
    prices = EMBEDDED.with_newer(newer)
    if old := prices.old(used, aws.clock.now().date()):
        named = ", ".join(f"{item} in {region}" for region, item in old)
        notes = (*notes, f"These prices were compared more than {OLD.days} days ago and may be wrong by now: {named}.")
    known, missing = footprint.without_unpriced(prices)
    return Running(known, storage, prices, bill(known, prices), (*notes, *_without_price(missing)))


def _without_price(missing: Collection[str]) -> tuple[str, ...]:
    if not missing:
        return ()
    names = ", ".join(missing)
    return (f"No price is known for {names}: what it costs, and what a change of it saves, is left out.",)


def no_bill(aws: Aws) -> Billed:
    """In the place of a bill that nobody wanted read."""
    nothing = None
    return Billed(nothing, nothing, nothing, nothing, nothing, CostExplorer(aws), ("The bill was not read, as asked.",))


def read_bill(aws: Aws) -> Billed:
    """All that is read from Cost Explorer, in the fewest requests; each part is known or left out by itself."""
    explorer, notes = CostExplorer(aws), list[str]()
    start = explorer.settled - timedelta(days=DAYS)

    def or_noted(read: Callable[[], T]) -> T | None:
        try:
            return read()
        except CostsUnknown as unknown:
            if str(unknown) not in notes:
                notes.append(str(unknown))
            return None

    monthly = or_noted(lambda: monthly_costs(explorer))
    daily = or_noted(lambda: daily_costs(explorer, start, explorer.settled)) if monthly else None
    back = or_noted(lambda: given_back(explorer)) if monthly else None
    expected = or_noted(lambda: expected_costs(explorer)) if monthly else None
    # Reports of commitments do not name their currency: it is known from the months.
    committing = or_noted(lambda: read_commitments(explorer)) if monthly is not None else None
    offers = or_noted(lambda: read_offers(explorer)) if committing is not None else None
    if monthly == ():
        notes.append("Cost Explorer shows no cost yet: the account is new, its first figures follow within a day.")
    return Billed(
        monthly,
        daily,
        back,
        committing,
        offers,
        explorer,
        (*notes, *(committing.notes if committing else ()), *(offers.notes if offers else ())),
        expected or (),
    )
