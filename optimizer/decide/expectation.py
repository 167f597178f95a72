"""The expectation for each period from four weeks of a service's past: requests, and p99 under them.

season  the median of the same hour of the week (within 30 minutes) on the users' clock; where the period's own 15
        minutes lie clearly above it, week for week, as with a job every night or week, those
level   the last 48 hours against the weeks before them (`level`)
load    where requests exceed their season, p99 may rise as it rose with load in the past, and in proportion where they
        exceed it for half an hour by more than a fifth; never more than in proportion, nor more than three times
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from optimizer.decide.periods import Floats, Marks, Numbers, Periods, UsersClock, row_median, trailing_sum

WEEK = 7 * 24 * 3600
WEEKS = 4
NEIGHBOURHOOD = 1800  # seconds to either side that count as the same hour of the week
OWN = 900  # seconds that count as the period's own: a job of a quarter of an hour fills them
PEAK = 1.15  # a period's own past is told from its hour's only when it lies this far above
DISAGREE = 1.1  # the median of the weeks above that of their lower half: no chance, some weeks were slower
MOST_BY_LOAD = 3.0
LOAD_BINS = 10
STEEPER = 1.5  # beyond the heaviest load that was seen, p99 rises faster than up to it: a queue is convex
SURGE = 1.2  # times the usual requests: what comes beyond it no rhythm prepared for, whatever load was seen,
LASTING = 1800  # seconds in which it came: single periods scatter
LEAST_RUN = 0.2  # of the logarithm of the requests: a past of one load tells nothing of others


class Season:
    """The usual values of each period of the week, over the four weeks before `end`."""

    def __init__(self, past: Periods, end: int, clock: UsersClock) -> None:
        slots = WEEK // past.length
        self._past = past.between(end - WEEKS * slots - slots, end)
        self._end, self._clock, self._slots = end, clock, slots
        self._reach = max(1, NEIGHBOURHOOD // past.length)

    def p99(self, number: Numbers) -> Floats:
        """The usual p99 in milliseconds for each period number; NaN where the past is silent."""
        usual: Floats = self._p99[self._slot(number, self._clock)]
        if len(number) and self._clock.changes(self._end - WEEKS * self._slots, int(number[-1]), self._past.length):
            # What starts by the clock of UTC, as a scheduled job, does not move with the users.
            usual = np.fmax(usual, self._peaks_of_utc[self._slot(number, UsersClock())])
        return usual

    def requests(self, number: Numbers) -> Floats:
        """The usual requests of each period; NaN where the past is silent."""
        usual: Floats = self._requests[self._slot(number, self._clock)]
        return usual

    def busy(self, number: Numbers) -> Marks:
        """Periods that the past measured at least every other time: a period without data is missing there only.

        So was the hour around them, and their own quarter of it: an office opens and closes in between.
        """
        hour, own = (share[self._slot(number, self._clock)] for share in self._measured)
        busy: Marks = (hour >= 0.5) & (own > 0.5)
        return busy

    def p99_under(self, number: Numbers, requests: Floats) -> Floats:
        """The usual p99 when so many requests come; as usual where fewer come than usual."""
        expected: Floats = self.p99(number) * self._by_load(number, requests)
        return expected

    def p99_of_fast_weeks(self, number: Numbers, requests: Floats) -> Floats:
        """As `p99_under`, but by the lower half of the weeks where the halves disagree: incidents lift the other."""
        lower, usual = self._fast_weeks[self._slot(number, self._clock)], self.p99(number)
        usual = np.where(lower * DISAGREE < usual, lower, usual)
        expected: Floats = usual * self._by_load(number, requests)
        return expected

    def _by_load(self, number: Numbers, requests: Floats) -> Floats:
        usual = self.requests(number)
        known = np.isfinite(requests) & np.isfinite(usual)
        span = max(1, LASTING // self._past.length)
        came, wanted = (trailing_sum(number, np.where(known, each, 0.0), span) for each in (requests, usual))
        return self._load.factor(requests, usual, came / np.maximum(wanted, 1.0))

    @cached_property
    def _fast_weeks(self) -> Floats:
        weeks = self._weeks(np.where(self._past.measured, self._past.p99, np.nan), self._clock)
        ranked = np.sort([_near(week[np.newaxis], self._reach) for week in weeks], axis=0)  # NaN last
        middle = np.maximum(np.isfinite(ranked).sum(axis=0) - 1, 0) // 2
        lower: Floats = np.take_along_axis(ranked, middle[np.newaxis], axis=0)[0]
        return np.fmax(lower, self._folded(self._clock)[1])

    @cached_property
    def _p99(self) -> Floats:
        usual, peaks = self._folded(self._clock)
        return np.fmax(usual, peaks)

    @cached_property
    def _peaks_of_utc(self) -> Floats:
        return self._folded(UsersClock())[1]

    @cached_property
    def _requests(self) -> Floats:
        """No datapoint is no request here: in the hours beside an office's none come."""
        past = self._past.dense(int(self._past.number[0]), self._end) if len(self._past) else self._past
        return _near(self._weeks(np.nan_to_num(past.requests), self._clock, past.number), self._reach)

    @cached_property
    def _measured(self) -> tuple[Floats, Floats]:
        """The share of measured periods in the hour around each period of the week, and in its own quarter."""
        weeks = np.nan_to_num(self._weeks(self._past.measured.astype(np.float64), self._clock)).mean(axis=0)

        def share(reach: int) -> Floats:
            around: Floats = np.mean([np.roll(weeks, shift) for shift in range(-reach, reach + 1)], axis=0)
            return around

        return share(self._reach), share(OWN // self._past.length // 2)

    @cached_property
    def _load(self) -> LoadCurve:
        measured = self._past.measured
        return LoadCurve(self._past.requests[measured], self._past.p99[measured])

    def _folded(self, clock: UsersClock) -> tuple[Floats, Floats]:
        """The usual p99 of each hour of the week, and that of the periods that stand out from it (else NaN)."""
        weeks = self._weeks(np.where(self._past.measured, self._past.p99, np.nan), clock)
        usual = _near(weeks, self._reach)
        if self._past.length > OWN:
            return usual, np.full_like(usual, np.nan)
        own = _near(weeks, OWN // self._past.length // 2)
        peaks = np.where(own > PEAK * usual, own, np.nan)
        early, late = (np.roll(peaks, shift) for shift in (-1, 1))  # a job starts a little earlier or later
        return usual, np.fmax(peaks, np.fmax(early, late))

    def _weeks(self, values: Floats, clock: UsersClock, number: Numbers | None = None) -> Floats:
        """One row for each week, one column for each period of the week on a clock; `number`: the past's if None."""
        local = clock.local(self._past.number if number is None else number, self._past.length)
        end = int(clock.local(np.array([self._end], np.int64), self._past.length)[0])
        age = (end - 1 - local) // self._slots
        recent = (age >= 0) & (age < WEEKS)
        weeks = np.full((WEEKS, self._slots), np.nan)
        weeks[age[recent], local[recent] % self._slots] = values[recent]
        return weeks

    def _slot(self, number: Numbers, clock: UsersClock) -> Numbers:
        slot: Numbers = clock.local(number, self._past.length) % self._slots
        return slot


class LoadCurve:
    """The rise of p99 with the requests of a period: medians of ten equally large parts, by rising requests."""

    def __init__(self, requests: Floats, p99: Floats) -> None:
        order = np.argsort(requests, kind="stable")
        parts = [part for part in np.array_split(order, LOAD_BINS) if len(part)]
        self._requests = np.log([float(np.median(requests[part])) for part in parts])
        self._p99 = np.log(np.maximum.accumulate([float(np.median(p99[part])) for part in parts]))

    def factor(self, requests: Floats, usual: Floats, lasting: Floats) -> Floats:
        """The factor on the usual p99 that the load alone explains; 1 where the load is no heavier than usual.

        `lasting`: the requests of the last half hour, as multiples of the usual ones.
        """
        if len(self._requests) < LOAD_BINS:
            return np.ones(len(requests))
        with np.errstate(invalid="ignore", divide="ignore"):
            surge = np.where(usual > 0, requests / usual, 1.0)
        surge = np.where(surge > 1, surge, 1.0)  # also where either is unknown
        usual = np.where(usual > 0, usual, 1.0)
        risen = np.exp(self._at(np.log(usual * surge)) - self._at(np.log(usual)))
        factor: Floats = np.clip(np.maximum(risen, lasting / SURGE), 1.0, np.minimum(surge, MOST_BY_LOAD))
        return factor

    def _at(self, requests: Floats) -> Floats:
        middle = LOAD_BINS // 2
        run = max(float(self._requests[-1] - self._requests[middle]), LEAST_RUN)
        slope = float(min(STEEPER * (self._p99[-1] - self._p99[middle]) / run, 1.0))
        beyond = np.maximum(requests - self._requests[-1], 0.0)
        at: Floats = np.interp(requests, self._requests, self._p99) + slope * beyond
        return at


def _near(weeks: Floats, reach: int) -> Floats:
    """The median of each column together with its neighbours; NaN where less than a quarter of them is known."""
    near = np.concatenate([np.roll(weeks, shift, axis=1) for shift in range(-reach, reach + 1)])
    return row_median(near.T, least=max(1, len(near) // 4))
