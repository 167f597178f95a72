"""Reading 60 days of metrics: `read_metrics` against plain boto3, on the same stub in the same run.

The stub answers GetMetricData under CloudWatch's limits and GetMetricStatistics, on loopback, from a
separate process; its answers are made beforehand, so that it costs little. It has no latency, which
favours the reader that makes more calls. Each reader runs in a fresh process.

    python benchmarks/metrics.py [--series 1000] [--days 60]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
import numpy as np

from domain.clock import SystemClock
from optimizer.observe.metrics import POINTS_PER_CALL, QUERIES_PER_CALL, Query, read_metrics
from optimizer.ports.aws import RETRIES, Aws

if TYPE_CHECKING:
    from types_boto3_cloudwatch.type_defs import MetricDataQueryTypeDef

END = datetime(2027, 3, 1, tzinfo=UTC)


class Stub(BaseHTTPRequestHandler):
    """CloudWatch with a value for every hour: 500 queries a call, 100,800 points a page."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        operation = self.headers["X-Amz-Target"].split(".")[1]
        first, points = request["StartTime"], round((request["EndTime"] - request["StartTime"]) / 3600)
        body = statistics(first, points) if operation == "GetMetricStatistics" else self._page(request, first, points)
        self.send_response(200)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _page(self, request: dict[str, Any], first: float, points: int) -> bytes:
        ids = [query["Id"] for query in request["MetricDataQueries"]]
        assert len(ids) <= QUERIES_PER_CALL
        begin = int(request.get("NextToken", 0))
        end = begin + POINTS_PER_CALL // points  # whole series per page
        token = f',"NextToken":"{end}"' if end < len(ids) else ""
        results = b",".join(b'{"Id":"%s",%s}' % (each.encode(), series(first, points)) for each in ids[begin:end])
        return b'{"MetricDataResults":[%s]%s}' % (results, token.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


@cache
def series(first: float, points: int) -> bytes:
    stamps = [first + 3600.0 * n for n in range(points)]
    values = [50 + n % 17 + 0.125 for n in range(points)]
    return f'"Label":"m","StatusCode":"Complete","Timestamps":{stamps},"Values":{values}'.encode()


@cache
def statistics(first: float, points: int) -> bytes:
    return json.dumps(
        {
            "Label": "m",
            "Datapoints": [
                {"Timestamp": first + 3600.0 * n, "Average": 50 + n % 17 + 0.125, "Unit": "Percent"}
                for n in range(points)
            ],
        }
    ).encode()


def serve(ready: Connection) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Stub)
    ready.send(server.server_port)
    server.serve_forever()


def session() -> boto3.Session:
    made = botocore.session.Session()
    made.set_credentials("benchmark", "benchmark")
    return boto3.Session(botocore_session=made)


def statistics_loop(count: int, start: datetime) -> int:
    """The reader with one GetMetricStatistics per metric."""
    client = session().client("cloudwatch", "us-east-1", config=RETRIES)
    points = {}
    for n in range(count):
        points[n] = client.get_metric_statistics(
            Namespace="AWS/EC2",
            MetricName=f"metric-{n}",
            StartTime=start,
            EndTime=END,
            Period=3600,
            Statistics=["Average"],
        )["Datapoints"]
    assert sum(map(len, points.values())) == count * ((END - start) // timedelta(hours=1))
    return count


def paginator(count: int, start: datetime) -> int:
    """The reader with GetMetricData, 500 metrics a call, by boto3's paginator."""
    client = session().client("cloudwatch", "us-east-1", config=RETRIES)
    points: dict[str, list[tuple[datetime, float]]] = {}
    pages = 0
    for begin in range(0, count, QUERIES_PER_CALL):
        queries: list[MetricDataQueryTypeDef] = [
            {
                "Id": f"q{n}",
                "MetricStat": {
                    "Metric": {"Namespace": "AWS/EC2", "MetricName": f"metric-{n}"},
                    "Period": 3600,
                    "Stat": "Average",
                },
            }
            for n in range(begin, min(begin + QUERIES_PER_CALL, count))
        ]
        answers = client.get_paginator("get_metric_data").paginate(
            MetricDataQueries=queries, StartTime=start, EndTime=END
        )
        for page in answers:
            pages += 1
            for result in page["MetricDataResults"]:
                points.setdefault(result["Id"], []).extend(zip(result["Timestamps"], result["Values"], strict=True))
    assert sum(map(len, points.values())) == count * ((END - start) // timedelta(hours=1))
    return pages


def ours(count: int, start: datetime) -> int:
    """Our reader, `read_metrics`."""
    aws = Aws(session(), "222222222222", "us-east-1", SystemClock())
    queries = [Query("AWS/EC2", f"metric-{n}", (), ("Average",)) for n in range(count)]
    measured = read_metrics(aws, queries, start, END)
    assert sum(map(len, measured.series.values())) == count * ((END - start) // timedelta(hours=1))
    found = [measured.percentile(query, "Average", 95) for query in queries]
    assert all(each is not None and np.isfinite(each) for each in found)
    return measured.calls


def timed(what: Callable[[int, datetime], int], port: int, count: int, start: datetime) -> tuple[int, float, float]:
    """Calls, wall seconds and added MiB of one contestant."""
    os.environ["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{port}"
    idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    calls = what(count, start)
    wall = time.perf_counter() - began
    return calls, wall, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - idle) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description="Reading metrics against plain boto3.")
    parser.add_argument("--series", type=int, default=1000)
    parser.add_argument("--days", type=int, default=60)
    options = parser.parse_args()
    start = END - timedelta(days=options.days)

    spawn = multiprocessing.get_context("spawn")
    receive, send = spawn.Pipe(duplex=False)
    server = spawn.Process(target=serve, args=(send,), daemon=True)
    server.start()
    port = receive.recv()

    print(f"{options.series:,} series of {options.days} days, hourly      calls   wall s  added MiB")
    walls = {}
    for what in (statistics_loop, paginator, ours):
        with spawn.Pool(1) as fresh:
            calls, wall, memory = fresh.apply(timed, (what, port, options.series, start))
        walls[what.__name__] = wall
        print(f"  {what.__name__:<36}{calls:>6,} {wall:>8.2f} {memory:>10.0f}")
    server.terminate()
    for other in ("statistics_loop", "paginator"):
        print(f"ours is {walls[other] / walls['ours']:.1f} times as fast as {other}")


if __name__ == "__main__":
    main()
