"""The use of indexes, week by week: the queries that count, and the proof by silence."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from optimizer.observe.metrics import Measurements, Series
from optimizer.resources.tables import index_use
from optimizer.resources.tables.index_use import read_use

END = datetime(2027, 3, 1, 8, tzinfo=UTC)
START = END - timedelta(days=70)


@pytest.fixture
def published(monkeypatch):
    """Datapoints by (Region, units, index), as {hours before the end: units}."""
    points = {}

    def read(aws, queries, start, end):
        series = {}
        for query in queries:
            index = dict(query.dimensions).get("GlobalSecondaryIndexName", "")
            units = query.name.removeprefix("Consumed").removesuffix("CapacityUnits")
            found = points.get((query.region, units, index), {})
            at = sorted((int(end.timestamp()) - hours * 3600, value) for hours, value in found.items())
            for statistic in query.statistics:  # a sample is a query that took two units
                values = [value / 2 if statistic == "SampleCount" else value for _, value in at]
                hours = np.array([each for each, _ in at], np.int64)
                series[query, statistic] = Series(hours, np.array(values, np.float64), 3600)
        return Measurements(start, end, series, 1, len(queries))

    monkeypatch.setattr(index_use, "read_metrics", read)
    return points


def every_week(weeks, units=10.0, hours=84):
    """Hours of each week."""
    return {week * 168 + 1 + hour: units for week in range(weeks) for hour in range(hours)}


def use(regions=("us-east-1",)):
    return read_use(None, "users", regions, ["a"], START, END)["a"]


def test_a_week_without_reads_counts_as_none_when_the_table_spoke(published):
    published["us-east-1", "Write", ""] = every_week(9)
    published["us-east-1", "Read", "a"] = {1: 6.0, 160: 8.0, 400: 10.0}
    assert use().weekly_queries == (7.0, 5.0, 5.0, *[0.0] * 6)  # a week reaches back over its edge


@pytest.mark.parametrize(
    ("first", "second", "most"),
    [
        (168, 169, 80.0),  # on both sides of a week's edge
        (100, 240, 80.0),
        (1, 168, 80.0),
        (1, 169, 40.0),  # seven days and an hour apart
    ],
)
def test_weeks_slide(published, first, second, most):
    published["us-east-1", "Write", ""] = every_week(9)
    published["us-east-1", "Read", "a"] = {first: 80.0, second: 80.0}
    assert max(use().weekly_queries) == most


@pytest.mark.parametrize(("units", "samples", "most"), [(1000.0, 10.0, 10.0), (1.0, 500.0, 2.0), (20.0, 40.0, 40.0)])
def test_the_better_of_the_two_bounds_counts(published, monkeypatch, units, samples, most):
    """Ten queries of a page of 100 units each; or samples of idle periods, which took nothing."""
    published["us-east-1", "Write", ""] = every_week(9)
    published["us-east-1", "Read", "a"] = {1: units}
    plain = index_use.read_metrics

    def read(*asked):
        found = plain(*asked)
        for (_query, statistic), series in found.series.items():
            if statistic == "SampleCount" and len(series):
                series.values[:] = samples
        return found

    monkeypatch.setattr(index_use, "read_metrics", read)
    assert max(use().weekly_queries) == most


@pytest.mark.parametrize(("hours", "measured"), [(1, False), (83, False), (84, True), (168, True)])
def test_a_week_of_few_datapoints_is_not_measured(published, hours, measured):
    published["us-east-1", "Write", ""] = every_week(9, hours=hours)
    assert (use().weekly_queries == (0.0,) * 9) is measured
    assert (use().weekly_queries == ()) is not measured


def test_a_week_in_which_nothing_spoke_is_unknown(published):
    published["us-east-1", "Write", ""] = {hour: 1.0 for hour in every_week(3) if not 169 <= hour <= 336}
    assert use().weekly_queries == (0.0, None, 0.0)


def test_reading_the_index_alone_speaks_too(published):
    published["us-east-1", "Read", "a"] = every_week(1, units=2.0)
    assert use().weekly_queries == (84.0,)


def test_only_whole_weeks_of_the_range_count(published):
    published["us-east-1", "Write", ""] = every_week(30)
    assert len(use().weekly_queries) == 10


def test_regions_add_up_and_each_must_have_spoken(published):
    published["us-east-1", "Write", ""] = every_week(3)
    published["us-west-2", "Write", ""] = {hour: 1.0 for hour in every_week(3) if not 169 <= hour <= 336}
    published["us-west-2", "Read", "a"] = {1: 4.0}
    published["us-east-1", "Read", "a"] = {2: 6.0}
    assert use(("us-east-1", "us-west-2")).weekly_queries == (5.0, None, 0.0)


def test_age_and_writes_come_from_the_index_itself(published):
    published["us-east-1", "Write", ""] = every_week(9)
    assert (use().age_days, use().monthly_writes) == (None, 0.0)
    published["us-east-1", "Write", "a"] = {1: 2.0, 719: 3.0, 721: 4.0, 1440: 5.0}
    assert (use().age_days, use().monthly_writes) == (60.0, 5.0)


def test_nothing_measured_at_all(published):
    assert use().weekly_queries == ()
