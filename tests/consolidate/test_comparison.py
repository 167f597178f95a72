"""Everything on both sides: the sums that are kept of it, and a lease that does not end meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from optimizer.consolidate.proof import refuse_other_sums, told

from domain.errors import MoveFailed
from optimizer.consolidate import cutover
from optimizer.consolidate.comparison import Comparison, Tally
from optimizer.consolidate.copy import Follower
from optimizer.consolidate.mapping import Entity
from optimizer.consolidate.merge import Speed
from optimizer.consolidate.state import State
from optimizer.execute.lease import DURATION
from tests.consolidate import campaign
from tests.consolidate.platform import MERGE, MemoryNotes, Platform, lived

SPEED = Speed(units=1e6, segments=2, workers=1, page=5)


def proven(platform: Platform, notes: MemoryNotes) -> State:
    return cutover.prove(platform.aws, MERGE, SPEED, notes, campaign.state_of(notes))


def copied(platform: Platform) -> MemoryNotes:
    """Up to the proof, with nobody writing from then on."""
    notes = MemoryNotes()
    campaign.create_target(platform.aws, MERGE, campaign.LIKE, {})
    campaign.copy(platform.aws, notes, SPEED)
    platform.application.busy = False
    for _ in range(8):
        Follower(platform.aws, MERGE, notes, campaign.state_of(notes)).follow()
    return notes


def test_both_sides_sums_are_kept_and_are_the_same() -> None:
    with lived(120, 0, hops=(0,)) as platform:
        notes = copied(platform)
        proof = proven(platform, notes).proof
        for entity in Entity:
            source, merged = proof[entity].split("; ")
            assert source.removeprefix("source ") == merged.removeprefix("merged ")
            assert source.startswith(f"source {len(platform.stored(entity))} items, hash ")


def test_what_was_written_meanwhile_is_told() -> None:
    with lived(120, 0) as platform:
        notes = copied(platform)
        platform.application.busy = True
        assert any("were written meanwhile" in each for each in proven(platform, notes).proof.values())


SAME = {each: Tally(3, 7) for each in Entity}
OTHER = {**SAME, Entity.USERS: Tally(3, 8)}
MOVED = {(Entity.USERS, ("a", "b"))}


@pytest.mark.parametrize(
    ("found", "followed", "refused"),
    [
        (Comparison(SAME, SAME), 0, False),
        (Comparison(SAME, OTHER), 0, True),
        (Comparison(SAME, OTHER), 1, False),  # written between one look and the other
        (Comparison(SAME, OTHER, MOVED), 0, False),
    ],
)
def test_other_sums_are_refused_when_nothing_moved(found: Comparison, followed: int, refused: bool) -> None:
    if not refused:
        refuse_other_sums(found, followed)
        return
    with pytest.raises(MoveFailed, match=r"users: 3 items, hash 0{31}7 and 3 items, hash 0{31}8"):
        refuse_other_sums(found, followed)


def test_sums_are_told_by_entity() -> None:
    assert told(Comparison(SAME, OTHER))["users"] == f"source 3 items, hash {7:032x}; merged 3 items, hash {8:032x}"


class TimedNotes(MemoryNotes):
    """Knows when it was written."""

    def __init__(self, platform: Platform, text: str | None) -> None:
        super().__init__()
        self.text, self._clock = text, platform.clock
        self.at: list[datetime] = [platform.clock.now()]

    def write(self, document: Mapping[str, Any]) -> None:
        super().write(document)
        self.at.append(self._clock.now())

    @property
    def longest(self) -> timedelta:
        return max(later - earlier for earlier, later in zip(self.at, self.at[1:], strict=False))


def compared_slowly() -> timedelta:
    """The longest that nothing was noted in a proof whose every call takes two seconds."""
    with lived(400, 0, hops=(0,)) as platform:
        notes = TimedNotes(platform, copied(platform).text)
        platform.between.step = lambda: platform.clock.sleep(2)
        proven(platform, notes)
        return notes.longest


def test_the_lease_is_renewed_while_all_is_compared() -> None:
    assert compared_slowly() < DURATION


def test_without_it_the_lease_would_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Follower, "renew", lambda follower: None)
    assert compared_slowly() > DURATION
