"""On-demand list prices per Region, each with its source and date.

The table beside this file is the offline source; the Price List API (price_list.py) may replace
any of it. An unknown price is an error, never an estimate, and an old one is named.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from importlib.resources import files

from domain.errors import PriceMissing

HOURS_PER_MONTH = Decimal(730)
OLD = timedelta(days=180)  # AWS changes few list prices a year; an older price is compared again

Item = tuple[str, str]  # Region, item
# Suffix of an item's name for another price of the same thing: "db.r6g.4xlarge I/O-Optimized".
OPTIMIZED, VALKEY, MYSQL = " I/O-Optimized", " Valkey", " MySQL"  # of an Aurora MySQL: " MySQL I/O-Optimized"


@dataclass(frozen=True)
class Price:
    """One list price: US dollars for one `unit` (hour, GB, GB-month, key-month, metric-month, or million requests).

    `source` is the page that publishes it; `dated`, `note`: date and method of the last comparison.
    """

    usd: Decimal
    unit: str
    source: str
    dated: date
    note: str = ""

    @property
    def monthly(self) -> Decimal:
        """US dollars for one unit during a month."""
        return self.usd * HOURS_PER_MONTH if self.unit == "hour" else self.usd


@dataclass(frozen=True)
class PriceBook:
    """All known prices."""

    prices: Mapping[Item, Price]

    def of(self, item: str, region: str) -> Price:
        """The list price of one item in one Region. Raises PriceMissing."""
        try:
            return self.prices[region, item]
        except KeyError:
            raise PriceMissing(
                f"no price is known for {item} in {region}: add it with its source and date to domain/prices.json."
            ) from None

    @property
    def dated(self) -> str:
        """The date of the oldest price."""
        return min(price.dated for price in self.prices.values()).isoformat()

    def old(self, used: Iterable[Item], today: date) -> tuple[Item, ...]:
        """The prices that were last compared before `OLD`."""
        return tuple(item for item in used if item in self.prices and today - self.prices[item].dated > OLD)

    def with_newer(self, prices: Mapping[Item, Price]) -> PriceBook:
        """The same book with these prices instead of its own."""
        return PriceBook({**self.prices, **prices})


@cache
def price_table() -> Mapping[Item, Price]:
    """The dated table that comes with the code."""
    document = json.loads(files("domain").joinpath("prices.json").read_text())
    return {
        (row["region"], row["item"]): Price(
            Decimal(row["usd"]), row["unit"], row["source"], date.fromisoformat(row["date"]), row.get("note", "")
        )
        for row in document["prices"]
    }


EMBEDDED = PriceBook(price_table())


def price_of(item: str, region: str) -> Price:
    """The embedded list price of one item in one Region. Raises PriceMissing."""
    return EMBEDDED.of(item, region)
