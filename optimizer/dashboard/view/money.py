"""The parts of the View that show money beyond list price: bills, commitments, and what is worth looking at.

Amounts are US dollars a month unless said otherwise; names of costs are FOCUS's. As in view.py, texts are
worded for a person already, and escaping is the template's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal


@dataclass(frozen=True)
class ServiceBars:
    """One service's effective cost, month by month as `MonthlyBill.months` has them."""

    name: str
    amounts: tuple[Decimal, ...]


@dataclass(frozen=True)
class MonthRow:
    """All services in one month. `estimated` until the bill is closed; None where commitments are not known."""

    month: date
    listed: Decimal | None
    billed: Decimal
    effective: Decimal
    stranded: Decimal | None
    estimated: bool


@dataclass(frozen=True)
class Ahead:
    """One month to come, with its 95 % interval."""

    month: date
    cost: Decimal
    low: Decimal
    high: Decimal


@dataclass(frozen=True)
class MonthlyBill:
    """The bill by month and service, the dearest first, and the months ahead."""

    services: tuple[ServiceBars, ...]
    months: tuple[MonthRow, ...]
    ahead: tuple[Ahead, ...]
    summary: str
    label: str = "ahead, nothing changed"


@dataclass(frozen=True)
class TotalsRow:
    """One kind of cost of the footprint, before the plan and after the whole of it."""

    name: str
    means: str
    before: Decimal
    after: Decimal


@dataclass(frozen=True)
class NetRow:
    """The saving of one change: at list price, now, and once commitments end; and the cost of making it."""

    title: str
    resource: str
    listed: str
    net: str
    later: str
    once: str
    payback: str


@dataclass(frozen=True)
class CommitmentRow:
    """One reservation or Savings Plan in force."""

    what: str
    region: str
    monthly: Decimal
    ends: date


@dataclass(frozen=True)
class Net:
    """The plan's costs net of commitments."""

    totals: tuple[TotalsRow, ...]
    rows: tuple[NetRow, ...]
    commitments: tuple[CommitmentRow, ...]
    left_out: str
    summary: str


@dataclass(frozen=True)
class FindingRow:
    """Something worth money that no action carries out."""

    title: str
    evidence: str
    advice: str
    costs_now: Decimal
    source: str


@dataclass(frozen=True)
class PurchaseRow:
    """A possible reservation of one family, in normalized units: as AWS offers it, and what the target leaves open."""

    family: str
    region: str
    offered: str
    today: str
    target: str
    saving: str


@dataclass(frozen=True)
class Worth:
    """Findings besides the plan; `advice` says when to commit."""

    findings: tuple[FindingRow, ...]
    purchases: tuple[PurchaseRow, ...]
    advice: str
