"""The same way through the emulated account, with botocore in between: policies that spread, real answers."""

from dataclasses import replace

import pytest

from tests.consolidate.campaign import SPEED as SLOW
from tests.consolidate.campaign import Way, migrate_there_and_back
from tests.consolidate.platform import emulated


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("streams", [False, True], ids=["whole", "streams"])
def test_nothing_is_lost_doubled_stale_or_resurrected(workers: int, streams: bool) -> None:
    """Also with segments that are copied and compared side by side, and die side by side."""
    with emulated(80, 7) as platform:
        migrate_there_and_back(platform, Way(streams, replace(SLOW, page=10, workers=workers)))
        assert platform.application.writes > 100
