"""From the account to a proposed plan: find, measure, decide. Reads only."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from domain.errors import UsageError
from domain.sizing import SizingRecord
from optimizer.action import Action, When
from optimizer.analyze.evidence import DesignShape, PlanEvidence, costs_of, evidence_of, steps_of
from optimizer.analyze.measure import measure
from optimizer.costs.read_costs import read_bill, read_running
from optimizer.costs.table_use import read_table_use
from optimizer.decide.policy import Policy
from optimizer.model.decision import Choice, Decision, Json, guard
from optimizer.model.plan import Plan, PlannedAction
from optimizer.model.resource import Governed, Inventory, Kind
from optimizer.observe.inventory import take_inventory
from optimizer.observe.metrics import Measurements, Query
from optimizer.observe.tenants import tenants_now
from optimizer.ports.aws import Aws
from optimizer.ports.one_look import one_look
from optimizer.ports.settings import Settings

SLACK = timedelta(hours=12)  # the first and last hours of a period may still lack datapoints


@dataclass(frozen=True)
class Analysis:
    """A plan and the evidence to keep with it."""

    plan: Plan
    measured: Measurements
    evidence: PlanEvidence


def analyze(aws: Aws, settings: Settings, actions: Sequence[Action], policy: Policy, sizing: SizingRecord) -> Analysis:
    """The plan that the evidence supports today. Held when there are fewer days of metrics than the policy asks.

    Raises UsageError where the sizing has an Aurora secondary in a Region that the settings do not name.
    """
    aws, regions = one_look(aws), (settings.primary_region, *settings.secondary_regions)
    if (last := max(sizing.sizing.aurora.secondaries, default=1)) > len(regions):
        raise UsageError(
            f"The sizing has an Aurora secondary in Region {last}, and TAP_SECONDARY_REGIONS names "
            f"{len(regions) - 1}: set it as the pipeline's jobs have it."
        )
    inventory = take_inventory(aws, regions)
    running = read_running(aws, inventory.governed).plus(read_table_use(aws, inventory.governed))
    billed = read_bill(aws)
    shape = DesignShape(sizing.sizing, regions, running.storage, running.footprint.variants)
    applicable = [(action, each) for action in actions for each in inventory.of(action.kind) if action.applies_to(each)]
    pairs = [each for each in applicable if each[0].sized(sizing.sizing, each[1])]
    traffic = [traffic_of(each) for each in inventory.of(Kind.LOAD_BALANCER)]
    measured = measure(aws, pairs, policy, traffic)
    decided = [
        _decide(aws, action, governed, measured, policy)
        if action.sized(sizing.sizing, governed)
        else keep_unsized(action, governed)
        for action, governed in applicable
    ]
    decisions = without_conflicts(actions, decided)
    steps = steps_of(actions, decisions, shape, running)
    covered = covered_by(measured, traffic)
    plan = Plan(
        created_at=aws.clock.now(),
        period_start=measured.start,
        period_end=measured.end,
        covered_days=round(covered / timedelta(days=1), 2),
        sizing_revision=sizing.revision,
        code_revision=settings.revision,
        actions=tuple(planned(action, inventory, decisions) for action in actions),
        decisions=decisions,
        excluded=inventory.excluded,
        policy=recorded(policy),
        costs=costs_of(decisions, steps, running, billed, aws.clock.now().date()),
        held=held(covered, policy),
    )
    return Analysis(plan, measured, evidence_of(plan, measured, steps, running, billed, tenants_now(aws)))


def _decide(aws: Aws, action: Action, governed: Governed, measured: Measurements, policy: Policy) -> Decision:
    evidence = action.collect(aws.at(governed.region), governed, measured)
    return action.decide(evidence, policy)


def keep_unsized(action: Action, governed: Governed) -> Decision:
    """KEEP, for a governed resource that the sizing does not speak of: the next push would not know of its change."""
    named = guard("named in the sizing", False, equals=True)
    return Decision(action.id, governed.arn, Choice.KEEP, named.sentence(), (named,))


def without_conflicts(actions: Sequence[Action], decisions: Sequence[Decision]) -> tuple[Decision, ...]:
    """The decisions, with KEEP in the place of APPLY where a conflicting action goes first on the resource."""
    named = {action.id: set(action.order.conflicts) for action in actions}
    titles = {action.id: action.title for action in actions}
    settled: list[Decision] = []
    for decision in decisions:
        wins = [
            other.action
            for other in settled
            if other.choice is decision.choice is Choice.APPLY
            and other.resource == decision.resource
            and (other.action in named[decision.action] or decision.action in named[other.action])
        ]
        if wins:
            winners = ", ".join(titles[each] for each in wins)
            free = guard("conflicting actions on the same resource", winners, equals="none")
            reason = f'"{winners}" changes the same resource and goes first'
            decision = replace(decision, choice=Choice.KEEP, reason=reason, criteria=(*decision.criteria, free))
        settled.append(decision)
    return tuple(settled)


def planned(action: Action, inventory: Inventory, decisions: Sequence[Decision]) -> PlannedAction:
    """One-way moves are read off the moves themselves, of all resources they would run on."""
    by_arn = {each.arn: each for each in inventory.governed}
    applied = [d for d in decisions if d.action == action.id and d.choice is Choice.APPLY]
    moves = [move for each in applied for move in action.moves(by_arn[each.resource], each.before, each)]
    one_way = tuple(dict.fromkeys(move.summary for move in moves if move.when is When.ACCEPT))
    return PlannedAction(action.id, action.phase.number, action.title, one_way)


def traffic_of(balancer: Governed) -> Query:
    """The metric whose first datapoint tells since when the service is measured."""
    dimension = (("LoadBalancer", balancer.arn.split(":loadbalancer/", 1)[1]),)
    return Query("AWS/ApplicationELB", "RequestCount", dimension, ("Sum",), 3600, balancer.region)


def covered_by(measured: Measurements, traffic: Sequence[Query]) -> timedelta:
    """From the first datapoint of these requests to the period's end; zero without any."""
    firsts = [int(series.at[0]) for query in traffic if len(series := measured.of(query, "Sum"))]
    return timedelta(seconds=measured.end.timestamp() - min(firsts)) if firsts else timedelta(0)


def held(covered: timedelta, policy: Policy) -> str | None:
    if covered >= policy.period - SLACK:
        return None
    days = covered / timedelta(days=1)
    return f"{days:.1f} days of metrics are there, {policy.period.days} are needed: nothing is changed before that"


def recorded(policy: Policy) -> dict[str, Json]:
    """The policy as JSON values: recorded with the plan, and so covered by its hash."""

    def plain(value: object) -> Json:
        if isinstance(value, timedelta):
            return value.total_seconds()
        if isinstance(value, frozenset):
            return sorted(value)
        if isinstance(value, datetime | Decimal):
            return str(value)
        if hasattr(value, "model_dump"):
            return value.model_dump(mode="json")
        raise TypeError(f"policy holds {type(value).__name__}, which has no recorded form")

    recorded: dict[str, Json] = json.loads(json.dumps(asdict(policy), default=plain))
    return recorded
