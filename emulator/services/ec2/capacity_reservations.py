"""On-Demand Capacity Reservations of the account."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emulator.core.call_record import Call


@dataclass
class Reservations:
    """All reservations, cancelled ones included, in the form of their description; by account and Region."""

    by_place: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)
    by_token: dict[str, dict[str, Any]] = field(default_factory=dict)

    def of(self, call: Call) -> list[dict[str, Any]]:
        return self.by_place.setdefault((call.account, call.region), [])

    def active(self, kind: str) -> bool:
        """Whether any capacity of this instance type is reserved."""
        held = [each for place in self.by_place.values() for each in place]
        return any(each["InstanceType"] == kind and each["State"] == "active" for each in held)
