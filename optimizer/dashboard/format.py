"""Numbers and times as a person reads them: always with their unit, always in UTC."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from optimizer.model.decision import Measured

NO_VALUE = "–"
# Unicode's bidirectional controls (UAX #9): in a resource's name they could make another text read backwards.
DIRECTION_CONTROLS = dict.fromkeys([0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)], "\ufffd")


def dollars(amount: Decimal) -> str:
    """Whole US dollars, for headlines: `$30,526`."""
    return f"{'−' if amount < 0 else ''}${abs(amount).quantize(Decimal(1), ROUND_HALF_UP):,}"


def dollars_and_cents(amount: Decimal) -> str:
    """US dollars to the cent, for tables: `$30,525.68`."""
    return f"{'−' if amount < 0 else ''}${abs(amount).quantize(Decimal('0.01'), ROUND_HALF_UP):,}"


def interval(low: Decimal, high: Decimal) -> str:
    """`$4,310 to $4,330`; one amount where both read the same."""
    return dollars(low) if dollars(low) == dollars(high) else f"{dollars(low)} to {dollars(high)}"


def percent(share: float) -> str:
    """A share as a percentage: 0.202 is `20 %`, 0.0042 is `0.42 %`."""
    value = share * 100
    return f"{value:.2f} %" if abs(value) < 1 else f"{value:.1f} %" if abs(value) < 10 else f"{value:.0f} %"


def moment(at: datetime) -> str:
    """`Mon 1 Mar 2027, 08:00 UTC`."""
    there = at.astimezone(UTC)
    return f"{there:%a} {there.day} {there:%b %Y, %H:%M} UTC"


def short_moment(at: datetime) -> str:
    """`1 Mar, 08:00 UTC`, where the year is plain."""
    there = at.astimezone(UTC)
    return f"{there.day} {there:%b, %H:%M} UTC"


def day(at: datetime) -> str:
    """`1 Mar 2027`."""
    return date_of(at.astimezone(UTC).date())


def date_of(at: date) -> str:
    """The same of a date."""
    return f"{at.day} {at:%b %Y}"


def month_of(at: date) -> str:
    """`Mar 2027`."""
    return f"{at:%b %Y}"


def hours(span: timedelta) -> str:
    """`48 h`, `2.5 h`; `60 days` from three days on."""
    if span >= timedelta(days=3):
        return f"{span / timedelta(days=1):.3g} days"
    return f"{span / timedelta(hours=1):.3g} h"


def quantity(value: Measured, unit: str) -> str:
    """A measured value with its unit; None is said, not left blank."""
    if value is None or value != value:  # NaN
        return "no data"
    if isinstance(value, bool):
        text = "yes" if value else "no"
    elif isinstance(value, float):
        text = f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:,.4g}"
    elif isinstance(value, int):
        text = f"{value:,}"
    else:
        text = value
    return f"{text} {unit}".strip()


def count(number: int, one: str, many: str | None = None) -> str:
    """`1 change`, `2 changes`, `no change`."""
    return f"{number if number else 'no'} {one if number in (0, 1) else many or one + 's'}"


def label_in(arn: str) -> str:
    """The name a person knows a resource by: the last part of its ARN; anything else as it is.

    A load balancer's ARN ends in `/app/NAME/ID` (Service Authorization Reference, Elastic Load Balancing v2).
    """
    if not arn.startswith("arn:"):
        return arn
    last = arn.split(":", 5)[-1]
    if last.startswith("loadbalancer/"):
        return last.split("/")[-2]
    return last.split("/")[-1].split(":")[-1] if "/index/" not in last else last.removeprefix("table/")


def person_in(arns: str) -> str:
    """The names of people in these ARNs: the user or the session's name, which is the last part of each."""
    return " and ".join(each.rsplit("/", 1)[-1] for each in arns.split(" and "))


def visible(text: str) -> str:
    """Text in which nothing turns the reading direction unseen: such control characters are shown as �."""
    return text.translate(DIRECTION_CONTROLS)


def listed(items: Sequence[str]) -> str:
    """`a, b and c`."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}" if items else ""


def region_in(arn: str) -> str:
    """The Region in an ARN; nothing where it has none, as a global database."""
    parts = arn.split(":")
    return parts[3] if len(parts) > 5 and parts[0] == "arn" else ""
