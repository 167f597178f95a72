"""Metrics put into custom namespaces: moto stores the data, this module computes the statistics."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import numpy as np
from moto.cloudwatch.models import MetricAggregatedDatum, MetricDatumBase, cloudwatch_backends

from emulator.workload.points import Points
from emulator.workload.workload import MetricRequest, MetricSamples


def put_samples(
    account: str, region: str, namespace: str, name: str, dimensions: Mapping[str, str], asked: MetricRequest
) -> MetricSamples | None:
    """Samples of the metric put between `start` and `end`; None if there are none."""
    found = [
        each
        for each in cloudwatch_backends[account][region].metric_data
        if each.namespace == namespace
        and each.name == name
        and {dimension.name: dimension.value for dimension in each.dimensions} == dict(dimensions)
        and asked.start <= _seconds(each.timestamp) < asked.end
    ]
    if not found:
        return None
    place = np.array([int(_seconds(each.timestamp) - asked.start) // asked.period for each in found])
    rows = (asked.end - asked.start) // asked.period
    columns = int(np.bincount(place).max())  # as many parts per period as the fullest period needs
    values = np.zeros((4, rows, columns))
    filled = np.zeros(rows, dtype=int)
    for row, each in zip(place, found, strict=True):
        values[:, row, filled[row]] = _count_mean_low_high(each)
        filled[row] += 1
    count, mean, low, high = values.reshape(4, -1)
    points = Points(count, mean, low, high, mean, np.zeros_like(mean))
    return MetricSamples(found[0].unit or "None", asked.starts(), points, columns)


def _count_mean_low_high(datum: MetricDatumBase) -> tuple[float, float, float, float]:
    if isinstance(datum, MetricAggregatedDatum):
        return datum.sample_count, datum.sum / datum.sample_count, datum.min, datum.max
    return 1.0, datum.value, datum.value, datum.value


def _seconds(moment: datetime) -> float:
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
