"""How the service does: the governed load balancer's samples, judged against the plan's baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from optimizer.decide.policy import Policy
from optimizer.model.health import Sample, Samples
from optimizer.model.resource import Governed, Kind
from optimizer.observe.inventory import take_inventory
from optimizer.observe.metrics import health_samples
from optimizer.ports.aws import Aws

# A load balancer's datapoints come every minute, seldom more than two minutes late. One that is still missing leaves
# rates and percentiles as they are, and a period that is missing whole counts as that after ten minutes (past.py).
SETTLING = timedelta(minutes=3)
REPLAYED = timedelta(days=7)  # the pre-flight replays the last days against the four weeks before them


@dataclass(frozen=True)
class ServiceHealth:
    """The service as its users meet it: at the load balancer of the primary Region."""

    aws: Aws
    policy: Policy

    def samples(self, start: datetime, end: datetime) -> Samples:
        """Settled 5-minute samples; none when no governed load balancer is there to measure."""
        zone = self.policy.calendar.zone
        balancers = take_inventory(self.aws, [self.aws.region], kinds=(Kind.LOAD_BALANCER,)).governed
        if not balancers:
            return Samples(zone=zone)
        groups = _target_groups(self.aws, balancers[0])
        balancer = balancers[0]
        return health_samples(self.aws, balancer, start, end, target_groups=groups, zone=zone, settling=SETTLING)

    def baseline(self, now: datetime) -> Sequence[Sample]:
        """The samples a change is judged against: those before `now`."""
        return self.samples(now - self.policy.baseline - REPLAYED, now)


def _target_groups(aws: Aws, balancer: Governed) -> list[str]:
    """As the metrics name them: targetgroup/NAME/ID."""
    shown = aws.elbv2.describe_target_groups(LoadBalancerArn=balancer.arn)["TargetGroups"]
    return sorted(each["TargetGroupArn"].rsplit(":", 1)[1] for each in shown)
