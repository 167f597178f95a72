"""The alarms that speak for a fleet's users: those on the load balancer in front of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from domain.names import EXPECTED_P99_ALARM
from optimizer.ports.aws import Aws
from optimizer.resources.fleet.shown import group_of

if TYPE_CHECKING:
    from types_boto3_cloudwatch.type_defs import DimensionTypeDef, MetricAlarmTypeDef

OURS = "tap-"  # of the names of our alarms: target tracking makes others, on the same metrics
BOOTING = "UnHealthyHostCount"  # counts a target from its first failed checks until its service answers
TAKEN = 10  # "You can specify up to 10 alarms" (EC2 Auto Scaling API, AlarmSpecification)


@dataclass(frozen=True)
class HealthAlarm:
    """One alarm and where it stands: OK, ALARM or INSUFFICIENT_DATA, and since when."""

    name: str
    state: str
    since: datetime


def health_alarms(aws: Aws, group: str) -> tuple[HealthAlarm, ...]:
    """Our alarms on the load balancers of an Auto Scaling group, by name; as many as a refresh takes.

    Without those that ring while any host is unhealthy: every instance that boots is, so a refresh would be turned
    back by its own first batch. Without the one that calls the watch as well: it calls early, and the judge decides.
    """
    balancers = set(_balancers(aws, group))
    if not balancers:
        return ()
    pages = aws.cloudwatch.get_paginator("describe_alarms").paginate(AlarmTypes=["MetricAlarm"])
    alarms = [
        HealthAlarm(each["AlarmName"], each["StateValue"], each["StateUpdatedTimestamp"])
        for page in pages
        for each in page["MetricAlarms"]
        if each["AlarmName"].startswith(OURS)
        and each["AlarmName"] != EXPECTED_P99_ALARM
        and BOOTING not in _metrics(each)
        and any(d["Name"] == "LoadBalancer" and d["Value"] in balancers for d in _dimensions(each))
    ]
    return tuple(sorted(alarms, key=lambda each: each.name)[:TAKEN])


def _balancers(aws: Aws, group: str) -> Iterator[str]:
    """As the metrics name them: app/NAME/ID."""
    described = group_of(aws, group)
    if arns := described.get("TargetGroupARNs"):
        for each in aws.elbv2.describe_target_groups(TargetGroupArns=arns)["TargetGroups"]:
            yield from (arn.split(":loadbalancer/", 1)[1] for arn in each.get("LoadBalancerArns", []))


def _metrics(alarm: MetricAlarmTypeDef) -> set[str]:
    """The names of the metrics that an alarm looks at."""
    stats = [query["MetricStat"] for query in alarm.get("Metrics", ()) if "MetricStat" in query]
    return {alarm.get("MetricName", ""), *(each["Metric"].get("MetricName", "") for each in stats)}


def _dimensions(alarm: MetricAlarmTypeDef) -> Iterator[DimensionTypeDef]:
    yield from alarm.get("Dimensions", ())
    for query in alarm.get("Metrics", ()):
        if "MetricStat" in query:
            yield from query["MetricStat"]["Metric"].get("Dimensions", ())
