"""Statistics over several periods are those of all their samples, checked against samples drawn by hand."""

import numpy as np
import pytest

from emulator.workload.points import Points, percentile_of, statistic

RNG = np.random.default_rng(1)
COUNT = np.array([4_000.0, 1_000.0, 2_000.0])


def drawn_latency():
    median, width = np.array([0.04, 0.05, 0.3]), np.array([0.6, 0.7, 0.5])
    samples = [RNG.lognormal(np.log(m), w, int(n) * 50) for m, w, n in zip(median, width, COUNT, strict=True)]
    return Points.latency(COUNT, median, width), np.concatenate(samples)


def drawn_spread():
    mean, width = np.array([20.0, 30.0, 50.0]), np.array([2.0, 3.0, 4.0])
    samples = [RNG.normal(m, w, int(n) * 50) for m, w, n in zip(mean, width, COUNT, strict=True)]
    return Points.spread(COUNT, mean, width, ceiling=100.0), np.concatenate(samples)


@pytest.mark.parametrize("draw", [drawn_latency, drawn_spread])
@pytest.mark.parametrize("share", [50, 90, 99])
def test_a_percentile_of_a_long_period_is_the_percentile_of_its_samples(draw, share):
    points, samples = draw()
    (found,) = statistic(points, f"p{share}", 3)
    assert found == pytest.approx(np.percentile(samples, share), rel=0.02)


def test_an_average_of_percentiles_would_be_another_number():
    points, samples = drawn_latency()
    averaged = statistic(points, "p99", 1).mean()
    assert abs(averaged / np.percentile(samples, 99) - 1) > 0.03


@pytest.mark.parametrize(
    ("name", "expected"),
    [("SampleCount", 3), ("Sum", 60), ("Average", 20), ("Minimum", 10), ("Maximum", 30), ("p50", 20), ("p100", 30)],
)
def test_statistics_of_readings(name, expected):
    points = Points.gauge(np.array([10.0, 30.0, 20.0]))
    assert statistic(points, name, 3)[0] == pytest.approx(expected)


def test_a_period_without_samples_has_no_datapoint_and_does_not_count():
    points = Points.gauge(np.array([10.0, 99.0, 20.0, 99.0]), np.array([True, False, True, False]))
    assert np.isnan(statistic(points, "Average", 1)).tolist() == [False, True, False, True]
    assert statistic(points, "Average", 2).tolist() == [10.0, 20.0]
    assert statistic(points, "Maximum", 4).tolist() == [20.0]


def test_a_counter_counts_whole_events_of_one_each():
    points = Points.counter(np.array([3.7, 0.2]))
    assert statistic(points, "Sum", 2).tolist() == [3.0]
    assert statistic(points, "Average", 1)[0] == 1.0


def test_cutting_a_period_loses_no_sample():
    points = Points.counter(np.array([7.0, 3.0]))
    assert statistic(points.repeated(5, evenly=True), "Sum", 5).tolist() == [7.0, 3.0]
    assert points.repeated(5, evenly=False).count.tolist() == [7, 0, 0, 0, 0, 3, 0, 0, 0, 0]


@pytest.mark.parametrize("name", ["p101", "p", "TM(1%:99%)", "average", ""])
def test_an_unknown_statistic_is_an_error(name):
    with pytest.raises(ValueError, match="is no statistic"):
        percentile_of(name)
