"""A survey as the dashboard's page, with the evidence beside it: `dashboard.html`, `evidence.json`, `decisions.csv`."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from domain.sizing import Sizing, SizingRecord
from optimizer.dashboard.compose.long_lists import split
from optimizer.dashboard.compose.page import view_of
from optimizer.dashboard.compose.savings import what_comes_off
from optimizer.dashboard.export import write_evidence
from optimizer.dashboard.format import count, dollars
from optimizer.dashboard.render import render
from optimizer.dashboard.view.page import Costs, DecisionRow, ExcludedRow, Fact, Layout, PageAnswer, View
from optimizer.dashboard.view.status import Mark, SavingState, Tone
from optimizer.execute.records import History, PlanRecord, PlanState
from optimizer.model.decision import Choice
from optimizer.resources.registry import resource_kinds
from optimizer.survey.limits import WHY_OURS
from optimizer.survey.survey import Survey

SURVEYED = Mark("Surveyed", Tone.GOOD)
PAGE = "dashboard.html"
# A survey has no windows, events or savings so far: nothing was changed.
_KEPT = "Each decision opens to its criteria, with what was observed and the limit that it passed."
LAYOUT = Layout(
    sections=(
        ("decisions", "Decisions"),
        ("costs", "Costs"),
        ("risks", "Risks"),
        ("load", "Load"),
        ("tenants", "Not carried out"),
        ("plan", "This look"),
    ),
    decisions="What each action would decide on each resource. Every decision opens to its criteria.",
    tenants="What this tool would leave as it is",
    plan="This look",
)
REHEARSE = (
    "Look once more with --record mine.json, then run: python -m optimizer rehearse --account mine.json --out "
    "rehearsal-out. It carries the whole plan out on an emulated account of these sizes and this load."
)


def history_of(survey: Survey) -> History:
    """The survey as a history in which nothing has happened yet."""
    return History(
        record=PlanRecord(survey.plan, PlanState.PROPOSED, survey.at),
        phases=(),
        moves=(),
        events=(),
        windows={},
        sizing=SizingRecord(revision=0, sizing=Sizing.AS_DESIGNED),
        cost_now=survey.cost_now,
        before={},
        evidence=survey.evidence,
    )


def survey_view(survey: Survey) -> View:
    """The page of a plan, without what only a pipeline has: a gate, phases, events."""
    view = view_of(history_of(survey), survey.at)
    rows = [
        ExcludedRow(resource_kinds()[each.kind].words, each.name, each.region, "; ".join(each.reasons))
        for each in survey.limits
    ]
    first_rows, more = split(rows)
    return replace(
        view,
        title=f"Survey of account {survey.account}",
        answer=_answer(survey, view.costs),
        stations=(),
        decisions=tuple(_surveyed(each) for each in view.decisions),
        more_decisions=tuple(_surveyed(each) for each in view.more_decisions),
        decisions_empty="There was nothing to decide: nothing was found that the actions know.",
        windows_empty="A survey changes nothing, so nothing had to be watched.",
        excluded_empty="No resource has to be left alone: no tenant's tag was found.",
        money_notes=(*view.money_notes, *survey.unread),
        facts=_facts(survey),
        tenants=None,
        not_carried_out=first_rows,
        more_not_carried_out=more,
        not_carried_out_because=WHY_OURS,
        layout=LAYOUT,
    )


def write_page(survey: Survey, out: Path) -> Path:
    """Write the page and its evidence into `out`; returns the page's path."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / PAGE
    path.write_text(render(survey_view(survey)), encoding="utf-8")
    write_evidence(history_of(survey), out)
    return path


def _answer(survey: Survey, costs: Costs | None) -> PageAnswer:
    plan, number = survey.plan, len(survey.inventory.governed)
    applied = sum(each.choice is Choice.APPLY for each in plan.decisions)
    looked = f"{count(number, 'resource').capitalize()} in {', '.join(survey.request.regions)} looked at, read-only."
    elsewhere = "Name other Regions, or leave --tag out: make survey REGIONS=eu-west-1,eu-central-1."
    if not number:
        return PageAnswer(SURVEYED, "Nothing was found that could be optimized", looked, "Look elsewhere", elsewhere)
    if not plan.decisions:
        return PageAnswer(SURVEYED, "Nothing was found that the actions know", looked, "Look elsewhere", elsewhere)
    if plan.held:
        enough = survey.at + survey.request.policy.period - timedelta(days=plan.covered_days)
        ask = "Metrics gather by themselves. Nothing is decided on fewer days."
        return PageAnswer(
            SURVEYED,
            "The evidence is not enough yet",
            f"{looked} {plan.held}.",
            f"Look again on {enough:%Y-%m-%d}",
            ask,
        )
    if not applied:
        return PageAnswer(SURVEYED, "Everything would be kept as it is", looked, "See what keeps each", _KEPT)
    worth = f" would save {what_comes_off(costs.steps, *SavingState).words}" if costs and costs.steps else " would hold"
    before = f" {dollars(costs.before)} a month at list price is what was counted." if costs else ""
    return PageAnswer(
        SURVEYED,
        f"{count(applied, 'change').capitalize()}{worth}",
        f"{looked}{before} Each decision below has its evidence, and what would not be carried out its reason.",
        "Rehearse it first",
        REHEARSE,
    )


def _surveyed(row: DecisionRow) -> DecisionRow:
    """Without the words of a pipeline: nobody approves a survey."""
    return (
        replace(row, state=Mark("Would be changed", Tone.ACTIVE)) if row.state.text == "Waiting for approval" else row
    )


def _facts(survey: Survey) -> tuple[Fact, ...]:
    plan = survey.plan
    period = f"{plan.period_start:%Y-%m-%d} to {plan.period_end:%Y-%m-%d}"
    return (
        Fact("Account", survey.account, f"looked at {survey.at:%Y-%m-%d %H:%M} UTC"),
        Fact("Regions", ", ".join(survey.request.regions), survey.request.selection.words),
        Fact("Data", period, f"{plan.covered_days:.3g} days of metrics, times in UTC"),
        Fact("This look cost", survey.spent.words, "nothing else is billed for it"),
        Fact(
            "Targets", "the brief's step down, from where each resource stands", "one size of instances, two of nodes"
        ),
        Fact("Not read", "; ".join(survey.unread) or "nothing was denied", "a denied answer is no consent"),
    )
