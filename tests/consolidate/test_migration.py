"""Two tables become one while they are written: killed, resumed, cut over, rolled back and made again."""

from __future__ import annotations

import pytest

from tests.consolidate.campaign import migrate_there_and_back
from tests.consolidate.platform import lived


@pytest.mark.parametrize("seed", range(20))
def test_nothing_is_lost_doubled_stale_or_resurrected(seed):
    with lived(1_000, seed) as platform:
        migrate_there_and_back(platform)
        assert platform.application.writes > 500


@pytest.mark.slow
@pytest.mark.campaign
def test_nor_of_fifty_thousand_items():
    with lived(50_000, 99) as platform:
        migrate_there_and_back(platform, page=100)
