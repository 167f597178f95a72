"""When a phase may begin: its window must have ended before the next weekend or announced peak.

Pure. A phase under way is never stopped by the calendar, nor is the way back or an acceptance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from domain.errors import UsageError
from optimizer.decide.policy import CalendarPolicy

NOTHING = "none"


@dataclass(frozen=True)
class Peak:
    """Days on which the service must be left alone, both included."""

    first: date
    last: date
    name: str


def read_peaks(text: str) -> tuple[Peak, ...]:
    """Announced peaks, one a line as `2027-11-26/2027-11-29 Black Friday`; `none` is none. Raises UsageError."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return tuple(_peak(line) for line in lines if line != NOTHING)


def _peak(line: str) -> Peak:
    days, _, name = line.partition(" ")
    first, _, last = days.partition("/")
    try:
        peak = Peak(date.fromisoformat(first), date.fromisoformat(last or first), name.strip() or "an announced peak")
    except ValueError as error:
        raise UsageError(
            f"{line!r} is no announced peak: write FROM/TO NAME, as 2027-11-26/2027-11-29 Black Friday."
        ) from error
    if peak.last < peak.first:
        raise UsageError(f"{line!r} ends before it begins.")
    return peak


def in_the_way(
    now: datetime, window: timedelta, peaks: Sequence[Peak], policy: CalendarPolicy
) -> tuple[date, str] | None:
    """The first closed day that a phase begun now would reach into, and why it is closed; None: it may begin."""
    zone = ZoneInfo(policy.zone)
    day = now.astimezone(zone).date()
    end = (now + policy.applying + window).astimezone(zone)
    while datetime.combine(day, time(), zone) < end:
        if why := _closed(day, peaks, policy):
            return day, why
        day += timedelta(days=1)
    return None


def may_begin(now: datetime, window: timedelta, peaks: Sequence[Peak], policy: CalendarPolicy) -> datetime:
    """The earliest moment from `now` on at which a phase may begin. Raises UsageError when there is none in a year."""
    at, zone = now, ZoneInfo(policy.zone)
    while (closed := in_the_way(at, window, peaks, policy)) is not None:
        at = datetime.combine(closed[0] + timedelta(days=1), time(), zone).astimezone(now.tzinfo)
        if at - now > timedelta(days=366):
            raise UsageError("The calendar leaves no window of this length open in a year: shorten peaks or weekend.")
    return at


def _closed(day: date, peaks: Sequence[Peak], policy: CalendarPolicy) -> str | None:
    if day.weekday() in policy.weekend:
        return "the weekend"
    return next((peak.name for peak in peaks if peak.first <= day <= peak.last), None)
