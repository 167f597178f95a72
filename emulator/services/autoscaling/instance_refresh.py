"""Instance refreshes: a group's instances replaced batch by batch, in simulated time.

Pending, InProgress, then Baking and Successful; or Failed, Cancelled, or rolled back. Only success
makes the desired configuration the group's own.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from emulator.services.autoscaling.activities import Activities
from emulator.services.autoscaling.groups import (
    LAUNCH,
    current_template,
    is_short,
    launch,
    retire,
    serving,
    suspended,
    type_of,
)

if TYPE_CHECKING:
    from emulator.core.port import Account

START = timedelta(seconds=10)
LOOK = timedelta(minutes=1)  # interval at which a waiting refresh checks again
PATIENCE = timedelta(hours=1)  # for protected and standby instances (RefreshPreferences, Wait)
CHECKPOINT_DELAY = 3600  # seconds, the default (RefreshPreferences)


@dataclass
class Refresh:
    """One instance refresh. `before` and `desired` are launch template specifications with version numbers."""

    id: str
    group: Any
    account: str
    region: str
    preferences: dict[str, Any]
    before: dict[str, str]
    desired: dict[str, str] | None
    requested: dict[str, Any] | None  # DesiredConfiguration of the request
    started: datetime
    status: str = "Pending"
    reason: str | None = None
    ended: datetime | None = None
    total: int = 0
    to_replace: set[str] = field(default_factory=set)  # instance ids
    updated: set[str] = field(default_factory=set)  # ids of new instances that are warmed up
    turn: int = 0  # rises when the refresh reverses or stops, which voids everything planned before
    rollback: dict[str, Any] | None = None

    @property
    def active(self) -> bool:
        return self.status in ("Pending", "InProgress", "Baking", "Cancelling", "RollbackInProgress")

    @property
    def rolling_back(self) -> bool:
        return self.rollback is not None

    @property
    def target(self) -> dict[str, str]:
        """The launch template from which instances are launched now."""
        return self.before if self.rolling_back or self.desired is None else self.desired

    @property
    def percent(self) -> int:
        if self.status in ("Baking", "Successful") or not self.total:
            return 100
        return min(100, 100 * len(self.updated) // self.total)

    def outdated(self) -> list[Any]:
        """The instances still to replace, oldest first."""
        return [each for each in serving(self.group) if each.instance_id in self.to_replace]


@dataclass
class Refreshes:
    """All refreshes of the account, oldest first, by group ARN."""

    by_group: dict[str, list[Refresh]] = field(default_factory=dict)
    drivers: dict[str, Replacement] = field(default_factory=dict)  # by refresh id

    def of(self, group: Any) -> list[Refresh]:
        return self.by_group.setdefault(group.arn, [])

    def active(self, group: Any) -> Refresh | None:
        """The refresh under way: a group has at most one."""
        return next((each for each in self.of(group) if each.active), None)

    def template(self, group: Any) -> dict[str, str]:
        """The launch template of the group: the desired configuration while a refresh to it is under way."""
        active = self.active(group)
        return active.target if active is not None else current_template(group)


class Replacement:
    """Runs one refresh on the account's clock until it ends."""

    def __init__(self, account: Account, refresh: Refresh) -> None:
        self._account = account
        self._refresh = refresh
        self._checkpoints = list(refresh.preferences.get("CheckpointPercentages", ()))
        self._waiting_since: datetime | None = None
        self._resumes: datetime | None = None  # the end of the checkpoint's delay

    def begin(self) -> None:
        """Choose the instances to replace, and start."""
        refresh = self._refresh
        skip = refresh.preferences.get("SkipMatching", False)
        members = serving(refresh.group)
        refresh.to_replace = {
            each.instance_id for each in members if not (skip and each.launch_template == refresh.target)
        }
        refresh.total = len(refresh.to_replace)
        self._after(START, self._start)

    def roll_back(self, reason: str) -> None:
        """Reverse: instances that were replaced are replaced again, from the previous configuration."""
        refresh = self._refresh
        refresh.rollback = {
            "RollbackReason": reason,
            "RollbackStartTime": self._account.clock.now(),
            "PercentageCompleteOnRollback": refresh.percent,
            "InstancesToUpdateOnRollback": len(refresh.outdated()),
        }
        refresh.status = "RollbackInProgress"
        refresh.turn += 1
        refresh.to_replace = {
            each.instance_id for each in serving(refresh.group) if each.launch_template != refresh.before
        }
        self._after(START, self._step)

    def cancel(self) -> None:
        """Stop after the current batch; replaced instances stay."""
        refresh = self._refresh
        refresh.status = "Cancelling"
        refresh.turn += 1
        self._after(LOOK, lambda: self._end("Cancelled", "Cancelled due to user request."))

    def _start(self) -> None:
        self._refresh.status = "InProgress"
        self._step()

    def _step(self) -> bool | None:
        """Replace the next batch, or wait, or finish. False when nothing changed."""
        refresh = self._refresh
        if alarm := self._alarm():
            self._fail(f"The alarm {alarm} is in ALARM state.")
            return None
        if suspended(refresh.group, "Launch", "Terminate"):
            return self._after(LOOK, self._step)
        if (wait := self._checkpoint()) is not None:
            return self._after(wait, self._step)  # an alarm ends the wait early
        if self._obstacle():
            return self._wait_for_people()
        batch = self._replaceable()
        if not batch:
            return self._finish()
        self._replace(batch)
        return None

    def _replace(self, outdated: list[Any]) -> None:
        """One batch: launch first where MaxHealthyPercentage leaves room, else in exchange."""
        refresh, desired = self._refresh, self._refresh.group.desired_capacity
        surplus = len(serving(refresh.group)) - desired
        if surplus > 0:  # launched before a reversal, or scaled in meanwhile
            self._retire(outdated[:surplus])
            self._after(START, self._step)
            return
        room = math.floor(desired * refresh.preferences.get("MaxHealthyPercentage", 100) / 100) - desired
        if room > 0 or refresh.preferences.get("MinHealthyPercentage", 90) == 100:
            batch = outdated[: max(1, room)]
            self._launch(len(batch), lambda: self._retire(batch))
        else:
            least = math.ceil(desired * refresh.preferences.get("MinHealthyPercentage", 90) / 100)
            batch = outdated[: max(1, desired - least)]
            self._retire(batch)
            self._launch(len(batch), lambda: None)

    def _launch(self, count: int, then: Callable[[], None]) -> None:
        """Launch `count` instances; without capacity, retry until there is some, as a group does."""
        refresh = self._refresh
        if is_short(self._account, refresh.group, refresh.target):
            kind = type_of(refresh.group, refresh.target)
            self._account.part(Activities).launch_failed(self._account, refresh.group, kind)
            self._after(LOOK, lambda: self._launch(count, then))
            return
        launched = launch(self._account, refresh.group, count, refresh.target)

        def warmed_up() -> None:
            if not refresh.rolling_back:
                refresh.updated |= {each.instance_id for each in launched}
            then()
            self._step()

        self._after(LAUNCH + self._warm_up(), warmed_up)

    def _retire(self, leaving: list[Any]) -> None:
        self._refresh.updated -= {each.instance_id for each in leaving}
        retire(self._account, self._refresh.group, leaving)

    def _finish(self) -> bool | None:
        refresh = self._refresh
        if any(each.lifecycle_state in ("Pending", "Terminating") for each in refresh.group.instance_states):
            return self._after(LOOK, self._step)
        if refresh.rolling_back:
            self._end("RollbackSuccessful", None)
        elif bake := refresh.preferences.get("BakeTime", 0):
            refresh.status = "Baking"
            self._bake(self._account.clock.now() + timedelta(seconds=bake))
        else:
            self._succeed()
        return None

    def _bake(self, until: datetime) -> bool | None:
        if alarm := self._alarm():
            self._fail(f"The alarm {alarm} is in ALARM state.")
            return None
        left = until - self._account.clock.now()
        if left <= timedelta(0):
            self._succeed()
            return None
        return self._after(min(left, 5 * LOOK), lambda: self._bake(until))

    def _succeed(self) -> None:
        refresh = self._refresh
        if refresh.desired is not None:
            group, template = refresh.group, refresh.desired
            group.ec2_launch_template = group.ec2_backend.launch_templates[template["LaunchTemplateId"]]
            group.launch_template_version = group.provided_launch_template_version = template["Version"]
        self._end("Successful", None)

    def _fail(self, reason: str) -> None:
        refresh = self._refresh
        if refresh.preferences.get("AutoRollback") and not refresh.rolling_back:
            self.roll_back(reason)
        else:
            self._end("RollbackFailed" if refresh.rolling_back else "Failed", reason)

    def _end(self, status: str, reason: str | None) -> None:
        refresh = self._refresh
        refresh.status, refresh.reason = status, reason
        refresh.ended = self._account.clock.now()
        refresh.turn += 1

    def _checkpoint(self) -> timedelta | None:
        """The time to wait at a checkpoint before the next check. The last checkpoint, 100, is the end itself."""
        refresh, now = self._refresh, self._account.clock.now()
        if refresh.rolling_back:
            return None
        if self._checkpoints and refresh.percent >= self._checkpoints[0]:
            reached = self._checkpoints.pop(0)
            delay = refresh.preferences.get("CheckpointDelay", CHECKPOINT_DELAY)
            self._resumes = now + timedelta(seconds=delay) if reached < 100 else None
        if self._resumes is None or now >= self._resumes:
            return None
        return min(self._resumes - now, 5 * LOOK)

    def _obstacle(self) -> bool:
        """Whether there are protected or standby instances that the preferences wait for."""
        preferences = self._refresh.preferences
        protected = any(each.protected_from_scale_in for each in self._refresh.outdated())
        standby = any(each.lifecycle_state == "Standby" for each in self._refresh.group.instance_states)
        return (protected and preferences.get("ScaleInProtectedInstances", "Wait") == "Wait") or (
            standby and preferences.get("StandbyInstances", "Wait") == "Wait"
        )

    def _wait_for_people(self) -> bool | None:
        now = self._account.clock.now()
        self._waiting_since = self._waiting_since or now
        if now - self._waiting_since < PATIENCE:
            return self._after(LOOK, self._step)
        self._fail("Instances are protected from scale in or in Standby, and nobody released them in an hour.")
        return None

    def _replaceable(self) -> list[Any]:
        """The outdated instances, without the protected ones if the preferences ignore those."""
        self._waiting_since = None
        outdated = self._refresh.outdated()
        if self._refresh.preferences.get("ScaleInProtectedInstances") == "Refresh":
            return outdated
        return [each for each in outdated if not each.protected_from_scale_in]

    def _alarm(self) -> str | None:
        """The first alarm of the specification that is in ALARM."""
        refresh = self._refresh
        names = refresh.preferences.get("AlarmSpecification", {}).get("Alarms", [])
        if not names or refresh.rolling_back:
            return None
        cloudwatch = self._account.client("cloudwatch", refresh.account, refresh.region)
        firing = cloudwatch.describe_alarms(AlarmNames=names, StateValue="ALARM")["MetricAlarms"]
        return firing[0]["AlarmName"] if firing else None

    def _warm_up(self) -> timedelta:
        """InstanceWarmup, else the group's DefaultInstanceWarmup, else its health check grace period."""
        group = self._refresh.group
        default = getattr(group, "default_instance_warmup", group.health_check_grace_period or 0)
        return timedelta(seconds=int(self._refresh.preferences.get("InstanceWarmup", default)))

    def _after(self, wait: timedelta, what: Callable[[], bool | None]) -> bool:
        """Run `what` after `wait`, unless the refresh reverses or ends first. False: nothing changed now."""
        turn = self._refresh.turn
        self._account.schedule(
            self._account.clock.now() + wait, lambda: what() if self._refresh.turn == turn else False
        )
        return False
