"""Simulated time: due events run at their own time, in order."""

from datetime import UTC, datetime, timedelta
from threading import RLock

import pytest

from emulator.core.clock import SimulatedClock

START = datetime(2027, 3, 1, 8, tzinfo=UTC)


@pytest.fixture
def clock():
    return SimulatedClock(START, RLock(), lambda event: event())


def after(minutes):
    return START + timedelta(minutes=minutes)


def test_events_run_in_order_each_at_its_own_time(clock):
    seen = []
    for minutes in (30, 10, 20, 10):
        clock.schedule(after(minutes), lambda minutes=minutes: seen.append((minutes, clock.now())))
    clock.sleep(25 * 60)
    assert seen == [(10, after(10)), (10, after(10)), (20, after(20))]
    assert clock.now() == after(25)


def test_an_event_may_schedule_another_on_the_way(clock):
    seen = []
    clock.schedule(after(1), lambda: clock.schedule(after(2), lambda: seen.append(clock.now())))
    clock.sleep(300)
    assert seen == [after(2)]


def test_time_never_goes_back(clock):
    clock.advance_to(START - timedelta(days=1))
    clock.sleep(-5)
    assert clock.now() == START


def test_an_event_may_not_move_time(clock):
    clock.schedule(after(1), lambda: clock.sleep(1))
    with pytest.raises(RuntimeError, match="tried to move time"):
        clock.sleep(120)


def test_an_event_of_the_past_runs_with_the_next_move(clock):
    seen = []
    clock.schedule(START - timedelta(hours=1), lambda: seen.append(clock.now()))
    clock.sleep(0)
    assert seen == [START]


def test_time_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="no time zone"):
        SimulatedClock(datetime(2027, 3, 1), RLock(), lambda event: event())  # noqa: DTZ001 -- the point of it
