"""Time as a parameter. The account owns time: in a rehearsal, sleeping moves simulated time."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """The optimizer's interface to time."""

    def now(self) -> datetime:
        """The present, timezone-aware, in UTC."""

    def sleep(self, seconds: float) -> None:
        """Wait for this long."""


class SystemClock:
    """The machine's own time."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)
