"""CloudWatch's data of one metric at a moment: of AWS and of the application from the workload, else as put."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from emulator.services.cloudwatch.custom_metrics import put_samples
from emulator.workload.metric_catalog import find
from emulator.workload.workload import MetricRequest, MetricSamples, Sources

if TYPE_CHECKING:
    from emulator.core.port import Account

AWS = "AWS/"
_DAY = 86_400


def samples_of(
    account: Account,
    place: tuple[str, str],
    metric: Mapping[str, Any],
    unit: str | None,
    asked: MetricRequest,
    now: datetime,
) -> MetricSamples | None:
    """The metric over the part of the range that CloudWatch still stores at `now`; None if it has no such metric.

    `place` is an account and a Region; `metric` as in a MetricStat.
    """
    span = _kept(asked, int(now.timestamp()))
    if span is None:
        return None
    owner, region = place
    namespace, name, samples = metric["Namespace"], metric["MetricName"], None
    dimensions = {each["Name"]: each["Value"] for each in metric.get("Dimensions") or ()}
    if owner == account.production and (workload := account.part(Sources).workload) and span.period >= 60:
        samples = workload.samples(region, namespace, name, dimensions, span, now)
    if samples is None and not namespace.startswith(AWS):
        samples = put_samples(owner, region, namespace, name, dimensions, span)
    return samples if samples and unit in (None, samples.unit) else None


def is_emulated(account: Account, place: tuple[str, str], metric: Mapping[str, Any]) -> bool:
    """Whether anything here could publish this metric: if not, its absence shows nothing."""
    if not metric["Namespace"].startswith(AWS):
        return True
    return place[0] == account.production and find(metric["Namespace"], metric["MetricName"]) is not None


def _kept(asked: MetricRequest, now: int) -> MetricRequest | None:
    """The whole periods of the request, cut to the retention of datapoints with this period."""
    period = asked.period
    days = 455 if period % 3600 == 0 else 63 if period % 300 == 0 else 15 if period % 60 == 0 else 0.125
    oldest = now - int(days * _DAY)
    start = max(asked.start // period * period, -(-oldest // period) * period)
    end = min(-(-asked.end // period) * period, (now // period + 1) * period)
    return MetricRequest(start, end, period) if start < end else None
