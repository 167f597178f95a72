"""Seeded noise that depends on the seed, the series' name and the day, and on nothing else.

A period has the same value in every range and every order of calls. Time is counted in
periods of 300 seconds since 1970; a day's noise is drawn whole, once, and cached.
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
        self._made: dict[tuple[str, int], Array] = {}

    def white(self, name: str, start: int, stop: int) -> Array:
        """Independent standard normal values, one for each period from `start` up to `stop`."""
        return self._slice(name, start, stop, lambda draw: draw.standard_normal(DAY))

    def wander(self, name: str, start: int, stop: int, hours: int) -> Array:
        """A standard normal value that drifts to a new one every `hours` (a divisor of 24)."""
        knots = 24 // hours
        at = np.arange(DAY) * (knots / DAY)

        def drift(day: int) -> Array:
            here, following = (
                self._day(name, each, lambda draw: draw.standard_normal(knots)) for each in (day, day + 1)
            )
            drifting: Array = np.interp(at, np.arange(knots + 1), np.append(here, following[0]))
            return drifting

        return self._joined(f"{name}, every {hours} hours", start, stop, drift)

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
        return self._joined(name, start, stop, lambda day: self._day(name, day, draw_day))

    def _joined(self, name: str, start: int, stop: int, of_day: Callable[[int], Array]) -> Array:
        """The days of a range, each computed once, so that a value is the same to the last bit in any range."""
        if start >= stop:
            return np.zeros(0)
        first = start // DAY
        days = []
        for day in range(first, -(-stop // DAY)):
            if (name, day) not in self._made:
                self._made[name, day] = of_day(day)
            days.append(self._made[name, day])
        return np.concatenate(days)[start - first * DAY : stop - first * DAY]

    def _day(self, name: str, day: int, draw_day: Callable[[np.random.Generator], Array]) -> Array:
        key = int.from_bytes(blake2b(f"{self._seed}/{name}/{day}".encode(), digest_size=16).digest())
        return draw_day(np.random.Generator(np.random.Philox(key=key)))
