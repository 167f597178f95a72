"""Whether a fleet is killed by its own health check.

A fleet that is too small for its load fails its health checks; each instance that is replaced leaves its requests to
the others, which fail next. That is faster than errors and latency can show it over their periods, so it counts from
the first minute.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from math import ceil

from optimizer.model.health import Assessment, Health

WITHIN = timedelta(minutes=30)
AT_LEAST, SHARE = 2, 0.2  # one instance's hardware fails now and then; a fifth of a fleet does not, at once


def judge_replacements(group: str, replaced: Iterable[datetime], instances: int) -> Assessment | None:
    """BREACH when a fifth of so many instances, two at least, failed their health checks in half an hour; else None."""
    limit, times = max(AT_LEAST, ceil(SHARE * instances)), sorted(replaced)
    for first, last in zip(times, times[limit - 1 :], strict=False):
        if last - first <= WITHIN:
            return Assessment(
                Health.BREACH,
                f"{limit} of {instances} instances of {group} failed their health checks and were replaced within "
                f"{WITHIN // timedelta(minutes=1)} minutes, the last at {last:%H:%M} UTC",
            )
    return None
