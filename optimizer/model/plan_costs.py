"""The money in a plan: cost before and after, and what each decision saves. Values that its hash covers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

DAYS_PER_MONTH = Decimal("30.4375")


@dataclass(frozen=True)
class Later:
    """The monthly saving of a change from a day on, when a commitment has ended."""

    since: date
    net: Decimal
    stranded: Decimal


@dataclass(frozen=True)
class Saving:
    """The saving of one APPLY decision, in US dollars a month, in execution order.

    `monthly` is at list price; `net` what really comes off today, `stranded` the commitment that nothing
    uses any more because of it, both None when the commitments are not known. `once` is what the change
    itself costs, None when a price is missing; `kept` what it costs each month from then on, which
    `monthly` and `net` hold already. `payback_months` is None when it is never earned back, or not known.
    """

    action: str
    resource: str
    monthly: Decimal
    net: Decimal | None = None
    stranded: Decimal | None = None
    later: tuple[Later, ...] = ()
    once: Decimal | None = None
    kept: Decimal = Decimal("0.00")
    payback_months: Decimal | None = None
    notes: tuple[str, ...] = ()

    def on(self, day: date) -> Decimal:
        """The monthly saving on that day: net where commitments are known, else at list price."""
        known = self.monthly if self.net is None else self.net
        return next((each.net for each in reversed(self.later) if each.since <= day), known)

    @property
    def words(self) -> str:
        """The net saving as a person reads it."""
        if self.net is None:
            return f"${self.monthly:,.2f} a month at list price"
        rates = [f"${self.net:,.2f} a month" if self.net else "0"]
        for each in self.later:
            rates.append(f"until {each.since:%Y-%m-%d}, then ${each.net:,.2f} a month")
        return " ".join(rates)


@dataclass(frozen=True)
class Totals:
    """One month of the platform's footprint, by FOCUS's names. `stranded` is the commitment that nothing uses."""

    list_cost: Decimal
    billed_cost: Decimal
    effective_cost: Decimal
    stranded: Decimal


@dataclass(frozen=True)
class PlanCosts:
    """Monthly cost in US dollars at list price: today, after the whole plan, and per decision.

    `totals_before` and `totals_after` hold the same net of commitments; None when these are not known.
    `notes` say in words what is missing or old.
    """

    before: Decimal
    after: Decimal
    savings: tuple[Saving, ...]
    prices_dated: str
    totals_before: Totals | None = None
    totals_after: Totals | None = None
    notes: tuple[str, ...] = ()
