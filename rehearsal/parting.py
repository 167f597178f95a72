"""Trunks: scenarios with the same beginning, and the moment from which each one differs.

A scenario is the same as another until its own first difference: an event, a tag, a manual call, a commit,
a person's answer. A difference before the pipeline's walk makes it separate from the first day.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rehearsal.scenario import PersonSpec, Scenario
from rehearsal.session import BEGUN

PHASES = ("phase1", "phase2", "phase3")
MOMENTS = (BEGUN, "plan.approved", *(f"{phase}.{done}" for phase in PHASES for done in ("applied", "accepted")))
"""The moments at which scenarios can separate, in the order of a life without incidents."""

# Settings of the person, by the moment of their first effect. Every other difference has effect before the walk.
AT_OBSERVE_GATES = ("approve_phases", "leaves_gates", "approve_early_after_hours")
AT_PLAN_GATES = ("approve_plan", "approve_after_minutes", "confirms_alone")
AT_A_HOLD = ("retries_for_days",)  # that a stage holds is by a difference with a moment of its own
WITHOUT_EFFECT = ("name", "summary", "expect")
LATE = ("events", "by_hand", "pushes", "execution_dies_at", "job_dies", "ends_after")


def trunks(scenarios: Iterable[Scenario]) -> list[list[Scenario]]:
    """Groups of scenarios that begin the same; each trunk in the order in which its scenarios separate from it."""
    by_trunk: dict[str, list[Scenario]] = {}
    for each in scenarios:
        by_trunk.setdefault(repr(_from_the_first_day(each)), []).append(each)
    return [sorted(each, key=lambda scenario: _order(parts_at(scenario))) for each in by_trunk.values()]


def parts_at(scenario: Scenario) -> str | None:
    """The first moment at which this scenario differs from its trunk; None if it never does."""
    return min(_own_moments(scenario), key=_order, default=None)


def _order(moment: str | None) -> int:
    return len(MOMENTS) if moment is None else MOMENTS.index(moment)


def _own_moments(scenario: Scenario) -> Iterator[str]:
    on = [each.on for each in scenario.events] + [each.on for each in scenario.by_hand]
    on += [each.on for each in scenario.pushes] + [each.on for each in scenario.taggings if each.on]
    yield from (moment if moment in MOMENTS else BEGUN for moment in on)
    usual, person = PersonSpec(), scenario.person
    if any(getattr(person, name) != getattr(usual, name) for name in AT_OBSERVE_GATES):
        yield "phase1.applied"
    if any(getattr(person, name) != getattr(usual, name) for name in AT_PLAN_GATES):
        yield BEGUN
    if person.stops is not None:
        yield f"{person.stops.stage.lower()}.applied"
    if scenario.execution_dies_at is not None:
        yield _before(scenario.execution_dies_at)
    if (dies := scenario.job_dies) is not None:
        stage, job = dies.job.split(".")
        yield f"{stage.lower()}.applied" if job == "Accept" else _before(stage)


def _before(stage: str) -> str:
    """The last moment before a stage begins."""
    before: Mapping[str, str] = dict(zip(("Phase1", "Phase2", "Phase3"), MOMENTS[1::2], strict=False))
    return before.get(stage, BEGUN)


def _from_the_first_day(scenario: Scenario) -> Sequence[tuple[str, Any]]:
    """Everything in a scenario that has effect before its first own moment."""
    known = {*WITHOUT_EFFECT, *LATE, "taggings", "person"}
    early = [each for each in scenario.taggings if not each.on]
    person = scenario.person.model_dump(exclude={*AT_OBSERVE_GATES, *AT_PLAN_GATES, *AT_A_HOLD, "stops"})
    rest = scenario.model_dump(exclude=known)
    return [*sorted(rest.items()), ("taggings", early), ("person", person)]
