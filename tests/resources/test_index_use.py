"""The use of indexes, week by week: what counts, and what silence proves."""

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
            series[query, "Sum"] = Series(
                np.array([each for each, _ in at], np.int64), np.array([value for _, value in at], np.float64), 3600
            )
        return Measurements(start, end, series, 1, len(queries))

    monkeypatch.setattr(index_use, "read_metrics", read)
    return points


def every_week(weeks, units=10.0):
    return {week * 168 + 1: units for week in range(weeks)}


def use(regions=("us-east-1",)):
    return read_use(None, "users", regions, ["a"], START, END)["a"]


def test_a_week_without_reads_counts_as_none_when_the_table_spoke(published):
    published["us-east-1", "Write", ""] = every_week(9)
    published["us-east-1", "Read", "a"] = {1: 3.0, 168: 4.0, 169: 5.0}  # the last two straddle a week's beginning
    assert use().weekly_reads == (7.0, 5.0, *[0.0] * 7)


def test_a_week_in_which_nothing_spoke_is_unknown(published):
    published["us-east-1", "Write", ""] = {1: 1.0, 400: 1.0}
    assert use().weekly_reads == (0.0, None, 0.0)


def test_reading_the_index_alone_speaks_too(published):
    published["us-east-1", "Read", "a"] = {1: 3.0}
    assert use().weekly_reads == (3.0,)


def test_only_whole_weeks_of_the_range_count(published):
    published["us-east-1", "Write", ""] = every_week(30)
    assert len(use().weekly_reads) == 10


def test_regions_add_up_and_each_must_have_spoken(published):
    published["us-east-1", "Write", ""] = every_week(3)
    published["us-west-2", "Write", ""] = {1: 1.0, 400: 1.0}
    published["us-west-2", "Read", "a"] = {1: 2.0}
    published["us-east-1", "Read", "a"] = {2: 3.0}
    assert use(("us-east-1", "us-west-2")).weekly_reads == (5.0, None, 0.0)


def test_age_and_writes_come_from_the_index_itself(published):
    published["us-east-1", "Write", ""] = every_week(9)
    assert (use().age_days, use().monthly_writes) == (None, 0.0)
    published["us-east-1", "Write", "a"] = {1: 2.0, 719: 3.0, 721: 4.0, 1440: 5.0}
    assert (use().age_days, use().monthly_writes) == (60.0, 5.0)


def test_nothing_measured_at_all(published):
    assert use().weekly_reads == ()
