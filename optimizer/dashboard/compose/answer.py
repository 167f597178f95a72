"""The answer on top of the page: what was done, how it was judged, and what the reader has to do."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from optimizer.dashboard.compose.savings import what_comes_off
from optimizer.dashboard.format import count, date_of, dollars, listed, moment, person_in, short_moment
from optimizer.dashboard.view.page import NOTHING_ASKED, Costs, PageAnswer
from optimizer.dashboard.view.status import Mark, SavingState, Tone
from optimizer.execute.records import History, PhaseRecord, PhaseState, PlanRecord, PlanState
from optimizer.execute.states import FINISHED, OVER, TAKEN
from optimizer.model.decision import Choice
from optimizer.model.health import Health
from optimizer.model.phase import Phase
from optimizer.model.plan import Plan


def answer_of(history: History, costs: Costs | None, now: datetime | None) -> PageAnswer:
    """The answer, from the plan's state and then the state of the phase that is under way."""
    record = history.record
    if record is None:
        return PageAnswer(
            Mark("No plan yet", Tone.QUIET),
            "No plan has been made yet",
            "The account is as it was deployed. The first analysis proposes a plan, or says why it cannot.",
            NOTHING_ASKED,
            "The next run of the pipeline analyzes the account.",
        )
    plan = record.plan
    if plan.held:
        return PageAnswer(
            Mark("Held", Tone.QUIET),
            "Nothing was changed, because the evidence is not enough yet",
            f"{_sentence(plan.held)} Every phase and the plan's gate are skipped.",
            NOTHING_ASKED,
            "The analysis runs again with every run of the pipeline.",
        )
    if not any(each.choice is Choice.APPLY for each in plan.decisions):
        return PageAnswer(
            Mark("Kept", Tone.QUIET),
            "Nothing will be changed: everything is kept as it is",
            _kept(plan),
            NOTHING_ASKED,
            "The criteria below say what stood against each change.",
        )
    if record.state is PlanState.PROPOSED:
        return _proposed(plan, costs)
    if record.state is PlanState.STOPPED:
        return _stopped(history, plan, costs)
    if record.state is PlanState.DONE:
        return _done(history, plan, costs)
    return _under_way(history, record, costs, now)


def changes_in(history: History, plan: Plan, states: Collection[PhaseState]) -> int:
    """The number of approved changes in phases in these states, without those vetoed at the last check."""
    return sum(
        len(plan.to_apply(each.phase)) - len(each.vetoed or {}) for each in history.phases if each.state in states
    )


def _proposed(plan: Plan, costs: Costs | None) -> PageAnswer:
    number = sum(len(plan.to_apply(phase)) for phase in Phase)
    phases = listed([f"{phase.number}" for phase in Phase if plan.to_apply(phase)])
    worth = f" would save {what_comes_off(costs.steps, *SavingState).words}" if costs else " would be made"
    return PageAnswer(
        Mark("Waiting for approval", Tone.ACTIVE),
        f"{count(number, 'change').capitalize()}{worth}",
        f"{_from_to(costs)}Phase by phase ({phases}), each watched for 48 h and rolled back by itself "
        "when errors or latency leave their limits.",
        "Approve or reject the plan",
        f"In the pipeline's stage Approve, for plan {plan.hash[:12]}. Nothing changes before you do. {_one_way(plan)}",
    )


def _under_way(history: History, record: PlanRecord, costs: Costs | None, now: datetime | None) -> PageAnswer:
    plan = record.plan
    states = {each.phase: each for each in history.phases}
    current = next((p for p in Phase if plan.to_apply(p) and (p not in states or states[p].state not in OVER)), None)
    if current is None:
        return _done(history, plan, costs)
    phase = states.get(current)
    so_far = _so_far(costs)
    name = f"Phase {current.number} ({current.title})"
    if phase is None or phase.state is PhaseState.WAITING:
        return PageAnswer(
            Mark("Approved", Tone.ACTIVE),
            f"The plan is approved; {name} is next",
            f"Approved{_by(record)}. {so_far}",
            NOTHING_ASKED,
            "The pipeline goes on by itself.",
        )
    if phase.state is PhaseState.OBSERVING:
        return _observing(name, phase, so_far, now)
    text = {
        PhaseState.APPLYING: (Mark("Applying", Tone.ACTIVE), f"{name} is being applied"),
        PhaseState.ACCEPTING: (Mark("Accepting", Tone.ACTIVE), f"{name} is accepted and being finished"),
        PhaseState.ACCEPTED: (Mark("Accepted", Tone.GOOD), f"{name} is accepted; code and account are being compared"),
        PhaseState.ROLLING_BACK: (Mark("Rolling back", Tone.BAD), f"{name} is being rolled back"),
    }
    mark, headline = text[phase.state]
    return PageAnswer(mark, headline, f"{_reason(phase)}{so_far}", NOTHING_ASKED, "The pipeline goes on by itself.")


def _observing(name: str, phase: PhaseRecord, so_far: str, now: datetime | None) -> PageAnswer:
    verdict = phase.assessment.verdict if phase.assessment else None
    if verdict is Health.BREACH:
        return PageAnswer(
            Mark("Breach", Tone.BAD),
            f"{name} left its limits and is rolled back",
            f"{_reason(phase)}{so_far}",
            NOTHING_ASKED,
            "The watch rejects the gate and undoes the phase by itself.",
        )
    if phase.assessment and phase.assessment.needs_a_look:
        return PageAnswer(
            Mark("Held", Tone.WARN),
            f"{name} is held: the service needs a look",
            f"{_reason(phase)}Nothing is rolled back by itself for that. {so_far}",
            "Find the cause, then decide at the gate",
            "An approval counts only once the window is healthy. Rejecting the gate rolls the phase back.",
        )
    if verdict is Health.INCONCLUSIVE:
        return PageAnswer(
            Mark("Held", Tone.WARN),
            f"{name} cannot be judged: it is held",
            f"{_reason(phase)}No data is never consent. {so_far}",
            "Find out why metrics are missing",
            "The gate counts only once the whole window was seen. Rejecting it rolls the phase back.",
        )
    ends = phase.window_end
    over = ends is not None and now is not None and now >= ends
    judged = "and healthy so far" if verdict else "and not yet judged"
    return PageAnswer(
        Mark("Window over" if over else "In its window", Tone.ACTIVE),
        f"{name} is through its window, and healthy" if over and verdict else f"{name} is being watched, {judged}",
        f"{_reason(phase)}{so_far}",
        "Approve or reject the gate" if over else f"Approve the gate after {short_moment(ends)}" if ends else "Wait",
        f"The gate Observe of stage {phase.phase.stage_name}. "
        + ("" if over else "An approval before the window ends does not count. ")
        + "Rejecting it rolls the phase back.",
    )


def _stopped(history: History, plan: Plan, costs: Costs | None) -> PageAnswer:
    back = next((e for e in history.phases if e.state in {PhaseState.ROLLED_BACK, PhaseState.ROLLING_BACK}), None)
    if back is None:
        return PageAnswer(
            Mark("Stopped", Tone.WARN),
            "The plan was stopped",
            _so_far(costs),
            "Propose a new plan",
            "Run the analysis again when it should go on.",
        )
    later = [p for p in Phase if p.number > back.phase.number and plan.to_apply(p)]
    not_begun = f" {listed([f'Phase {p.number}' for p in later])} did not begin." if later else ""
    accepted = changes_in(history, plan, TAKEN)
    earlier = f" What was accepted before it stays: {count(accepted, 'change')}." if accepted else ""
    over = back.state is PhaseState.ROLLED_BACK
    state = "Its resources are as they were before it." if over else "Its changes are being undone."
    return PageAnswer(
        Mark("Rolled back", Tone.BAD),
        f"Phase {back.phase.number} ({back.phase.title}) {'was' if over else 'is being'} rolled back",
        f"{_reason(back)}{state}{not_begun}{earlier} {_so_far(costs)}".strip(),
        "Find the cause, then propose anew",
        "The plan is stopped: no later phase begins. A new analysis proposes a new plan, which is approved anew.",
    )


def _done(history: History, plan: Plan, costs: Costs | None) -> PageAnswer:
    accepted = changes_in(history, plan, TAKEN)
    approved = sum(len(plan.to_apply(phase)) for phase in Phase)
    if not accepted:
        return PageAnswer(
            Mark("Done", Tone.QUIET),
            "The plan is done, and nothing was changed",
            "Each phase checked its evidence again before applying, and set its changes aside.",
            NOTHING_ASKED,
            "The next analysis looks again.",
        )
    whole = "Both" if approved == 2 else f"All {approved}"
    number = whole if accepted == approved else f"{accepted} of {approved}"
    off = what_comes_off(costs.steps if costs else (), SavingState.TAKEN)
    worth = f": {dollars(off.now)} a month saved{off.rest}" if costs else ""
    reconciled = all(each.state in FINISHED for each in history.phases)
    agree = "code, templates and account agree" if reconciled else "code and account are still to be compared"
    return PageAnswer(
        Mark("Done", Tone.GOOD),
        f"{number} changes were accepted{worth}" if approved > 1 else f"The change was accepted{worth}",
        f"{_from_to(costs)}Every window was healthy, and {agree}.",
        NOTHING_ASKED,
        "The watch goes on for 24 h after the last acceptance and notifies.",
    )


def _from_to(costs: Costs | None) -> str:
    if costs is None or costs.before == costs.standing:
        return ""
    listed = f"{dollars(costs.before)} to {dollars(costs.standing)} a month at list price"
    off = what_comes_off(costs.steps, SavingState.TAKEN, SavingState.PROJECTED)
    rest = f"; the rest comes off as commitments end, by {date_of(off.full)}" if off.full else ""
    if costs.effective is None:
        return f"From {listed}{rest}. "
    net = f"From {dollars(costs.effective)} to {dollars(costs.effective - off.now)} a month net of commitments"
    return f"{net} ({listed}){rest}. "


def _so_far(costs: Costs | None) -> str:
    if costs is None:
        return ""
    taken = what_comes_off(costs.steps, SavingState.TAKEN)
    return f"Saved so far: {taken.words}." if taken.later else "Nothing is saved yet."


def _one_way(plan: Plan) -> str:
    """Which changes have a tail that cannot be undone, said before anybody approves."""
    going = {each.action for phase in Phase for each in plan.to_apply(phase)}
    titles = [each.title for each in plan.actions if each.one_way and each.id in going]
    return f"One-way at acceptance: {listed(titles)}." if titles else "Every change can be undone."


def _kept(plan: Plan) -> str:
    kept = sum(each.choice is Choice.KEEP for each in plan.decisions)
    unknown = len(plan.decisions) - kept
    parts = [f"{kept} kept because a criterion failed"] if kept else []
    parts += [f"{unknown} without enough data"] if unknown else []
    left = f" {count(len(plan.excluded), 'resource').capitalize()} left alone." if plan.excluded else ""
    return (
        f"{count(len(plan.decisions), 'decision').capitalize()}: {listed(parts)}.{left}"
        if parts
        else f"There was nothing to decide.{left}"
    )


def _by(record: PlanRecord) -> str:
    who = f" by {person_in(record.approver)}" if record.approver else ""
    return f"{who} on {moment(record.approved_at)}" if record.approved_at else who


def _reason(phase: PhaseRecord) -> str:
    said = phase.reason or (phase.assessment.reason if phase.assessment else "")
    return f"{_sentence(said)} " if said else ""


def _sentence(text: str) -> str:
    """Text from elsewhere as a sentence of its own."""
    text = text.strip()
    start = text.split(" ", 1)[0]  # p99 stays as it is
    begun = f"{text[:1].upper()}{text[1:]}" if start.isalpha() else text
    return f"{begun}{'' if begun.endswith(('.', '!', '?')) else '.'}"
