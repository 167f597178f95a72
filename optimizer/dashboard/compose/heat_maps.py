"""From decisions and loads to the heat maps: how near to its limits each resource is, and when it works."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from optimizer.analyze.evidence import PlanEvidence
from optimizer.dashboard.compose.labels import TELLING, kind_of
from optimizer.dashboard.format import count, label_in, listed, percent, quantity, region_in
from optimizer.dashboard.view.evidence import LimitMap, LoadMap
from optimizer.model.decision import Criterion, Decision, Verdict
from optimizer.model.plan import Plan
from optimizer.observe.load import Load

ROWS, COLUMNS = 12, 12  # more would be a smear: the nearest to their limits are shown
BEYOND = 2.0  # nothing is allowed and something is there
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def share_of_limit(criterion: Criterion) -> float | None:
    """The used share of its limit: 1.0 is the limit, more is beyond; None when it has no such share.

    Of an upper limit it is observed over limit. Of a lower one in percent it is what is missing to
    100 % over what may be missing. Other lower limits are conditions, with nothing to use up.
    """
    observed, limit = criterion.observed, criterion.limit
    if criterion.verdict is Verdict.NO_DATA or isinstance(observed, bool) or isinstance(limit, bool):
        return None
    if not isinstance(observed, int | float) or not isinstance(limit, int | float):
        return None
    if criterion.comparison == "at least" and criterion.unit == "%":
        observed, limit = 100 - observed, 100 - limit
    elif criterion.comparison not in {"at most", "below"}:
        return None
    if limit <= 0:
        return BEYOND if observed > 0 else None
    return max(observed / limit, 0.0)


def limit_maps(plan: Plan | None) -> tuple[LimitMap, ...]:
    """One map for every type of resource with at least one criterion that has a number."""
    by_kind: dict[str, list[Decision]] = defaultdict(list)
    for decision in plan.decisions if plan else ():
        by_kind[kind_of(decision.resource)].append(decision)
    maps = [_limit_map(kind, decisions) for kind, decisions in by_kind.items()]
    return tuple(each for each in maps if each is not None)


def _limit_map(kind: str, decisions: Sequence[Decision]) -> LimitMap | None:
    cells: dict[str, dict[str, tuple[float, Criterion]]] = defaultdict(dict)
    for decision in decisions:
        for criterion in decision.criteria:
            share = share_of_limit(criterion)
            if share is not None:
                part, _, name = criterion.name.rpartition(": ")
                cells[_called(decision.resource, part)][name] = share, criterion
    if not cells:
        return None
    resources = sorted(cells, key=lambda each: (-max(share for share, _ in cells[each].values()), each))
    highest: dict[str, float] = {}
    for row in cells.values():
        for name, (share, _) in row.items():
            highest[name] = max(share, highest.get(name, 0.0))
    columns = sorted(highest, key=lambda name: (-highest[name], name))[:COLUMNS]
    first_rows = resources[:ROWS]
    grid = [[cells[resource].get(name) for name in columns] for resource in first_rows]
    return LimitMap(
        kind=kind,
        criteria=tuple(columns),
        resources=tuple(first_rows),
        shares=tuple(tuple(None if cell is None else round(cell[0], 4) for cell in row) for row in grid),
        told=tuple(
            tuple("no such criterion, or no number" if cell is None else _in_words(*cell) for cell in row)
            for row in grid
        ),
        summary=_limit_summary(cells),
        left_out=_left_out(len(resources) - len(first_rows), len(highest) - len(columns)),
    )


def _in_words(share: float, criterion: Criterion) -> str:
    observed, limit = (quantity(each, criterion.unit) for each in (criterion.observed, criterion.limit))
    used = "far beyond" if share >= BEYOND else f"{percent(share)} of"
    return f"{used} the limit: {observed}, {criterion.comparison} {limit}"


def _limit_summary(cells: dict[str, dict[str, tuple[float, Criterion]]]) -> str:
    share, resource, criterion = max(
        ((share, resource, criterion) for resource, row in cells.items() for share, criterion in row.values()),
        key=lambda each: each[0],
    )
    beyond = sum(found.verdict is Verdict.FAIL for row in cells.values() for _, found in row.values())
    over = f"{count(beyond, 'criterion', 'criteria').capitalize()} beyond the limit." if beyond else "None is beyond."
    return (
        f"Nearest to a limit: {criterion.name.rpartition(': ')[2]} of {resource}, {_in_words(share, criterion)}. {over}"
    )


def _called(arn: str, part: str) -> str:
    """A row of the map: the resource with its Region or, of a part of it, with the part's name."""
    return " · ".join(each for each in (label_in(arn), part or region_in(arn)) if each)


def _left_out(resources: int, criteria: int) -> str:
    parts = [count(number, word, many) for number, word, many in (
        (resources, "further resource", None), (criteria, "further criterion", "further criteria")
    ) if number > 0]  # fmt: skip
    return (
        f"Not shown, since farther from their limits: {listed(parts)}. Every one is in evidence.json." if parts else ""
    )


def load_maps(evidence: PlanEvidence | None) -> tuple[LoadMap, ...]:
    """The most telling metric of each service that was measured."""
    loads = evidence.loads if evidence else ()
    maps = []
    for namespace, (kind, metrics) in TELLING.items():
        measured = {each.metric: each for each in reversed(loads) if each.namespace == namespace}
        name = next((each for each in metrics if each in measured), None)
        if name is not None:
            maps.append(_load_map(kind, measured[name], metrics[name]))
    return tuple(maps)


def _load_map(kind: str, load: Load, unit: str) -> LoadMap:
    unit = unit if load.period == 3600 or not unit.endswith(" an hour") else unit.replace("an hour", "a period")
    hours = [None if each is None else _scaled(each, unit) for each in load.hours]
    unit = "GiB" if unit == "bytes" else unit
    values = tuple(tuple(hours[day * 24 : day * 24 + 24]) for day in range(7))
    known = [(value, place) for place, value in enumerate(hours) if value is not None]
    (most, high), (least, low) = max(known, key=lambda it: (it[0], -it[1])), min(known)
    of = f" over {load.resources} resources" if load.resources > 1 else ""
    summary = (
        f"Busiest on {_hour(high)} with {quantity(most, unit)}, quietest on {_hour(low)} with {quantity(least, unit)}: "
        f"means of the period{of}."
    )
    return LoadMap(kind, f"{load.metric}, {load.statistic.lower()}", unit, values, summary)


def _scaled(value: float, unit: str) -> float:
    return value / 1024**3 if unit == "bytes" else value


def _hour(place: int) -> str:
    return f"{DAYS[place // 24]}, {place % 24:02d}:00 UTC"
