"""The service's health: the governed load balancer's samples, judged against the plan's baseline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from botocore.exceptions import ClientError

from optimizer.decide.policy import Policy
from optimizer.model.health import Samples
from optimizer.model.resource import Governed, Kind
from optimizer.observe.inventory import named, take_inventory
from optimizer.observe.metrics import HEALTH_PERIOD, health_samples
from optimizer.ports.aws import Aws
from optimizer.resources.tags import is_gone

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
    """The service as its users meet it: at the load balancer of the primary Region.

    `known`: the ARN of the load balancer that the baseline in use was measured at. It is found by its tag until then.
    """

    aws: Aws
    policy: Policy
    known: Callable[[], str | None] = field(default=lambda: None, compare=False, repr=False)
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
            self._measured[:] = self._as_known(now) or self._found(now)
        return self._measured[0] if self._measured else None

    def _as_known(self, now: datetime) -> list[Measured]:
        """The load balancer of the baseline; none where there is no baseline, or the load balancer is gone."""
        if (arn := self.known()) is None:
            return []
        balancer = named(Kind.LOAD_BALANCER, arn, self.aws.region)
        try:
            return [Measured(now, balancer, _target_groups(self.aws, balancer))]
        except ClientError as error:
            if is_gone(error):
                return []
            raise

    def _found(self, now: datetime) -> list[Measured]:
        balancers = take_inventory(self.aws, [self.aws.region], kinds=(Kind.LOAD_BALANCER,)).governed
        return [Measured(now, each, _target_groups(self.aws, each)) for each in balancers[:1]]

    def baseline(self, now: datetime) -> Samples:
        """The samples a change is judged against: those before `now`, of the load balancer that is governed by now."""
        self._measured[:] = self._found(self.aws.clock.now())
        return self.samples(now - self.policy.baseline - REPLAYED, now)


def _target_groups(aws: Aws, balancer: Governed) -> list[str]:
    """As the metrics name them: targetgroup/NAME/ID."""
    groups = aws.elbv2.describe_target_groups(LoadBalancerArn=balancer.arn)["TargetGroups"]
    return sorted(each["TargetGroupArn"].rsplit(":", 1)[1] for each in groups)
