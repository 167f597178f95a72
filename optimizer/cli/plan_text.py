"""The output of `analyze`: the decisions, what they save, and what else the bill shows. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from optimizer.costs.money_evidence import MoneyEvidence
from optimizer.costs.purchase_advice import ADVICE
from optimizer.model.decision import Choice
from optimizer.model.plan import Plan
from optimizer.model.plan_costs import PlanCosts

SHOWN = 3  # names of a line that stands for several


def plan_lines(plan: Plan) -> Iterator[str]:
    """The plan, a line for each decision, saving and exclusion."""
    yield f"Plan {plan.hash[:12]}" + (f", held: {plan.held}" if plan.held else "")
    for decision in plan.decisions:
        yield _line(decision.choice, decision.action, _name(decision.resource), decision.reason)
    yield from rest_lines(plan)


def survey_plan_lines(plan: Plan) -> Iterator[str]:
    """The same of an account with many resources: one line for all that are kept by one action for one reason."""
    kept: dict[tuple[Choice, str, str], list[str]] = {}
    for decision in plan.decisions:
        kept.setdefault((decision.choice, decision.action, decision.reason), []).append(_name(decision.resource))
    for (choice, action, reason), names in kept.items():
        shown = names if choice is Choice.APPLY else [several(names)]
        yield from (_line(choice, action, each, reason) for each in shown)
    yield from rest_lines(plan)


def several(names: Sequence[str]) -> str:
    """Some names, and how many more there are."""
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more:,} more" if more > 0 else "")


def _line(choice: Choice, action: str, names: str, reason: str) -> str:
    return f"  {choice.value:8} {action:20} {names}: {reason}"


def rest_lines(plan: Plan) -> Iterator[str]:
    """The resources that are left alone, and the savings of the plan."""
    for each in plan.excluded:
        yield f"  excluded {each.kind.name.lower():20} {each.name}: {each.reason}"
    if plan.costs is not None:
        yield from _costs(plan.costs)


def money_lines(money: MoneyEvidence) -> Iterator[str]:
    """Trend and forecast, what to commit to, and findings that nothing carries out."""
    if money.account:
        yield f"The bill of account {money.account} alone; what its organization shares with it is said below."
    if trend := money.trend:
        yearly = f", {trend.yearly:+.1f} % over a year" if trend.yearly is not None else ""
        yield (
            f"Trend: ${trend.daily:,.2f} a day, {trend.monthly_change:+.1f} % in 30 days "
            f"({trend.low:+.1f} to {trend.high:+.1f} %){yearly}: each weekday against its own, which no forecast shows."
        )
    for month in money.forecast:
        season = f"with last year's season, by {month.source}" if month.seasonal else f"by {month.source}"
        between = f"{_usd(month.low)} to {_usd(month.high)}"
        yield f"  {month.month:%B %Y} without the plan: {_usd(month.cost)} ({between}), {season}"
    for used in money.used:
        if used.utilization is not None:
            yield (
                f"  {used.service}: {used.utilization:g} % of what is committed is used, "
                f"{used.coverage or 0:g} % of what runs is covered, {_usd(used.unused_cost)} unused in the period"
            )
    if money.advice:
        yield f"Commitments: {ADVICE}"
    for row in money.advice:
        saving = "" if row.target_saving is None else f", {_usd(row.target_saving)} a month less"
        yield (
            f"  {row.family} in {row.region}: AWS offers {row.offered:f} units from what ran "
            f"({_usd(row.offered_saving)} a month less); {row.today:f} run uncovered now, "
            f"{row.target:f} after the plan{saving}"
        )
    for finding in money.findings:
        yield f"  finding  {finding.title}: {finding.evidence}. {finding.advice} ({finding.source})"


def _costs(costs: PlanCosts) -> Iterator[str]:
    yield f"Cost: {_usd(costs.before)} a month at list price, {_usd(costs.after)} after the plan."
    for when, totals in (("now", costs.totals_before), ("after", costs.totals_after)):
        if totals is not None:
            yield (
                f"  {when:8} ListCost {_usd(totals.list_cost)}, BilledCost {_usd(totals.billed_cost)}, "
                f"EffectiveCost {_usd(totals.effective_cost)}, committed and unused {_usd(totals.stranded)}"
            )
    for saving in costs.savings:
        of = f"{saving.action:20} {_name(saving.resource)}"
        yield f"  saves    {of}: {_usd(saving.monthly)} at list price, net {saving.words}"
        if saving.payback_months:
            yield f"           {'':20} earned back after {saving.payback_months} months"
        for note in saving.notes:
            yield f"           {'':20} {note}"


def _name(resource: str) -> str:
    return resource.rsplit(":", 1)[-1]


def _usd(amount: Decimal) -> str:
    return f"${amount:,.2f}"
