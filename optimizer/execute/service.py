"""How the service does: the governed load balancer's samples, judged against the plan's baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from optimizer.aws import Aws
from optimizer.decide.health import Assessment, Health, Sample, expected_p99, judge
from optimizer.decide.policy import Policy
from optimizer.execute.records import WindowEvidence
from optimizer.observe.inventory import Kind, take_inventory
from optimizer.observe.metrics import health_samples

STEP = timedelta(minutes=5)


@dataclass(frozen=True)
class Service:
    """The service as its users meet it: at the load balancer of the primary Region."""

    aws: Aws
    policy: Policy

    def samples(self, start: datetime, end: datetime) -> list[Sample]:
        """Settled 5-minute samples; none when no governed load balancer is there to measure."""
        balancers = take_inventory(self.aws, [self.aws.region], kinds=(Kind.LOAD_BALANCER,)).governed
        return health_samples(self.aws, balancers[0], start, end) if balancers else []

    def baseline(self, now: datetime) -> list[Sample]:
        """The samples a change is judged against: those before `now`."""
        return self.samples(now - self.policy.baseline - timedelta(days=7), now)

    def judge(self, baseline: Sequence[Sample], now: datetime) -> Assessment:
        """The pre-flight: whether the service is well before anything is changed."""
        return judge(baseline, [], now)

    def assess(
        self, baseline: Sequence[Sample], start: datetime, since: datetime, now: datetime
    ) -> tuple[Assessment, list[Sample]]:
        """Judge the window that began at `start`, at each 5-minute step after `since`.

        The first BREACH counts, also one that is over by now; else the newest verdict.
        """
        window = self.samples(start, now)
        at = min(since + STEP, now)
        while at < now:
            assessment = judge(baseline, [s for s in window if s.at < at], at)
            if assessment.verdict is Health.BREACH:
                return assessment, window
            at += STEP
        return judge(baseline, window, now), window


def window_evidence(baseline: Sequence[Sample], window: Sequence[Sample]) -> WindowEvidence:
    """The window as the dashboard shows it."""
    return WindowEvidence(tuple(window), tuple(expected_p99(baseline, [each.at for each in window])))
