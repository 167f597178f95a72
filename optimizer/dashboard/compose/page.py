"""From the journal's History to the View: everything the page shows, worded, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from datetime import datetime, timedelta
from decimal import Decimal

from optimizer.costs.money_evidence import MoneyEvidence
from optimizer.dashboard.compose.answer import answer_of
from optimizer.dashboard.compose.bills import bills_of
from optimizer.dashboard.compose.decisions import MOVE_MARKS, PHASE_MARKS, decision_rows, kept_groups
from optimizer.dashboard.compose.heat_maps import limit_maps, load_maps
from optimizer.dashboard.compose.long_lists import most_telling, split
from optimizer.dashboard.compose.money import money_of, monthly_bill, net_of, why_unknown, worth_of
from optimizer.dashboard.compose.risks import risks_of
from optimizer.dashboard.compose.savings import ComesOff, costs_of, share, total, what_comes_off
from optimizer.dashboard.compose.tenants import tenant_impact
from optimizer.dashboard.compose.timeline import earlier_timeline, timeline_of
from optimizer.dashboard.compose.windows import windows_of
from optimizer.dashboard.format import (
    NO_VALUE,
    count,
    date_of,
    day,
    dollars,
    hours,
    moment,
    person_in,
    quantity,
    short_moment,
)
from optimizer.dashboard.view.evidence import Timeline
from optimizer.dashboard.view.page import Costs, EventRow, ExcludedRow, Fact, Station, View
from optimizer.dashboard.view.status import Mark, SavingState, Tone
from optimizer.decide.policy import Policy
from optimizer.execute.records import History, PhaseRecord, PhaseState, PlanRecord, PlanState
from optimizer.execute.states import ENDED
from optimizer.model.decision import Json
from optimizer.model.phase import Phase
from optimizer.model.plan import Plan
from optimizer.resources.registry import resource_kinds

# Recorded in seconds.
DURATIONS = {each.name for each in fields(Policy) if isinstance(each.default, timedelta)}


def view_of(history: History, now: datetime | None = None) -> View:
    """The View as of `now`, which is by default the last moment the journal knows of."""
    as_of = now or latest(history)
    record, costs = history.record, costs_of(history, as_of.date() if as_of else None)
    plan = record.plan if record else None
    evidence, money = history.evidence, money_of(history)
    timeline, earlier = timeline_of(history, as_of), earlier_timeline(history, as_of)
    decisions, more_decisions = split(most_telling(decision_rows(history, record)) if record else [])
    excluded, more_excluded = split(_excluded(plan))
    events, more_events = split(_events(history))
    return View(
        title="Cost optimization",
        as_of=moment(as_of) if as_of else "",
        plan_hash=plan.hash if plan else "",
        answer=answer_of(history, costs, as_of),
        figures=(*_figures(record, costs, timeline), *_measured(earlier)),
        stations=_stations(history) if record else (),
        decisions=decisions,
        more_decisions=more_decisions,
        kept=() if more_decisions else kept_groups(decisions),
        decisions_empty=_no_decisions(plan),
        costs=costs,
        costs_empty=_no_costs(plan),
        bills=bills_of(evidence, plan),
        bills_empty="The bill by part was not kept with this plan: a price was missing, or there is no plan yet.",
        monthly=monthly_bill(money, _accepted(costs), as_of.date() if as_of else None),
        monthly_empty=why_unknown(money),
        net=net_of(plan, money),
        worth=worth_of(money),
        money_notes=_money_notes(plan, money),
        timeline=timeline,
        earlier=earlier,
        timeline_empty="There is no saving to add up: nothing was accepted and nothing is still expected.",
        risks=risks_of(plan),
        risks_empty="Nothing is to be changed, so there is nothing to weigh.",
        limits=limit_maps(plan),
        limits_empty="There is no criterion with a number yet.",
        loads=load_maps(evidence),
        loads_empty="No load was kept with this plan: no metric had a datapoint, or there is no plan yet.",
        tenants=tenant_impact(history, costs),
        windows=windows_of(history),
        windows_empty=_no_windows(history),
        excluded=excluded,
        more_excluded=more_excluded,
        excluded_empty="No resource had to be left alone: tenants own none of the governed ones."
        if plan
        else "No resource has been looked at yet.",
        events=events,
        more_events=more_events,
        facts=_facts(history, record) if record else (),
        policy=tuple(_flat(plan.policy)) if plan else (),
    )


def _accepted(costs: Costs | None) -> Decimal:
    """The monthly saving of accepted changes as of now."""
    return what_comes_off(costs.steps if costs else (), SavingState.TAKEN).now


def latest(history: History) -> datetime | None:
    """The last moment the journal knows of; None when it is empty."""
    moments = [each.at for each in history.events]
    moments += [each.at for each in history.moves]
    moments += [each.assessed_at or each.since for each in history.phases]
    moments += [history.record.proposed_at] if history.record else []
    return max(moments, default=None)


def _events(history: History) -> list[EventRow]:
    """All events, in the order of time."""
    titles = {each.id: each.title for each in history.record.plan.actions} if history.record else {}
    ordered = sorted(history.events, key=lambda each: each.at)
    return [
        EventRow(moment(each.at), f"Phase {each.phase.number}" if each.phase else "", _event(each.text, titles))
        for each in ordered
    ]


def _event(text: str, titles: Mapping[str, str]) -> str:
    """The text of an event; that of a move, which is `action: summary: state`, by the action's title."""
    action, _, rest = text.partition(": ")
    summary, _, state = rest.rpartition(": ")
    states = {each.value: mark.text.lower() for each, mark in MOVE_MARKS.items()}
    return f"{titles[action]}: {summary}: {states[state]}" if action in titles and state in states else text


def _figures(record: PlanRecord | None, costs: Costs | None, timeline: Timeline | None) -> tuple[Fact, ...]:
    """Three figures under the answer: before, after, and the difference; one when nothing changes it.

    They are net of commitments where there are any, and what list price says is their note.
    """
    if record is None or costs is None:
        return ()
    if not costs.steps:
        return (Fact("Today", dollars(costs.before), "a month, at list price"),)
    over = record.state in ENDED
    states = (SavingState.TAKEN,) if over else (SavingState.TAKEN, SavingState.PROJECTED)
    saved, taken = what_comes_off(costs.steps, *states), total(costs.steps, SavingState.TAKEN)
    account = "measured in the account" if over else "in the account now"
    measured = f"{dollars(costs.measured)} {account}" if costs.measured is not None else "at list price"
    label = "Saved" if over else "To be saved" if not taken else "Saved and to be saved"
    rest = f"; {dollars(saved.later)} at list price, the rest by {date_of(saved.full)}" if saved.full else ""
    if costs.effective is None:
        return (
            Fact("Before the plan", dollars(costs.before), "a month, at list price"),
            Fact(costs.standing_label, dollars(costs.standing), f"a month; {measured}"),
            Fact(label, dollars(saved.now), f"a month; {_fell(saved, costs.before, over, timeline)}{rest}"),
        )
    listed = f"{measured}, at list price" if costs.measured is not None else f"{dollars(costs.standing)} at list price"
    return (
        Fact(
            "Before the plan",
            dollars(costs.effective),
            f"a month, net of commitments; {dollars(costs.before)} at list price",
        ),
        Fact(costs.standing_label, dollars(costs.effective - saved.now), f"a month, net; {listed}"),
        Fact(label, dollars(saved.now), f"a month, net; {_fell(saved, costs.effective, over, timeline)}{rest}"),
    )


def _measured(earlier: Timeline | None) -> tuple[Fact, ...]:
    """The savings of the plan before this one, measured on the bill."""
    if earlier is None or not earlier.measured:
        return ()
    weeks, last = count(len(earlier.measured), "week"), earlier.measured[-1]
    note = f"measured on the bill in {weeks}; {dollars(earlier.projected)} were expected"
    return (Fact("Saved by the plan before", dollars(last.saved), note),)


def _fell(saved: ComesOff, before: Decimal, over: bool, timeline: Timeline | None) -> str:
    """By how much, and what the year comes to, from the days on which it is saved."""
    if not saved.later or timeline is None:
        return "no change"
    less = f"{share(saved.now, before)} less"
    if over:
        return f"{less}; {dollars(timeline.expected)} so far, {dollars(timeline.low)} projected by {day(timeline.end)}"
    return f"{less}; {dollars(timeline.high)} possible by {day(timeline.end)}"


def _stations(history: History) -> tuple[Station, ...]:
    """The plan's way: proposed, approved, and the three phases."""
    record = history.record
    assert record is not None
    plan, phases = record.plan, {each.phase: each for each in history.phases}
    proposed = Station("Analyze", "Evidence and plan", Mark("Done", Tone.GOOD), short_moment(record.proposed_at))
    return proposed, _approval(record), *(_phase_station(phase, record, phases.get(phase), plan) for phase in Phase)


def _approval(record: PlanRecord) -> Station:
    if not any(record.plan.to_apply(phase) for phase in Phase):
        return Station("Approve", "The plan's gate", Mark("Skipped", Tone.QUIET), "nothing to apply")
    if record.approved_at is None:
        mark = Mark("Waiting", Tone.ACTIVE) if record.state is PlanState.PROPOSED else Mark("Not given", Tone.QUIET)
        return Station("Approve", "The plan's gate", mark, "a person decides")
    who = f" by {person_in(record.approver)}" if record.approver else ""
    return Station("Approve", "The plan's gate", Mark("Approved", Tone.GOOD), short_moment(record.approved_at) + who)


def _phase_station(phase: Phase, record: PlanRecord, state: PhaseRecord | None, plan: Plan) -> Station:
    name, number = f"Phase {phase.number}", len(plan.to_apply(phase))
    if not number:
        return Station(name, phase.title, Mark("Skipped", Tone.QUIET), "held" if plan.held else "nothing to apply")
    note = count(number, "change")
    if state is None or state.state is PhaseState.WAITING:
        mark = "Not begun" if record.state is PlanState.STOPPED else "Waiting"
        return Station(name, phase.title, Mark(mark, Tone.QUIET), note)
    if state.state is PhaseState.OBSERVING and state.window_end:
        note = f"{note}; until {short_moment(state.window_end)}"
    elif state.accepted_at:
        note = f"{note}; {short_moment(state.accepted_at)}"
    return Station(name, phase.title, PHASE_MARKS[state.state], note)


def _facts(history: History, record: PlanRecord) -> tuple[Fact, ...]:
    plan = record.plan
    lifted = plan.policy.get("lifted") or []
    return (
        Fact("Plan", plan.hash, "SHA-256 of everything the plan says; what was approved is what runs"),
        Fact("Proposed", moment(record.proposed_at), f"analyzed {moment(plan.created_at)}"),
        Fact(
            "Data",
            f"{day(plan.period_start)} to {day(plan.period_end)}",
            f"{plan.covered_days:.3g} days of metrics, times in UTC",
        ),
        Fact("Approved by", record.approver or NO_VALUE, "as CodePipeline reports it"),
        Fact("Sizing", f"revision {history.sizing.revision}", f"the plan was made on revision {plan.sizing_revision}"),
        Fact("Code", plan.code_revision, "the commit that analyzed"),
        Fact("Prices", plan.costs.prices_dated if plan.costs else NO_VALUE, "US dollars, on demand, list price"),
        Fact("Guards set aside", ", ".join(map(str, lifted)) or "none", "named in the policy, recorded with the plan"),
    )


def _excluded(plan: Plan | None) -> tuple[ExcludedRow, ...]:
    rows = plan.excluded if plan else ()
    return tuple(ExcludedRow(resource_kinds()[each.kind].words, each.name, each.region, each.reason) for each in rows)


def _no_decisions(plan: Plan | None) -> str:
    if plan is None:
        return "No decision has been made yet."
    return plan.held or "There was nothing to decide: no resource is governed, or tenants own all that are."


def _no_costs(plan: Plan | None) -> str:
    if plan is None:
        return "Costs come with the first plan."
    return "This plan has no cost figures: a price or the inventory could not be read. No decision rests on them."


def _money_notes(plan: Plan | None, money: MoneyEvidence | None) -> tuple[str, ...]:
    """Prices and parts of the bill that are missing or old, and what reading it cost."""
    said = [*(plan.costs.notes if plan and plan.costs else ()), *(money.notes if money else ())]
    requests = [f"The analysis for this plan made {money.summary}."] if money else []
    return tuple(dict.fromkeys([*said, *requests]))


def _no_windows(history: History) -> str:
    if any(each.state is PhaseState.OBSERVING for each in history.phases):
        return "A window is open, but no settled period was seen yet: CloudWatch publishes with a delay."
    return "No phase was applied, so nothing had to be watched."


def _flat(policy: Mapping[str, Json], prefix: str = "") -> Iterator[tuple[str, str]]:
    """The recorded policy as names and values, one line each."""
    for key, value in policy.items():
        name = f"{prefix}{key}".replace("_", " ")
        if isinstance(value, Mapping):
            yield from _flat(value, f"{name} · ")
        elif isinstance(value, list):
            yield name, ", ".join(map(str, value)) or "none"
        elif key in DURATIONS and isinstance(value, int | float):
            yield name, hours(timedelta(seconds=value))
        else:
            yield name, "none" if value is None else quantity(value, "")
