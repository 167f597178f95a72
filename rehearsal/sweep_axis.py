"""The axis of a sweep: `NAME=FROM..TO`, `NAME=FROM..TOxPOINTS` or `NAME=A,B,C`; K and M are thousands and millions."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from domain.errors import UsageError
from emulator.workload.spec import Growth, Spike, WorkloadSpec
from optimizer.decide.policy import Policy
from optimizer.decide.policy_file import read_policy

POINTS = 20
MOST = 200
_UNITS = {"": 1.0, "K": 1e3, "M": 1e6, "%": 1.0}
_NUMBER = re.compile(r"([0-9]+(?:\.[0-9]+)?)([KM%]?)", re.IGNORECASE)
_BEFORE = timedelta(days=7)  # time between a spike and the analysis


@dataclass(frozen=True)
class Point:
    """One point of the sweep: its label, its workload, and the policy of its decisions."""

    label: str
    workload: WorkloadSpec
    policy: Policy


@dataclass(frozen=True)
class Axis:
    """An axis: its unit, and a function that sets a value in a workload."""

    unit: str
    put: Callable[[WorkloadSpec, float, datetime], WorkloadSpec]


AXES: Mapping[str, Axis] = {
    "requests-per-day": Axis("requests a day", lambda w, value, _: w.model_copy(update={"requests_per_day": value})),
    "tenants": Axis("tenants", lambda w, value, _: w.model_copy(update={"tenants": max(round(value), 1)})),
    "growth": Axis("% more requests and tenants in 30 days", lambda w, value, now: _grown(w, value, now)),
    "spike": Axis("times the usual requests, for 3 hours a week ago", lambda w, value, now: _spiked(w, value, now)),
}
POLICY = "policy"


def _grown(workload: WorkloadSpec, percent: float, now: datetime) -> WorkloadSpec:
    return workload.model_copy(update={"growth": Growth(percent=percent, at=now)})


def _spiked(workload: WorkloadSpec, factor: float, now: datetime) -> WorkloadSpec:
    return workload.model_copy(update={"spike": Spike(factor=factor, at=now - _BEFORE)})


def unit_of(asked: str) -> str:
    """The unit of an axis's values."""
    name = asked.partition("=")[0]
    return AXES[name].unit if name in AXES else "policy"


def points_of(asked: str, workload: WorkloadSpec, now: datetime) -> Sequence[Point]:
    """The points of a `--sweep` argument. Raises UsageError, naming what is wrong in it."""
    name, equals, values = asked.partition("=")
    if not equals or name not in (*AXES, POLICY):
        known = ", ".join((*AXES, POLICY))
        raise UsageError(f"--sweep {asked!r}: write NAME=FROM..TO or NAME=A,B,C, with NAME one of {known}.")
    if name == POLICY:
        return [Point(Path(each).stem, workload, read_policy(Path(each))) for each in values.split(",") if each]
    axis = AXES[name]
    return [Point(short(each), axis.put(workload, each, now), Policy()) for each in _numbers(asked, values)]


def _numbers(asked: str, values: str) -> list[float]:
    span = re.fullmatch(r"(.+)\.\.(.+?)(?:x(\d+))?", values)
    if span is None:
        return [_number(asked, each) for each in values.split(",")]
    first, last, count = _number(asked, span[1]), _number(asked, span[2]), int(span[3] or POINTS)
    if not (first < last and 2 <= count <= MOST):
        raise UsageError(f"--sweep {asked!r}: goes from the smaller to the larger value, in 2 to {MOST} points.")
    return [float(f"{each:.4g}") for each in np.linspace(first, last, count)]


def _number(asked: str, text: str) -> float:
    match = _NUMBER.fullmatch(text.strip())
    if match is None or ((value := float(match[1]) * _UNITS[match[2].upper()]) <= 0 and not asked.startswith("growth")):
        raise UsageError(f"--sweep {asked!r}: {text.strip()!r} is no number above 0, such as 500K or 2.5M.")
    return value


def short(value: float) -> str:
    """A number in the notation of a sweep: 2.5M."""
    for unit, size in (("M", 1e6), ("K", 1e3)):
        if abs(value) >= size:
            return f"{value / size:.4g}{unit}"
    return f"{value:.4g}"
