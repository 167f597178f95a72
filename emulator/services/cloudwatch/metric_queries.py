"""MetricDataQueries of GetMetricData and alarms: single metrics, metric math over them, and a plain SELECT.

The answer is an array over whole periods, nan where there is no datapoint.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from emulator.services.cloudwatch import metric_math
from emulator.services.cloudwatch.published_metrics import is_emulated, samples_of
from emulator.workload.noise import Array
from emulator.workload.snapshot import NOTHING, RegionSnapshot, configuration
from emulator.workload.workload import MetricRequest

if TYPE_CHECKING:
    from emulator.core.port import Account

Query = Mapping[str, Any]

# Amazon CloudWatch User Guide, "Metrics Insights query components and syntax": without WHERE and GROUP BY,
# one series over everything that publishes the metric.
_SELECT = re.compile(r'\s*SELECT\s+(MAX|MIN)\((\w+)\)\s+FROM\s+"?([\w/]+)"?\s*', re.IGNORECASE)
_OF_ALL = {"MAX": ("Maximum", np.fmax), "MIN": ("Minimum", np.fmin)}


@dataclass(frozen=True)
class Queries:
    """Queries of one account and Region that may refer to each other."""

    account: Account
    place: tuple[str, str]
    by_id: Mapping[str, Query]

    @classmethod
    def of(cls, account: Account, place: tuple[str, str], queries: Sequence[Query]) -> Queries:
        return cls(account, place, {each["Id"]: each for each in queries})

    def period(self, name: str) -> int:
        """The period of a query: its own, else that of the metrics in its expression."""
        query = self.by_id[name]
        if "MetricStat" in query:
            return int(query["MetricStat"]["Period"])
        if period := query.get("Period"):
            return int(period)
        return max(self.period(each) for each in self._named(query["Expression"]))

    def silent(self, name: str) -> list[str]:
        """The metrics under a query that nothing in the emulated account could ever publish."""
        metrics = (each["MetricStat"]["Metric"] for each in self._metrics(name))
        return sorted({m["MetricName"] for m in metrics if not is_emulated(self.account, self.place, m)})

    def values(self, name: str, asked: MetricRequest, now: datetime) -> Array:
        """One value per period of `asked`, as known at `now`."""
        query = self.by_id[name]
        if "MetricStat" in query:
            stat = query["MetricStat"]
            return self._metric(stat["Metric"], stat["Stat"], stat.get("Unit"), asked, now)
        expression = query["Expression"]
        if select := _SELECT.fullmatch(expression):
            return self._over_all(select[1].upper(), select[3], select[2], asked, now)
        named = {each: self.values(each, asked, now) for each in self._named(expression)}
        return metric_math.evaluate(expression, named)

    def _metric(self, metric: Query, stat: str, unit: str | None, asked: MetricRequest, now: datetime) -> Array:
        found = np.full(len(asked.starts()), np.nan)
        samples = samples_of(self.account, self.place, metric, unit, asked, now)
        if samples is not None:
            at, values = samples.statistic(stat)
            found[(at - asked.start) // asked.period] = values
        return found

    def _over_all(self, function: str, namespace: str, metric: str, asked: MetricRequest, now: datetime) -> Array:
        statistic, combined = _OF_ALL[function]
        found = np.full(len(asked.starts()), np.nan)
        region = configuration(self.place[0]).get(self.place[1], NOTHING)
        for dimensions in _dimensions(region):
            one = {"Namespace": namespace, "MetricName": metric, "Dimensions": [dimensions]}
            found = combined(found, self._metric(one, statistic, None, asked, now))
        return found

    def _named(self, expression: str) -> list[str]:
        return [each for each in self.by_id if re.search(rf"\b{each}\b", expression)]

    def _metrics(self, name: str) -> Iterator[Query]:
        query = self.by_id[name]
        if "MetricStat" in query:
            yield query
            return
        for each in self._named(query["Expression"]):
            yield from self._metrics(each)


def _dimensions(region: RegionSnapshot) -> Iterator[Query]:
    """The single dimensions under which the resources of a Region publish."""
    for name, values in (
        ("DBClusterIdentifier", region.databases),
        ("CacheClusterId", [node for cache in region.caches.values() for node, _ in cache.members]),
        ("LoadBalancer", region.balancers),
        ("AutoScalingGroupName", region.fleets),
        ("TableName", region.tables),
    ):
        for value in values:
            yield {"Name": name, "Value": value}
