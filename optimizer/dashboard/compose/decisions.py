"""From decisions and what became of them to the rows of the progress table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal

from optimizer.dashboard.compose.savings import saving_of, vetoed
from optimizer.dashboard.format import NO_VALUE, dollars_and_cents, label_in, quantity, short_moment
from optimizer.dashboard.view.page import CriterionRow, DecisionRow, KeptGroup, MoveRow, ProjectionRow
from optimizer.dashboard.view.status import Mark, SavingState, Tone
from optimizer.execute.records import History, MoveRecord, MoveState, PhaseRecord, PhaseState, PlanRecord, PlanState
from optimizer.model.decision import Choice, Criterion, Decision, Verdict
from optimizer.model.health import Health
from optimizer.model.plan_costs import Saving

PHASE_MARKS = {
    PhaseState.WAITING: Mark("Waiting", Tone.QUIET),
    PhaseState.APPLYING: Mark("Applying", Tone.ACTIVE),
    PhaseState.OBSERVING: Mark("In its window", Tone.ACTIVE),
    PhaseState.ACCEPTING: Mark("Accepting", Tone.ACTIVE),
    PhaseState.ACCEPTED: Mark("Accepted", Tone.GOOD),
    PhaseState.RECONCILED: Mark("Accepted", Tone.GOOD),
    PhaseState.ROLLING_BACK: Mark("Rolling back", Tone.BAD),
    PhaseState.ROLLED_BACK: Mark("Rolled back", Tone.BAD),
    PhaseState.EMPTY: Mark("Nothing left to do", Tone.QUIET),
}
HEALTH_MARKS = {
    Health.HEALTHY: Mark("Healthy", Tone.GOOD),
    Health.BREACH: Mark("Breach", Tone.BAD),
    Health.INCONCLUSIVE: Mark("Inconclusive", Tone.WARN),
}
CHOICE_MARKS = {
    Choice.APPLY: Mark("Apply", Tone.ACTIVE),
    Choice.KEEP: Mark("Keep", Tone.QUIET),
    Choice.NO_DATA: Mark("No data", Tone.WARN),
}
VERDICT_MARKS = {
    Verdict.PASS: Mark("Met", Tone.GOOD),
    Verdict.FAIL: Mark("Not met", Tone.QUIET),
    Verdict.NO_DATA: Mark("No data", Tone.WARN),
    Verdict.LIFTED: Mark("Lifted", Tone.WARN),
}
MOVE_MARKS = {
    MoveState.INTENT: Mark("Begun", Tone.ACTIVE),
    MoveState.DONE: Mark("Done", Tone.GOOD),
    MoveState.UNDOING: Mark("Being undone", Tone.WARN),
    MoveState.UNDONE: Mark("Undone", Tone.QUIET),
}
# Why a change is made that saves nothing by itself.
FREE = {
    "stream_disable": "no saving: ends a stream that nobody reads",
    "table_consolidation": "its saving is counted with the other table",
}
NOT_JUDGED = Mark("Not judged", Tone.QUIET)


def decision_rows(history: History, record: PlanRecord) -> tuple[DecisionRow, ...]:
    """One row for every decision, in execution order."""
    phases = {each.phase: each for each in history.phases}
    moves: dict[tuple[str, str], list[MoveRecord]] = defaultdict(list)
    for move in history.moves:
        moves[move.action, move.resource].append(move)
    return tuple(
        _row(
            number,
            decision,
            record,
            phases.get(record.plan.phase_of(decision)),
            moves[decision.action, decision.resource],
        )
        for number, decision in enumerate(record.plan.decisions, start=1)
    )


def state_of(decision: Decision, record: PlanRecord, phase: PhaseRecord | None) -> Mark:
    """The state of one decision, in one or two words."""
    if decision.choice is not Choice.APPLY:
        return Mark("Left as it is", Tone.QUIET)
    if record.plan.held:
        return Mark("Held", Tone.QUIET)
    if vetoed(phase, decision.action, decision.resource) is not None:
        return Mark("Vetoed", Tone.WARN)
    if record.state is PlanState.PROPOSED:
        return Mark("Waiting for approval", Tone.ACTIVE)
    if phase is None or phase.state is PhaseState.WAITING:
        return Mark("Not begun", Tone.QUIET)
    return PHASE_MARKS[phase.state]


def _row(
    number: int, decision: Decision, record: PlanRecord, phase: PhaseRecord | None, moves: Sequence[MoveRecord]
) -> DecisionRow:
    plan = record.plan
    action = next(each for each in plan.actions if each.id == decision.action)
    veto = vetoed(phase, decision.action, decision.resource)
    acted = phase if decision.choice is Choice.APPLY and veto is None else None
    saved = saving_of(record, phase, decision)
    belongs = plan.phase_of(decision)
    return DecisionRow(
        key=f"decision-{number}",
        title=action.title,
        action=decision.action,
        resource=label_in(decision.resource),
        arn=decision.resource,
        phase=f"{belongs.number} · {belongs.title}",
        decision=CHOICE_MARKS[decision.choice],
        state=state_of(decision, record, phase),
        window=_window(acted),
        assessment=HEALTH_MARKS[acted.assessment.verdict] if acted and acted.assessment else NOT_JUDGED,
        assessment_reason=acted.assessment.reason if acted and acted.assessment else "",
        saving=dollars_and_cents(saved[0].monthly) if saved else NO_VALUE,
        saving_note=_saving_note(*saved) if saved else "",
        monthly=saved[0].monthly if saved else Decimal(0),
        reason=_reason(decision, veto),
        criteria=tuple(criterion_row(each) for each in decision.criteria),
        criteria_summary=_criteria_summary(decision),
        projections=tuple(
            ProjectionRow(each.name, quantity(each.today, each.unit), quantity(each.after, each.unit))
            for each in decision.projected
        ),
        undo=decision.undo,
        one_way=action.one_way,
        moves=tuple(_move(each) for each in moves),
        changes=decision.choice is Choice.APPLY,
    )


def kept_groups(rows: Sequence[DecisionRow]) -> tuple[KeptGroup, ...]:
    """Decisions to keep, grouped by their reason; the reason of most resources first."""
    by_reason: dict[str, list[DecisionRow]] = defaultdict(list)
    for row in rows:
        if not row.changes:
            by_reason[row.reason].append(row)
    ordered = sorted(by_reason.items(), key=lambda each: -len(each[1]))
    return tuple(KeptGroup(reason, tuple(members)) for reason, members in ordered)


def criterion_row(criterion: Criterion) -> CriterionRow:
    """One criterion, worded; its share of the limit only where the limit is an upper one."""
    upper = criterion.comparison in {"at most", "below"}
    observed, limit = criterion.observed, criterion.limit
    numbers = isinstance(observed, int | float) and isinstance(limit, int | float)
    share = None
    if upper and numbers and criterion.verdict is not Verdict.NO_DATA and float(limit or 0) > 0:
        share = float(observed or 0) / float(limit or 1)
    return CriterionRow(
        name=criterion.name,
        origin=criterion.origin.value,
        observed=quantity(observed, ""),
        comparison=criterion.comparison,
        limit=quantity(limit, ""),
        unit=criterion.unit,
        verdict=VERDICT_MARKS[criterion.verdict],
        source=criterion.source,
        share=share,
    )


def _saving_note(saving: Saving, state: SavingState) -> str:
    """The outcome of a saving; the net amount while a commitment holds some of it back; the monthly cost of its own."""
    own = f"; costs {dollars_and_cents(saving.kept)} of its own, in that already" if saving.kept else ""
    if not saving.monthly and not saving.later:
        return FREE.get(saving.action, "saves nothing that is billed for existing") + own
    if saving.net is None or saving.net == saving.monthly:
        return state.value + own
    return f"{state.value}; {dollars_and_cents(saving.net)} net at first{own}"


def _reason(decision: Decision, veto: str | None) -> str:
    """Why it is not applied; an APPLY needs no more words than its criteria."""
    if veto is not None:
        return f"Vetoed right before it would have been applied: {veto}"
    return "" if decision.choice is Choice.APPLY else decision.reason


def _criteria_summary(decision: Decision) -> str:
    held = sum(each.verdict in {Verdict.PASS, Verdict.LIFTED} for each in decision.criteria)
    if not decision.criteria:
        return "Nothing was measured"
    missed = len(decision.criteria) - held
    if decision.choice is Choice.APPLY and missed:
        return f"{held} criteria met; {missed} not met keep parts of it as they are"
    return f"{held} of {len(decision.criteria)} criteria met"


def _window(phase: PhaseRecord | None) -> str:
    if phase is None or phase.window_start is None or phase.window_end is None:
        return NO_VALUE
    return f"{short_moment(phase.window_start).removesuffix(' UTC')} to {short_moment(phase.window_end)}"


def _move(move: MoveRecord) -> MoveRow:
    return MoveRow(move.summary, MOVE_MARKS[move.state], short_moment(move.at), move.one_way)
