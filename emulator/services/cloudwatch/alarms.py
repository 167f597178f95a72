"""CloudWatch alarms, evaluated only when somebody reads them, or listens.

An alarm is evaluated once per period, when the period's datapoint is settled. (CloudWatch moves its
window every minute; here a change shows at most one period later.) A read makes all evaluations since the
last one. For listeners, the account computes each alarm's next change in advance, since metrics are a function of
time and configuration, and computes it again when it is due or when anything changes that the alarm may depend on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from emulator.services.cloudwatch.alarm_rules import AlarmRule, AlarmState, Missing
from emulator.services.cloudwatch.metric_queries import Queries, Query
from emulator.workload.workload import LAG, MetricRequest

if TYPE_CHECKING:
    from emulator.core.port import Account

KEPT = timedelta(days=15)  # history of evaluations that nobody has read; one-minute data is gone after that
FORESEEN = timedelta(hours=6)
_GRID = 300  # seconds: interval at which a listener's alarms are evaluated again after a change
UNCHECKED = "Unchecked: Initial alarm creation"


@dataclass(frozen=True)
class StateChange:
    """A change of an alarm's state."""

    alarm: Alarm
    before: AlarmState
    after: AlarmState
    reason: str
    at: datetime


Listener = Callable[[StateChange], object]


@dataclass
class Alarm:
    """One metric alarm: its parameters and its state."""

    place: tuple[str, str]  # account and Region
    parameters: Mapping[str, Any]  # PutMetricAlarm's parameters
    made: datetime
    state: AlarmState = AlarmState.INSUFFICIENT_DATA
    reason: str = UNCHECKED
    updated: datetime = field(init=False)
    evaluated: int | None = None  # the number of the newest period that was evaluated

    def __post_init__(self) -> None:
        self.updated = self.made

    @property
    def name(self) -> str:
        return str(self.parameters["AlarmName"])

    @property
    def arn(self) -> str:
        account, region = self.place
        return f"arn:aws:cloudwatch:{region}:{account}:alarm:{self.name}"

    @property
    def queries(self) -> Sequence[Query]:
        """The alarm's metrics as queries: a single metric is one query."""
        if metrics := self.parameters.get("Metrics"):
            return tuple(metrics)
        metric = {
            key: self.parameters[key] for key in ("Namespace", "MetricName", "Dimensions") if key in self.parameters
        }
        stat = self.parameters.get("Statistic") or self.parameters["ExtendedStatistic"]
        wanted = {
            "Metric": metric,
            "Period": self.parameters["Period"],
            "Stat": stat,
            "Unit": self.parameters.get("Unit"),
        }
        return ({"Id": "m1", "MetricStat": wanted},)

    def is_about(self, namespace: str) -> bool:
        """Whether the alarm uses a metric of this namespace."""
        return any(
            each["MetricStat"]["Metric"]["Namespace"] == namespace
            if "MetricStat" in each
            else namespace in each["Expression"]
            for each in self.queries
        )

    @property
    def watched(self) -> str:
        """The id of the query that is compared with the threshold."""
        return str(next(each["Id"] for each in self.queries if each.get("ReturnData", True)))

    @property
    def rule(self) -> AlarmRule:
        periods = int(self.parameters["EvaluationPeriods"])
        missing = Missing(self.parameters.get("TreatMissingData", Missing.MISSING))
        if self.parameters.get("Namespace") == "AWS/DynamoDB":
            missing = Missing.IGNORE  # "always ignore missing data even if you choose a different option"
        return AlarmRule(
            self.parameters["ComparisonOperator"],
            float(self.parameters["Threshold"]),
            periods,
            int(self.parameters.get("DatapointsToAlarm") or periods),
            missing,
        )


@dataclass
class AlarmStates:
    """All metric alarms of both accounts, by account, Region and name; `changes` oldest first."""

    by_key: dict[tuple[str, str, str], Alarm] = field(default_factory=dict)
    changes: list[StateChange] = field(default_factory=list)
    _listeners: list[Listener] = field(default_factory=list)
    _due: dict[tuple[str, str, str], datetime] = field(default_factory=dict)  # the next evaluation of each
    _next_look: datetime | None = None

    def of(self, place: tuple[str, str]) -> list[Alarm]:
        """The alarms of one account and Region."""
        return [alarm for alarm in self.by_key.values() if alarm.place == place]

    def catch_up(self, account: Account, alarms: Sequence[Alarm]) -> None:
        """Evaluate every period that is settled by now."""
        now = account.clock.now()
        changes: list[StateChange] = []
        for alarm in alarms:
            changes += _evaluate(account, alarm, now)
            alarm.evaluated = max(_settled(now, _queries(account, alarm).period(alarm.watched)), alarm.evaluated or 0)
        for change in sorted(changes, key=lambda each: each.at):
            self.change(change)

    def change(self, change: StateChange) -> None:
        """Set an alarm's new state and call the listeners."""
        alarm = change.alarm
        alarm.state, alarm.reason, alarm.updated = change.after, change.reason, change.at
        self.changes.append(change)
        for listener in self._listeners:
            listener(change)

    def listen(self, account: Account, listener: Listener) -> None:
        """Call `listener` on every change of state from now on, at its time; the listener must not move the clock."""
        if not self._listeners:
            account.on_change(lambda _: self.look_soon(account))
        self.catch_up(account, list(self.by_key.values()))
        self._listeners.append(listener)
        self._look(account)

    def look_soon(self, account: Account, namespace: str | None = None) -> None:
        """Evaluate alarms again at the next period: a metric may have changed, of this namespace or of any (None)."""
        if self._listeners:
            now = int(account.clock.now().timestamp())
            at = _moment(_GRID * ((now - LAG) // _GRID + 1) + LAG)
            for key, alarm in self.by_key.items():
                if namespace is None or alarm.is_about(namespace):
                    self._due[key] = min(self._due.get(key, at), at)
            self._look_when_due(account, at)

    def _look_when_due(self, account: Account, by: datetime) -> None:
        at = min((self._due.get(key, by) for key in self.by_key), default=by)
        if self._next_look is None or at < self._next_look:
            self._next_look = at
            account.schedule(at, lambda: self._look(account) if self._next_look == at else False)

    def _look(self, account: Account) -> bool:
        """Evaluate the alarms that are due, and compute the next time. False: this changes no configuration."""
        self._next_look = None
        now = account.clock.now()
        alarms = {key: alarm for key, alarm in self.by_key.items() if self._due.get(key, now) <= now}
        for key in alarms:
            self._due.pop(key, None)
        self.catch_up(account, list(alarms.values()))
        horizon = now + FORESEEN
        for key, alarm in alarms.items():
            foreseen = next((change.at for change in _evaluate(account, alarm, horizon)), horizon)
            self._due[key] = min(foreseen, self._due.get(key, foreseen))
        self._look_when_due(account, horizon)
        return False


def _evaluate(account: Account, alarm: Alarm, until: datetime) -> Iterator[StateChange]:
    """The changes of state from the last evaluation up to `until`; stores nothing."""
    queries = _queries(account, alarm)
    period, rule = queries.period(alarm.watched), alarm.rule
    last = _settled(until, period)
    first = _settled(alarm.made, period) if alarm.evaluated is None else alarm.evaluated
    first = max(first, last - int(KEPT.total_seconds()) // period)
    if last <= first or queries.silent(alarm.watched):
        return
    oldest = first - rule.looked_at + 1
    values = queries.values(alarm.watched, MetricRequest(oldest * period, last * period, period), until)
    state = alarm.state
    for number, found in enumerate(rule.states(values)):
        if found is not None and found is not state:
            at = _moment((first + number + 1) * period + LAG)
            reason = _reason(alarm, found, values[number : number + rule.looked_at])
            yield StateChange(alarm, state, found, reason, at)
            state = found


def _queries(account: Account, alarm: Alarm) -> Queries:
    return Queries.of(account, alarm.place, alarm.queries)


def _settled(moment: datetime, period: int) -> int:
    """The number of whole periods since 1970 whose datapoints were all settled at that moment."""
    return (int(moment.timestamp()) - LAG) // period


def _reason(alarm: Alarm, state: AlarmState, looked_at: Any) -> str:
    """StateReason in CloudWatch's words."""
    rule = alarm.rule
    real = looked_at[~np.isnan(looked_at)][-rule.periods :]
    if state is AlarmState.INSUFFICIENT_DATA:
        return f"Insufficient Data: {rule.periods - len(real)} datapoints were unknown."
    if not len(real):
        treated = "Breaching" if rule.missing is Missing.BREACHING else "NonBreaching"
        return (
            f"Threshold Crossed: no datapoints were received for {rule.periods} periods and "
            f"{rule.periods} missing datapoints were treated as [{treated}]."
        )
    told = ", ".join(f"{each:g}" for each in real[::-1])
    was = "" if state is AlarmState.ALARM else "not "
    return (
        f"Threshold Crossed: {len(real)} out of the last {rule.periods} datapoints [{told}] were {was}"
        f"{_WORDS[rule.comparison]} the threshold ({rule.threshold:g}) (minimum {rule.datapoints} datapoints for "
        "OK -> ALARM transition)."
    )


_WORDS = {
    "GreaterThanThreshold": "greater than",
    "GreaterThanOrEqualToThreshold": "greater than or equal to",
    "LessThanThreshold": "less than",
    "LessThanOrEqualToThreshold": "less than or equal to",
}


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
