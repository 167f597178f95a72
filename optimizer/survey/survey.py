"""One survey: what there is, how hard it works, what it costs, and what each action would decide. Reads only.

What AWS denies is said and left out; the rest goes on. Nothing here knows of a journal, of a sizing or of names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np
from botocore.exceptions import ClientError

from optimizer.action import Action
from optimizer.actions import action as action_named
from optimizer.actions import registry
from optimizer.analyze.analysis import covered_by, held, planned, recorded, traffic_of, without_conflicts
from optimizer.analyze.evidence import PlanEvidence, costs_of, evidence_of
from optimizer.analyze.measure import measure
from optimizer.costs.read_costs import Billed, no_bill, read_bill
from optimizer.decide.policy import Policy
from optimizer.model.decision import Choice, Decision
from optimizer.model.plan import Plan
from optimizer.model.resource import Excluded, Governed, Inventory, Kind, Ownership, Selection
from optimizer.observe.inventory import take_inventory
from optimizer.observe.metrics import Measurements, Query, Series
from optimizer.ports.aws import Aws
from optimizer.survey.limits import Limit, is_decided, limits_of
from optimizer.survey.read_only import CallCount, is_denied
from optimizer.survey.savings import running_now, steps_of
from optimizer.survey.targets import SIZED_BY, policy_for

PER_METRIC = Decimal("0.00001")  # GetMetricData: $0.01 for 1,000 metrics (Amazon CloudWatch pricing)
METRICS = "cloudwatch:GetMetricData"
Say = Callable[[str], None]
Pairs = Sequence[tuple[Action, Governed]]


@dataclass(frozen=True)
class Request:
    """The scope of a survey. Without `bill`, Cost Explorer is not called: it charges for each request."""

    regions: tuple[str, ...]
    selection: Selection
    policy: Policy = field(default_factory=Policy)
    bill: bool = True


@dataclass(frozen=True)
class Spent:
    """The cost of the survey itself: requests of all kinds; metrics and Cost Explorer's requests cost US dollars."""

    requests: int
    metric_calls: int
    metrics: int
    explorer_requests: int
    explorer: Decimal

    @property
    def for_metrics(self) -> Decimal:
        return self.metrics * PER_METRIC

    @property
    def words(self) -> str:
        """The sum and its parts, as a person reads it."""
        return (
            f"${self.for_metrics + self.explorer:.2f}: {self.metrics:,} metrics in {self.metric_calls} requests of "
            f"CloudWatch (${self.for_metrics:.2f}), {self.explorer_requests} requests of Cost Explorer "
            f"(${self.explorer:.2f}); {self.requests:,} requests in all, the others are free"
        )


@dataclass(frozen=True)
class Survey:
    """All that was found. `limits`: what would not be carried out, by resource; `unread`: what AWS did not answer."""

    account: str
    at: datetime
    request: Request
    inventory: Inventory
    plan: Plan
    measured: Measurements
    evidence: PlanEvidence
    cost_now: Decimal | None
    limits: tuple[Limit, ...]
    unread: tuple[str, ...]
    spent: Spent


def survey(aws: Aws, request: Request, requests: CallCount, say: Say) -> Survey:
    """Look at the account in these Regions. `requests` is what the session notes of its requests."""
    actions, day = registry(), aws.clock.now().date()
    inventory = _inventory(aws, request)
    say(f"Found {len(inventory.governed)} resources in {', '.join(request.regions)}.")
    pairs = [
        (action, each)
        for action in actions
        for each in inventory.of(action.kind)
        if action.applies_to(each) and is_decided(each)
    ]
    traffic = [traffic_of(each) for each in inventory.of(Kind.LOAD_BALANCER)]
    measured, undescribed = _measured(aws, request.policy, pairs, traffic)
    say(f"Measured {measured.metrics:,} metrics in {measured.calls} calls.")
    decided = list(_decisions(aws, request.policy, pairs, measured, undescribed))
    decisions = without_conflicts(actions, decided)
    billed = read_bill(aws) if request.bill else no_bill(aws)
    running = running_now(aws, inventory, request.selection, measured, decisions)
    steps = steps_of(actions, inventory, decisions, running)
    covered = covered_by(measured, traffic) if traffic else _since_the_first(measured)
    plan = Plan(
        created_at=aws.clock.now(),
        period_start=measured.start,
        period_end=measured.end,
        covered_days=round(covered / timedelta(days=1), 2),
        sizing_revision=0,
        code_revision="survey",
        actions=tuple(planned(each, inventory, decisions) for each in actions),
        decisions=decisions,
        excluded=inventory.excluded,
        policy=recorded(request.policy),
        costs=costs_of(decisions, steps, running, billed, day),
        held=held(covered, request.policy) if decisions else None,
    )
    return Survey(
        account=aws.account,
        at=aws.clock.now(),
        request=request,
        inventory=inventory,
        plan=plan,
        measured=measured,
        evidence=evidence_of(plan, measured, steps, running, billed, None),
        cost_now=running.bill.monthly if running.bill else None,
        limits=tuple(limits_of(aws, inventory, request.regions)),
        unread=tuple(requests.denials()),
        spent=_spent(requests, billed),
    )


def _inventory(aws: Aws, request: Request) -> Inventory:
    """Kind by kind and Region by Region, so that what is denied leaves out nothing else."""
    governed: dict[str, Governed] = {}
    excluded: dict[str, Excluded] = {}
    unreadable: dict[str, Ownership] = {}
    for region in request.regions:
        for kind in Kind:
            try:
                part = take_inventory(aws, [region], [kind], request.selection)
            except ClientError as error:
                if not is_denied(error):
                    raise
                continue  # the session has noted it
            for each in part.governed:
                governed.setdefault(each.arn, each)  # a global cluster shows in each of its Regions
            for left in part.excluded:
                excluded.setdefault(left.arn, left)
            unreadable |= part.unreadable
    return Inventory(tuple(governed.values()), tuple(excluded.values()), unreadable)


def _measured(
    aws: Aws, policy: Policy, pairs: Pairs, traffic: Sequence[Query]
) -> tuple[Measurements, Mapping[tuple[str, str], ClientError]]:
    """The metrics of all, and of which resource AWS did not say which metrics it has.

    Nothing is measured where CloudWatch is denied: then every decision says that it has no data.
    """
    undescribed: dict[tuple[str, str], ClientError] = {}

    def note(action: Action, governed: Governed, error: ClientError) -> None:
        if not is_denied(error):
            raise error
        undescribed[action.id, governed.arn] = error

    try:
        return measure(aws, pairs, policy, traffic, note), undescribed
    except ClientError as error:
        if not is_denied(error):
            raise
        undescribed |= {(action.id, each.arn): error for action, each in pairs}
    end = aws.clock.now().replace(minute=0, second=0, microsecond=0)
    queries = [*traffic, *(query for action, each in pairs for query in action.queries(each))]
    nothing = {
        (query, name): Series(np.zeros(0, np.int64), np.zeros(0), query.period)
        for query in queries
        for name in query.statistics
    }
    return Measurements(end - policy.period, end, nothing, 0, 0), undescribed


def _decisions(
    aws: Aws,
    policy: Policy,
    pairs: Pairs,
    measured: Measurements,
    undescribed: Mapping[tuple[str, str], ClientError],
) -> Iterator[Decision]:
    policies: dict[str, Policy] = {}
    for action, governed in pairs:
        here = aws.at(governed.region)
        try:
            if error := undescribed.get((action.id, governed.arn)):
                raise error
            if governed.arn not in policies:
                sizing = SIZED_BY.get(governed.kind)
                before = action_named(sizing).describe(here, governed) if sizing else {}
                policies[governed.arn] = policy_for(policy, governed.kind, before)
            yield action.decide(action.collect(here, governed, measured), policies[governed.arn])
        except ClientError as error:
            if not is_denied(error):
                raise
            reason = f"{error.operation_name} was denied ({error.response['Error']['Code']}): nothing is decided"
            yield Decision(action.id, governed.arn, Choice.NO_DATA, reason, ())


def _since_the_first(measured: Measurements) -> timedelta:
    """From the first datapoint of anything to the period's end: where no load balancer tells since when."""
    firsts = [int(series.at[0]) for series in measured.series.values() if len(series)]
    return timedelta(seconds=measured.end.timestamp() - min(firsts)) if firsts else timedelta(0)


def _spent(requests: CallCount, billed: Billed) -> Spent:
    return Spent(
        requests=sum(requests.requests.values()),
        metric_calls=requests.requests[METRICS],
        metrics=requests.metrics,
        explorer_requests=billed.explorer.requests,
        explorer=billed.explorer.spent,
    )
