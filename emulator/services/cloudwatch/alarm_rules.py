"""State changes of a CloudWatch alarm: M out of N datapoints, and the treatment of missing ones.

Amazon CloudWatch User Guide, "Configuring how CloudWatch alarms treat missing data": its two tables
are the tests of this module.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from emulator.workload.noise import Array

# "CloudWatch attempts to retrieve a higher number of data points than the number specified as Evaluation
# Periods"; how many more depends on the period. The guide's own example looks at 5 where 3 are evaluated.
LOOKED_AT_BEYOND = 2


class AlarmState(StrEnum):
    """The three states of an alarm."""

    OK = "OK"
    ALARM = "ALARM"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"


class Missing(StrEnum):
    """Values of TreatMissingData."""

    MISSING = "missing"
    IGNORE = "ignore"
    BREACHING = "breaching"
    NOT_BREACHING = "notBreaching"


BREACHES: Mapping[str, Callable[[Array, float], NDArray[np.bool_]]] = {
    "GreaterThanThreshold": lambda values, limit: values > limit,
    "GreaterThanOrEqualToThreshold": lambda values, limit: values >= limit,
    "LessThanThreshold": lambda values, limit: values < limit,
    "LessThanOrEqualToThreshold": lambda values, limit: values <= limit,
}


@dataclass(frozen=True)
class AlarmRule:
    """ALARM when `datapoints` of the last `periods` lie beyond the threshold."""

    comparison: str
    threshold: float
    periods: int
    datapoints: int
    missing: Missing

    @property
    def looked_at(self) -> int:
        """The number of newest periods that an evaluation reads."""
        return self.periods + LOOKED_AT_BEYOND

    def states(self, values: Array) -> list[AlarmState | None]:
        """One evaluation per position from `looked_at - 1` on, the newest last; None keeps the present state.

        `values` holds one datapoint per period, nan where there is none.
        """
        newest_first = sliding_window_view(values, self.looked_at)[:, ::-1]
        real = ~np.isnan(newest_first)
        used = real & (np.cumsum(real, axis=1) <= self.periods)  # "the most recent real data points"
        breaching = used & BREACHES[self.comparison](newest_first, self.threshold)
        ages = np.arange(1, self.looked_at + 1)
        found = zip(
            used.sum(axis=1).tolist(),
            breaching.sum(axis=1).tolist(),
            (breaching * ages).max(axis=1).tolist(),
            strict=True,
        )
        return [self._state(*each) for each in found]

    def _state(self, real: int, breaching: int, oldest: int) -> AlarmState | None:
        """The state after one evaluation of `real` datapoints, `breaching` of them, the oldest `oldest` back."""
        filled = self.periods - real
        if self.missing is Missing.BREACHING:
            breaching += filled
        if breaching >= self.datapoints:
            return AlarmState.ALARM
        if filled == 0 or real > breaching or self.missing in (Missing.BREACHING, Missing.NOT_BREACHING):
            return AlarmState.OK
        if self.missing is Missing.IGNORE:
            return None
        # Without a datapoint nothing shows OK. An old breach with nothing after it is an alarm; a fresh one waits for
        # more
        # ("Avoiding premature transitions to alarm state").
        return AlarmState.ALARM if oldest >= self.datapoints else AlarmState.INSUFFICIENT_DATA
