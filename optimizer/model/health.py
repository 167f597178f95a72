"""Samples of the service and the verdict on them, as values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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
    """One settled 5-minute period of the load balancer. `at` is its UTC start; None: no datapoint.

    The last five count requests that no 5xx counts: answered by 4xx (of targets, of the load balancer), connections
    that clients were refused, TLS negotiations that failed, and connections that targets refused.
    """

    at: datetime
    requests: float | None
    target_5xx: float | None
    elb_5xx: float | None
    p99_ms: float | None
    target_4xx: float | None = None
    elb_4xx: float | None = None
    rejected: float | None = None
    tls_errors: float | None = None
    connection_errors: float | None = None


class Samples(list[Sample]):
    """The samples of a load balancer in rising order, with those of each of its target groups, by name.

    `zone` is the IANA time zone by whose clock the service's users live. A part of the list is a plain list.
    """

    def __init__(
        self, samples: Iterable[Sample] = (), groups: Mapping[str, Sequence[Sample]] | None = None, zone: str = "UTC"
    ) -> None:
        super().__init__(samples)
        self.groups: Mapping[str, Sequence[Sample]] = groups or {}
        self.zone = zone


@dataclass(frozen=True)
class Assessment:
    """How the service is, and why, in one line for people."""

    verdict: Health
    reason: str
