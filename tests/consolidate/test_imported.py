"""A table imported from merged exports, followed from then on, ends as one that was copied: while everybody writes."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from optimizer.consolidate.imported import EXPORTED_AT, exported_at

from domain.errors import MoveFailed, Refused
from domain.indexes import MERGED, merged_indexes
from optimizer.consolidate import copy as copying
from optimizer.consolidate import cutover
from optimizer.consolidate.export_format import merged_line, read_line, write_line
from optimizer.consolidate.mapping import Entity
from optimizer.consolidate.merge import Speed
from optimizer.consolidate.table_schema import table_shape
from tests.consolidate.platform import KEPT, MERGE, MemoryNotes, Platform, emulated

SPEED = Speed(units=1e6, segments=2, workers=1, page=20)


def imported(platform: Platform, *, tagged: str | None = None) -> None:
    """Export both tables, merge them line by line as the Spark job does, import them; the application writes on."""
    exported = platform.clock.now()
    lines = [
        merged_line(entity, KEPT, write_line(item)) for entity in Entity for item in platform.stored(entity).values()
    ]
    platform.clock.sleep(1800)
    platform.write(60)
    dynamodb = platform.aws.dynamodb
    dynamodb.create_table(
        TableName=MERGED,
        BillingMode="PAY_PER_REQUEST",
        Tags=[{"Key": EXPORTED_AT, "Value": tagged or exported.isoformat()}],
        **table_shape(MERGED, merged_indexes(KEPT)),
    )
    for line in lines:
        dynamodb.put_item(TableName=MERGED, Item=read_line(line))
    platform.clock.sleep(1800)
    platform.write(60)


@pytest.mark.parametrize("seed", range(3))
def test_what_was_written_since_the_export_is_followed(seed: int) -> None:
    with emulated(60, seed) as platform:
        imported(platform)
        assert platform.missing_in_target(), "nothing was written meanwhile: there is nothing to show"
        follow(platform)
        platform.application.busy = False
        assert platform.missing_in_target() == []


def follow(platform: Platform, *, begun: datetime | None = None) -> None:
    notes, aws = MemoryNotes(), platform.aws
    state = copying.begin(aws, MERGE, SPEED)
    assert all(segment.done for segment in state.segments), "it was imported: nothing is left to copy"
    state = replace(state, begun=begun or state.begun)
    state = copying.copy(aws, MERGE, SPEED, notes, state)
    cutover.prove(aws, MERGE, SPEED, notes, state)


def test_followed_from_later_on_the_proof_names_what_is_stale() -> None:
    with emulated(60, 1) as platform:
        imported(platform)
        with pytest.raises(MoveFailed, match="items differ between sources and target"):
            follow(platform, begun=platform.clock.now())


def test_an_export_that_the_streams_do_not_reach_back_to_is_too_old() -> None:
    with emulated(10, 1) as platform:
        imported(platform, tagged=(platform.clock.now() - timedelta(hours=23)).isoformat())
        with pytest.raises(MoveFailed, match="keep changes for 24 h"):
            follow(platform)


def test_a_target_that_was_not_imported_has_no_such_time() -> None:
    with emulated(2, 1) as platform:
        assert exported_at(platform.aws, MERGE) is None


def test_a_tag_that_is_no_time_is_refused() -> None:
    with emulated(2, 1) as platform:
        imported(platform, tagged="yesterday")
        with pytest.raises(Refused, match="'yesterday', which is no time"):
            exported_at(platform.aws, MERGE)
