"""Scenarios that begin the same, and the moment at which each one separates."""

from __future__ import annotations

from typing import Any

import pytest

from emulator.workload.spec import WorkloadEvent
from rehearsal.parting import MOMENTS, parts_at, trunks
from rehearsal.scenario import ByHand, JobDies, PersonSpec, Push, StopSpec, Tagging, known_scenarios, load_scenario

QUIET = load_scenario("quiet")
SLOW = WorkloadEvent(on="phase2.applied", until="phase2.rolled_back", p99_factor=2)
SOON = ByHand(on="plan.approved", service="ssm", call="put_parameter", parameters={})
EARLY, LATE = (Tagging(resource="users", tags={"TenantId": "acme"}, on=on) for on in (None, "phase1.accepted"))


@pytest.mark.parametrize(
    ("differs", "moment"),
    [
        ({}, None),
        ({"events": (SLOW,)}, "phase2.applied"),
        ({"events": (SLOW,), "by_hand": (SOON,)}, "plan.approved"),
        ({"taggings": (LATE,)}, "phase1.accepted"),
        ({"taggings": (EARLY,)}, None),  # another life from the first day, which nothing befalls later
        ({"pushes": (Push(on="phase3.accepted", file="a", old="b", new="c"),)}, "phase3.accepted"),
        ({"events": (SLOW.model_copy(update={"on": "phase2.rolled_back"}),)}, "begun"),
        ({"person": PersonSpec(confirms_alone=True)}, "begun"),
        ({"person": PersonSpec(approve_phases=False)}, "phase1.applied"),
        ({"person": PersonSpec(stops=StopSpec(stage="Phase2", after_hours=1))}, "phase2.applied"),
        ({"execution_dies_at": "Phase1"}, "plan.approved"),
        ({"execution_dies_at": "Phase3"}, "phase2.accepted"),
        ({"execution_dies_at": "Approve"}, "begun"),
        ({"job_dies": JobDies(job="Phase2.Apply", says="refresh")}, "phase1.accepted"),
        ({"job_dies": JobDies(job="Phase2.Accept", says="refresh")}, "phase2.applied"),
    ],
)
def test_a_life_parts_at_the_first_moment_that_is_its_own(differs: dict[str, Any], moment: str | None) -> None:
    assert parts_at(QUIET.model_copy(update=differs)) == moment


@pytest.mark.parametrize(
    ("differs", "together"),
    [
        ({"events": (SLOW,)}, True),
        ({"person": PersonSpec(leaves_gates=1)}, True),
        ({"person": PersonSpec(retries_for_days=3)}, True),
        ({"taggings": (LATE,)}, True),
        ({"ends_after": "Phase1"}, True),
        ({"taggings": (EARLY,)}, False),
        ({"days": 60}, False),
        ({"follows_pointers": None}, False),
        ({"workload": QUIET.workload.model_copy(update={"tenants": 1})}, False),
    ],
)
def test_what_differs_from_the_first_day_on_is_a_trunk_of_its_own(differs: dict[str, Any], together: bool) -> None:
    assert len(trunks([QUIET, QUIET.model_copy(update=differs)])) == (1 if together else 2)


def test_every_scenario_is_in_one_trunk_and_its_last_life_parts_from_none() -> None:
    found = trunks(map(load_scenario, known_scenarios()))
    assert sorted(each.name for trunk in found for each in trunk) == list(known_scenarios())
    order = [*MOMENTS, None]
    for trunk in found:
        places = [order.index(parts_at(each)) for each in trunk]
        assert places == sorted(places)
