"""CloudWatch alarms: stored and evaluated here; moto only stores them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from emulator.core.errors import AwsError
from emulator.core.registry import Answer, emulates
from emulator.services.cloudwatch.alarm_rules import BREACHES, AlarmState
from emulator.services.cloudwatch.alarms import KEPT, Alarm, AlarmStates, StateChange

if TYPE_CHECKING:
    from emulator.core.call_record import Call
    from emulator.core.port import Account

_API = "https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference"
_GUIDE = "https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring"
_DAY = 86_400
_PAGE = 50


@emulates(
    "cloudwatch",
    "PutMetricAlarm",
    rule="A new alarm starts as INSUFFICIENT_DATA, an existing one keeps its state; M out of N datapoints, missing "
    "ones by TreatMissingData; DynamoDB's metrics always ignore missing data; percentiles and metric math; the "
    "evaluated periods span at most a day, or a week for periods of an hour.",
    source=f"{_GUIDE}/alarms-and-missing-data.html",
)
def put_metric_alarm(account: Account, call: Call) -> Answer:
    asked = call.parameters
    _refuse(asked)
    answer = call.forward()
    key = (call.account, call.region, asked["AlarmName"])
    alarms = account.part(AlarmStates)
    before = alarms.by_key.get(key)
    made = Alarm((call.account, call.region), asked, account.clock.now())
    if before is not None:
        alarms.catch_up(account, [before])
        made.state, made.reason, made.updated = before.state, before.reason, before.updated
    alarms.by_key[key] = made
    return answer


@emulates(
    "cloudwatch",
    "PutCompositeAlarm",
    rule="Not emulated: the call is refused.",
    source=f"{_API}/API_PutCompositeAlarm.html",
)
def put_composite_alarm(_account: Account, call: Call) -> Answer:
    raise NotImplementedError(f"composite alarms are not emulated ({call.parameters['AlarmName']})")


@emulates(
    "cloudwatch",
    "DeleteAlarms",
    rule="Deletes all or none: an alarm that does not exist is an error.",
    source=f"{_API}/API_DeleteAlarms.html",
)
def delete_alarms(account: Account, call: Call) -> Answer:
    alarms = account.part(AlarmStates)
    names = call.parameters["AlarmNames"]
    for name in names:
        _alarm(account, call, name)
    for name in names:
        del alarms.by_key[call.account, call.region, name]
    return call.forward()


@emulates(
    "cloudwatch",
    "DescribeAlarms",
    rule="States as of the last evaluation; names, prefix, state and action filter together; pages of 50.",
    source=f"{_API}/API_DescribeAlarms.html",
)
def describe_alarms(account: Account, call: Call) -> Answer:
    asked = call.parameters
    if "AlarmNames" in asked and "AlarmNamePrefix" in asked:
        raise AwsError("ValidationError", "AlarmNames and AlarmNamePrefix cannot be specified together.")
    alarms = account.part(AlarmStates)
    named = [each for each in alarms.of((call.account, call.region)) if _is_named(each, asked)]
    alarms.catch_up(account, named)
    found = [each for each in named if asked.get("StateValue") in (None, each.state)]
    found = found if "MetricAlarm" in asked.get("AlarmTypes", ["MetricAlarm"]) else []
    start, limit = int(asked.get("NextToken") or 0), int(asked.get("MaxRecords") or _PAGE)
    page = sorted(found, key=lambda each: each.name)[start : start + limit]
    answer: dict[str, Any] = {"MetricAlarms": [_show(each) for each in page], "CompositeAlarms": []}
    return answer if start + limit >= len(found) else {**answer, "NextToken": str(start + limit)}


_ACTIONS = "Unknown names are ignored; the alarm keeps its state, and disabled actions do not run on a change of it."


@emulates("cloudwatch", "EnableAlarmActions", rule=_ACTIONS, source=f"{_API}/API_EnableAlarmActions.html")
def enable_alarm_actions(account: Account, call: Call) -> Answer:
    return _enable(account, call, enabled=True)


@emulates("cloudwatch", "DisableAlarmActions", rule=_ACTIONS, source=f"{_API}/API_DisableAlarmActions.html")
def disable_alarm_actions(account: Account, call: Call) -> Answer:
    return _enable(account, call, enabled=False)


def _enable(account: Account, call: Call, *, enabled: bool) -> Answer:
    alarms = account.part(AlarmStates)
    for name in call.parameters["AlarmNames"]:
        if (alarm := alarms.by_key.get((call.account, call.region, name))) is not None:
            alarm.parameters = {**alarm.parameters, "ActionsEnabled": enabled}
    return {}


@emulates(
    "cloudwatch",
    "SetAlarmState",
    rule="The state lasts until the next evaluation of the alarm.",
    source=f"{_API}/API_SetAlarmState.html",
)
def set_alarm_state(account: Account, call: Call) -> Answer:
    asked = call.parameters
    alarm = _alarm(account, call, asked["AlarmName"])
    alarms = account.part(AlarmStates)
    alarms.catch_up(account, [alarm])
    after = AlarmState(asked["StateValue"])
    if after is not alarm.state:
        alarms.change(StateChange(alarm, alarm.state, after, asked["StateReason"], account.clock.now()))
    alarms.look_soon(account)
    return {}


@emulates(
    "cloudwatch",
    "DescribeAlarmHistory",
    rule="Every change of state with its time and reason, newest first by default.",
    source=f"{_API}/API_DescribeAlarmHistory.html",
)
def describe_alarm_history(account: Account, call: Call) -> Answer:
    asked = call.parameters
    alarms = account.part(AlarmStates)
    place, name = (call.account, call.region), asked.get("AlarmName")
    alarms.catch_up(account, [each for each in alarms.of(place) if name in (None, each.name)])
    now = account.clock.now()
    start, end = asked.get("StartDate", now - KEPT), asked.get("EndDate", now)
    found = [
        each
        for each in sorted(alarms.changes, key=lambda each: each.at, reverse=True)
        if each.alarm.place == place and name in (None, each.alarm.name) and start <= each.at <= end
    ]
    if asked.get("HistoryItemType", "StateUpdate") != "StateUpdate":
        found = []
    if asked.get("ScanBy") == "TimestampAscending":
        found.reverse()
    return {"AlarmHistoryItems": [_item(each) for each in found[: int(asked.get("MaxRecords") or 100)]]}


def _refuse(asked: Mapping[str, Any]) -> None:
    """Raise CloudWatch's refusals, and NotImplementedError for parameters that are not emulated."""
    if asked["ComparisonOperator"] not in BREACHES or "ThresholdMetricId" in asked:
        raise NotImplementedError(f"alarms on anomaly detection are not emulated ({asked['AlarmName']})")
    if asked.get("EvaluateLowSampleCountPercentile", "evaluate") != "evaluate":
        raise NotImplementedError(f"EvaluateLowSampleCountPercentile=ignore is not emulated ({asked['AlarmName']})")
    single = {"MetricName", "Namespace", "Period"} <= asked.keys() and (
        ("Statistic" in asked) != ("ExtendedStatistic" in asked)
    )
    periods = int(asked["EvaluationPeriods"])
    returned = [each for each in asked.get("Metrics", ()) if each.get("ReturnData", True)]
    refused = {
        "Either Metrics, or MetricName, Namespace, Period and one statistic.": ("Metrics" in asked) == single,
        "Threshold is required.": "Threshold" not in asked,
        "DatapointsToAlarm cannot exceed EvaluationPeriods.": int(asked.get("DatapointsToAlarm") or 1) > periods,
        "Exactly one of the metrics must return data.": "Metrics" in asked and len(returned) != 1,
        "Metrics list contains too many metrics.": len([m for m in asked.get("Metrics", ()) if "MetricStat" in m]) > 10,
        "Metrics cannot be checked across more than a day (EvaluationPeriods*Period must be <= 86400).": single
        and periods * asked["Period"] > (_DAY if asked["Period"] < 3600 else 7 * _DAY),
    }
    for why, broken in refused.items():
        if broken:
            raise AwsError("ValidationError", why)


def _alarm(account: Account, call: Call, name: str) -> Alarm:
    found = account.part(AlarmStates).by_key.get((call.account, call.region, name))
    if found is None:
        raise AwsError("ResourceNotFound", f"The alarm {name} does not exist.", 404)
    return found


def _is_named(alarm: Alarm, asked: Mapping[str, Any]) -> bool:
    actions: Sequence[str] = alarm.parameters.get("AlarmActions", ())
    return (
        ("AlarmNames" not in asked or alarm.name in asked["AlarmNames"])
        and alarm.name.startswith(asked.get("AlarmNamePrefix", ""))
        and ("ActionPrefix" not in asked or any(each.startswith(asked["ActionPrefix"]) for each in actions))
    )


def _show(alarm: Alarm) -> dict[str, Any]:
    return {
        "ActionsEnabled": True,
        **{key: value for key, value in alarm.parameters.items() if key != "Tags"},
        "AlarmArn": alarm.arn,
        "AlarmConfigurationUpdatedTimestamp": alarm.made,
        "StateValue": alarm.state.value,
        "StateReason": alarm.reason,
        "StateUpdatedTimestamp": alarm.updated,
        "StateTransitionedTimestamp": alarm.updated,
    }


def _item(change: StateChange) -> dict[str, Any]:
    data = {
        "version": "1.0",
        "oldState": {"stateValue": change.before.value},
        "newState": {"stateValue": change.after.value, "stateReason": change.reason},
    }
    return {
        "AlarmName": change.alarm.name,
        "AlarmType": "MetricAlarm",
        "Timestamp": change.at,
        "HistoryItemType": "StateUpdate",
        "HistorySummary": f"Alarm updated from {change.before.value} to {change.after.value}",
        "HistoryData": json.dumps(data),
    }
