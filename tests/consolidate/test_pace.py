"""The copying's share of the capacity."""

from __future__ import annotations

from optimizer.consolidate.copy import CREDIT, Pace
from tests.consolidate.model import SteppingClock


def test_so_many_units_a_second_and_no_more() -> None:
    clock = SteppingClock()
    pace, begun = Pace(clock, units=100), clock.now()
    for _ in range(10):
        pace.take(100)
    assert (clock.now() - begun).total_seconds() == 10


def test_a_slow_stretch_is_not_made_up_for_at_once() -> None:
    clock = SteppingClock()
    pace = Pace(clock, units=100)
    pace.take(100)
    clock.sleep(3600)  # following took so long
    begun = clock.now()
    for _ in range(20):
        pace.take(100)
    assert (clock.now() - begun).total_seconds() >= 20 - CREDIT
