"""Whether the service is healthy, judged against its own past. Pure: samples in, a verdict out.

(Interface fixed; the rules are written by the health helper.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum


class Health(Enum):
    HEALTHY = "HEALTHY"
    BREACH = "BREACH"
    INCONCLUSIVE = "INCONCLUSIVE"


@dataclass(frozen=True)
class Sample:
    """One settled 5-minute period of the load balancer. `at` is its UTC start; None: no datapoint."""

    at: datetime
    requests: float | None
    target_5xx: float | None
    elb_5xx: float | None
    p99_ms: float | None


@dataclass(frozen=True)
class Assessment:
    """How the service is, and why."""

    verdict: Health
    reason: str


def judge(baseline: Sequence[Sample], window: Sequence[Sample], now: datetime) -> Assessment:
    raise AssertionError("written by the health helper")


def expected_p99(baseline: Sequence[Sample], at: Sequence[datetime]) -> list[float | None]:
    """The p99 in milliseconds that the baseline lets expect at each time (for charts)."""
    raise AssertionError("written by the health helper")
