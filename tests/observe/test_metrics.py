"""Reading metrics: the floor of calls, every value, and nothing that CloudWatch did not say."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import botocore.session
import numpy as np
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from moto import mock_aws

from domain.errors import AwsFailed
from optimizer.model.health import Sample
from optimizer.model.resource import Governed, Kind
from optimizer.observe.metrics import Measurements, Query, Series, health_samples, read_metrics
from optimizer.ports.aws import Aws

START = datetime(2027, 1, 1, tzinfo=UTC)
DAYS_60 = timedelta(days=60)
BALANCER = Governed(
    Kind.LOAD_BALANCER,
    "tap",
    "arn:aws:elasticloadbalancing:us-east-1:222222222222:loadbalancer/app/tap/0123456789abcdef",
    "us-east-1",
    {},
)


@dataclass(frozen=True)
class FixedClock:
    at: datetime

    def now(self) -> datetime:
        return self.at

    def sleep(self, seconds: float) -> None:
        raise AssertionError("reading metrics waits for nothing")


class _Body(io.BytesIO):
    def stream(self, **_: object) -> Iterator[bytes]:
        yield self.read()


@dataclass
class CloudWatch:
    """A CloudWatch that keeps its limits, answered below botocore: parsing and paging are real."""

    value: Callable[[dict[str, Any], int], float | None] = lambda _stat, _at: 1.0
    page: int = 100_800  # points
    status: str = "Complete"
    lost: int = 0  # values of each series that do not come with their times
    requests: list[dict[str, Any]] = field(default_factory=list)
    regions: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def aws(self, now: datetime = START + DAYS_60) -> Aws:
        session = botocore.session.Session()
        session.set_credentials("test", "test")
        session.get_component("event_emitter").register("before-send.cloudwatch", self.answer)
        return Aws(boto3.Session(botocore_session=session), "222222222222", "us-east-1", FixedClock(now))

    def answer(self, request: AWSPreparedRequest, **_: object) -> AWSResponse:
        assert isinstance(request.body, bytes)
        asked = json.loads(request.body)
        with self.lock:
            self.requests.append(asked)
            self.regions.append(request.url.split(".")[1])
        assert len(asked["MetricDataQueries"]) <= 500
        points = [
            (query["Id"], at, value)
            for query in asked["MetricDataQueries"]
            for at in range(int(asked["StartTime"]), int(asked["EndTime"]), query["MetricStat"]["Period"])
            if (value := self.value(query["MetricStat"], at)) is not None
        ]
        begin = int(asked.get("NextToken", 0))
        shown, more = points[begin : begin + self.page], len(points) > begin + self.page
        results = [
            {
                "Id": query["Id"],
                "StatusCode": "PartialData" if more else self.status,
                "Timestamps": [at for id_, at, _ in shown if id_ == query["Id"]],
                "Values": [value for id_, _, value in shown if id_ == query["Id"]][self.lost :],
            }
            for query in asked["MetricDataQueries"]
        ]
        body = {"MetricDataResults": results, **({"NextToken": str(begin + self.page)} if more else {})}
        return AWSResponse(request.url, 200, HTTPHeaders(), _Body(json.dumps(body).encode()))


def hourly(n: int, *statistics: str, region: str = "") -> Query:
    return Query("AWS/RDS", f"metric-{n}", (("DBClusterIdentifier", "c"),), statistics or ("Average",), 3600, region)


def five_minutes(n: int, *statistics: str) -> Query:
    return Query("AWS/DynamoDB", f"metric-{n}", (("TableName", "t"),), statistics or ("Sum",), 300)


@pytest.mark.parametrize(
    ("name", "queries", "calls"),
    [
        ("none", [], 0),
        ("one", [hourly(0)], 1),
        ("70 hourly series fill a call", [hourly(n) for n in range(70)], 1),
        ("71 do not fit", [hourly(n) for n in range(71)], 2),
        ("5-minute and hourly share calls", [five_minutes(0), *[hourly(n) for n in range(58)]], 1),
        ("the standard set", [*map(five_minutes, range(30)), *[hourly(n) for n in range(150)]], 8),
        ("asked twice, read once", [hourly(0), hourly(0)], 1),
    ],
)
def test_calls_stay_at_the_floor(name: str, queries: list[Query], calls: int) -> None:
    cloudwatch = CloudWatch(value=lambda *_: None)
    measured = read_metrics(cloudwatch.aws(), queries, START, START + DAYS_60)
    assert measured.calls == len(cloudwatch.requests) == calls, name
    assert measured.metrics == len(set(queries))


def test_short_reads_are_bound_by_500_queries() -> None:
    cloudwatch = CloudWatch()
    queries = [hourly(n) for n in range(501)]
    assert read_metrics(cloudwatch.aws(), queries, START, START + timedelta(hours=2)).calls == 2


def test_less_than_a_whole_period_is_not_asked_for() -> None:
    """As by a rollback a few minutes after the window opened: CloudWatch would refuse the question."""
    cloudwatch = CloudWatch()
    measured = read_metrics(cloudwatch.aws(), [hourly(0)], START, START + timedelta(minutes=20))
    assert cloudwatch.requests == []
    assert len(measured.of(hourly(0), hourly(0).statistics[0])) == 0


def test_all_statistics_of_a_metric_share_a_call() -> None:
    cloudwatch = CloudWatch(value=lambda *_: None)
    read_metrics(cloudwatch.aws(), [hourly(n, "Average", "Maximum", "p95") for n in range(47)], START, START + DAYS_60)
    calls_of: dict[str, int] = {}
    for request in cloudwatch.requests:
        for name in {query["MetricStat"]["Metric"]["MetricName"] for query in request["MetricDataQueries"]}:
            calls_of[name] = calls_of.get(name, 0) + 1
    assert len(cloudwatch.requests) == 3
    assert set(calls_of.values()) == {1}


def test_each_region_is_asked_itself() -> None:
    cloudwatch = CloudWatch(value=lambda *_: None)
    read_metrics(cloudwatch.aws(), [hourly(0), hourly(0, region="eu-west-1")], START, START + DAYS_60)
    assert sorted(cloudwatch.regions) == ["eu-west-1", "us-east-1"]


def test_values_arrive_with_their_times() -> None:
    cloudwatch = CloudWatch(value=lambda stat, at: float(at) if stat["Stat"] == "Maximum" else None)
    query = hourly(0, "Average", "Maximum")
    measured = read_metrics(cloudwatch.aws(), [query], START, START + timedelta(hours=3))
    first = int(START.timestamp())
    assert measured.of(query, "Maximum").at.tolist() == [first, first + 3600, first + 7200]
    assert measured.of(query, "Maximum").values.tolist() == [first, first + 3600, first + 7200]
    assert len(measured.of(query, "Average")) == 0
    with pytest.raises(KeyError):
        measured.of(query, "Minimum")


def test_pages_are_joined() -> None:
    cloudwatch = CloudWatch(value=lambda _, at: float(at), page=7)
    queries = [hourly(0), hourly(1)]
    measured = read_metrics(cloudwatch.aws(), queries, START, START + timedelta(hours=10))
    assert measured.calls == 3
    for query in queries:
        assert measured.coverage(query, "Average") == 100.0
        assert np.all(np.diff(measured.of(query, "Average").at) == 3600)


@pytest.mark.parametrize("status", ["InternalError", "Forbidden", "PartialData"])
def test_a_series_that_cloudwatch_leaves_out_is_an_error_not_an_absence(status: str) -> None:
    with pytest.raises(AwsFailed, match=f"{status}.*metric-0"):
        read_metrics(CloudWatch(status=status).aws(), [hourly(0)], START, START + DAYS_60)


def test_times_without_their_values_are_an_error_not_a_crash() -> None:
    with pytest.raises(AwsFailed, match=r"another number of times than of values.*metric-0"):
        read_metrics(CloudWatch(lost=1).aws(), [hourly(0)], START, START + DAYS_60)


def test_only_whole_periods_are_read() -> None:
    query = hourly(0)
    late = START + timedelta(minutes=25)
    measured = read_metrics(CloudWatch().aws(), [query], late, late + timedelta(hours=2))
    assert (measured.start, measured.end) == (START, START + timedelta(hours=2))
    assert measured.coverage(query, "Average") == 100.0


def test_other_clients_of_the_session_keep_their_datetimes() -> None:
    with mock_aws():
        aws = Aws(boto3.Session("test", "test"), "123456789012", "us-east-1", FixedClock(START))
        now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        aws.cloudwatch.put_metric_data(
            Namespace="Own", MetricData=[{"MetricName": "m", "Value": 3.0, "Timestamp": now - timedelta(minutes=30)}]
        )
        query = Query("Own", "m", (), ("Sum",), 3600)
        measured = read_metrics(aws, [query], now - timedelta(hours=2), now)
        assert measured.of(query, "Sum").values.tolist() == [3.0]
        assert measured.of(query, "Sum").at.tolist() == [int((now - timedelta(hours=1)).timestamp())]
        aws_new = boto3.Session(botocore_session=aws.session._session).client("cloudwatch", "us-east-1")
        usual = aws_new.get_metric_statistics(
            Namespace="Own",
            MetricName="m",
            StartTime=now - timedelta(hours=2),
            EndTime=now,
            Period=3600,
            Statistics=["Sum"],
        )
        assert isinstance(usual["Datapoints"][0]["Timestamp"], datetime)


@pytest.mark.parametrize(
    ("values", "covered", "p95"), [([], 0.0, None), ([4.0] * 12, 50.0, 4.0), (list(range(24)), 100.0, 21.85)]
)
def test_coverage_and_percentile(values: list[float], covered: float, p95: float | None) -> None:
    query = hourly(0)
    at = np.arange(len(values)) * 3600 + int(START.timestamp())
    series = {(query, "Average"): Series(at, np.array(values, np.float64), 3600)}
    measured = Measurements(START, START + timedelta(days=1), series, calls=1, metrics=1)
    assert measured.coverage(query, "Average") == covered
    assert measured.percentile(query, "Average", 95) == pytest.approx(p95)


def test_samples_are_settled_gridded_and_in_milliseconds() -> None:
    first = int(START.timestamp())
    published = {
        ("RequestCount", first): 7000.0,
        ("RequestCount", first + 600): 6000.0,
        ("TargetResponseTime", first): 0.2,
        ("TargetResponseTime", first + 600): 0.25,
        ("HTTPCode_Target_5XX_Count", first + 600): 4.0,
        ("HTTPCode_ELB_5XX_Count", first + 300): 9.0,
        ("RequestCount", first + 900): 10.0,
    }

    def value(stat: dict[str, Any], at: int) -> float | None:
        metric = stat["Metric"]
        assert metric["Dimensions"] == [{"Name": "LoadBalancer", "Value": "app/tap/0123456789abcdef"}]
        assert stat["Stat"] == ("p99" if metric["MetricName"] == "TargetResponseTime" else "Sum")
        return published.get((metric["MetricName"], at))

    cloudwatch = CloudWatch(value=value)
    now = START + timedelta(minutes=22)  # the period from 15 to 20 has not settled
    found = health_samples(cloudwatch.aws(now), BALANCER, START - timedelta(minutes=1), START + timedelta(hours=1))
    five = timedelta(minutes=5)
    assert found == [
        Sample(START, 7000.0, None, None, 200.0),
        Sample(START + five, None, None, 9.0, None),
        Sample(START + 2 * five, 6000.0, 4.0, None, 250.0),
    ]
    assert len(cloudwatch.requests) == 1


def test_no_period_has_settled_yet() -> None:
    cloudwatch = CloudWatch()
    assert health_samples(cloudwatch.aws(START + timedelta(minutes=9)), BALANCER, START, START + DAYS_60) == []
    assert cloudwatch.requests == []


def test_a_baseline_of_five_weeks_is_one_call() -> None:
    cloudwatch = CloudWatch()
    found = health_samples(cloudwatch.aws(), BALANCER, START, START + timedelta(days=35))
    assert len(found) == 35 * 288
    assert len(cloudwatch.requests) == 1


def test_samples_hold_what_no_5xx_counts_and_those_of_each_target_group() -> None:
    first = int(START.timestamp())
    published = {
        ("RequestCount", None): 7000.0,
        ("TargetResponseTime", None): 0.2,
        ("HTTPCode_Target_4XX_Count", None): 140.0,
        ("HTTPCode_ELB_4XX_Count", None): 3.0,
        ("RejectedConnectionCount", None): 5.0,
        ("ClientTLSNegotiationErrorCount", None): 2.0,
        ("TargetConnectionErrorCount", None): 1.0,
        ("RequestCount", "targetgroup/tap-admin/1"): 210.0,
        ("HTTPCode_Target_5XX_Count", "targetgroup/tap-admin/1"): 6.0,
        ("TargetResponseTime", "targetgroup/tap-admin/1"): 0.3,
    }

    def value(stat: dict[str, Any], at: int) -> float | None:
        dimensions = {each["Name"]: each["Value"] for each in stat["Metric"]["Dimensions"]}
        assert dimensions.pop("LoadBalancer") == "app/tap/0123456789abcdef"
        return published.get((stat["Metric"]["MetricName"], dimensions.get("TargetGroup"))) if at == first else None

    cloudwatch, groups = CloudWatch(value=value), ["targetgroup/tap-admin/1", "targetgroup/tap-new/2"]
    end = START + timedelta(minutes=5)
    found = health_samples(cloudwatch.aws(end + timedelta(hours=1)), BALANCER, START, end, target_groups=groups)
    assert found == [Sample(START, 7000.0, None, None, 200.0, 140.0, 3.0, 5.0, 2.0, 1.0)]
    assert found.groups == {
        "tap-admin": [Sample(START, 210.0, 6.0, None, 300.0)],
        "tap-new": [Sample(START, None, None, None, None)],
    }
    assert len(cloudwatch.requests) == 1
