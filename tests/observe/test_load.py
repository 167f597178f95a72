"""A week's hours and a resource's use, from series as CloudWatch gives them."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from optimizer.observe.load import loads_of, name_of
from optimizer.observe.metrics import Measurements, Query, Series

MONDAY = datetime(2027, 1, 4, tzinfo=UTC)
CPU = Query("AWS/EC2", "CPUUtilization", (("AutoScalingGroupName", "tap-fleet"),), ("Average",), 3600, "us-east-1")


def measured(*series: tuple[Query, list[float], int]) -> Measurements:
    """Hourly values from Monday 00:00 UTC, over two weeks."""
    start = int(MONDAY.timestamp())
    return Measurements(
        MONDAY,
        MONDAY + timedelta(days=14),
        {
            (query, query.statistics[0]): Series(
                np.array([start + 3600 * (first + n) for n in range(len(values))], np.int64),
                np.array(values, np.float64),
                3600,
            )
            for query, values, first in series
        },
        calls=1,
        metrics=len(series),
    )


def test_the_first_hour_is_mondays_and_weeks_are_averaged() -> None:
    (load,) = loads_of(measured((CPU, [float(n) for n in range(336)], 0)))
    assert load.hours[0] == (0 + 168) / 2
    assert load.hours[167] == pytest.approx((167 + 335) / 2)
    assert (load.uses[0].highest, load.uses[0].coverage, load.resources) == (335.0, 100.0, 1)


def test_an_hour_without_datapoints_is_none() -> None:
    (load,) = loads_of(measured((CPU, [5.0], 25)))  # Tuesday, 01:00
    assert load.hours[25] == 5.0
    assert [each for each in load.hours if each is not None] == [5.0]
    assert load.uses[0].coverage == 0.3


def test_resources_of_one_metric_are_one_load_the_busiest_first() -> None:
    other = Query("AWS/EC2", "CPUUtilization", (("AutoScalingGroupName", "busy"),), ("Average",), 3600, "eu-west-1")
    silent = Query("AWS/EC2", "CPUUtilization", (("AutoScalingGroupName", "silent"),), ("Average",), 3600, "eu-west-1")
    (load,) = loads_of(measured((CPU, [1.0], 0), (other, [3.0], 0), (silent, [], 0)))
    assert [each.resource for each in load.uses] == ["busy", "tap-fleet"]
    assert load.hours[0] == 2.0


@pytest.mark.parametrize(
    ("namespace", "values", "name"),
    [
        ("AWS/ApplicationELB", ["app/tap/50dc6c495c0c9188"], "tap"),
        ("AWS/DynamoDB", ["users", "by-email"], "users/by-email"),
        ("AWS/EC2", ["tap-fleet"], "tap-fleet"),
    ],
)
def test_names(namespace: str, values: list[str], name: str) -> None:
    assert name_of(Query(namespace, "x", tuple(("d", value) for value in values), ("Sum",))) == name
