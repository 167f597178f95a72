"""From the kept cost lines to the bill by part: today, after each phase, and the target."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal

from optimizer.analyze.evidence import PlanEvidence
from optimizer.costs.breakdown import CostLine
from optimizer.dashboard.compose.labels import PARTS
from optimizer.dashboard.format import dollars, listed
from optimizer.dashboard.view.evidence import BillRow, Bills
from optimizer.model.phase import Phase
from optimizer.model.plan import Plan

ITEMS = 12  # the dearest of a part; the rest of it is one row


def bills_of(evidence: PlanEvidence | None, plan: Plan | None) -> Bills | None:
    """The bill by part and item; None when none was kept with the plan."""
    if evidence is None or plan is None or not evidence.costs:
        return None
    phases = [phase for phase in Phase if plan.to_apply(phase)]
    by_part: dict[str, list[CostLine]] = defaultdict(list)
    for line in evidence.costs:
        if any((line.today, *line.after)):
            by_part[line.part].append(line)
    parts = sorted(by_part, key=lambda part: (-_summed(by_part[part], phases)[0], part))
    rows = [row for part in parts for row in _rows(part, by_part[part], phases)]
    totals = _summed(evidence.costs, phases)
    columns = ("Before the plan" if phases else "Today", *(f"After phase {phase.number}" for phase in phases))
    return Bills(columns, tuple(rows), totals, _summary([each for each in rows if each.is_part], totals))


def _rows(part: str, lines: Sequence[CostLine], phases: Sequence[Phase]) -> list[BillRow]:
    """The part, its dearest items, and what is left of it."""
    lines = sorted(lines, key=lambda each: (-max(each.today, *each.after, Decimal(0)), each.item, each.region))
    rows = [BillRow(PARTS.get(part, part), "", _summed(lines, phases), is_part=True)]
    rows += [BillRow(each.item, each.region, _summed([each], phases), is_part=False) for each in lines[:ITEMS]]
    if rest := lines[ITEMS:]:
        rows.append(BillRow(f"{len(rest)} further items", "", _summed(rest, phases), is_part=False))
    return rows


def _summed(lines: Sequence[CostLine], phases: Sequence[Phase]) -> tuple[Decimal, ...]:
    """Today's sum, and that after each of these phases."""
    return (
        sum((each.today for each in lines), Decimal(0)),
        *(sum((each.after[phase.number - 1] for each in lines), Decimal(0)) for phase in phases),
    )


def _summary(parts: Sequence[BillRow], totals: Sequence[Decimal]) -> str:
    """The stacked bars in a sentence."""
    shares = [f"{row.name} {dollars(row.amounts[0])}" for row in parts]
    if len(totals) == 1:
        return f"{dollars(totals[0])} a month today: {listed(shares)}. The plan changes none of it."
    changed = [f"{row.name} to {dollars(row.amounts[-1])}" for row in parts if row.amounts[0] != row.amounts[-1]]
    target = f"{dollars(totals[-1])} is the target{': ' if changed else ''}{listed(changed)}"
    return f"{dollars(totals[0])} a month before the plan: {listed(shares)}. {target}."
