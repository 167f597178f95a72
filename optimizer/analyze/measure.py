"""All metrics of all actions, read in one go."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from optimizer.action import Action
from optimizer.decide.policy import Policy
from optimizer.model.resource import Governed
from optimizer.observe.metrics import Measurements, Query, read_metrics
from optimizer.ports.aws import Aws


def measure(
    aws: Aws, asked: Iterable[tuple[Action, Governed]], policy: Policy, extra: Sequence[Query] = ()
) -> Measurements:
    """Every metric that these actions want of these resources, over the policy's period, in the fewest calls."""
    queries = [query for action, governed in asked for query in action.queries(governed)]
    end = aws.clock.now().replace(minute=0, second=0, microsecond=0)
    return read_metrics(aws, tuple(dict.fromkeys([*queries, *extra])), end - policy.period, end)
