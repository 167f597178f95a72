"""Whether a phase can still be taken back: asked of every move that was begun, before the journal says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from domain.errors import WayBackClosed
from optimizer.execute.engine import ResourceChange
from optimizer.execute.records import MoveRecord, MoveState
from optimizer.ports.aws import Aws


def require_open(aws: Aws, changes: Mapping[tuple[str, str], ResourceChange], records: Sequence[MoveRecord]) -> None:
    """Raises WayBackClosed when a move that was begun cannot be undone any more."""
    for record in records:
        change = changes[(record.action, record.resource)]
        move = next(each for each in change.moves if each.name == record.name)
        if record.state is MoveState.UNDONE or move.closed is None:
            continue
        if why := move.closed(aws.at(change.governed.region)):
            raise WayBackClosed(
                f"Phase {record.phase.number} cannot be rolled back: {record.action} cannot undo {record.summary!r}. "
                f"{why} The phase stays as it is, and watched. Mend that by hand (docs/runbook.md, The way back is "
                "closed), then run this again."
            )
