"""Two tables become one while they are written: killed, resumed, turned, rolled back and made again."""

from __future__ import annotations

import pytest

from tests.consolidate.campaign import STREAMS, WHOLE, Way, migrate_there_and_back
from tests.consolidate.platform import lived


@pytest.mark.parametrize("way", [WHOLE, STREAMS], ids=["whole", "streams"])
@pytest.mark.parametrize("seed", range(20))
def test_nothing_is_lost_doubled_stale_or_resurrected(seed: int, way: Way) -> None:
    with lived(1_000, seed) as platform:
        migrate_there_and_back(platform, way)
        assert platform.application.writes > 500
