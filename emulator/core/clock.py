"""Simulated time, owned by the account: moving it runs AWS's later changes, each at its own time."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import RLock


class SimulatedClock:
    """A clock that moves only when somebody sleeps.

    `run` is called once per due event, with the clock already at the event's time, so that
    the account can wrap the event. Times are aware and in UTC.
    """

    def __init__(self, start: datetime, lock: RLock, run: Callable[[Callable[[], object]], None]) -> None:
        if start.tzinfo is None:
            raise ValueError(f"{start} has no time zone: simulated time is in UTC")
        self._now = start.astimezone(UTC)
        self._lock = lock
        self._run = run
        self._due: list[tuple[datetime, int, Callable[[], object]]] = []
        self._order = itertools.count()  # events of the same instant run in the order they were scheduled
        self._moving = False

    def now(self) -> datetime:
        """The account's present time."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Let simulated time pass; takes no real time."""
        with self._lock:
            self.advance_to(self._now + timedelta(seconds=max(0.0, seconds)))

    def advance_to(self, moment: datetime) -> None:
        """Move to `moment` and run every event that is due by then. A moment in the past changes nothing.

        Raises RuntimeError when an event itself moves time: it would run events inside an event.
        """
        with self._lock:
            if self._moving:
                raise RuntimeError(
                    "an event of the simulated account tried to move time: schedule another event instead"
                )
            self._moving = True
            try:
                while self._due and self._due[0][0] <= moment:
                    at, _, event = heapq.heappop(self._due)
                    self._now = max(self._now, at)
                    self._run(event)
                self._now = max(self._now, moment.astimezone(UTC))
            finally:
                self._moving = False

    def schedule(self, at: datetime, event: Callable[[], object]) -> None:
        """Run `event` when time reaches `at`; an `at` in the past runs with the next move of time."""
        with self._lock:
            heapq.heappush(self._due, (at.astimezone(UTC), next(self._order), event))
