"""The figures of a rehearsal, from the account's own record, inventory and journal items.

No figure comes from the optimizer's decisions or execution: the judge of a run is independent of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, ConfigDict

from domain.sizing import Sizing, SizingRecord
from emulator.core.call_record import Call
from rehearsal.journal_reader import JournalReader
from rehearsal.scenario import Expectation, Outcome

PHASES = (1, 2, 3)
METRIC_OPERATIONS = frozenset({"GetMetricData", "GetMetricStatistics"})


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ActionSummary(_Value):
    """One decision on one resource, and its outcome."""

    id: str
    resource: str
    decision: str
    outcome: str
    reason: str


class AssessmentSummary(_Value):
    """The last assessment of a phase's window."""

    verdict: str
    reason: str


class PhaseSummary(_Value):
    """One phase. `window_hours`: length of its observation; null if there was none."""

    phase: int
    outcome: Outcome
    window_hours: float | None
    assessment: AssessmentSummary | None
    actions: tuple[ActionSummary, ...]


class MonthlyCost(_Value):
    """US dollars a month: `before` and `after` at list price, `stranded` for commitments that nothing uses any more."""

    before: float
    after: float
    stranded: float


class PlannedCost(_Value):
    """US dollars a month at list price as in the plan and on its page; `monthly_cost` is the account's own count.

    `after` is after the whole plan, `standing` after the accepted part. Both counts include the requests of DynamoDB
    tables
    and nothing else that is billed by use.
    """

    before: float
    after: float
    standing: float


class WeekCost(_Value):
    """A week that began on `start`, as billed to the account: amortized, without credits and taxes."""

    start: str
    usd: float


class ReactionSummary(_Value):
    """Speed of a phase's rollback: minutes from the onset to the first undo, and to a restored service."""

    phase: int
    undo_after_minutes: float
    restored_after_minutes: float | None


class Summary(_Value):
    """summary.json. `next_deployment_changes`: resources that the next deployment of the same code would change."""

    scenario: str
    seed: int
    phases: tuple[PhaseSummary, ...]
    drift_differences: int
    next_deployment_changes: int
    tenant_resources_touched: int
    monthly_cost: MonthlyCost
    planned_cost: PlannedCost | None = None
    api_calls: int
    metric_calls: int
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    reactions: tuple[ReactionSummary, ...] = ()  # one for each phase that was rolled back because the service got worse
    weeks: tuple[WeekCost, ...] = ()  # the last week before the plan, then those after it


def phases_of(journal: JournalReader) -> tuple[PhaseSummary, ...]:
    """All three phases, from the journal's items."""
    plan = journal.plan() or {"actions": (), "decisions": (), "held": "no plan"}
    return tuple(_phase(number, plan, journal.phase(number)) for number in PHASES)


def reactions_of(journal: JournalReader, onsets: Sequence[datetime]) -> tuple[ReactionSummary, ...]:
    """Reaction times of each phase that was rolled back after the service got worse."""
    reactions = []
    for number in PHASES:
        began = journal.first_event(f"Phase {number} is rolled back")
        onset = max((each for each in onsets if began is not None and each <= began), default=None)
        if began is None or onset is None:
            continue
        ended = journal.first_event(f"Phase {number} is as it was before")
        minutes = [None if at is None else round((at - onset).total_seconds() / 60, 1) for at in (began, ended)]
        reactions.append(
            ReactionSummary(phase=number, undo_after_minutes=minutes[0] or 0.0, restored_after_minutes=minutes[1])
        )
    return tuple(reactions)


def excluded_of(journal: JournalReader) -> frozenset[str]:
    """The names of the resources that the plan left to their owners."""
    plan = journal.plan() or {"excluded": ()}
    return frozenset(each["name"] for each in plan["excluded"])


def planned_cost(journal: JournalReader) -> PlannedCost | None:
    """The current plan's costs before and after it; None if the plan has none."""
    plan = journal.plan() or {}
    if not (costs := plan.get("costs")):
        return None
    before, standing = Decimal(costs["before"]), Decimal(costs["before"])
    phase_of = {each["id"]: each["phase"] for each in plan["actions"]}
    for saving in costs["savings"]:
        record = journal.phase(phase_of[saving["action"]])
        vetoed = f"{saving['action']} {saving['resource']}" in (record.get("vetoed") or {})
        if record["state"] in ("accepted", "reconciled") and not vetoed:
            standing -= Decimal(saving["monthly"])
    return PlannedCost(before=float(before), after=float(costs["after"]), standing=float(standing))


def metric_calls(calls: Sequence[Call]) -> int:
    """Number of calls that read metrics."""
    return sum(call.service == "cloudwatch" and call.operation in METRIC_OPERATIONS for call in calls)


def unexpected(summary: Summary, excluded: frozenset[str], expect: Expectation) -> list[str]:
    """Differences between the rehearsal's end and the scenario's expectation, each as a sentence."""
    lines = []
    for phase in summary.phases:
        wanted = expect.phases.get(str(phase.phase))  # type: ignore[call-overload]  # a literal, by construction
        if wanted is not None and phase.outcome is not wanted:
            lines.append(f"phase {phase.phase} is {phase.outcome.value}, expected was {wanted.value}")
        longest = expect.window_hours.get(str(phase.phase))  # type: ignore[call-overload]
        if longest is not None and (phase.window_hours is None or phase.window_hours > longest):
            lines.append(f"phase {phase.phase} was observed for {phase.window_hours} h, expected was {longest} at most")
    lines += _unexpected_endings(summary, expect)
    if summary.tenant_resources_touched != expect.tenant_resources_touched:
        lines.append(
            f"{summary.tenant_resources_touched} resources of tenants were touched, "
            f"expected were {expect.tenant_resources_touched}"
        )
    if expect.drift_differences is not None and summary.drift_differences != expect.drift_differences:
        lines.append(
            f"code and account differ in {summary.drift_differences} properties, "
            f"expected were {expect.drift_differences}"
        )
    if expect.next_deployment_changes not in (None, summary.next_deployment_changes):
        lines.append(
            f"the next deployment would change {summary.next_deployment_changes} resources, "
            f"expected were {expect.next_deployment_changes}"
        )
    if (stranded := summary.monthly_cost.stranded) < expect.stranded:
        lines.append(f"${stranded:,.2f} a month are stranded in commitments, expected were ${expect.stranded:,.2f}")
    lines += _other_costs(summary, expect.planned_cost_within)
    lines += [f"{name} is not listed as excluded" for name in expect.excluded if name not in excluded]
    return lines


def _other_costs(summary: Summary, within: float | None) -> list[str]:
    """Plan costs that differ from the account's own by more than this share; empty if the scenario sets none."""
    if within is None:
        return []
    planned, billed = summary.planned_cost, summary.monthly_cost
    if planned is None:
        return ["the plan says nothing of costs"]
    pairs = (("before", planned.before, billed.before), ("after", planned.after, billed.after))
    return [
        f"the plan says ${ours:,.2f} a month {when} it, the account is billed ${theirs:,.2f}"
        for when, ours, theirs in pairs
        if abs(ours - theirs) > within * theirs
    ]


def other_sizing(record: SizingRecord | None, expected: Sizing | None) -> list[str]:
    """Parts of the sizing in force that differ from the expected one; empty if none is expected."""
    if expected is None:
        return []
    sizing = record.sizing if record else Sizing.AS_DESIGNED
    return [
        f"the sizing has {name} {getattr(sizing, name)}, expected was {wanted}"
        for name, wanted in expected
        if getattr(sizing, name) != wanted
    ]


def _unexpected_endings(summary: Summary, expect: Expectation) -> list[str]:
    ended = {
        f"{each.id} {re.split('[:/]', each.resource)[-1]}": each for phase in summary.phases for each in phase.actions
    }
    lines = []
    for key, wanted in expect.actions.items():
        one = ended.get(key)
        if one is None:
            lines.append(f"there is no decision {key}")
        elif one.outcome != wanted.outcome or wanted.because not in one.reason:
            said = f"{wanted.outcome}: ... {wanted.because}" if wanted.because else wanted.outcome
            lines.append(f"{key} is {one.outcome} ({one.reason}), expected was {said}")
    return lines


def _phase(number: int, plan: Mapping[str, Any], record: Mapping[str, Any]) -> PhaseSummary:
    mine = {each["id"] for each in plan["actions"] if each["phase"] == number}
    decisions = [each for each in plan["decisions"] if each["action"] in mine]
    outcome = _outcome(decisions, plan, record)
    assessment = record.get("assessment")
    return PhaseSummary(
        phase=number,
        outcome=outcome,
        window_hours=_window_hours(record),
        assessment=AssessmentSummary(verdict=assessment["verdict"], reason=assessment["reason"])
        if assessment
        else None,
        actions=tuple(_action(each, outcome, record) for each in decisions),
    )


def _outcome(decisions: Sequence[Mapping[str, Any]], plan: Mapping[str, Any], record: Mapping[str, Any]) -> Outcome:
    match record["state"]:
        case "accepted" | "reconciled":
            return Outcome.ACCEPTED
        case "rolled_back":
            return Outcome.ROLLED_BACK
        case "empty":
            return Outcome.KEPT
        case "waiting":
            wanted = any(each["choice"] == "APPLY" for each in decisions)
            return Outcome.SKIPPED if plan["held"] or wanted or not decisions else Outcome.KEPT
        case _:
            return Outcome.HELD


def _action(decision: Mapping[str, Any], phase: Outcome, record: Mapping[str, Any]) -> ActionSummary:
    veto = (record.get("vetoed") or {}).get(f"{decision['action']} {decision['resource']}")
    outcome, reason = phase.value, decision["reason"]
    if decision["choice"] != "APPLY":
        outcome = Outcome.SKIPPED.value if phase is Outcome.SKIPPED else Outcome.KEPT.value
    elif veto:
        outcome, reason = "vetoed", veto
    elif phase in (Outcome.ROLLED_BACK, Outcome.HELD):
        reason = record.get("reason") or (record.get("assessment") or {}).get("reason") or reason
    return ActionSummary(
        id=decision["action"],
        resource=decision["resource"],
        decision=decision["choice"],
        outcome=outcome,
        reason=reason,
    )


def _window_hours(record: Mapping[str, Any]) -> float | None:
    start = record.get("window_start")
    end = record.get("accepted_at") or record.get("assessed_at")
    if not start or not end:
        return None
    return round((datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds() / 3600, 2)
