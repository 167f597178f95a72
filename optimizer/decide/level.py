"""The level: p99 of the last 48 hours against the weeks before them, and how it moves what is expected.

above 1  all of it counts: a service that is slower anyway is not rolled back for that
below 1  it counts within bounds, so that a regression after an improvement has not the improvement to itself before it
         is seen. Against weeks that a long incident lifted, the usual looks fast: the lower half of the weeks, with
         the level against these, is then expected at least.
"""

from __future__ import annotations

from functools import cached_property
from math import sqrt

import numpy as np

from optimizer.decide import limits
from optimizer.decide.expectation import Season
from optimizer.decide.periods import Floats, Numbers, Periods, UsersClock

RECENT = 48 * 3600  # seconds
LOWEST_LEVEL = 0.75  # a level below one lowers what is expected, to this at most,
IMPROVED = 0.85  # hardly by chance: from day to day p99 wanders by 5 to 10 %
USUAL_TRAFFIC = 0.88  # unless there were fewer requests than this share of the usual: a holiday is no improvement


class Level:
    """The level at the end of a past, whose periods are usable."""

    def __init__(self, past: Periods, clock: UsersClock) -> None:
        self.recent = RECENT // past.length  # periods
        self._past, self._clock = past, clock

    @cached_property
    def now(self) -> float:
        """The median of measured against expected p99 in the last 48 hours; 1 where nothing tells."""
        return _level(*self._lately)

    def before(self, end: int) -> float:
        """The same, 48 hours before a period."""
        return _level(*self._recent_and_usual(end))

    @cached_property
    def growth(self) -> float:
        """The requests of the last 48 hours against the weeks before them; 1 where nothing tells."""
        recent, usual = self._lately
        return middle(recent.requests / np.maximum(usual.requests(recent.number), 1.0))

    def expected(self, season: Season, numbers: Numbers, requests: Floats, follows: bool) -> Floats:
        """The p99 in milliseconds expected of a season's periods under so many requests (NaN: whatever they are).

        `follows`: the periods are those of a window that begins within 48 hours. For a later one half of a small
        improvement counts: two fast days are as likely to have been chance.
        """
        usual = season.p99_under(numbers, requests)
        if self.now >= 1 or self.growth < USUAL_TRAFFIC:
            return usual * max(self.now, 1.0)
        least = season.p99_of_fast_weeks(numbers, requests) * _believed(self._of_fast_weeks, follows)
        return np.fmin(usual, np.fmax(usual * _believed(self.now, follows), least))

    @cached_property
    def _of_fast_weeks(self) -> float:
        recent, usual = self._lately
        return _ratio(recent, usual.p99_of_fast_weeks(recent.number, recent.requests))

    @cached_property
    def _lately(self) -> tuple[Periods, Season]:
        return self._recent_and_usual(self._past.last)

    def _recent_and_usual(self, end: int) -> tuple[Periods, Season]:
        first = end - self.recent
        return self._past.between(first, end), Season(self._past, first, self._clock)


def middle(ratios: Floats) -> float:
    """The median of those that are known; 1 without any."""
    known = ratios[np.isfinite(ratios)]
    return float(np.median(known)) if len(known) else 1.0


def _level(recent: Periods, usual: Season) -> float:
    return _ratio(recent, usual.p99_under(recent.number, recent.requests))


def _ratio(recent: Periods, expected: Floats) -> float:
    return middle((recent.p99 / expected)[limits.judged(recent, expected)])


def _believed(level: float, follows: bool) -> float:
    lowered = min(max(level, LOWEST_LEVEL), 1.0)
    return lowered if follows or lowered < IMPROVED else sqrt(lowered)
