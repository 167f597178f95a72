"""The races one by one, each played as it would happen; and with what guards against it switched off."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from random import Random

import pytest

from domain.errors import MoveFailed
from emulator.account import Crash
from optimizer.consolidate import backfill, cutover, writes
from optimizer.consolidate import copy as copying
from optimizer.consolidate import replay as follow
from optimizer.consolidate.comparison import compare
from optimizer.consolidate.copy import Follower
from optimizer.consolidate.mapping import Entity
from optimizer.consolidate.merge import Speed
from optimizer.consolidate.state import Stage
from tests.consolidate import campaign
from tests.consolidate.campaign import agree
from tests.consolidate.platform import MERGE, MemoryNotes, Platform, lived

SPEED = Speed(units=1e6, segments=1, workers=1, page=50)


def begun(platform: Platform) -> Follower:
    platform.application.busy = False
    campaign.create_target(platform.aws, MERGE, campaign.LIKE, {})
    return Follower(platform.aws, MERGE, MemoryNotes(), copying.begin(platform.aws, MERGE, SPEED))


def changed_before_it_lands(platform: Platform) -> None:
    """A page was read; before it lands its items are changed and deleted, and that is followed."""
    follower = begun(platform)
    application, calls = platform.application, platform.between.calls

    def overtake() -> None:
        if platform.between.calls != calls + 2:  # the read of the first page is the first, its landing the second
            return
        keys = sorted(application.items[Entity.TENANTS])
        for key in keys[::3]:
            application._delete(Entity.TENANTS, key)
        for key in keys[1::3]:
            application._update(Entity.TENANTS, key)
        follower.follow()

    platform.between.step = overtake
    for segment in follower.state.segments:
        while not segment.done:
            segment, _ = backfill.copy_page(platform.aws, MERGE, segment, SPEED.page)
    follower.follow()
    compare(platform.aws, MERGE, SPEED, lambda: None)  # takes the tombstones away
    agree(platform.missing_in_target())


def lands_after_its_sender_died(platform: Platform) -> None:
    """The one call of a dead process that was on its way lands when its successor is far ahead."""
    follower = begun(platform)
    campaign.copy(platform.aws, notes := MemoryNotes(), SPEED)
    application, key = platform.application, (Entity.USERS, sorted(platform.application.items[Entity.USERS])[0])
    for calls in range(1, 60):
        application._update(*key)
        platform.between.left, platform.between.lands_late = [calls], True
        platform.between.random = AlwaysLate()
        with suppress(Crash):  # it may be done before so many calls
            Follower(platform.aws, MERGE, notes, campaign.state_of(notes)).follow()
        platform.between.left = []
        application._update(*key)
        for _ in range(4):
            follower = Follower(platform.aws, MERGE, notes, campaign.state_of(notes))
            follower.follow()
        platform.between.end()
        agree(platform.missing_in_target())


class AlwaysLate(Random):
    def choice(self, seq):
        return "late"

    def randrange(self, *bounds):
        return 10**6


def dies_between_the_two_pointers(platform: Platform) -> None:
    """One pointer is turned and the application writes there, before the run that goes on."""
    begun(platform)
    notes = MemoryNotes()
    campaign.copy(platform.aws, notes, SPEED)
    campaign.open_way_back(platform.aws)
    cutover.prove(platform.aws, MERGE, SPEED, notes, campaign.state_of(notes))
    turn = cutover.turn_pointers

    def turn_one(aws, wanted):
        turn(aws, {Entity.TENANTS: MERGE.target})
        raise Crash("between the two")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cutover, "turn_pointers", turn_one)
        with pytest.raises(Crash):
            cutover.flip(platform.aws, MERGE, SPEED, notes, campaign.state_of(notes), Random(1))
    platform.write(60)
    cutover.flip(platform.aws, MERGE, SPEED, notes, campaign.state_of(notes), Random(1))
    platform.notes = notes
    campaign.standing_still(platform)
    agree(platform.missing_in_sources() + platform.missing_in_target())


def skips_tombstones(off: pytest.MonkeyPatch) -> None:
    off.setattr(follow, "bury", writes.delete)


def inserts_unconditionally(off: pytest.MonkeyPatch) -> None:
    off.setattr(backfill, "insert", lambda table, item: {"Put": {"TableName": table, "Item": dict(item)}})


def knows_no_versions(off: pytest.MonkeyPatch) -> None:
    off.setattr(writes, "OLDER", "attribute_not_exists(tap_mark_never)")


def forgets_that_it_flipped(off: pytest.MonkeyPatch) -> None:
    """The application's first writes on the target are taken for the following's own, or a stranger's."""
    keep = Follower.keep

    def without(follower, state):
        keep(follower, replace(state, stage=Stage.PROVEN) if state.stage is Stage.FLIPPED else state)

    off.setattr(Follower, "keep", without)


RACES = [
    (changed_before_it_lands, [skips_tombstones, inserts_unconditionally]),
    (lands_after_its_sender_died, [knows_no_versions]),
    (dies_between_the_two_pointers, [forgets_that_it_flipped]),
]


@pytest.mark.parametrize("race", [race for race, _ in RACES])
def test_it_ends_well(race: Callable[[Platform], None]) -> None:
    with lived(100, 3, hops=(0,)) as platform:
        race(platform)


@pytest.mark.parametrize(("race", "switch_off"), [(race, off) for race, offs in RACES for off in offs])
def test_without_the_guard_it_does_not(race, switch_off, monkeypatch) -> None:
    switch_off(monkeypatch)
    with lived(100, 3, hops=(0,)) as platform, pytest.raises((AssertionError, MoveFailed)):
        race(platform)
