"""What a command costs the machine it runs on."""

from __future__ import annotations

import resource
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Spent:
    """Seconds on the clock, and seconds of processors: this process's own and those of the ones it waited for."""

    wall_seconds: float
    cpu_seconds: float

    @classmethod
    def so_far(cls) -> Spent:
        """From a moment that means nothing by itself: only differences count."""
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return cls(time.perf_counter(), sum(each.ru_utime + each.ru_stime for each in used))

    def __sub__(self, other: Spent) -> Spent:
        return Spent(self.wall_seconds - other.wall_seconds, self.cpu_seconds - other.cpu_seconds)

    def since(self, begun: Spent) -> dict[str, float]:
        """What was spent from `begun` to this moment, by name, to the hundredth of a second."""
        return {
            "wall_seconds": round(self.wall_seconds - begun.wall_seconds, 2),
            "cpu_seconds": round(self.cpu_seconds - begun.cpu_seconds, 2),
        }
