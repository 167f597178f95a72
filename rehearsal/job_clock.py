"""The clock of a running job: while the job waits, builds that AWS starts beside it run at their own time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from emulator.account import EmulatedAccount


@dataclass
class Beside:
    """The build that runs beside a waiting job: its next start (up to a given moment), and its run. None: no build."""

    next_start: Callable[[datetime], datetime | None] | None = None
    run: Callable[[], object] | None = None
    running: bool = False


@dataclass(frozen=True)
class JobClock:
    """The account's time, as a job sees it. A job that runs beside another one waits alone."""

    account: EmulatedAccount

    def now(self) -> datetime:
        """The account's present time."""
        return self.account.clock.now()

    def sleep(self, seconds: float) -> None:
        """Let simulated time pass, and run the builds that start meanwhile."""
        beside, end = self.account.part(Beside), self.now() + timedelta(seconds=max(0.0, seconds))
        while (at := self._next(beside, end)) is not None:
            self.account.clock.advance_to(at)
            assert beside.run is not None, "it says when it starts"
            beside.running = True
            try:
                with self.account.acting("Watch"):
                    beside.run()
            finally:
                beside.running = False
        self.account.clock.advance_to(end)

    def _next(self, beside: Beside, end: datetime) -> datetime | None:
        if beside.running or beside.next_start is None:
            return None
        return beside.next_start(end)
