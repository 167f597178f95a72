"""Interruptions that AWS itself causes: the seconds of a failover or of an instance that restarts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

# Share of all requests while the database is down: those that write, or that wait for it and time out.
FAILING_SHARE = 0.3


@dataclass(frozen=True)
class Disturbance:
    """From `begin` to `end`, in Unix seconds, `error_rate` of the requests fail at the targets."""

    begin: float
    end: float
    error_rate: float


class Disturbances:
    """All disturbances of one account, in the order of their begins."""

    def __init__(self) -> None:
        self._known: list[Disturbance] = []

    def add(self, begin: datetime, length: timedelta, error_rate: float = FAILING_SHARE) -> None:
        """Let `error_rate` of the requests fail for `length`."""
        self._known.append(Disturbance(begin.timestamp(), (begin + length).timestamp(), error_rate))

    def __iter__(self) -> Iterator[Disturbance]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)
