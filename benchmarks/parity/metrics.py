"""The sets of dimensions under which a metric is found, shown on a metric of our own."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from benchmarks.parity.asking import Answers, Sandbox

NAMESPACE = "tap/parity"
SET = ({"Name": "Group", "Value": "a"}, {"Name": "Source", "Value": "b"})


def ask_dimensions(sandbox: Sandbox) -> Answers:
    """A metric goes by itself 15 months after its last datapoint: there is nothing to take away."""
    client, name = sandbox.client("cloudwatch"), f"parity-{sandbox.suffix}"
    at = sandbox.now().replace(second=0, microsecond=0) - timedelta(minutes=5)
    datum = {"MetricName": name, "Dimensions": list(SET), "Timestamp": at, "Value": 1.0}
    client.put_metric_data(Namespace=NAMESPACE, MetricData=[datum])

    def found(*dimensions: Any) -> bool:
        metric = {"Namespace": NAMESPACE, "MetricName": name, "Dimensions": list(dimensions)}
        query = {"Id": "m", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}}
        window = {"StartTime": at - timedelta(minutes=10), "EndTime": at + timedelta(minutes=10)}
        shown = client.get_metric_data(MetricDataQueries=[query], **window)
        return bool(shown["MetricDataResults"][0]["Values"])

    return {
        "under its whole set": sandbox.until(lambda: found(*SET), 600) is not None,
        "in another order": found(*reversed(SET)),
        "under one of its dimensions": found(SET[0]),
        "under none": found(),
    }
