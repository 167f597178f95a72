"""The states of a plan and of its phases: which state may follow which, and the verb that leads there.

`STEPS` is the whole table. The journal's writer refuses every step that is not in it, and a test walks it: from each
state some verb leads on, until the plan is done or proposed anew.

    waiting -> applying -> observing -> accepting -> accepted -> reconciled
       |          |            |            |  (until the first one-way move)
       v          +------------+------------+--> rolling_back -> rolled_back
     empty  <-----+
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from domain.errors import WrongState
from optimizer.execute.records import PhaseState, PlanState

State = PlanState | PhaseState


class Verb(Enum):
    """The commands that move a plan on (`python -m optimizer VERB`)."""

    ANALYZE = "analyze"
    ANEW = "analyze --anew"
    APPROVE = "approve"
    APPLY = "apply"
    WATCH = "watch"
    ACCEPT = "accept"
    ROLLBACK = "rollback"
    GATE_FAILED = "gate-failed"
    RECONCILE = "reconcile"


@dataclass(frozen=True)
class Transition:
    """One step: the verbs that take it, and what must hold. `before` is None where nothing was written yet."""

    before: State | None
    after: State
    verbs: tuple[Verb, ...]
    when: str


# Whoever sees a breach first takes the phase back; so does a person.
TAKES_BACK = (Verb.WATCH, Verb.APPLY, Verb.ACCEPT, Verb.ROLLBACK, Verb.GATE_FAILED)

STEPS: tuple[Transition, ...] = (
    # The plan
    Transition(None, PlanState.PROPOSED, (Verb.ANALYZE,), "the first analysis"),
    Transition(PlanState.PROPOSED, PlanState.PROPOSED, (Verb.ANALYZE,), "a newer plan takes its place"),
    Transition(PlanState.PROPOSED, PlanState.APPROVED, (Verb.APPROVE,), "people answered the gate"),
    Transition(PlanState.APPROVED, PlanState.PROPOSED, (Verb.ANEW,), "a person gives it up; no phase is under way"),
    Transition(PlanState.APPROVED, PlanState.STOPPED, TAKES_BACK, "a phase is rolled back"),
    Transition(PlanState.APPROVED, PlanState.DONE, (Verb.RECONCILE, Verb.APPLY, Verb.WATCH), "every phase is finished"),
    Transition(PlanState.STOPPED, PlanState.PROPOSED, (Verb.ANEW,), "the phase is rolled back; a person proposes anew"),
    Transition(PlanState.DONE, PlanState.PROPOSED, (Verb.ANALYZE,), "the next plan"),
    # A phase of it
    Transition(
        PhaseState.WAITING, PhaseState.APPLYING, (Verb.APPLY,), "approved, its turn, a healthy service, open days"
    ),
    Transition(PhaseState.WAITING, PhaseState.EMPTY, (Verb.APPLY,), "every decision was vetoed"),
    Transition(PhaseState.APPLYING, PhaseState.EMPTY, (Verb.APPLY,), "every decision was vetoed"),
    Transition(PhaseState.APPLYING, PhaseState.OBSERVING, (Verb.APPLY,), "every reversible move is done"),
    Transition(PhaseState.APPLYING, PhaseState.ROLLING_BACK, TAKES_BACK, "a breach, a dead job, or a person asks"),
    Transition(PhaseState.OBSERVING, PhaseState.ACCEPTING, (Verb.ACCEPT,), "the window is over and surely healthy"),
    Transition(
        PhaseState.OBSERVING, PhaseState.ROLLING_BACK, TAKES_BACK, "a breach, a rejected gate, or a person asks"
    ),
    Transition(PhaseState.ACCEPTING, PhaseState.ACCEPTED, (Verb.ACCEPT,), "every one-way move is done"),
    Transition(PhaseState.ACCEPTING, PhaseState.ROLLING_BACK, TAKES_BACK, "no one-way move has begun"),
    Transition(PhaseState.ACCEPTED, PhaseState.RECONCILED, (Verb.RECONCILE,), "code, templates and account agree"),
    Transition(PhaseState.ROLLING_BACK, PhaseState.ROLLED_BACK, TAKES_BACK, "every move is undone"),
)

MOVING = (PhaseState.APPLYING, PhaseState.ACCEPTING, PhaseState.ROLLING_BACK)
"""Some job changes resources."""
UNDER_WAY = (*MOVING, PhaseState.OBSERVING)
"""Something of ours is changed, and not accepted: the service is guarded, a new plan is refused, the freeze holds."""
TAKEN = (PhaseState.ACCEPTED, PhaseState.RECONCILED)
"""There is no way back any more."""
FINISHED = (PhaseState.RECONCILED, PhaseState.EMPTY)
"""The next phase may begin."""
OVER = (*FINISHED, PhaseState.ROLLED_BACK)
"""No verb does anything about the phase; the plan's next step is the way on."""
DROPPED = (PhaseState.ROLLING_BACK, PhaseState.ROLLED_BACK, PhaseState.EMPTY)
"""The phase saves nothing."""
CARRIED_OUT = (PlanState.APPROVED, PlanState.STOPPED)
"""Phases of the plan may be under way: one of a stopped plan may still be rolled back."""
ENDED = (PlanState.STOPPED, PlanState.DONE)
"""Nothing more is carried out of the plan."""


def may_follow(before: State | None, after: State) -> bool:
    """Whether the table has this step. A phase under way may be written again as it stands."""
    return (before is after and before in UNDER_WAY) or any((s.before, s.after) == (before, after) for s in STEPS)


def require_step(what: str, before: State | None, after: State) -> None:
    """Raises WrongState unless the table has this step, naming what leads on from where it stands."""
    if may_follow(before, after):
        return
    ways = [f"{step.verbs[0].value} ({step.after.value})" for step in STEPS if step.before is before]
    stands = "not begun" if before is None else before.value
    raise WrongState(f"{what} is {stands}: it cannot become {after.value}. From here: {'; '.join(ways) or 'nothing'}.")


def leading_to(after: State) -> tuple[State, ...]:
    """The states from which the table leads to `after`."""
    return tuple(step.before for step in STEPS if step.after is after and step.before is not None)


def next_steps(states: Iterable[State]) -> list[Transition]:
    """The steps that lead on from any of these states."""
    standing = tuple(states)
    return [step for step in STEPS if step.before in standing]
