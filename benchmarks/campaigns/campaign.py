"""The shape of a campaign: a claim, tried on many cases, that ends in one row (campaign, cases, failures).

A campaign is a file in this folder that declares `CAMPAIGN`. `python -m benchmarks.campaigns` finds and runs them.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

ROOT = Path(__file__).parents[2]


class Extent(Enum):
    """Number of cases: a SAMPLE in `make test`, LARGE in `make campaign`, ALL with `CAMPAIGN=all`."""

    SAMPLE = "sample"
    LARGE = "large"
    ALL = "all"


@dataclass(frozen=True)
class Size:
    """Size of a run. The same seed draws the same cases."""

    extent: Extent
    seed: int = 0

    def of(self, sample: int, large: int, everything: int) -> int:
        """The number of cases that this run draws."""
        return {Extent.SAMPLE: sample, Extent.LARGE: large, Extent.ALL: everything}[self.extent]


@dataclass(frozen=True)
class Row:
    """Result of a run. `covered` names the whole that the cases are part of, for example "40 of 187 faults"."""

    cases: int
    failures: tuple[str, ...]
    covered: str


@dataclass(frozen=True)
class Campaign:
    """One claim. `planted` is the fault that made the campaign fail."""

    title: str
    proves: str
    cannot: str
    planted: str
    run: Callable[[Size], Row]


def campaigns() -> Mapping[str, Campaign]:
    """Every campaign of this folder, by the name of its file."""
    found = {}
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        declared = getattr(importlib.import_module(f"benchmarks.campaigns.{module.name}"), "CAMPAIGN", None)
        if isinstance(declared, Campaign):
            found[module.name] = declared
    return found
