"""Each protection of the merge, switched off: then items are lost, stale, doubled or resurrected."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from domain.errors import MoveFailed
from optimizer.consolidate import comparison, cutover
from optimizer.consolidate.following import followed_tables
from optimizer.consolidate.state import MergeProgress, MergeStage
from optimizer.consolidate.switches import Deadline
from tests.consolidate import campaign
from tests.consolidate.campaign import STREAMS, WHOLE, Way, migrate_there_and_back
from tests.consolidate.platform import MERGE, lived

SEEDS = range(5)
CALL = 0.05  # seconds that a call takes
Off = Callable[[pytest.MonkeyPatch], None]


def turns_without_a_write_block(off: pytest.MonkeyPatch) -> None:
    @contextmanager
    def open_to_all(aws: Any, _tables: Any) -> Iterator[Deadline]:
        yield Deadline(aws.clock, timedelta(hours=1), "late")

    off.setattr(cutover, "writes_blocked", open_to_all)


def does_not_compare_behind_it(off: pytest.MonkeyPatch) -> None:
    off.setattr(comparison.WholeTables, "settle", lambda _changes, _deadline: None)


def does_not_follow_behind_it(off: pytest.MonkeyPatch) -> None:
    off.setattr(followed_tables.FollowedTables, "settle", lambda _changes, _deadline: None)


def deletes_nothing(off: pytest.MonkeyPatch) -> None:
    write_all = comparison.write_all
    off.setattr(comparison, "write_all", lambda aws, writes, _: write_all(aws, [each for each in writes if each.item]))


def forgets_that_it_turned(off: pytest.MonkeyPatch) -> None:
    """A run that goes on takes the application's first writes on the merged table for differences."""
    keep = MergeProgress.keep

    def without(progress: MergeProgress, **changes: Any) -> None:
        if changes.get("stage") is MergeStage.FLIPPED:
            changes.pop("stage")
        keep(progress, **changes)

    off.setattr(MergeProgress, "keep", without)


@pytest.mark.parametrize(
    ("switch_off", "way"),
    [
        (turns_without_a_write_block, WHOLE),
        (turns_without_a_write_block, STREAMS),
        (does_not_compare_behind_it, WHOLE),
        (does_not_follow_behind_it, STREAMS),
        (deletes_nothing, WHOLE),
        (deletes_nothing, STREAMS),
        (forgets_that_it_turned, WHOLE),
    ],
)
def test_without_it_the_merge_fails(switch_off: Off, way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    switch_off(monkeypatch)
    with pytest.raises((AssertionError, MoveFailed)):  # noqa: PT012 -- any of the seeds
        for seed in SEEDS:
            with lived(200, seed) as platform:
                migrate_there_and_back(platform, way)


@pytest.mark.parametrize("way", [WHOLE, STREAMS], ids=["whole", "streams"])
def test_behind_a_block_that_does_not_hold_nothing_is_turned(way: Way) -> None:
    """Writes continue: after three minutes the sources accept them again."""
    with lived(100, 0) as platform:

        def busy() -> None:
            platform.write(24)  # of 3 at random, none may change anything
            platform.clock.sleep(CALL)

        campaign.copied(platform, way)
        platform.application.clients.dynamodb._fenced = False
        platform.between.step = busy
        with pytest.raises(MoveFailed, match="were denied for 0:03:00"):
            campaign.turn(platform.aws, platform.notes, way)
        assert cutover.is_turned_back(platform.aws, MERGE)


def test_a_resumed_turn_goes_on_where_the_dead_one_was() -> None:
    """One pointer is turned and the application writes there, before the run that goes on."""
    with lived(100, 3, hops=(0,)) as platform:
        campaign.copied(platform)
        aws = platform.aws
        put, turned = aws.ssm_once.put_parameter, []

        def put_one(**asked: Any) -> Any:
            if turned:
                raise KeyboardInterrupt
            turned.append(asked)
            return put(**asked)

        aws.ssm_once.put_parameter = put_one
        with pytest.raises(KeyboardInterrupt):
            campaign.turn(aws, platform.notes)
        platform.write(60)
        campaign.turn(platform.aws, platform.notes)
        platform.application.busy = False
        campaign.agree(platform.missing_in_target())
        campaign.turn_back(platform.aws, platform.notes)
        campaign.agree(platform.missing_in_sources())
