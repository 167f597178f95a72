"""All metrics that the account publishes: one function each, found by namespace and name."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from emulator.workload.noise import PERIOD
from emulator.workload.points import Points
from emulator.workload.scene import Scene

Dimensions = Mapping[str, str]
Source = Callable[[Scene, Dimensions], Points | None]


@dataclass(frozen=True)
class Signal:
    """One metric. `points` gives None for dimensions under which AWS does not publish it.

    `resolution` is how often AWS publishes, in seconds: 60 or 300.
    """

    namespace: str
    name: str
    unit: str
    resolution: int
    points: Source


_SIGNALS: dict[tuple[str, str], Signal] = {}


def signal(namespace: str, name: str, *, unit: str, resolution: int = PERIOD) -> Callable[[Source], Source]:
    """Register the decorated function as the source of one metric. Raises TypeError if it has one already."""

    def register(points: Source) -> Source:
        if (namespace, name) in _SIGNALS:
            raise TypeError(f"{namespace} {name} has two sources")
        _SIGNALS[namespace, name] = Signal(namespace, name, unit, resolution, points)
        return points

    return register


def find(namespace: str, name: str) -> Signal | None:
    """The metric of that name; None if the account does not publish it."""
    return _all().get((namespace, name))


def known() -> tuple[Signal, ...]:
    """Every metric, by namespace and name."""
    return tuple(_all()[key] for key in sorted(_all()))


@cache
def _all() -> Mapping[tuple[str, str], Signal]:
    """All registered metrics: the modules of this package register theirs when they are imported, here."""
    package = __name__.rpartition(".")[0]
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        importlib.import_module(f"{package}.{module.name}")
    return _SIGNALS
