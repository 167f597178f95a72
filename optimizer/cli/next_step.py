"""The next step of a plan: who takes it, what it is, and the very command. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from optimizer.execute.kill_switch import SwitchPosition
from optimizer.execute.records import PhaseRecord, PhaseState, PlanRecord, PlanState
from optimizer.execute.states import OVER
from optimizer.execute.ways_on import (
    ANEW,
    RELEASE,
    answer_gate,
    retry,
    retry_command,
)
from optimizer.model.health import Health
from optimizer.model.phase import Phase

NOBODY, PERSON = "nobody", "a person"
VERB = "python -m optimizer"
PLAN = "out/plan.json"


@dataclass(frozen=True)
class NextStep:
    """`who` is "nobody" where the pipeline or the watch goes on by itself. `command` does the step by hand."""

    who: str
    what: str
    command: str


def next_step(
    record: PlanRecord | None, states: Mapping[Phase, PhaseRecord], now: datetime, *, switch: str, at_work: bool
) -> NextStep:
    """The step that leads on. `at_work`: a job holds the lease and renews it."""
    if switch != SwitchPosition.GO.value and not switch.startswith("not readable"):
        what = f"The kill switch says {switch}: set it to go once the reason for it is gone"
        return NextStep(PERSON, what, "aws ssm put-parameter --name /tap/switch --value go --overwrite")
    if record is None:
        return NextStep(NOBODY, "The next run of the pipeline analyzes the account", f"{VERB} analyze --out out")
    plan = record.plan
    if plan.held or not any(plan.to_apply(phase) for phase in Phase) or record.state is PlanState.DONE:
        return NextStep(NOBODY, "The next run of the pipeline analyzes the account again", RELEASE)
    if record.state is PlanState.PROPOSED:
        what = f"Read the page, then approve or reject the plan. {answer_gate('Approve', 'ApprovePlan')}"
        return NextStep(PERSON, what, f"{VERB} approve --plan {PLAN}")
    left = (phase for phase in Phase if plan.to_apply(phase))
    phase = next((each for each in left if each not in states or states[each].state not in OVER), None)
    rolling = next((each for each in states.values() if each.state is PhaseState.ROLLING_BACK), None)
    if record.state is PlanState.STOPPED and rolling is None:
        return NextStep(PERSON, "Find the cause on the page and mend it, then propose a new plan", ANEW)
    if rolling is not None:
        return NextStep(NOBODY, "The watch undoes the phase, every five minutes until it is done", f"{VERB} watch")
    if phase is None:
        return NextStep(NOBODY, "The watch ends the plan at its next run", f"{VERB} watch")
    return _of_phase(states.get(phase) or PhaseRecord(phase, PhaseState.WAITING, now), now, at_work=at_work)


def _of_phase(record: PhaseRecord, now: datetime, *, at_work: bool) -> NextStep:
    phase, number = record.phase, record.phase.number
    apply = f"{VERB} apply --phase {number} --plan {PLAN}"
    match record.state:
        case PhaseState.WAITING:
            what = f"The pipeline applies phase {number} when its turn comes and the calendar allows it; if its stage"
            return NextStep(NOBODY, f"{what} has failed: {_small(retry(phase))}", apply)
        case PhaseState.APPLYING | PhaseState.ACCEPTING if not at_work:
            what = f"No job is at work: read the log of the last one. {retry(phase)}"
            return NextStep(PERSON, what, retry_command(phase.stage_name))
        case PhaseState.APPLYING:
            return NextStep(NOBODY, f"A job applies phase {number}; wait for it", apply)
        case PhaseState.ACCEPTING:
            return NextStep(NOBODY, f"A job accepts phase {number}; wait for it", f"{VERB} accept --phase {number}")
        case PhaseState.OBSERVING:
            return _of_window(record, now)
    what = "The pipeline compares code and account; if its stage has failed: "
    return NextStep(NOBODY, f"{what}{_small(retry(phase))}", f"{VERB} reconcile --assembly cdk.out")


def _of_window(record: PhaseRecord, now: datetime) -> NextStep:
    phase, end = record.phase, record.window_end
    accept = f"{VERB} accept --phase {phase.number}"
    if end is not None and now < end:
        what = f"The watch judges the window until {end:%Y-%m-%d %H:%M} UTC; an approval before then does not count"
        return NextStep(NOBODY, what, f"{VERB} watch")
    if record.assessment is not None and record.assessment.verdict is Health.INCONCLUSIVE:
        what = "The window cannot be judged: mend what publishes the load balancer's metrics, or reject the gate"
        if record.assessment.needs_a_look:
            what = "The window is held: find the cause of what it shows, or reject the gate"
        return NextStep(PERSON, what, f"{VERB} watch")
    return NextStep(PERSON, f"The window is over. {answer_gate(phase.stage_name, 'Observe')}", accept)


def _small(text: str) -> str:
    return text[:1].lower() + text[1:]
