"""Two tables become one while they are written: killed, resumed, turned, rolled back and made again."""

from __future__ import annotations

import pytest

from tests.consolidate.campaign import STREAMS, WHOLE, Way, migrate_there_and_back
from tests.consolidate.events import Events
from tests.consolidate.platform import lived

WAYS = pytest.mark.parametrize(
    "way", [pytest.param(WHOLE, id="whole"), pytest.param(STREAMS, id="streams", marks=pytest.mark.slow)]
)


@WAYS
@pytest.mark.parametrize("seed", range(20))
def test_nothing_is_lost_doubled_stale_or_resurrected(seed: int, way: Way) -> None:
    """And no return is blocked: by items that a side does not take, policies, shards and clocks."""
    with lived(1_000, seed) as platform:
        events = Events(platform, seed)
        migrate_there_and_back(platform, way, events.mend)
        assert platform.application.writes > 500
        assert events.poisoned


@pytest.mark.slow
@pytest.mark.campaign
@WAYS
@pytest.mark.parametrize("seed", range(20, 220))
def test_nor_in_two_hundred_lives(seed: int, way: Way) -> None:
    with lived(200, seed) as platform:
        migrate_there_and_back(platform, way, Events(platform, seed).mend)


@pytest.mark.slow
@pytest.mark.campaign
@WAYS
def test_nor_of_fifty_thousand_items(way: Way) -> None:
    with lived(50_000, 99) as platform:
        migrate_there_and_back(platform, way)
