"""The move that records changes, of tables that are too large to be compared within the pause."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from domain.indexes import SOURCES
from optimizer.action import Move, When
from optimizer.consolidate.moves import Work
from optimizer.consolidate.target import find_target
from optimizer.ports.aws import Aws
from optimizer.resources.tables.stream import BOTH_IMAGES, has_stream, set_stream


def record_changes(work: Work) -> Move:
    """Once all is copied: what was changed before is found by comparing."""
    on: Mapping[str, str | None] = dict.fromkeys((*SOURCES, work.merge.target), BOTH_IMAGES)
    before = {name: work.before["tables"][name]["stream"] for name in SOURCES}  # that of the target goes with it

    def reached(aws: Aws, views: Mapping[str, str | None]) -> bool:
        return all(has_stream(aws, name, view) for name, view in views.items())

    def record(aws: Aws, views: Mapping[str, str | None]) -> None:
        for name, view in views.items():
            set_stream(aws, name, view)

    return Move(
        name="streams",
        when=When.APPLY,
        summary=f"record the changes of both tables and of {work.merge.target}, with both images",
        is_done=lambda aws: find_target(aws, work.merge) is not None and reached(aws, on),
        do=lambda aws: record(aws, on),
        undo=lambda aws: record(aws, before),
        is_undone=lambda aws: reached(aws, before),
        deadline=timedelta(minutes=15),
        poll=timedelta(seconds=5),
        touches=work.both,
    )
