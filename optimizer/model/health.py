"""Samples of the service and the verdict on them, as values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

PERIOD = timedelta(minutes=5)
LONGEST_PAUSE = timedelta(minutes=10)  # a run that died in it is found by the watch within that


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

    `zone` is the IANA time zone by whose clock the service's users live, `balancer` the ARN of what was measured.
    A part of the list is a plain list.
    """

    def __init__(
        self,
        samples: Iterable[Sample] = (),
        groups: Mapping[str, Sequence[Sample]] | None = None,
        zone: str = "UTC",
        balancer: str | None = None,
    ) -> None:
        super().__init__(samples)
        self.groups: Mapping[str, Sequence[Sample]] = groups or {}
        self.zone, self.balancer = zone, balancer


@dataclass(frozen=True)
class Pause:
    """A time in which requests are refused by our own doing, announced in the journal. `end` is None while it lasts."""

    begin: datetime
    end: datetime | None = None


def without_pauses(samples: Sequence[Sample], pauses: Sequence[Pause]) -> Samples:
    """The samples, without the errors of periods in which an announced pause was: they are no breach of the service.

    All else of such a period counts, as its latency does. A pause that nobody ended counts for `LONGEST_PAUSE`.
    """
    known = [(each.begin - PERIOD, each.end or each.begin + LONGEST_PAUSE) for each in pauses]

    def cleared(sample: Sample) -> Sample:
        if any(begin < sample.at <= end for begin, end in known):
            return replace(sample, target_5xx=None, elb_5xx=None, target_4xx=None, elb_4xx=None)
        return sample

    whole = samples if isinstance(samples, Samples) else Samples(samples)
    groups = {name: [cleared(each) for each in group] for name, group in whole.groups.items()}
    return Samples([cleared(each) for each in whole], groups, whole.zone)


class Doubt(Enum):
    """Subject of an INCONCLUSIVE assessment: too little DATA to judge by, or the SERVICE as the data show it."""

    DATA = "data"
    SERVICE = "service"


@dataclass(frozen=True)
class Assessment:
    """The health of the service, and why, in one line for people. `doubt` counts where it is INCONCLUSIVE."""

    verdict: Health
    reason: str
    doubt: Doubt = Doubt.DATA

    @property
    def needs_a_look(self) -> bool:
        """Whether the phase is held by something that the data show, which a person has to look at."""
        return self.verdict is Health.INCONCLUSIVE and self.doubt is Doubt.SERVICE
