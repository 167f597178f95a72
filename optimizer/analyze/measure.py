"""All metrics of all actions, read in one go."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import timedelta

from botocore.exceptions import ClientError

from optimizer.action import Action
from optimizer.decide.policy import Policy
from optimizer.model.resource import Governed
from optimizer.observe.metrics import Measurements, Query, read_metrics
from optimizer.ports.aws import Aws

Refused = Callable[[Action, Governed, ClientError], None]


def _raise(_action: Action, _governed: Governed, error: ClientError) -> None:
    raise error


def measure(
    aws: Aws,
    pairs: Iterable[tuple[Action, Governed]],
    policy: Policy,
    extra: Sequence[Query] = (),
    refused: Refused = _raise,
) -> Measurements:
    """Every metric that these actions want of these resources, over each span in the fewest calls.

    `refused` is called when AWS does not say which metrics one resource has; by default the error is raised.
    """
    queries, further = list(extra), defaultdict[timedelta, list[Query]](list)
    for action, governed in pairs:
        queries += action.queries(governed)
        if action.further is None:
            continue
        try:
            for span, more in action.further(aws.at(governed.region), governed).items():
                (queries if span is None else further[span]).extend(more)
        except ClientError as error:
            refused(action, governed, error)
    end = aws.clock.now().replace(minute=0, second=0, microsecond=0)
    measured = read_metrics(aws, queries, end - policy.period, end)
    read = {span: read_metrics(aws, more, end - span, end) for span, more in further.items() if more}
    calls, metrics = (sum(getattr(each, name) for each in (measured, *read.values())) for name in ("calls", "metrics"))
    return replace(measured, calls=calls, metrics=metrics, further=read)
