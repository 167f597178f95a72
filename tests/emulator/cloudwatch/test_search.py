"""SEARCH in GetMetricData, and ListMetrics over the workload's metrics."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from emulator.account import EmulatedAccount
from emulator.workload.workload import Workload
from tests.rehearsal.life import NOW, QUIET, REGION, serve

TOOLING, PRODUCTION = "111111111111", "222222222222"
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def cloudwatch() -> Iterator[Any]:
    with EmulatedAccount(start=NOW - timedelta(days=3), tooling=TOOLING, production=PRODUCTION) as account:
        Workload(QUIET, account, 0, events=())
        serve(account, "tap-fleet", desired=3, maximum=4)
        account.clock.advance_to(NOW)
        yield account.client("cloudwatch", PRODUCTION, REGION)


def search(cloudwatch: Any, expression: str, **more: Any) -> list[dict[str, Any]]:
    query = {"Id": "q1", "Expression": expression, **more}
    answer = cloudwatch.get_metric_data(MetricDataQueries=[query], StartTime=NOW - 2 * HOUR, EndTime=NOW - HOUR)
    found: list[dict[str, Any]] = answer["MetricDataResults"]
    return found


@pytest.mark.parametrize(
    ("terms", "series"),
    [
        ('{AWS/EC2,AutoScalingGroupName} MetricName="CPUUtilization"', 1),
        ('{AWS/EC2,InstanceId} MetricName="CPUUtilization"', 3),
        ("{AWS/EC2,AutoScalingGroupName} CPUUtilization", 1),
        ("{AWS/EC2,AutoScalingGroupName} cpuutilization AND tap AND fleet", 1),
        ('{AWS/EC2,AutoScalingGroupName} MetricName="CPU"', 0),
        ('Namespace="AWS/EC2" MetricName="CPUUtilization" AutoScalingGroupName=tap', 1),
        ('{AWS/EC2,InstanceId,AutoScalingGroupName} MetricName="CPUUtilization"', 0),
        ('{AWS/Nothing,InstanceId} MetricName="CPUUtilization"', 0),
    ],
)
def test_a_search_gives_a_series_for_each_metric_that_matches(cloudwatch: Any, terms: str, series: int) -> None:
    found = search(cloudwatch, f"SEARCH('{terms}', 'Average', 300)")
    assert len(found) == series
    assert {each["Id"] for each in found} <= {"q1"}
    assert all(len(each["Values"]) == 12 and each["Label"].endswith("CPUUtilization") for each in found)


def test_the_values_are_those_of_the_metric_itself(cloudwatch: Any) -> None:
    metric = {
        "Namespace": "AWS/EC2",
        "MetricName": "CPUUtilization",
        "Dimensions": [{"Name": "AutoScalingGroupName", "Value": "tap-fleet"}],
    }
    query = {"Id": "a", "MetricStat": {"Metric": metric, "Stat": "Average", "Period": 300}}
    (alone,) = cloudwatch.get_metric_data(MetricDataQueries=[query], StartTime=NOW - 2 * HOUR, EndTime=NOW - HOUR)[
        "MetricDataResults"
    ]
    terms = '{AWS/EC2,AutoScalingGroupName} MetricName="CPUUtilization"'
    (found,) = search(cloudwatch, f"SEARCH('{terms}', 'Average')", Period=300)
    assert found["Values"] == alone["Values"]


def test_a_search_that_is_none_is_refused(cloudwatch: Any) -> None:
    with pytest.raises(ClientError, match="SEARCH takes"):
        search(cloudwatch, "SEARCH('{AWS/EC2} CPU')")


def test_what_has_data_is_listed_and_filtered(cloudwatch: Any) -> None:
    def listed(**asked: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = cloudwatch.list_metrics(**asked)["Metrics"]
        return found

    of_fleet = listed(Namespace="AWS/EC2", MetricName="CPUUtilization", Dimensions=[{"Name": "AutoScalingGroupName"}])
    assert [each["Dimensions"] for each in of_fleet] == [[{"Name": "AutoScalingGroupName", "Value": "tap-fleet"}]]
    assert len(listed(Namespace="AWS/EC2", MetricName="CPUUtilization")) == 4
    assert {each["Namespace"] for each in listed()} >= {"AWS/ApplicationELB", "AWS/EC2", "Tap/Tenants"}
    other = {"Name": "AutoScalingGroupName", "Value": "another"}
    assert listed(Namespace="AWS/EC2", Dimensions=[other]) == []
