"""Days on which a phase may begin, as tables. 2027-03-01 is a Monday."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from domain.errors import UsageError
from optimizer.decide.calendar import Peak, in_the_way, may_begin, read_peaks
from optimizer.decide.policy import CalendarPolicy

WINDOW = timedelta(hours=48)
SALE = Peak(date(2027, 3, 10), date(2027, 3, 12), "Sale")
CHRISTMAS_EVE = Peak(date(2027, 12, 24), date(2027, 12, 24), "an announced peak")


def at(day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(2027, 3, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "peaks", "begins"),
    [
        (at(1, 8), (), at(1, 8)),  # Monday: 8 h to apply, 48 h of window, over on Wednesday
        (at(3, 16), (), at(3, 16)),  # Wednesday 16:00: over when Saturday begins
        (at(3, 16, 1), (), at(8)),  # a minute later it would reach into it
        (at(5, 12), (), at(8)),
        (at(6, 12), (), at(8)),
        (at(7, 23, 59), (), at(8)),
        (at(7, 23, 59), (SALE,), at(15)),  # Monday to Wednesday morning is too short before the sale
        (at(8, 0), (Peak(date(2027, 3, 11), date(2027, 3, 11), "Sale"),), at(8)),
        (at(8, 16, 1), (Peak(date(2027, 3, 11), date(2027, 3, 11), "Sale"),), at(15)),  # then comes the weekend
    ],
)
def test_the_earliest_moment(now: datetime, peaks: tuple[Peak, ...], begins: datetime) -> None:
    policy = CalendarPolicy()
    assert may_begin(now, WINDOW, peaks, policy) == begins
    assert (in_the_way(now, WINDOW, peaks, policy) is None) is (begins == now)


def test_it_says_which_day_and_why() -> None:
    assert in_the_way(at(4), WINDOW, (), CalendarPolicy()) == (date(2027, 3, 6), "the weekend")
    assert in_the_way(at(8, 12), WINDOW, (SALE,), CalendarPolicy()) == (date(2027, 3, 10), "Sale")


def test_days_begin_and_end_in_the_policy_s_zone() -> None:
    tokyo = CalendarPolicy(zone="Asia/Tokyo")  # Saturday begins there on Friday at 15:00 UTC
    assert may_begin(at(3, 7), WINDOW, (), tokyo) == at(3, 7)
    assert may_begin(at(3, 7, 1), WINDOW, (), tokyo) == at(7, 15)


def test_without_a_weekend_every_day_is_open() -> None:
    assert may_begin(at(6, 12), WINDOW, (), CalendarPolicy(weekend=())) == at(6, 12)


def test_a_calendar_without_an_open_window_is_refused() -> None:
    with pytest.raises(UsageError, match="no window of this length"):
        may_begin(at(1), timedelta(days=6), (), CalendarPolicy())


@pytest.mark.parametrize(
    ("text", "peaks"),
    [
        ("none", ()),
        ("", ()),
        ("2027-03-10/2027-03-12 Sale", (SALE,)),
        (" 2027-03-10/2027-03-12 Sale \n\n2027-12-24\n", (SALE, CHRISTMAS_EVE)),
    ],
)
def test_announced_peaks_are_lines(text: str, peaks: tuple[Peak, ...]) -> None:
    assert read_peaks(text) == peaks


@pytest.mark.parametrize("text", ["soon", "2027-03-12/2027-03-10 Sale", "2027-13-01 Sale", "none/none"])
def test_what_cannot_be_read_is_no_open_calendar(text: str) -> None:
    with pytest.raises(UsageError):
        read_peaks(text)
