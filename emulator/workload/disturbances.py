"""What AWS itself does to the service: the seconds of a failover or of an instance that restarts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

# Of all requests, while the database takes none: those that write, or that wait for it in vain.
FAILING_SHARE = 0.3


@dataclass(frozen=True)
class Disturbance:
    """From `begin` to `end`, in Unix seconds, this share of the requests fails at the targets."""

    begin: float
    end: float
    error_rate: float


class Disturbances:
    """All of one account, in the order in which they began."""

    def __init__(self) -> None:
        self._known: list[Disturbance] = []

    def add(self, begin: datetime, length: timedelta, error_rate: float = FAILING_SHARE) -> None:
        """Requests fail for this long."""
        self._known.append(Disturbance(begin.timestamp(), (begin + length).timestamp(), error_rate))

    def __iter__(self) -> Iterator[Disturbance]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)
