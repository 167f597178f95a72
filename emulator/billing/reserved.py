"""Reserved instances and nodes as their own services describe them: those that the scenario bought."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from emulator.billing.catalog import item, rate
from emulator.billing.ledger import Billing
from emulator.billing.spec import Reservation

if TYPE_CHECKING:
    from emulator.core.call_record import Call
    from emulator.core.port import Account


def _bought(account: Account, call: Call, service: str, ids: Sequence[str] | None) -> Iterator[Reservation]:
    """The Region's reservations of one service, as far as they were bought by now."""
    if call.account != account.production:
        return
    for each in account.part(Billing).spec.reservations:
        here = each.region == call.region and item(each.kind).service == service
        if here and each.begin <= account.clock.now() and (ids is None or each.id in ids):
            yield each


def _common(account: Account, each: Reservation) -> dict[str, Any]:
    upfront, hourly = _charges(each)
    return {
        "OfferingType": each.payment,
        "StartTime": each.begin,
        "Duration": _seconds(each),
        "State": _state(account, each),
        "FixedPrice": upfront,
        "UsagePrice": 0.0,
        "RecurringCharges": [{"RecurringChargeAmount": hourly, "RecurringChargeFrequency": "Hourly"}],
    }


def _charges(each: Reservation) -> tuple[float, float]:
    """What one instance costs upfront, and each hour."""
    hourly = rate(each.kind, each.region) * (1 - each.discount)
    hours = _seconds(each) / 3600
    return round(hourly * each.upfront * hours, 2), round(hourly * (1 - each.upfront), 6)


def _seconds(each: Reservation) -> int:
    return int((each.end - each.begin).total_seconds())


def _state(account: Account, each: Reservation) -> str:
    return "active" if account.clock.now() < each.end else "retired"


def _value(shown: Mapping[str, Any], name: str) -> str:
    """What a filter of EC2 looks at."""
    member = {"state": "State", "instance-type": "InstanceType", "scope": "Scope", "offering-class": "OfferingClass"}
    if name not in member:
        raise NotImplementedError(f"the filter {name} is not emulated; there are {', '.join(member)}.")
    return str(shown[member[name]])
