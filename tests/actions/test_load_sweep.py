"""Over twenty loads from 1 to 20 million requests a day: no sizing that the plan wants breaks the service in the model.

The faithful short form of twenty rehearsals: one loaded foundation, each load's own 60 days of metrics,
all decisions of the compute and the database phase, then a week under their sizing against the same week
as designed. `benchmarks/loads.py` rehearses them whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from domain.sizing import Sizing
from emulator.workload.service_level import ServiceLevel, resized, service_level
from emulator.workload.spec import WorkloadSpec
from emulator.workload.workload import Workload
from optimizer.actions import action as action_by_id
from optimizer.actions import actions_of
from optimizer.analyze.measure import measure
from optimizer.decide.policy import Policy
from optimizer.model.decision import Choice, Decision
from optimizer.model.phase import Phase
from optimizer.observe.inventory import take_inventory
from tests.actions.sized_foundation import NOW, REGIONS, Foundation, foundation
from tests.rehearsal.life import StandingAccount

pytestmark = pytest.mark.slow

MILLION = 1_000_000
# Million requests a day, closer where decisions turn: a reader, the fleet, the cache and the writer stay from there on.
LOADS = (1, 1.5, 2, 2.2, 2.4, 2.6, 2.8, 3, 3.2, 3.4, 3.8, 4, 5, 6, 8, 10, 12, 15, 18, 20)
WEEK = timedelta(days=7)
REGION = REGIONS[0]


@pytest.fixture(scope="module")
def loaded() -> Iterator[Foundation]:
    with foundation() as found:
        yield found


@pytest.mark.parametrize("millions", LOADS)
def test_no_wanted_sizing_breaks_the_service(loaded: Foundation, millions: float) -> None:
    spec, seed = load(millions), int(10 * millions)  # each load has a seed of its own
    lived = live(loaded, spec, seed=seed)
    sizing = Sizing.AS_DESIGNED
    for phase in (Phase.COMPUTE, Phase.DATABASE):
        for decision in decisions(loaded, phase):
            if decision.choice is Choice.APPLY:
                sizing = action_by_id(decision.action).resize(sizing, decision)
        level = week_under(lived, spec, seed, sizing)
        assert not level.broken, f"{millions}M after {phase.name}: {level} under {sizing}"


def test_the_check_sees_a_sizing_that_breaks_the_service(loaded: Foundation) -> None:
    """The brief's target under the design's load: what the guards are there to keep from happening."""
    spec = load(20)
    lived = live(loaded, spec, seed=0)
    small = Sizing.AS_DESIGNED.model_copy(update={"fleet": Policy().fleet.target})
    assert week_under(lived, spec, 0, small).broken


def test_some_of_the_loads_are_sized_down_and_some_are_not(loaded: Foundation) -> None:
    """A plan that always kept everything would pass the sweep too."""
    for millions, expected in ((2, Choice.APPLY), (20, Choice.KEEP)):
        live(loaded, load(millions), seed=0)
        (fleet,) = [each for each in decisions(loaded, Phase.COMPUTE) if each.action == "fleet_rightsize"]
        assert fleet.choice is expected, fleet.reason


def load(millions: float) -> WorkloadSpec:
    """With tenants in proportion: 2,500 for the brief's 2 million requests a day."""
    return WorkloadSpec(tenants=int(500 * millions + 1_500), requests_per_day=int(millions * MILLION))


def live(loaded: Foundation, spec: WorkloadSpec, *, seed: int) -> Workload:
    """The same account with another past: its metrics are computed from the load, and nothing of them is stored."""
    life = Workload(spec, loaded.account, seed, events=())
    for at, present in loaded.workload.timeline:
        life.remember(datetime.fromtimestamp(at, UTC), present)
    return life


def decisions(loaded: Foundation, phase: Phase) -> list[Decision]:
    inventory = take_inventory(loaded.aws, REGIONS)
    pairs = [(a, each) for a in actions_of(phase) for each in inventory.of(a.kind) if a.applies_to(each)]
    measured = measure(loaded.aws, pairs, Policy())
    return [a.decide(a.collect(loaded.aws.at(each.region), each, measured), Policy()) for a, each in pairs]


def week_under(lived: Workload, spec: WorkloadSpec, seed: int, sizing: Sizing) -> ServiceLevel:
    """The same life, but with the sizing from now on, against the life as it is."""
    other = Workload(spec, StandingAccount(), seed, events=())
    for at, present in lived.timeline:
        other.remember(datetime.fromtimestamp(at, UTC), present)
    present = lived.timeline[-1][1]
    other.remember(NOW, resized(present, REGION, sizing))
    (balancer,) = present[REGION].balancers
    return service_level(other, lived, (REGION, balancer), NOW, WEEK)
