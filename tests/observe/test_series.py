"""Figures over several series: one without data makes the whole unknown."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from optimizer.observe.metrics import Series
from optimizer.observe.series import (
    at_times_of,
    growth,
    highest,
    highest_p95,
    larger,
    p95,
    p95_or_lately,
    peak_rate,
    rate_p95,
    scaled,
    together,
    total,
)


def series(*values: float) -> Series:
    return Series(np.arange(0, 3600 * len(values), 3600), np.array(values, dtype=np.float64), 3600)


TWO = (series(1, 2, 3), series(10, 0, 0))


@pytest.mark.parametrize(("figure", "value"), [(highest, 10.0), (highest_p95, 9.0), (total, 16.0)])
def test_a_figure_is_over_all_of_them(figure: Callable[[Sequence[Series]], float | None], value: float) -> None:
    assert figure(TWO) == pytest.approx(value)


@pytest.mark.parametrize("figure", [highest, highest_p95, total, rate_p95, peak_rate, growth])
@pytest.mark.parametrize("holes", [(), (series(),), (series(1.0), series())])
def test_what_is_not_measured_is_not_known(
    figure: Callable[[Sequence[Series]], float | None], holes: tuple[Series, ...]
) -> None:
    assert figure(holes) is None


def test_rates_are_added_period_by_period() -> None:
    assert rate_p95([series(3600.0, 7200.0), series(3600.0, 7200.0)]) == pytest.approx(3.9)


def test_a_peak_is_of_all_together_in_one_period() -> None:
    assert peak_rate([series(3600.0, 0.0, 7200.0), series(3600.0, 10_800.0)]) == pytest.approx(3.0)


def test_growth_is_the_last_week_against_the_first() -> None:
    weeks = [*[10.0] * 168, *[11.0] * 168, *[12.0] * 168]
    assert growth([series(*weeks)]) == pytest.approx(1.2, rel=0.01)
    assert growth([series(*reversed(weeks))]) == 1.0


def test_a_value_that_is_no_number_was_not_measured() -> None:
    odd = series(1.0, float("nan"), 3.0, float("inf"))
    assert odd.at.tolist() == [0, 7200]
    assert highest([odd]) == 3.0
    assert highest([odd, series(float("nan"))]) is None


@pytest.mark.parametrize(
    ("days", "found"),
    [
        ([*[10.0] * 60], 10.0),
        ([*[10.0] * 59, 20.0], 20.0),  # cut to half a day ago
        ([*[10.0] * 57, *[20.0] * 3], 20.0),
        ([*[20.0] * 59, 10.0], 20.0),  # a quiet day lowers nothing
    ],
)
def test_a_share_counts_over_the_period_or_over_the_newest_day(days: list[float], found: float) -> None:
    assert p95_or_lately(series(*[each for each in days for _ in range(24)])) == pytest.approx(found)


def test_nothing_has_no_percentile() -> None:
    assert (p95(series()), p95_or_lately(series())) == (None, None)


def test_each_period_is_scaled_by_its_own_factor() -> None:
    share = series(10.0, 10.0, 20.0)
    count = Series(np.array([0, 7200]), np.array([25.0, 12.0]), 3600)
    assert at_times_of(share, count, 0.0).tolist() == [25.0, 25.0, 12.0]
    assert scaled(share, at_times_of(share, count, 0.0)).values.tolist() == [250.0, 250.0, 240.0]


def test_before_the_first_value_something_else_is_taken() -> None:
    late = Series(np.array([7200]), np.array([12.0]), 3600)
    assert at_times_of(series(1.0, 1.0, 1.0), late, 5.0).tolist() == [5.0, 5.0, 12.0]
    assert at_times_of(series(1.0), series(), 5.0).tolist() == [5.0]


def test_sums_and_the_larger_are_taken_period_by_period() -> None:
    late = Series(np.array([3600, 7200]), np.array([5.0, 1.0]), 3600)
    assert together([series(1.0, 2.0), late]).values.tolist() == [1.0, 7.0, 1.0]
    assert together([series(), series()]).values.tolist() == []
    assert together([]).period == 0
    assert larger(series(1.0, 2.0), late).values.tolist() == [1.0, 5.0, 1.0]
    assert larger(series(), late).values.tolist() == [5.0, 1.0]
