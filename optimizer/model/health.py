"""Samples of the service and the verdict on them, as values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum


class Health(Enum):
    """BREACH rolls back; INCONCLUSIVE holds: it is never taken for HEALTHY."""

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
    """How the service is, and why, in one line for people."""

    verdict: Health
    reason: str
