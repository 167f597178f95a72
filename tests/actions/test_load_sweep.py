"""Over twenty loads from 1 to 20 million requests a day: no sizing that the plan wants breaks the service in the model.

The faithful short form of twenty rehearsals: one loaded foundation, each load's own 60 days of metrics,
all decisions of the compute and the database phase, then a week under their sizing against the same week
as designed. `benchmarks/loads.py` rehearses them whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from domain.sizing import Sizing
from emulator.workload.service_level import ServiceLevel, resized, service_level
from emulator.workload.snapshot import CacheSnapshot, DatabaseSnapshot, FleetSnapshot, RegionSnapshot
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

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("load sweep")]  # one foundation for all of them

MILLION = 1_000_000
# Million requests a day, closer where decisions turn: a reader, the fleet, the cache and the writer stay from there on.
LOADS = (1, 1.5, 2, 2.2, 2.4, 2.6, 2.8, 3, 3.2, 3.4, 3.8, 4, 5, 6, 8, 10, 12, 15, 18, 20)
SIZES = ("fleet_rightsize", "redis_rightsize", "aurora_writer", "aurora_readers")  # what the model's latency depends on
WEEK = timedelta(days=7)
REGION = REGIONS[0]


@pytest.fixture(scope="module")
def loaded() -> Iterator[Foundation]:
    with foundation() as found:
        yield found


@pytest.mark.parametrize("millions", LOADS)
def test_no_wanted_sizing_breaks_the_service(loaded: Foundation, millions: float) -> None:
    spec, seed = load(millions), seed_of(millions)
    lived = live(loaded, spec, seed=seed)
    sizing = Sizing.AS_DESIGNED
    for phase in (Phase.COMPUTE, Phase.DATABASE):
        for decision in decisions(loaded, phase):
            if decision.choice is Choice.APPLY:
                sizing = action_by_id(decision.action).resize(sizing, decision)
        level = week_under(lived, spec, seed, sizing)
        assert not level.broken, f"{millions}M after {phase.name}: {level} under {sizing}"


@pytest.mark.parametrize(("millions", "left"), [(2, set()), (2.2, {"aurora_readers"}), (3.2, set())])
def test_a_saving_is_left_where_the_model_would_have_borne_it(
    loaded: Foundation, millions: float, left: set[str]
) -> None:
    """The price of the guards: at 3.2M two decisions are kept, and each would have broken the service."""
    answers = savings_left(loaded, millions)
    assert {name for name, bearable in answers.items() if bearable} == left
    assert bool(answers) is (millions > 2)


def test_the_check_sees_a_sizing_that_breaks_the_service(loaded: Foundation) -> None:
    """The brief's target under the design's load: the outcome that the guards prevent."""
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


# What was there until it was cut to the design's capacity, and how many days ago that was. A share of the past is a
# share of what was there then: 25 instances at 8 % are not 15 at 8 %.
CUT: Mapping[str, Callable[[RegionSnapshot], RegionSnapshot]] = {
    "25 instances": lambda r: replace(r, fleets={name: _more_instances(f, 25) for name, f in r.fleets.items()}),
    "8 shards": lambda r: replace(r, caches={name: _more_shards(name, c, 8) for name, c in r.caches.items()}),
    "4 readers": lambda r: replace(
        r, databases={name: _more_readers(d, 4) for name, d in r.databases.items() if not d.secondary}
    ),
}


@pytest.mark.parametrize("days", [1, 2, 30])
@pytest.mark.parametrize("cut", CUT)
@pytest.mark.parametrize("millions", [2.6, 3.2, 4])
def test_no_wanted_sizing_breaks_the_service_whose_capacity_was_cut(
    loaded: Foundation, millions: float, cut: str, days: int
) -> None:
    spec, seed = load(millions), int(10 * millions)
    lived = live(loaded, spec, seed=seed, before=CUT[cut], until=NOW - timedelta(days=days))
    sizing = Sizing.AS_DESIGNED
    for phase in (Phase.COMPUTE, Phase.DATABASE):
        for decision in decisions(loaded, phase):
            if decision.choice is Choice.APPLY:
                sizing = action_by_id(decision.action).resize(sizing, decision)
    level = week_under(lived, spec, seed, sizing)
    assert not level.broken, f"{millions}M, {cut} until {days} days ago: {level} under {sizing}"


def _more_instances(fleet: FleetSnapshot, count: int) -> FleetSnapshot:
    kind = fleet.instances[0][1]
    more = tuple((f"i-gone-{number}", kind) for number in range(count - len(fleet.instances)))
    return replace(fleet, instances=(*fleet.instances, *more))


def _more_shards(name: str, cache: CacheSnapshot, count: int) -> CacheSnapshot:
    shards = tuple(f"{number:04}" for number in range(len(cache.shards) + 1, count + 1))
    members = tuple((f"{name}-{shard}-{node:03}", shard) for shard in shards for node in (1, 2, 3))
    return replace(cache, shards=(*cache.shards, *shards), members=(*cache.members, *members))


def _more_readers(database: DatabaseSnapshot, readers: int) -> DatabaseSnapshot:
    kind = database.instances[0][1]
    more = tuple((f"gone-{number}", kind) for number in range(readers + 1 - len(database.instances)))
    return replace(database, instances=(*database.instances, *more))


def seed_of(millions: float) -> int:
    """Each load has a seed of its own."""
    return int(10 * millions)


def savings_left(loaded: Foundation, millions: float) -> dict[str, bool]:
    """The sizes that the plan kept at this load, by action; true where the smaller one would not break the service."""
    spec, seed = load(millions), seed_of(millions)
    lived = live(loaded, spec, seed=seed)
    sizing, kept = Sizing.AS_DESIGNED, []
    for decision in (each for phase in (Phase.COMPUTE, Phase.DATABASE) for each in decisions(loaded, phase)):
        if decision.choice is Choice.APPLY:
            sizing = action_by_id(decision.action).resize(sizing, decision)
        elif decision.action in SIZES:
            kept.append(decision)
    smaller = {each.action: action_by_id(each.action).resize(sizing, each) for each in kept}
    return {name: not week_under(lived, spec, seed, each).broken for name, each in smaller.items()}


def load(millions: float) -> WorkloadSpec:
    """With tenants in proportion: 2,500 for the brief's 2 million requests a day."""
    return WorkloadSpec(tenants=int(500 * millions + 1_500), requests_per_day=int(millions * MILLION))


def live(
    loaded: Foundation,
    spec: WorkloadSpec,
    *,
    seed: int,
    before: Callable[[RegionSnapshot], RegionSnapshot] | None = None,
    until: datetime = NOW,
) -> Workload:
    """The same account with another past: its metrics are computed from the load, and nothing of them is stored.

    With `before`, the primary Region was so until a moment, and from then on as it is.
    """
    life = Workload(spec, loaded.account, seed, events=())
    timeline = loaded.workload.timeline
    if before is None:
        for at, present in timeline:
            life.remember(datetime.fromtimestamp(at, UTC), present)
        return life
    (begun, _), (_, present) = timeline[0], timeline[-1]
    life.remember(datetime.fromtimestamp(begun, UTC), {**present, REGION: before(present[REGION])})
    life.remember(until, present)
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
