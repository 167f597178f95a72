"""CloudWatch: metrics of AWS and of the application from the workload, all others from the data that was put.

Unlike moto, this module refuses and limits as CloudWatch does: 500 queries a call, pages
of 100,800 datapoints, retention by period, percentiles. Metric math is limited to `metric_math`; other
functions raise NotImplementedError.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from emulator.core.answer_values import Moments
from emulator.core.errors import AwsError
from emulator.core.registry import emulates
from emulator.services.cloudwatch.alarms import AlarmStates
from emulator.services.cloudwatch.metric_queries import Queries
from emulator.services.cloudwatch.published_metrics import samples_of
from emulator.services.cloudwatch.search import expand_searches
from emulator.workload.points import percentile_of
from emulator.workload.workload import MetricRequest, MetricSamples

if TYPE_CHECKING:
    from emulator.core.call_record import Call
    from emulator.core.port import Account

_API = "https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference"
_QUERIES, _DATAPOINTS, _STATISTICS_DATAPOINTS = 500, 100_800, 1_440
_ID = re.compile(r"[a-z][a-zA-Z0-9_]*")
_STATISTICS = ("SampleCount", "Sum", "Average", "Minimum", "Maximum")
_HIGH_RESOLUTION = (1, 5, 10, 20, 30)


@emulates(
    "cloudwatch",
    "GetMetricData",
    rule="At most 500 queries; pages of 100,800 datapoints; percentiles; 1-minute data for 15 days, 5-minute for 63, "
    "1-hour for 455; metric math over the other queries; a SEARCH is a series for each metric that it matches",
    source=f"{_API}/API_GetMetricData.html",
)
def get_metric_data(account: Account, call: Call) -> Mapping[str, Any]:
    asked = call.parameters
    queries: Sequence[Mapping[str, Any]] = asked.get("MetricDataQueries", ())
    _check_queries(queries)
    queries = expand_searches(account, (call.account, call.region), queries)
    named = Queries.of(account, (call.account, call.region), queries)
    queries = [each for each in queries if each.get("ReturnData", True)]
    start, end = _times(asked)
    limit = int(asked.get("MaxDatapoints") or _DATAPOINTS)
    if not 0 < limit <= _DATAPOINTS:
        raise AwsError("ValidationError", f"MaxDatapoints must be between 1 and {_DATAPOINTS}.")
    ascending = asked.get("ScanBy") == "TimestampAscending"
    place, offset = _place(asked.get("NextToken"), len(queries))
    results: list[dict[str, Any]] = []
    for number in range(place, len(queries)):
        at, values = _series(named, queries[number], start, end)
        if not ascending:
            at, values = at[::-1], values[::-1]
        taken = slice(offset, offset + limit)
        limit -= len(at[taken])
        whole = taken.stop >= len(at)
        results.append(_result(queries[number], at[taken], values[taken], whole=whole))
        if not whole:
            return {"MetricDataResults": results, "Messages": [], "NextToken": f"{number}/{taken.stop}"}
        offset = 0
    return {"MetricDataResults": results, "Messages": []}


@emulates(
    "cloudwatch",
    "GetMetricStatistics",
    rule="At most 1,440 datapoints, unordered; needs statistics or extended statistics",
    source=f"{_API}/API_GetMetricStatistics.html",
)
def get_metric_statistics(account: Account, call: Call) -> Mapping[str, Any]:
    asked = call.parameters
    plain, extended = asked.get("Statistics") or [], asked.get("ExtendedStatistics") or []
    if not plain and not extended:
        raise AwsError("InvalidParameterCombination", "Must specify either Statistics or ExtendedStatistics")
    start, end = _times(asked)
    period = _checked_period(asked["Period"])
    if (end - start) / period > _STATISTICS_DATAPOINTS:
        raise AwsError(
            "InvalidParameterCombination",
            f"You have requested up to {(end - start) // period:,} datapoints, which exceeds the limit of 1,440. "
            "You may reduce the datapoints requested by increasing Period, or decreasing the time range.",
        )
    place, span = (call.account, call.region), MetricRequest(start, end, period)
    samples = samples_of(account, place, asked, asked.get("Unit"), span, account.clock.now())
    points: dict[int, dict[str, Any]] = {}
    if samples is None:
        return {"Label": asked["MetricName"], "Datapoints": []}
    for name in (*plain, *extended):
        for at, value in zip(*_statistic(samples, name), strict=True):
            point = points.setdefault(int(at), {"Timestamp": _moment(int(at)), "Unit": samples.unit})
            (point if name in _STATISTICS else point.setdefault("ExtendedStatistics", {}))[name] = float(value)
    return {"Label": asked["MetricName"], "Datapoints": list(points.values())}


@emulates(
    "cloudwatch",
    "PutMetricData",
    rule="Namespaces that begin with AWS/ belong to AWS",
    source=f"{_API}/API_PutMetricData.html",
)
def put_metric_data(account: Account, call: Call) -> Mapping[str, Any]:
    if call.parameters["Namespace"].startswith("AWS/"):
        raise AwsError("InvalidParameterValue", "The value AWS/ for parameter Namespace is invalid.")
    account.part(AlarmStates).look_soon(account, call.parameters["Namespace"])
    return call.forward()


def _check_queries(queries: Sequence[Mapping[str, Any]]) -> None:
    if len(queries) > _QUERIES:
        raise AwsError(
            "ValidationError", f"The collection MetricDataQueries must not have a size greater than {_QUERIES}."
        )
    seen: set[str] = set()
    for query in queries:
        if not _ID.fullmatch(query["Id"]):
            raise AwsError(
                "ValidationError",
                f"The value {query['Id']} for parameter Id is not matching the expected pattern {_ID.pattern}.",
            )
        if query["Id"] in seen:
            raise AwsError("ValidationError", f"The id {query['Id']} is used more than once in MetricDataQueries.")
        seen.add(query["Id"])
        if ("MetricStat" in query) == ("Expression" in query):
            raise AwsError("ValidationError", f"The query {query['Id']} needs either MetricStat or Expression.")


def _times(asked: Mapping[str, Any]) -> tuple[int, int]:
    start, end = int(asked["StartTime"].timestamp()), int(asked["EndTime"].timestamp())
    if start >= end:
        raise AwsError("ValidationError", "The parameter StartTime must be less than the parameter EndTime.")
    return start, end


def _checked_period(period: int) -> int:
    if period not in _HIGH_RESOLUTION and (period <= 0 or period % 60):
        raise AwsError("ValidationError", "The parameter Period must be 1, 5, 10, 20, 30 or a multiple of 60.")
    return period


def _place(token: str | None, queries: int) -> tuple[int, int]:
    """Start of a page: the index of its query, and the number of that query's datapoints on earlier pages."""
    found = re.fullmatch(r"(\d+)/(\d+)", token) if token else re.fullmatch(r"(\d)/(\d)", "0/0")
    if found is None or (token and int(found[1]) >= queries):
        raise AwsError("InvalidNextToken", "The next token specified is invalid.")
    return int(found[1]), int(found[2])


def _series(named: Queries, query: Mapping[str, Any], start: int, end: int) -> tuple[Any, Any]:
    """The datapoints of one query, oldest first."""
    period = _checked_period(named.period(query["Id"]))
    if "MetricStat" in query:
        _check_statistic(query["MetricStat"]["Stat"])
    span = MetricRequest(start // period * period, -(-end // period) * period, period)
    values = named.values(query["Id"], span, named.account.clock.now())
    there = ~np.isnan(values)
    return span.starts()[there], values[there]


def _statistic(samples: MetricSamples, name: str) -> tuple[Any, Any]:
    _check_statistic(name)
    return samples.statistic(name)


def _check_statistic(name: str) -> None:
    if name in _STATISTICS:
        return
    try:
        percentile_of(name)
    except ValueError as error:
        raise AwsError("ValidationError", f"The value {name} for parameter Stat is not supported.") from error


def _result(query: Mapping[str, Any], at: Any, values: Any, *, whole: bool) -> dict[str, Any]:
    return {
        "Id": query.get("SearchId", query["Id"]),
        "Label": query.get("Label")
        or (query["MetricStat"]["Metric"]["MetricName"] if "MetricStat" in query else query["Id"]),
        "Timestamps": Moments(at),
        "Values": values.tolist(),
        "StatusCode": "Complete" if whole else "PartialData",
    }


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
