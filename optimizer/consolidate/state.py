"""The state of a consolidation, kept in the journal, so that any run can carry it on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from pydantic import TypeAdapter

from domain.clock import Clock
from domain.errors import MoveFailed
from optimizer.action import Notes
from optimizer.consolidate.following.streams import StreamPosition
from optimizer.model.health import Pause
from optimizer.resources.tables.items import Address

RENEWED_EVERY = timedelta(minutes=1)
SHOWN = 10  # addresses that a message names
MOST_ASIDE = 100  # keys of 3 KB fit into one note; more cannot be single items
SET_ASIDE = (
    "Make what is named such that the other side takes it, or delete it; then run the same command again: it looks at "
    "these items as they are then."
)


class MergeStage(StrEnum):
    """COPYING inserts, COPIED may be turned.

    FLIPPED is written before the first pointer is turned: from then on the target leads. RETURNING is written, both
    sides equal, before the sources may be written again: from then on they lead. RETURNED: rolled back, and late
    writes were looked for. STOPPED: accepted, nothing is carried back any more.
    """

    COPYING = "copying"
    COPIED = "copied"
    FLIPPED = "flipped"
    RETURNING = "returning"
    RETURNED = "returned"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Segment:
    """One part of one source, and how far it was copied: `after` is the last key read."""

    source: str
    number: int
    of: int
    after: Mapping[str, Any] | None = None
    items: int = 0
    done: bool = False


@dataclass(frozen=True)
class Aside:
    """An item of the leading side that the other side does not take, and why not."""

    address: Address
    reason: str


@dataclass(frozen=True)
class MergeState:
    """The whole of it.

    `equal_at`: when both sides were last made equal, all of them. `proof`: the sums of both sides by entity, as they
    were found equal last behind the write block. `outlasted`: since the pointers were turned nobody uses an old one any
    more, and late writes were looked for. `read`: by table, how far its stream was followed, of tables that are too
    large to be compared in a pause.
    """

    begun: datetime
    stage: MergeStage
    segments: tuple[Segment, ...]
    equal_at: datetime | None = None
    aside: tuple[Aside, ...] = ()
    proof: Mapping[str, str] = field(default_factory=dict)
    pauses: tuple[Pause, ...] = ()
    outlasted: bool = False
    read: Mapping[str, StreamPosition] = field(default_factory=dict)
    written_at: datetime | None = None  # when this was written

    @property
    def copied(self) -> int:
        return sum(each.items for each in self.segments)


_STATE = TypeAdapter(MergeState)


def read_state(notes: Notes) -> MergeState | None:
    """The state as it was kept; None before the copying began."""
    document = notes.read()
    return None if document is None else _STATE.validate_python(document)


def write_state(notes: Notes, state: MergeState) -> None:
    notes.write(_STATE.dump_python(state, mode="json"))


@dataclass
class MergeProgress:
    """The state of one run, and the journal that it is kept in."""

    notes: Notes
    state: MergeState
    clock: Clock

    def __post_init__(self) -> None:
        self._kept = self.clock.now()
        self._before = self.state.written_at

    @property
    def since_last_run(self) -> timedelta | None:
        """Time since another run wrote its last note; None when none did."""
        return None if self._before is None else max(self.clock.now() - self._before, timedelta(0))

    def keep(self, **changes: Any) -> None:
        """Write down what has changed. Raises LeaseLost, and Stopped."""
        state = replace(self.state, **changes, written_at=self.clock.now())
        write_state(self.notes, state)
        self.state, self._kept = state, self.clock.now()

    def renew(self) -> None:
        """Hold the lease when that was a while ago: it is as old as the last note. Raises LeaseLost."""
        if abs(self.clock.now() - self._kept) > RENEWED_EVERY:
            self.notes.hold()
            self._kept = self.clock.now()

    def announce(self, pause: Pause) -> None:
        """Keep a pause in which writes are refused, or its end, here and where health is judged."""
        before = (each for each in self.state.pauses if each.begin != pause.begin)
        self.keep(pauses=(*before, pause))
        self.notes.announce(pause)

    def set_aside(self, refused: Mapping[Address, str], looked_at: set[Address] | None = None) -> None:
        """Keep what the other side does not take; of what was not looked at (None: all was), what was kept stays.

        Raises MoveFailed when it is so much that it must have one cause.
        """
        stay = () if looked_at is None else (each for each in self.state.aside if each.address not in looked_at)
        aside = (*stay, *(Aside(address, why) for address, why in sorted(refused.items())))
        if len(aside) > MOST_ASIDE:
            raise MoveFailed(
                f"The other side does not take more than {MOST_ASIDE} items, the first because {aside[0].reason}"
            )
        if aside != self.state.aside:
            fresh = [each for each in aside if each not in self.state.aside]
            self.keep(aside=aside)
            for each in fresh:
                self.notes.say(f"set aside {each.address}: {each.reason}")

    def refuse_aside(self, when: str) -> None:
        """Raises MoveFailed that names what the other side does not take."""
        if aside := self.state.aside:
            raise MoveFailed(
                f"{when}: {len(aside)} items cannot be carried over, {named(each.address for each in aside)}. The "
                f"first: {aside[0].reason} {SET_ASIDE}"
            )


def named(addresses: Iterable[Address]) -> str:
    """The first of them, as a person reads them."""
    ordered = sorted(addresses)
    more = f" and {len(ordered) - SHOWN} more" if len(ordered) > SHOWN else ""
    return "; ".join(map(str, ordered[:SHOWN])) + more
