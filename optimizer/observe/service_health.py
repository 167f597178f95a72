"""The service's health: the governed load balancer's samples, judged against the plan's baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from optimizer.decide.policy import Policy
from optimizer.model.health import Sample, Samples
from optimizer.model.resource import Governed, Kind
from optimizer.observe.inventory import take_inventory
from optimizer.observe.metrics import HEALTH_PERIOD, health_samples
from optimizer.ports.aws import Aws

# A load balancer's datapoints come every minute, seldom more than two minutes late. One that is still missing leaves
# rates and percentiles as they are, and a period that is missing whole counts as that after ten minutes (past.py).
SETTLING = timedelta(minutes=2)
PERIOD, EPOCH = timedelta(seconds=HEALTH_PERIOD), datetime(1970, 1, 1, tzinfo=UTC)
FOUND_AGAIN = timedelta(hours=1)  # a job of hours judges every five minutes: target groups may come meanwhile
REPLAYED = timedelta(days=7)  # the pre-flight replays the last days against the four weeks before them


def until_settled(now: datetime) -> timedelta:
    """Time until the next 5-minute period can be judged: a look before then sees nothing new."""
    return PERIOD - (now - SETTLING - EPOCH) % PERIOD


@dataclass(frozen=True)
class Measured:
    """The measured objects: a load balancer, and its target groups as the metrics name them."""

    at: datetime
    balancer: Governed
    groups: Sequence[str]


@dataclass(frozen=True)
class ServiceHealth:
    """The service as its users meet it: at the load balancer of the primary Region."""

    aws: Aws
    policy: Policy
    _measured: list[Measured] = field(default_factory=list, compare=False, repr=False)  # what was found last

    def samples(self, start: datetime, end: datetime) -> Samples:
        """Settled 5-minute samples; none when no governed load balancer is there to measure."""
        zone, measured = self.policy.calendar.zone, self._balancer()
        if measured is None:
            return Samples(zone=zone)
        return health_samples(
            self.aws, measured.balancer, start, end, target_groups=measured.groups, zone=zone, settling=SETTLING
        )

    def _balancer(self) -> Measured | None:
        """The load balancer, looked for once an hour; anew each time while there is none."""
        now = self.aws.clock.now()
        if not self._measured or now - self._measured[0].at >= FOUND_AGAIN:
            balancers = take_inventory(self.aws, [self.aws.region], kinds=(Kind.LOAD_BALANCER,)).governed
            self._measured[:] = [Measured(now, each, _target_groups(self.aws, each)) for each in balancers[:1]]
        return self._measured[0] if self._measured else None

    def baseline(self, now: datetime) -> Sequence[Sample]:
        """The samples a change is judged against: those before `now`."""
        return self.samples(now - self.policy.baseline - REPLAYED, now)


def _target_groups(aws: Aws, balancer: Governed) -> list[str]:
    """As the metrics name them: targetgroup/NAME/ID."""
    groups = aws.elbv2.describe_target_groups(LoadBalancerArn=balancer.arn)["TargetGroups"]
    return sorted(each["TargetGroupArn"].rsplit(":", 1)[1] for each in groups)
