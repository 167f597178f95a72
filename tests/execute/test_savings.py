"""Weeks after acceptance are measured once each, in one request, and kept in the journal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from domain.errors import CostsUnknown
from optimizer.execute.journal_writer import JournalWriter
from optimizer.execute.lease import Purpose
from optimizer.execute.measure_savings import Measured, measure_savings, service_of
from optimizer.model.phase import Phase
from optimizer.model.plan_costs import PlanCosts, Saving
from optimizer.model.resource import Kind
from tests.costs.answers import Recorded, group, period
from tests.execute.conftest import ACTION, ARN, World

ACCEPTED = date(2027, 3, 3)  # the phase begins on 1 March; 48 hours later it is accepted
COSTS = PlanCosts(
    Decimal(900), Decimal(595), (Saving("tidy_table", ARN, Decimal("304.375"), net=Decimal("304.375")),), "2026-11-23"
)


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world()


def accepted(world: World) -> None:
    """A plan that promises ten dollars a day, carried out and accepted."""
    plan, life = world.plan(costs=COSTS), world.fresh()
    with life.journal.lease(Purpose.ANALYZE, "test") as lease:
        JournalWriter(life.journal, lease).propose(plan)
    life.approve(plan)
    life.apply(plan, Phase.COMPUTE)
    world.account.clock.advance_to(world.account.clock.now() + timedelta(hours=49))
    world.fresh().accept(Phase.COMPUTE)


def answered(recorded: Recorded, first: date, end: date) -> None:
    """Cost Explorer's answer: 30 dollars a day of DynamoDB, 20 from 2 March on; Lambda does not belong to the plan."""
    days = []
    for number in range((end - first).days):
        day = first + timedelta(days=number)
        table = "30" if day < date(2027, 3, 2) else "20"
        days.append(period(day.isoformat(), group("Amazon DynamoDB", billed=table), group("AWS Lambda", billed="99")))
    recorded.costs({"ResultsByTime": days})


def measured(world: World, recorded: Recorded | None = None) -> Measured:
    life = world.fresh()
    costs = recorded or Recorded(world.account.clock)
    return measure_savings(life.journal, costs.aws, life.actions, "test")


def on(world: World, day: date) -> Recorded:
    now = world.account.clock.now()
    world.account.clock.advance_to(now + (day - now.date()))
    recorded = Recorded(world.account.clock)
    answered(recorded, date(2027, 2, 1), day - timedelta(days=2))
    return recorded


def test_each_settled_week_is_measured_once_and_kept(world: World) -> None:
    accepted(world)
    first = measured(world, on(world, date(2027, 3, 13)))
    (week,) = first.weeks
    assert (week.start, week.without, week.measured) == (ACCEPTED + timedelta(days=1), 210, 140)
    assert week.realised == week.projected == 70
    assert (first.new, first.explorer.requests) == (1, 1)

    again = measured(world)  # no answer is recorded: nothing may be asked
    assert (again.weeks, again.new, again.explorer.requests) == (first.weeks, 0, 0)

    third = measured(world, on(world, date(2027, 3, 28)))
    assert [each.start for each in third.weeks] == [ACCEPTED + timedelta(days=1 + 7 * n) for n in range(3)]
    assert third.new == 2
    history = world.fresh().journal.history()
    assert (history.realised, history.earlier) == (third.weeks, None)


def test_a_newer_plan_does_not_end_the_measuring(world: World) -> None:
    accepted(world)
    life = world.fresh()
    with life.journal.lease(Purpose.ANALYZE, "test") as lease:
        JournalWriter(life.journal, lease).propose(world.plan(code_revision="newer"))
    assert len(measured(world, on(world, date(2027, 3, 13))).weeks) == 1
    history = world.fresh().journal.history()
    assert history.realised == ()
    assert history.earlier is not None
    assert len(history.earlier.realised) == 1
    assert [each.phase for each in history.earlier.phases if each.accepted_at] == [Phase.COMPUTE]


def test_before_an_acceptance_there_is_nothing_to_measure(world: World) -> None:
    assert "Nothing was accepted yet" in measured(world).waits


def test_days_that_are_missing_are_said_and_never_guessed(world: World) -> None:
    accepted(world)
    on(world, date(2027, 3, 13))
    late = Recorded(world.account.clock)
    answered(late, date(2027, 2, 10), date(2027, 3, 11))
    with pytest.raises(CostsUnknown, match="19 days before 2027-03-01, 28 are needed"):
        measured(world, late)
    gap = Recorded(world.account.clock)
    answered(gap, date(2027, 2, 1), date(2027, 3, 8))
    with pytest.raises(CostsUnknown, match="no cost for 2027-03-08"):
        measured(world, gap)


def test_the_database_and_its_instances_are_one_service() -> None:
    assert service_of(ACTION) == "Amazon DynamoDB"
    kinds = (Kind.DATABASE, Kind.DATABASE_INSTANCE, Kind.GLOBAL_DATABASE)
    assert {service_of(replace(ACTION, kind=kind)) for kind in kinds} == {"Amazon Relational Database Service"}
