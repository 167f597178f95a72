"""How far a consolidation is: kept in the journal, so that any run can carry it on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from pydantic import TypeAdapter

from optimizer.action import Notes
from optimizer.consolidate.backfill import Segment
from optimizer.consolidate.mapping import Entity
from optimizer.consolidate.stream_reader import Position


class Stage(StrEnum):
    """COPYING inserts and follows, FOLLOWING only follows, PROVEN may be flipped.

    FLIPPED is written before the first pointer is turned: from then on the target's changes count.
    RETURNING is written, the target's last change followed back, before the sources may be written again:
    from then on theirs count. RETURNED: rolled back. STOPPED: accepted, nothing is followed any more.
    """

    COPYING = "copying"
    FOLLOWING = "following"
    PROVEN = "proven"
    FLIPPED = "flipped"
    RETURNING = "returning"
    RETURNED = "returned"
    STOPPED = "stopped"


@dataclass(frozen=True)
class State:
    """The whole of it. `read_at`: when the streams in use were last read to their end.

    `outlasted`: since the flip nobody uses an old pointer any more, and late writes were looked for.
    """

    begun: datetime
    stage: Stage
    segments: tuple[Segment, ...]
    forward: Mapping[Entity, Position]
    read_at: datetime
    backward: Position | None = None
    proof: Mapping[str, str] = field(default_factory=dict)
    outlasted: bool = False

    @property
    def copied(self) -> int:
        return sum(each.items for each in self.segments)


_STATE = TypeAdapter(State)


def read_state(notes: Notes) -> State | None:
    """What was kept; None before the copying began."""
    document = notes.read()
    return None if document is None else _STATE.validate_python(document)


def write_state(notes: Notes, state: State) -> None:
    notes.write(_STATE.dump_python(state, mode="json"))
