"""Preconditions of the verbs, read from the journal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from domain.errors import NotApproved, PlanSuperseded, Unhealthy, WrongState
from optimizer.decide.health import judge
from optimizer.execute.journal import Journal
from optimizer.execute.records import PhaseRecord, PlanRecord, PlanState
from optimizer.execute.states import FINISHED, UNDER_WAY
from optimizer.model.health import Health, Sample
from optimizer.model.phase import Phase
from optimizer.model.plan import Plan
from optimizer.ports.aws import Aws

STACKS = "tap-"


def current_plan(journal: Journal) -> PlanRecord:
    """The plan in force. Raises WrongState before the first analysis."""
    current = journal.current()
    if current is None:
        raise WrongState("There is no plan yet: analyze first.")
    return current


def is_under_way(journal: Journal) -> bool:
    """Whether a plan is carried out, or a phase of a stopped one is still being rolled back: the freeze holds."""
    current = journal.current()
    if current is None or current.state is PlanState.PROPOSED:
        return False
    phases = journal.phases(current.plan).values()
    return current.state is PlanState.APPROVED or any(each.state in UNDER_WAY for each in phases)


def is_finished(plan: Plan, phases: Mapping[Phase, PhaseRecord]) -> bool:
    """Whether no phase of the plan has anything left to do."""
    return all(phases[phase].state in FINISHED for phase in Phase if plan.to_apply(phase))


def require_at_rest(journal: Journal, seen: PlanRecord | None) -> None:
    """Raises PlanSuperseded unless the plan in force is the one that was seen, WrongState while a phase is busy."""
    current = journal.current()
    if _head(current) != _head(seen):
        raise PlanSuperseded(
            f"While this was analyzed, plan {current.plan.hash[:12] if current else 'none'} became "
            f"{current.state.value if current else 'none'}: nothing is proposed. Analyze again."
        )
    for record in journal.phases(current.plan).values() if current else ():
        if record.state in UNDER_WAY:
            raise WrongState(
                f"Phase {record.phase.number} is {record.state.value}: a new plan would leave it to nobody. "
                "Propose anew when it is accepted or rolled back."
            )


def require_well(recent: Sequence[Sample], phase: Phase, now: datetime) -> None:
    """Raises Unhealthy unless the service is surely well by its own past."""
    assessment = judge(recent, [], now)
    if assessment.verdict is not Health.HEALTHY:
        raise Unhealthy(f"Phase {phase.number} does not start: {assessment.reason}. Run it again when that is over.")


def require_approved(journal: Journal, plan: Plan) -> None:
    """Raises PlanSuperseded when the plan is not in force or was stopped, NotApproved before its approval."""
    current = current_plan(journal)
    if current.plan.hash != plan.hash:
        raise PlanSuperseded(
            f"Plan {plan.hash[:12]} is not in force, {current.plan.hash[:12]} is. Use that, or analyze again."
        )
    if current.state is PlanState.PROPOSED:
        raise NotApproved(f"Plan {plan.hash[:12]} was not approved. Approve the gate, or run approve --plan FILE.")
    if current.state is PlanState.STOPPED:
        raise PlanSuperseded(
            f"Plan {plan.hash[:12]} was stopped by a rollback. A person may propose anew: analyze --anew."
        )


def require_turn(journal: Journal, plan: Plan, phase: Phase) -> None:
    """Raises WrongState while an earlier phase has anything left to do."""
    for earlier in Phase:
        if earlier.number < phase.number and plan.to_apply(earlier):
            state = journal.phase(plan, earlier).state
            if state not in FINISHED:
                raise WrongState(
                    f"Phase {phase.number} waits: phase {earlier.number} is {state.value}, not reconciled."
                )


def require_no_deployment(production: Aws, regions: Iterable[str]) -> None:
    """Raises WrongState while a stack of the foundation is being deployed: two would change the same resources."""
    for region in regions:
        for page in production.at(region).cloudformation.get_paginator("describe_stacks").paginate():
            for stack in page["Stacks"]:
                if stack["StackName"].startswith(STACKS) and stack["StackStatus"].endswith("_IN_PROGRESS"):
                    raise WrongState(
                        f"{stack['StackName']} in {region} is {stack['StackStatus']}: a deployment is under way. "
                        "Retry the stage when it has ended."
                    )


def _head(record: PlanRecord | None) -> tuple[str, PlanState] | None:
    return (record.plan.hash, record.state) if record else None
