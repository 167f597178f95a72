"""The dated price table: on-demand list prices per Region, each with its source.

A price that is not in the table is an error and never guessed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from importlib.resources import files

from optimizer.errors import PriceMissing

HOURS_PER_MONTH = Decimal(730)


@dataclass(frozen=True)
class Price:
    """One list price: US dollars for one `unit` (hour, GB, GB-month, key-month, or million requests).

    `source` is the page that publishes it; `dated`, `note`: when and with what it was last compared.
    """

    usd: Decimal
    unit: str
    source: str
    dated: date
    note: str = ""

    @property
    def monthly(self) -> Decimal:
        """US dollars for one of it, a month long."""
        return self.usd * HOURS_PER_MONTH if self.unit == "hour" else self.usd


@cache
def price_table() -> Mapping[tuple[str, str], Price]:
    """All known prices, by Region and item."""
    document = json.loads(files("optimizer.observe").joinpath("prices.json").read_text())
    return {
        (row["region"], row["item"]): Price(
            Decimal(row["usd"]), row["unit"], row["source"], date.fromisoformat(row["date"]), row.get("note", "")
        )
        for row in document["prices"]
    }


def price_of(item: str, region: str) -> Price:
    """The list price of one item in one Region. Raises PriceMissing."""
    try:
        return price_table()[(region, item)]
    except KeyError:
        raise PriceMissing(
            f"no price is known for {item} in {region}: "
            "add it with its source and date to optimizer/observe/prices.json."
        ) from None


def prices_dated() -> str:
    """The date of the oldest price in the table: none is older."""
    return min(price.dated for price in price_table().values()).isoformat()
