"""The platform's service to its tenants, tier by tier, as far as the application publishes it.

Load balancers know nothing of tenants. An application that wants them seen names its tiers in the
parameter `/tap/application/tiers` and publishes their metrics to `Tap/Tenants` (docs/application.md).
Nothing is decided by these figures: they are shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from domain.names import DECLARATION, NAMESPACE
from optimizer.observe.metrics import Measurements, Query, Series, read_metrics
from optimizer.ports.aws import Aws

WEEK = timedelta(days=7)
COMPARED_WEEKS = 4


@dataclass(frozen=True)
class Figures:
    """Figures of one tier over some hours: requests an hour, the share of them that failed, the median of the hours'
    p99 in milliseconds. None where nothing was published.
    """

    requests: float | None
    error_rate: float | None
    p99_ms: float | None


@dataclass(frozen=True)
class TierUse:
    """One tier in a window, and in the same hours of the weeks before the plan's first change."""

    tier: str
    tenants: int | None
    before: Figures
    after: Figures


def tiers_of(aws: Aws) -> tuple[str, ...]:
    """The tiers that the application names, the first first; none when it names none."""
    try:
        value = aws.ssm.get_parameter(Name=DECLARATION)["Parameter"]["Value"]
    except aws.ssm.exceptions.ParameterNotFound:
        return ()
    return tuple(name for each in value.split(",") if (name := each.strip()))


def tenants_now(aws: Aws) -> int | None:
    """The number of tenants in all tiers, on the last whole day; None when nobody publishes it."""
    now = aws.clock.now()
    counts = [_tenants(_read(aws, tier, now - timedelta(days=1), now), tier) for tier in tiers_of(aws)]
    return sum(each for each in counts if each is not None) if any(each is not None for each in counts) else None


def tier_uses(aws: Aws, start: datetime, end: datetime, first_change: datetime) -> tuple[TierUse, ...]:
    """Every tier from `start` to `end`, against the same hours of the four weeks before `first_change`."""
    uses = []
    for tier in tiers_of(aws):
        after = _read(aws, tier, start, end)
        before = _read(aws, tier, first_change - COMPARED_WEEKS * WEEK, first_change)
        hours = {int(at // 3600) % 168 for at in after.of(_query(tier, "Requests"), "Sum").at}
        uses.append(TierUse(tier, _tenants(after, tier), _figures(before, tier, hours), _figures(after, tier, hours)))
    return tuple(uses)


def _query(tier: str, name: str) -> Query:
    statistic = {"Requests": "Sum", "Errors": "Sum", "Latency": "p99", "Tenants": "Maximum"}[name]
    return Query(NAMESPACE, name, (("Tier", tier),), (statistic,))


def _read(aws: Aws, tier: str, start: datetime, end: datetime) -> Measurements:
    queries = [_query(tier, name) for name in ("Requests", "Errors", "Latency", "Tenants")]
    return read_metrics(aws, queries, start, end)


def _figures(measured: Measurements, tier: str, hours: set[int]) -> Figures:
    requests = _in_hours(measured.of(_query(tier, "Requests"), "Sum"), hours)
    errors = _in_hours(measured.of(_query(tier, "Errors"), "Sum"), hours)
    slow = _in_hours(measured.of(_query(tier, "Latency"), "p99"), hours)
    total = float(requests.sum())
    return Figures(
        requests=float(requests.mean()) if len(requests) else None,
        error_rate=float(errors.sum()) / total if total else None,
        p99_ms=float(np.median(slow)) * 1000 if len(slow) else None,
    )


def _in_hours(series: Series, hours: set[int]) -> NDArray[np.float64]:
    """The values of these hours of the week."""
    wanted = np.isin(series.at // 3600 % 168, sorted(hours))
    return series.values[wanted]


def _tenants(measured: Measurements, tier: str) -> int | None:
    values = measured.of(_query(tier, "Tenants"), "Maximum").values
    return int(values[-1]) if len(values) else None
