"""Seeded noise that depends on the seed, the series' name and the day, and on nothing else.

Whatever range is asked for, and in whatever order, a period has the same value. Time is counted in
periods of 300 seconds since 1970; a day's noise is drawn whole, once, and kept.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

PERIOD = 300  # seconds: the finest grain of the model, and CloudWatch's own for 63 days
DAY = 86_400 // PERIOD


class Noise:
    """Every random number of one simulated account."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._days: dict[tuple[str, int], Array] = {}

    def white(self, name: str, start: int, stop: int) -> Array:
        """Independent standard normal values, one for each period from `start` up to `stop`."""
        return self._slice(name, start, stop, lambda draw: draw.standard_normal(DAY))

    def wander(self, name: str, start: int, stop: int, hours: int) -> Array:
        """A standard normal value that drifts to a new one every so many hours (a divisor of 24)."""
        knots = 24 // hours
        first, last = start // DAY, -(-stop // DAY)
        values = np.concatenate(
            [self._day(name, day, lambda draw: draw.standard_normal(knots)) for day in range(first, last + 1)]
        )
        at = (np.arange(start, stop) - first * DAY) * (knots / DAY)
        drifting: Array = np.interp(at, np.arange(len(values)), values)
        return drifting

    def bursts(self, name: str, start: int, stop: int, *, per_day: float, longest: int, highest: float) -> Array:
        """Zero, except in rare runs of up to `longest` periods with one height each, up to `highest`."""

        def draw_day(draw: np.random.Generator) -> Array:
            day = np.zeros(DAY)
            for _ in range(draw.poisson(per_day)):
                begin, length = int(draw.integers(DAY)), int(draw.integers(1, longest + 1))
                day[begin : begin + length] = highest * draw.random() ** 2  # most are small
            return day

        return self._slice(name, start, stop, draw_day)

    def _slice(self, name: str, start: int, stop: int, draw_day: Callable[[np.random.Generator], Array]) -> Array:
        first = start // DAY
        days = [self._day(name, day, draw_day) for day in range(first, -(-stop // DAY))]
        whole = np.concatenate(days) if days else np.zeros(0)
        return whole[start - first * DAY : stop - first * DAY]

    def _day(self, name: str, day: int, draw_day: Callable[[np.random.Generator], Array]) -> Array:
        found = self._days.get((name, day))
        if found is None:
            key = int.from_bytes(blake2b(f"{self._seed}/{name}/{day}".encode(), digest_size=16).digest())
            found = self._days[name, day] = draw_day(np.random.Generator(np.random.Philox(key=key)))
        return found
