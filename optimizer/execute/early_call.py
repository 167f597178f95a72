"""The alarm on the p99 that was expected when a phase began: it calls the watch, and nobody else.

The foundation's own alarm has an absolute limit, which is the same for a service of 12 ms and one of 900 ms. This one
stands in no template: `apply` puts it, by a name of its own, while the watch's schedule is on, and the watch deletes it
right before it switches that off. It has no action: its change of state is an event, which starts the watch
(`pipeline/alarm_forwarding.py`). What is rolled back is the judge's to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from botocore.exceptions import ClientError

from domain.names import EXPECTED_P99_ALARM
from optimizer.action import Permission
from optimizer.decide.health import Baseline
from optimizer.decide.limits import LEAST_EXCESS
from optimizer.model.resource import Kind
from optimizer.observe.inventory import take_inventory
from optimizer.ports.aws import Aws

ABOVE = 1.3  # times what is expected: of less the judge is sure only after hours, and an early call would show nothing
HIGH = 95  # percentile of what is expected: a job that runs for minutes each night would set the limit by itself
PERIOD = timedelta(minutes=5)
MINUTES = 5  # of one-minute data, all above the limit
_ALARMS = "https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatch.html"
PERMISSIONS = tuple(
    Permission(
        f"cloudwatch:{action}",
        (f"arn:{{partition}}:cloudwatch:{{region}}:{{account}}:alarm:{EXPECTED_P99_ALARM}",),
        source=_ALARMS,
        writes=True,
    )
    for action in ("PutMetricAlarm", "DeleteAlarms")
)
"""What `tap-act` needs for it, beside what the actions declare."""


@dataclass(frozen=True)
class EarlyCall:
    """The alarm, in the primary Region of production. `heard`: whether its event starts a watch."""

    production: Aws
    heard: bool

    def put(self, baseline: Baseline, lasts: timedelta) -> None:
        """Put it with the limit of the time from now on; safe to repeat, since a put replaces the whole alarm.

        Without a load balancer or a past there is nothing to look at, and no phase begins either.
        """
        if not self.heard:
            return
        limit = self._limit(baseline, lasts)
        balancers = take_inventory(self.production, [self.production.region], kinds=(Kind.LOAD_BALANCER,)).governed
        if limit is None or not balancers:
            return
        self.production.cloudwatch.put_metric_alarm(
            AlarmName=EXPECTED_P99_ALARM,
            AlarmDescription=f"p99 above {limit * 1000:,.0f} ms calls the watch while a phase is under way. "
            "Made by the job apply, deleted by the watch; docs/pipeline.md, The early call.",
            Namespace="AWS/ApplicationELB",
            MetricName="TargetResponseTime",
            Dimensions=[{"Name": "LoadBalancer", "Value": balancers[0].arn.split(":loadbalancer/", 1)[1]}],
            ExtendedStatistic="p99",
            Period=60,
            EvaluationPeriods=MINUTES,
            DatapointsToAlarm=MINUTES,
            Threshold=limit,
            ComparisonOperator="GreaterThanThreshold",
            # A minute without requests has no response time. Whether they should have come, other alarms ask.
            TreatMissingData="notBreaching",
        )

    def remove(self) -> None:
        """Delete it; whoever died in between may have."""
        if not self.heard:
            return
        try:
            self.production.cloudwatch.delete_alarms(AlarmNames=[EXPECTED_P99_ALARM])
        except ClientError as error:
            # "The named resource does not exist" (API_DeleteAlarms): its code is ResourceNotFound.
            if not error.response["Error"]["Code"].startswith("ResourceNotFound"):
                raise

    def _limit(self, baseline: Baseline, lasts: timedelta) -> float | None:
        """In seconds, as CloudWatch has response times; None where the past is silent."""
        now = self.production.clock.now()
        known = [each for each in baseline.expected_p99([now + n * PERIOD for n in range(lasts // PERIOD)]) if each]
        if not known:
            return None
        high = float(np.percentile(known, HIGH))
        return round(max(high * ABOVE, high + LEAST_EXCESS) / 1000, 6)
