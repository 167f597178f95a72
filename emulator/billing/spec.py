"""The part of a scenario that only the bill shows: age of the account, commitments, credits.

The discounts of reservations and Savings Plans are invented for the rehearsal, like every figure of a
scenario: AWS's own differ by type, term, payment and Region.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt

Discount = Annotated[float, Field(gt=0, lt=1)]
Payment = Literal["No Upfront", "Partial Upfront", "All Upfront"]
UPFRONT: dict[str, float] = {"No Upfront": 0.0, "Partial Upfront": 0.5, "All Upfront": 1.0}


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Access(Enum):
    """Whether Cost Explorer answers. DENIED: the caller has no permission. OFF: nobody enabled it in the account."""

    ON = "on"
    OFF = "off"
    DENIED = "denied"


class _Commitment(_Value):
    """A commitment for one or three years from `start` on, at `discount` off the list price."""

    id: str
    start: date
    years: Literal[1, 3] = 1
    payment: Payment = "No Upfront"
    discount: Discount

    @property
    def begin(self) -> datetime:
        return datetime.combine(self.start, time(), UTC)

    @property
    def end(self) -> datetime:
        """The first moment after the term."""
        return self.begin.replace(year=self.begin.year + self.years)

    @property
    def upfront(self) -> float:
        """The share of the price that is paid on the first day."""
        return UPFRONT[self.payment]


class ReservationSpec(_Commitment):
    """Reserved EC2 instances (regional), RDS instances or ElastiCache nodes of one type."""

    kind: str
    count: PositiveInt
    region: str = "us-east-1"
    platform: str = "Linux/UNIX"
    tenancy: str = "default"
    owner: str = ""  # another account of the organization that shares it; empty: the account's own


class SavingsPlanSpec(_Commitment):
    """A commitment in US dollars an hour, after the discount. An EC2 Instance plan is for one family."""

    type: Literal["Compute", "EC2Instance"] = "Compute"
    per_hour: Annotated[float, Field(gt=0)]
    family: str | None = None
    region: str | None = None


class AccountMember(_Value):
    """Another account of the organization that the account pays for, with its hourly spend on EC2."""

    account: str
    per_hour: Annotated[float, Field(gt=0)]


class Adjustment(_Value):
    """Money that AWS gives back, on the first day of a month."""

    month: date
    service: str
    usd: Annotated[float, Field(gt=0)]
    kind: Literal["Credit", "Refund"] = "Credit"


class Currency(_Value):
    """The currency of the bill: Cost Explorer shows amounts and unit in it."""

    code: str = "USD"
    per_usd: Annotated[Decimal, Field(gt=0)] = Decimal(1)


class BillingSpec(_Value):
    """The bill beyond the lived days. `earlier_months`: age of the account before them."""

    earlier_months: NonNegativeInt = 12
    cost_explorer: Access = Access.ON
    reservations: tuple[ReservationSpec, ...] = ()
    savings_plans: tuple[SavingsPlanSpec, ...] = ()
    adjustments: tuple[Adjustment, ...] = ()
    currency: Currency = Currency()
    members: tuple[AccountMember, ...] = ()  # none: it pays for itself alone
    offered: Discount = 0.3  # AWS's discount for a commitment that nobody has bought yet
