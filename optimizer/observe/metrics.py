"""Metrics over the whole period, read in the fewest calls CloudWatch allows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from dataclasses import fields as dataclass_fields
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from domain.errors import AwsFailed
from optimizer.model.health import Sample, Samples
from optimizer.model.resource import Governed
from optimizer.ports.aws import Aws

if TYPE_CHECKING:
    from types_boto3_cloudwatch import CloudWatchClient

# CloudWatch API Reference, GetMetricData
QUERIES_PER_CALL = 500
POINTS_PER_CALL = 100_800
THREADS = 4  # more win nothing: parsing holds the interpreter
SETTLING = timedelta(minutes=5)  # datapoints of a period may change that long after it ended
HEALTH_PERIOD = 300


@dataclass(frozen=True)
class Query:
    """One metric with all the statistics wanted of it. `period` in seconds, at least 300 for 60 days."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    statistics: tuple[str, ...]
    period: int = 3600
    region: str = ""  # empty: the primary Region


@dataclass(frozen=True)
class Series:
    """One statistic of one metric: Unix seconds of each period's start, rising, and its value.

    A value that is no finite number was not measured, and is left out.
    """

    at: NDArray[np.int64]
    values: NDArray[np.float64]
    period: int

    def __post_init__(self) -> None:
        measured = np.isfinite(self.values)
        if not measured.all():
            object.__setattr__(self, "at", self.at[measured])
            object.__setattr__(self, "values", self.values[measured])

    def __len__(self) -> int:
        return len(self.at)


@dataclass(frozen=True)
class Measurements:
    """All series read for one analysis, and what reading them took.

    `calls` counts requests; `metrics` what they are billed by ($0.01 a thousand); both with those of `further`, which
    holds what was read over other spans than the analysis's own.
    """

    start: datetime
    end: datetime
    series: Mapping[tuple[Query, str], Series]
    calls: int
    metrics: int
    further: Mapping[timedelta, Measurements] = field(default_factory=dict)

    def over(self, aws: Aws, queries: Sequence[Query], span: timedelta) -> Measurements:
        """The measurements of these queries over a span up to the end: as read with all others, else read now."""
        ahead = self.further.get(span)
        if ahead is not None and all((query, name) in ahead.series for query in queries for name in query.statistics):
            return ahead
        return read_metrics(aws, queries, self.end - span, self.end)

    def of(self, query: Query, statistic: str) -> Series:
        """The series of one statistic, empty when CloudWatch has nothing; KeyError when it was never asked for."""
        return self.series[(query, statistic)]

    def coverage(self, query: Query, statistic: str) -> float:
        """Percent of the period's buckets that hold a datapoint."""
        buckets = (self.end - self.start) // timedelta(seconds=query.period)
        return 100.0 * len(self.of(query, statistic)) / buckets if buckets else 0.0

    def percentile(self, query: Query, statistic: str, q: float) -> float | None:
        """The q-th percentile (0 to 100) over the buckets; None without data."""
        values = self.of(query, statistic).values
        return float(np.percentile(values, q)) if len(values) else None


def read_metrics(aws: Aws, queries: Sequence[Query], start: datetime, end: datetime) -> Measurements:
    """Read every statistic of every query between two times.

    Both times are rounded down to the longest period asked for, so that only whole periods are read.
    Calls are filled to CloudWatch's limits across periods, with all statistics of a metric in one
    call, since the metric is what is billed. Raises AwsFailed when CloudWatch leaves a series out.
    """
    wanted = tuple(dict.fromkeys(queries))
    unit = max((query.period for query in wanted), default=60)
    start, end = _rounded(start, unit), _rounded(end, unit)
    if start >= end:  # not one whole period, as right after a change: CloudWatch would refuse to be asked
        nothing = {(query, name): _empty(query) for query in wanted for name in query.statistics}
        return Measurements(start, end, nothing, 0, len(wanted))
    batches = list(_batches(wanted, aws.region, round((end - start).total_seconds())))
    clients = {region: aws.at(region).metrics for region in {batch.region for batch in batches}}

    def read(batch: _Batch) -> tuple[dict[tuple[Query, str], Series], int]:
        return _read(clients[batch.region], batch, start, end)

    if len(batches) > 1:
        with ThreadPoolExecutor(THREADS) as pool:
            answers = list(pool.map(read, batches))
    else:
        answers = [read(batch) for batch in batches]
    series = {key: each for answer, _ in answers for key, each in answer.items()}
    return Measurements(start, end, series, sum(calls for _, calls in answers), len(wanted))


def _empty(query: Query) -> Series:
    return Series(np.zeros(0, np.int64), np.zeros(0), query.period)


# Metric, statistic and field of a sample; published by load balancer, and the first by target group as well
# (Elastic Load Balancing, "CloudWatch metrics for your Application Load Balancer").
_OF_TARGETS = (
    ("RequestCount", "Sum", "requests"),
    ("HTTPCode_Target_5XX_Count", "Sum", "target_5xx"),
    ("TargetResponseTime", "p99", "p99_ms"),
)
_OF_BALANCER = (
    *_OF_TARGETS,
    ("HTTPCode_ELB_5XX_Count", "Sum", "elb_5xx"),
    ("HTTPCode_Target_4XX_Count", "Sum", "target_4xx"),
    ("HTTPCode_ELB_4XX_Count", "Sum", "elb_4xx"),
    ("RejectedConnectionCount", "Sum", "rejected"),
    ("ClientTLSNegotiationErrorCount", "Sum", "tls_errors"),
    ("TargetConnectionErrorCount", "Sum", "connection_errors"),
)


def health_samples(
    aws: Aws,
    load_balancer: Governed,
    start: datetime,
    end: datetime,
    *,
    target_groups: Sequence[str] = (),
    zone: str = "UTC",
    settling: timedelta = SETTLING,
) -> Samples:
    """One sample for each settled 5-minute period from `start` up to `end`, with or without datapoints.

    A period has settled `settling` after its end. Response times come in seconds and leave in milliseconds.
    `target_groups` are read as well, each named as its metrics name it: targetgroup/NAME/ID.
    """
    end = min(end, aws.clock.now() - settling)
    start = _rounded(start + timedelta(seconds=HEALTH_PERIOD - 1), HEALTH_PERIOD)
    if end - start < timedelta(seconds=HEALTH_PERIOD):
        return Samples(zone=zone)
    whole = (("LoadBalancer", load_balancer.arn.split(":loadbalancer/", 1)[1]),)
    region = load_balancer.region
    parts = {
        name.split("/")[1]: _fields((*whole, ("TargetGroup", name)), _OF_TARGETS, region) for name in target_groups
    }
    fields = _fields(whole, _OF_BALANCER, region)
    measured = read_metrics(aws, [query for part in (fields, *parts.values()) for query in part], start, end)
    groups = {name: _samples(measured, part) for name, part in parts.items()}
    return Samples(_samples(measured, fields), groups, zone, load_balancer.arn)


def _fields(
    dimensions: tuple[tuple[str, str], ...], metrics: Sequence[tuple[str, str, str]], region: str
) -> dict[Query, str]:
    """The field of a sample that each query fills."""
    return {
        Query("AWS/ApplicationELB", name, dimensions, (statistic,), HEALTH_PERIOD, region): field
        for name, statistic, field in metrics
    }


def _samples(measured: Measurements, fields: Mapping[Query, str]) -> list[Sample]:
    first = int(measured.start.timestamp())
    count = int(measured.end.timestamp() - first) // HEALTH_PERIOD
    read: dict[str, list[Any]] = {
        field: _filled(measured.of(query, query.statistics[0]), first, count) for query, field in fields.items()
    }
    read["p99_ms"] = [None if seconds is None else seconds * 1000 for seconds in read["p99_ms"]]
    read["at"] = [measured.start + timedelta(seconds=HEALTH_PERIOD * n) for n in range(count)]
    return list(map(Sample, *(read.get(each.name) or [None] * count for each in dataclass_fields(Sample))))


@dataclass
class _Batch:
    """The statistics that one call asks for, and the points it has left."""

    region: str
    points_left: int = POINTS_PER_CALL
    asked: list[tuple[Query, str]] = field(default_factory=list)

    def holds(self, statistics: int, points: int) -> bool:
        return len(self.asked) + statistics <= QUERIES_PER_CALL and points <= self.points_left


def _batches(queries: Iterable[Query], region: str, seconds: int) -> Iterable[_Batch]:
    """First fit, the longest series first: fills calls to the floor of their number."""
    filled: dict[str, list[_Batch]] = defaultdict(list)
    for query in sorted(queries, key=lambda each: each.period):
        where = query.region or region
        statistics = len(query.statistics)
        points = statistics * (seconds // query.period)
        batch = next((each for each in filled[where] if each.holds(statistics, points)), None)
        if batch is None:
            batch = _Batch(where)
            filled[where].append(batch)
        batch.points_left -= points
        batch.asked += [(query, statistic) for statistic in query.statistics]
    return [batch for batches in filled.values() for batch in batches]


def _read(
    client: CloudWatchClient, batch: _Batch, start: datetime, end: datetime
) -> tuple[dict[tuple[Query, str], Series], int]:
    """One call, and the pages after it, should CloudWatch page all the same."""
    datapoints: dict[str, list[tuple[NDArray[np.float64], NDArray[np.float64]]]] = defaultdict(list)
    status: dict[str, str] = {}
    request: dict[str, Any] = {
        "MetricDataQueries": [_wanted(f"q{n}", *each) for n, each in enumerate(batch.asked)],
        "StartTime": start,
        "EndTime": end,
        "ScanBy": "TimestampAscending",
    }
    calls = 0
    while True:
        answer = client.get_metric_data(**request)
        calls += 1
        for result in answer["MetricDataResults"]:
            status[result["Id"]] = result.get("StatusCode", "Complete")
            datapoints[result["Id"]].append(
                (np.array(result.get("Timestamps", []), np.float64), np.array(result.get("Values", []), np.float64))
            )
        if not answer.get("NextToken"):
            break
        request["NextToken"] = answer["NextToken"]
    for n, (query, statistic) in enumerate(batch.asked):
        answered = status.get(f"q{n}")
        if any(len(at) != len(values) for at, values in datapoints[f"q{n}"]):
            answered = "another number of times than of values"
        if answered != "Complete":
            raise AwsFailed(
                f"cloudwatch GetMetricData answered {answered} for {statistic} of {query.namespace} {query.name} "
                f"{dict(query.dimensions)} in {batch.region}. Run it again; then look at the role's permissions."
            )
    return {key: _series(datapoints[f"q{n}"], key[0].period) for n, key in enumerate(batch.asked)}, calls


def _series(pages: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]], period: int) -> Series:
    at = np.concatenate([each for each, _ in pages]).astype(np.int64)
    values = np.concatenate([each for _, each in pages])
    if np.any(at[1:] <= at[:-1]):
        at, first = np.unique(at, return_index=True)
        values = values[first]
    return Series(at, values, period)


def _wanted(id_: str, query: Query, statistic: str) -> dict[str, Any]:
    metric = {
        "Namespace": query.namespace,
        "MetricName": query.name,
        "Dimensions": [{"Name": name, "Value": value} for name, value in query.dimensions],
    }
    return {"Id": id_, "MetricStat": {"Metric": metric, "Period": query.period, "Stat": statistic}}


def _filled(series: Series, first: int, count: int) -> list[float | None]:
    """The values on the grid of `count` periods from `first`; None where there is no datapoint."""
    if len(series) == count and series.at[0] == first and series.at[-1] == first + (count - 1) * series.period:
        return list(series.values.tolist())
    grid: list[float | None] = [None] * count
    for at, value in zip(series.at.tolist(), series.values.tolist(), strict=True):
        place = (at - first) // series.period
        if 0 <= place < count:
            grid[place] = value
    return grid


def _rounded(at: datetime, seconds: int) -> datetime:
    """`at` rounded down to whole multiples of `seconds` since 1970, in UTC."""
    return datetime.fromtimestamp(at.timestamp() // seconds * seconds, UTC)
