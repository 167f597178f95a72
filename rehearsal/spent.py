"""Cost of a command on the machine that runs it."""

from __future__ import annotations

import resource
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Spent:
    """Seconds on the clock, and processor seconds: those of this process and of the processes that it waited for."""

    wall_seconds: float
    cpu_seconds: float

    @classmethod
    def so_far(cls) -> Spent:
        """The seconds now. Their values have no meaning alone: only differences count."""
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return cls(time.perf_counter(), sum(each.ru_utime + each.ru_stime for each in used))

    def __sub__(self, other: Spent) -> Spent:
        return Spent(self.wall_seconds - other.wall_seconds, self.cpu_seconds - other.cpu_seconds)

    def since(self, begun: Spent) -> dict[str, float]:
        """Seconds used from `begun` until now, by name, to the hundredth."""
        return {
            "wall_seconds": round(self.wall_seconds - begun.wall_seconds, 2),
            "cpu_seconds": round(self.cpu_seconds - begun.cpu_seconds, 2),
        }
