"""Cost of the surveyed resources at list price, and the saving of each decision, by what its action bills."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from botocore.exceptions import ClientError

from domain.list_prices import OPTIMIZED
from optimizer.action import Action
from optimizer.actions import action as action_named
from optimizer.actions import aurora_backups
from optimizer.analyze.evidence import kept_use, start_of
from optimizer.costs.footprint import BACKUP, STORAGE, Footprint, Usage
from optimizer.costs.plan_savings import Step
from optimizer.costs.read_costs import Running, priced
from optimizer.costs.running_footprint import footprint_in
from optimizer.model.decision import Choice, Decision
from optimizer.model.resource import Governed, Inventory, Selection
from optimizer.observe.metrics import Measurements
from optimizer.ports.aws import Aws
from optimizer.resources.database.cluster import variant_in
from optimizer.resources.database.storage import Storage
from optimizer.resources.registry import resource_kinds
from optimizer.survey.limits import is_decided
from optimizer.survey.read_only import is_denied

COUNTED = (
    "Counted at list price: instances, nodes, Aurora storage and backups, load balancers and NAT gateways. Volumes, "
    "keys, requests and data transfer are not; the bill has them."
)


def running_now(
    aws: Aws, inventory: Inventory, selection: Selection, measured: Measurements, decisions: Sequence[Decision]
) -> Running:
    """The running resources, priced; with a note in their place where they could not be counted."""
    governed = [each for each in inventory.governed if is_decided(each)]
    notes: tuple[str, ...] = (COUNTED,)
    try:
        counted = footprint_in(aws, governed, selection=selection)
    except ClientError as error:
        if not is_denied(error):
            raise
        counted, notes = Footprint(()), (f"What runs is not counted: {error.operation_name} was denied.",)
    # What an instance of another platform brings with it is not known, nor whether a key is billed.
    plain = Footprint(tuple(each for each in counted.usages if each.part != "keys"), ()).plus(())
    whole = plain.plus(_storage(governed, measured, decisions))
    running = priced(aws, whole, None, _billed(inventory, decisions))
    return replace(running, notes=(*notes, *running.notes))


def steps_of(
    actions: Sequence[Action], inventory: Inventory, decisions: Sequence[Decision], running: Running
) -> tuple[Step, ...]:
    """The footprint after each decision to apply, in execution order."""
    by_arn = {each.arn: each for each in inventory.governed}
    footprint, steps = start_of(decisions, running), list[Step]()
    for action in actions:
        for decision in (each for each in decisions if each.action == action.id and each.choice is Choice.APPLY):
            changed = list(_changes(action, by_arn[decision.resource], decision))
            if all((each.region, each.item) in running.prices.prices for each in changed):  # else nothing is claimed
                footprint = footprint.plus([*changed, *kept_use(decision, running.prices)])
            steps.append(Step(decision.action, decision.resource, footprint, decision.costs))
    return tuple(steps)


def _changes(action: Action, governed: Governed, decision: Decision) -> Iterator[Usage]:
    if action.bills is not None:
        for (region, item), quantity in action.bills(governed, decision).items():
            if quantity:
                yield Usage(resource_kinds()[governed.kind].part, item, region, quantity)


def _billed(inventory: Inventory, decisions: Sequence[Decision]) -> set[tuple[str, str]]:
    """The items that need a price beside what runs: those that the decisions to apply would begin."""
    by_arn = {each.arn: each for each in inventory.governed}
    applied = [each for each in decisions if each.choice is Choice.APPLY]
    changed = (usage for each in applied for usage in _changes(action_named(each.action), by_arn[each.resource], each))
    kept = {(cost.region, cost.item) for each in applied for cost in each.costs}
    return {(usage.region, usage.item) for usage in changed} | kept


def _storage(governed: Sequence[Governed], measured: Measurements, decisions: Sequence[Decision]) -> Iterator[Usage]:
    """Volume and billed backups of each Aurora cluster, by its newest datapoints."""
    days = {each.resource: each.before.get("retention_days") for each in decisions if each.action == aurora_backups.ID}
    for cluster in (each for each in governed if days.get(each.arn)):
        volume, backups = (measured.of(query, "Average").values for query in aurora_backups.queries(cluster))
        if len(volume) and len(backups):
            retention = int(days[cluster.arn] or 1)
            storage = Storage.measured(float(volume[-1]), float(backups[-1]), retention)
            item = STORAGE + OPTIMIZED if variant_in(cluster).endswith(OPTIMIZED) else STORAGE
            yield Usage("database", item, cluster.region, storage.volume_gb)
            yield Usage("database", BACKUP, cluster.region, storage.billed_backup_gb(retention))
