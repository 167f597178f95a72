"""Whether the service is healthy, judged against its own past. Pure: samples in, a verdict out.

The past is the four weeks before the plan; `expectation` says what it lets expect of each period. What breaks the
limits is read off in rules (`limits`):

latency   more than +20 % in 16 of the last 24 periods, in 54 % of four hours or half of a day, +30 % in 6 in a row
          or 9 of 12, or +150 % in 3 in a row, pooled periods +60 % in 3 in a row; a period with fewer than 1,000
          requests or less than 1 ms above never counts
errors    surely (99 %) more than 0.5 % in 3 periods in a row, more than 2 % in 2 periods of an hour, or more than 10 %
          in one; pooled over an hour, six, a day or two, surely (1 in 10,000) more than 0.5 %; a quarter of an hour
          that shows 1 %; never on fewer than 20 errors
outage    load balancer errors while no target answered: RequestCount then has no datapoint
groups    the same for each target group with enough requests; one that usually fails more is held to its own past

A breach rolls back within three days of the change; later it is hardly the change's, and a person decides.
What breaks no limit is still not healthy while data is missing or hardly to be believed (`doubts`).

The whole window is read each time, so that a breach between two looks counts as well. Where traffic
is thin, periods are pooled until three in four hold 1,000 requests. An empty window is the pre-flight:
the rules are replayed on the baseline's own last days, and a change does not start on a bad footing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from optimizer.decide.past import Past
from optimizer.model.health import Assessment, Health, Sample, Samples


def judge(
    baseline: Sequence[Sample],
    window: Sequence[Sample],
    now: datetime,
    *,
    zone: str = "UTC",
    groups: Mapping[str, tuple[Sequence[Sample], Sequence[Sample]]] | None = None,
) -> Assessment:
    """Judge `window` as known at `now` against `baseline`, which ends where the plan began.

    `zone` is the IANA time zone by whose clock the users live (ZoneInfoNotFoundError for others). `groups` has
    (baseline, window) of each target group. An empty window is the pre-flight and never yields BREACH: there is
    nothing to roll back.
    """
    parts = groups or {}
    past = Samples(baseline, {name: before for name, (before, _) in parts.items()}, zone)
    return Baseline(past).judge(Samples(window, {name: seen for name, (_, seen) in parts.items()}, zone), now)


def expected_p99(baseline: Sequence[Sample], at: Sequence[datetime]) -> list[float | None]:
    """The p99 in milliseconds that the baseline lets expect at each time (for charts)."""
    return Baseline(baseline).expected_p99(at)


class Baseline:
    """The service's past, prepared once: thousands of windows can be judged against it."""

    def __init__(self, samples: Iterable[Sample], zone: str | None = None) -> None:
        """`zone` and the pasts of target groups are those of `samples` where these are Samples."""
        known = samples if isinstance(samples, Samples) else Samples()
        self.zone = zone or known.zone
        self._whole = Past(samples, self.zone)
        self._groups = {name: Past(past, self.zone, is_part=True) for name, past in sorted(known.groups.items())}

    def expected_p99(self, at: Sequence[datetime]) -> list[float | None]:
        """The p99 in milliseconds that is expected of the load balancer at each time; None where the past is silent."""
        return self._whole.expected_p99(at)

    def judge(self, window: Sequence[Sample], now: datetime) -> Assessment:
        """The verdict on one window, as `judge` gives it: a breach anywhere counts first, then a doubt anywhere.

        Target groups are judged when `window` is a Samples, and by the pre-flight.
        """
        assessment = self._whole.judge(window, now)
        if assessment.verdict is Health.BREACH:
            return assessment
        groups = self._judged_groups(window, now)
        for verdict in (Health.BREACH, Health.INCONCLUSIVE):
            if assessment.verdict is verdict:
                return assessment
            for name, part in groups.items():
                if part.verdict is verdict:
                    return Assessment(verdict, f"target group {name}: {part.reason}", part.doubt)
        return assessment

    def _judged_groups(self, window: Sequence[Sample], now: datetime) -> dict[str, Assessment]:
        """By name; only those with requests enough to be judged by themselves."""
        judged = {name: past for name, past in self._groups.items() if past.is_of_a_group}
        if not window:
            return {name: past.judge([], now, past.usual_errors) for name, past in judged.items()}
        if not isinstance(window, Samples):
            return {}
        nothing = [Sample(window[0].at, None, None, None, None)]
        return {
            name: past.judge(window.groups.get(name) or nothing, now, past.usual_errors)
            for name, past in judged.items()
        }
