"""The watch's schedule and the alarm on its heartbeat: on while something of ours is changed, off before and after.

A phase begins only where it can be watched: `apply` has the watch run beside itself and waits for its heartbeat, since
a new account may run a single build at a time, whatever its quota page says.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from botocore.exceptions import ClientError

from domain.errors import Unhealthy
from optimizer.execute.journal import Journal
from optimizer.ports.aws import Aws

NAMESPACE, HEARTBEAT = "Tap", "WatchJudged"
PATIENCE = timedelta(minutes=15)  # a build waits in the queue for minutes, starts in one or two, and judges in seconds
POLL = timedelta(seconds=30)
# What StartBuild answers where no further build may run (CodeBuild API, StartBuild, and "Quotas for AWS CodeBuild").
REFUSALS = ("AccountLimitExceededException", "AccountSuspendedException", "ThrottlingException")


@dataclass(frozen=True)
class WatchSchedule:
    """The rule, the project and the alarm, by the watch's name; without one (outside the pipeline) there is none."""

    tooling: Aws
    journal: Journal
    name: str | None

    @property
    def alarm(self) -> str:
        return f"{self.name}-silent"

    def switch_on(self) -> None:
        """From now on the watch runs every five minutes, and people get a mail when it does not."""
        if self.name is None:
            return
        self.tooling.events.enable_rule(Name=self.name)
        self.tooling.cloudwatch.enable_alarm_actions(AlarmNames=[self.alarm])

    def switch_off(self) -> None:
        """Nothing of ours is changed any more."""
        if self.name is None:
            return
        self.tooling.cloudwatch.disable_alarm_actions(AlarmNames=[self.alarm])
        self.tooling.events.disable_rule(Name=self.name)

    def beat(self) -> None:
        """The watch has judged: for `apply`, which waits for it, and for the alarm, which rings when none comes."""
        self.journal.beat()
        if self.name is not None:
            self.tooling.cloudwatch.put_metric_data(
                Namespace=NAMESPACE, MetricData=[{"MetricName": HEARTBEAT, "Value": 1.0, "Unit": "Count"}]
            )

    def require_watched(self) -> None:
        """Have the watch run beside this job. Raises Unhealthy when it does not judge in time, with what AWS said."""
        if self.name is None:
            return
        clock, begun, problem = self.tooling.clock, self.tooling.clock.now(), ""
        self.switch_on()
        started = False
        while clock.now() - begun < PATIENCE:
            if not started:
                problem = self._start()
                started = not problem
            clock.sleep(POLL.total_seconds())
            last = self.journal.heartbeat()
            if last is not None and last > begun:
                return
        minutes = PATIENCE // timedelta(minutes=1)
        raise Unhealthy(
            f"Nothing is changed: {self.name} did not judge within {minutes} minutes beside this job, so nobody would "
            f"watch. {problem or 'Its build started and said nothing: read its log.'} The account needs two to three "
            "builds at once (docs/runbook.md, No builds); then run this again."
        )

    def _start(self) -> str:
        """Start one build of the watch; what AWS said when it refused."""
        assert self.name is not None, "it is asked for by name"
        try:
            self.tooling.codebuild.start_build(projectName=self.name)
        except ClientError as error:
            what = error.response["Error"]
            if what.get("Code") not in REFUSALS:
                raise
            return f"StartBuild answered {what.get('Code')}: {what.get('Message')}"
        return ""
