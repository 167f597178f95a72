"""One Auto Scaling group's way from one launch template version to another, and back.

EC2 Auto Scaling User Guide, "Use an instance refresh": one refresh at a time; the group takes the
desired configuration on when the refresh succeeds; a rollback works only while it is in progress.
An alarm that the refresh was given turns it back as soon as it rings.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from domain.errors import MoveFailed, TurnedBack
from optimizer.ports.aws import Aws
from optimizer.resources.fleet.health_alarms import health_alarms
from optimizer.resources.fleet.shown import group_of

if TYPE_CHECKING:
    from types_boto3_autoscaling.type_defs import InstanceRefreshTypeDef, RefreshPreferencesTypeDef

UNDER_WAY = ("Pending", "InProgress", "Baking", "Cancelling", "RollbackInProgress")
ENDED_BADLY = ("Failed", "Cancelled", "RollbackFailed")
TURNED_BACK = "RollbackSuccessful"  # bad on the way there, good on the way back

MOST_HEALTHY = 110  # percent of the count, at most, while a refresh is under way
ALL_AT_ONCE = 200  # the most there is; 100 at most may lie between the two percentages (RefreshPreferences)
# New instances come before old ones go: capacity never falls below today's.
_BACK: RefreshPreferencesTypeDef = {
    "MinHealthyPercentage": 100,
    "MaxHealthyPercentage": MOST_HEALTHY,
    "SkipMatching": True,
}
# A fifth first, then as long as three periods of five minutes and a margin: the alarms judge it before the rest goes.
_THERE: RefreshPreferencesTypeDef = {
    **_BACK,
    "AutoRollback": True,
    "CheckpointPercentages": [20, 100],
    "CheckpointDelay": 1800,
}


@dataclass
class InstanceRefresh:
    """Replaces a group's instances. Remembers the refresh that this run began or joined.

    Only that one's failure is this run's failure: the next run, finding no refresh under way, begins
    another, so that running the same command again is another try.
    """

    group: str
    template: str
    _joined: str | None = field(default=None, init=False)
    _back: bool = field(default=False, init=False)

    def start(self, aws: Aws, version: str) -> None:
        """Begin the refresh to a template version, or join it. Raises MoveFailed when another is under way.

        AWS turns it back by itself when an alarm on the group's load balancer rings.
        """
        self._back = False
        alarms = [each.name for each in health_alarms(aws, self.group)]
        watched: RefreshPreferencesTypeDef = {"AlarmSpecification": {"Alarms": alarms}} if alarms else {}
        self._begin(aws, version, {**_THERE, **watched})

    def go_back(self, aws: Aws, version: str, most: int = MOST_HEALTHY) -> None:
        """Turn the refresh under way round, where there is one; else begin one to the old version.

        That one may go to `most` percent of the count. No alarm stops the way back.
        """
        active = active_refresh(aws, self.group)
        self._back = True
        if active is None or _version_of(active) == version:
            self._begin(aws, version, {**_BACK, "MaxHealthyPercentage": most})
            return
        self._joined = active["InstanceRefreshId"]
        if active["Status"] in ("Pending", "InProgress", "Baking"):
            aws.autoscaling.rollback_instance_refresh(AutoScalingGroupName=self.group)

    def reached(self, aws: Aws, version: str) -> bool:
        """Whether group and instances are on the version, with no refresh under way.

        Raises MoveFailed with AWS's reason when this run's refresh ended badly.
        """
        self._refuse_failed(aws)
        described = group_of(aws, self.group)
        versions = {each.get("LaunchTemplate", {}).get("Version") for each in (described, *described["Instances"])}
        return versions == {version} and active_refresh(aws, self.group) is None

    def _begin(self, aws: Aws, version: str, preferences: RefreshPreferencesTypeDef) -> None:
        if active := active_refresh(aws, self.group):
            if _version_of(active) != version or active["Status"] in ("Cancelling", "RollbackInProgress"):
                raise MoveFailed(
                    f"{self.group}: another instance refresh is {active['Status']} ({active['InstanceRefreshId']}). "
                    "Run this again when it has ended."
                )
            self._joined = active["InstanceRefreshId"]
            return
        self._joined = aws.autoscaling.start_instance_refresh(
            AutoScalingGroupName=self.group,
            DesiredConfiguration={"LaunchTemplate": {"LaunchTemplateId": self.template, "Version": version}},
            Preferences=preferences,
        )["InstanceRefreshId"]

    def _refuse_failed(self, aws: Aws) -> None:
        if self._joined is None:
            return
        (refresh,) = aws.autoscaling.describe_instance_refreshes(
            AutoScalingGroupName=self.group, InstanceRefreshIds=[self._joined]
        )["InstanceRefreshes"]
        turned_back = refresh["Status"] == TURNED_BACK and not self._back
        if refresh["Status"] not in ENDED_BADLY and not turned_back:
            return
        reason = refresh.get("RollbackDetails", {}).get("RollbackReason") or refresh.get("StatusReason", "")
        message = f"{self.group}: the instance refresh {self._joined} ended {refresh['Status']}: {reason}"
        if turned_back and (rang := self._rang(aws, refresh)):
            raise TurnedBack(f"{message} Since it began, {', '.join(rang)} rang; the instances are as before.")
        raise MoveFailed(f"{message} Run the same command again for another try, or roll back.")

    def _rang(self, aws: Aws, refresh: InstanceRefreshTypeDef) -> list[str]:
        """The alarms of the refresh that ring, or changed their state since it began."""
        names = refresh["Preferences"].get("AlarmSpecification", {}).get("Alarms", [])
        return [
            each.name
            for each in health_alarms(aws, self.group)
            if each.name in names and (each.state == "ALARM" or each.since >= refresh["StartTime"])
        ]


def active_refresh(aws: Aws, group: str) -> InstanceRefreshTypeDef | None:
    """The refresh under way; None when there is none."""
    newest = aws.autoscaling.describe_instance_refreshes(AutoScalingGroupName=group, MaxRecords=10)["InstanceRefreshes"]
    return next((each for each in newest if each["Status"] in UNDER_WAY), None)


def _version_of(refresh: InstanceRefreshTypeDef) -> str | None:
    return refresh.get("DesiredConfiguration", {}).get("LaunchTemplate", {}).get("Version")
