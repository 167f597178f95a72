"""The progress of a long move, in the journal: one document for each change, written under the plan's lease."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from optimizer.execute.journal_writer import JournalWriter
from optimizer.model.decision import Json
from optimizer.model.health import Pause
from optimizer.model.phase import Phase
from optimizer.model.plan import Plan

ASKED_AGAIN = timedelta(seconds=10)


@dataclass
class MoveProgress:
    """The notes of one change. `allow` raises Stopped when the kill switch says so: a long move asks now and then."""

    pen: JournalWriter
    plan: Plan
    phase: Phase
    action: str
    resource: str
    say: Callable[[str], None]
    allow: Callable[[], None]
    _allowed: datetime | None = None

    def read(self) -> Mapping[str, Json] | None:
        """The document that was written last; None before."""
        return self.pen.journal.notes(self.plan, self.phase, self.action, self.resource)

    def write(self, document: Mapping[str, Json]) -> None:
        """Keep a document in the place of the last. Raises Stopped, and LeaseLost."""
        now = self.pen.journal.aws.clock.now()
        if self._allowed is None or now - self._allowed >= ASKED_AGAIN:
            self.allow()
            self._allowed = now
        self.pen.keep_notes(self.plan, self.phase, self.action, self.resource, document)

    def hold(self) -> None:
        """Be sure that the plan's lease is still ours. Raises LeaseLost."""
        self.pen.lease.hold()

    def announce(self, pause: Pause) -> None:
        """Say in the journal that requests are refused by our own doing, or that this is over. Raises LeaseLost."""
        self.pen.keep_pause(self.plan, pause)
