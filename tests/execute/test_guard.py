"""The guard follows the change: whatever job is at work, dead or alive, something judges the service."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from domain.errors import Breach, LeaseLost, OptimizerError, Stopped, Unhealthy, WayBackClosed
from emulator.account import Crash
from optimizer.action import Action
from optimizer.execute.guard import GIVEN_UP
from optimizer.execute.journal_writer import JournalWriter
from optimizer.execute.lease import DURATION, Purpose
from optimizer.execute.lifecycle import Lifecycle
from optimizer.execute.records import MoveState, PhaseRecord, PhaseState, PlanState
from optimizer.model.health import Health
from optimizer.model.phase import Phase
from tests.execute.conftest import ACTION, World

DESIGNED = {"protected": False, "recovery": "DISABLED", "stream": False}
HALF = {"protected": True, "recovery": "DISABLED", "stream": False}
APPLIED = {"protected": True, "recovery": "ENABLED", "stream": False}
DEAD = DURATION + timedelta(seconds=1)


def record_of(world: World) -> PhaseRecord:
    journal = world.fresh().journal
    current = journal.current()
    assert current is not None
    return journal.phase(current.plan, Phase.COMPUTE)


def sick(world: World, p99_ms: float | None = 300.0) -> None:
    world.service.p99_ms, world.service.since = p99_ms, world.account.clock.now()


def watched(world: World, time: timedelta, every: timedelta = timedelta(minutes=5)) -> int:
    """The watch at each tick of its schedule; how often it rolled back, or found a rollback to finish."""
    breaches = 0
    for _ in range(time // every):
        world.account.clock.sleep(every.total_seconds())
        try:
            world.fresh().watch()
        except Breach:
            breaches += 1
        world.fresh().tell()
    return breaches


def crash_at(words: str) -> Callable[[str], None]:
    """A job's output, which raises Crash when it contains these words."""

    def say(line: str) -> None:
        if words in line:
            raise Crash(line)

    return say


def dies(world: World, *, listens: bool = True) -> World:
    """A world whose apply died right before its second call, having changed the table half."""
    if listens:
        world.listen()
    plan = world.approved()
    with pytest.raises(Crash):
        replace(world.fresh(), say=crash_at("recovery on")).apply(plan, Phase.COMPUTE)
    assert world.table() == HALF
    return world


def plan_of(world: World):  # type: ignore[no-untyped-def]
    current = world.fresh().journal.current()
    assert current is not None
    return current.plan


# A job that died


def test_people_are_told_of_a_dead_job_within_a_quarter_of_an_hour_and_once(world: World) -> None:
    dies(world)
    watched(world, timedelta(minutes=15))
    assert record_of(world).unattended_since is not None
    watched(world, timedelta(minutes=15))
    assert [each["Subject"] for each in world.mail()] == [
        "tap: phase 2 (EC2 and Redis) stands half way, and no job is at work on it"
    ]


def test_what_a_dead_job_left_is_rolled_back_after_an_hour(world: World) -> None:
    dies(world)
    assert watched(world, timedelta(hours=1)) == 0
    assert world.table() == HALF
    assert watched(world, timedelta(minutes=15)) == 1
    assert (world.table(), record_of(world).state) == (DESIGNED, PhaseState.ROLLED_BACK)
    assert "nobody resumed it" in record_of(world).reason
    assert [each["Subject"].split(") ")[1] for each in world.mail()] == [
        "stands half way, and no job is at work on it",
        "was rolled back",
    ]


def test_a_breach_after_a_job_died_is_rolled_back_by_the_first_look(world: World) -> None:
    dies(world)
    sick(world)
    world.account.clock.sleep(timedelta(minutes=40).total_seconds())
    with pytest.raises(Breach, match=r"rolled back while it was applied: .*p99 300 ms"):
        world.fresh().watch()
    assert (world.table(), record_of(world).state) == (DESIGNED, PhaseState.ROLLED_BACK)


def test_a_phase_that_was_resumed_in_time_goes_on(world: World) -> None:
    dies(world)
    watched(world, timedelta(minutes=30))
    world.fresh().apply(plan_of(world), Phase.COMPUTE)
    assert record_of(world).unattended_since is None
    assert watched(world, timedelta(hours=2)) == 0
    assert (world.table(), record_of(world).state) == (APPLIED, PhaseState.OBSERVING)


def test_a_job_that_died_twice_has_its_hour_each_time(world: World) -> None:
    dies(world, listens=False)
    watched(world, timedelta(minutes=50))
    with pytest.raises(Crash):
        replace(world.fresh(), say=crash_at("recovery on")).apply(plan_of(world), Phase.COMPUTE)
    assert watched(world, timedelta(minutes=50)) == 0
    assert watched(world, timedelta(minutes=25)) == 1


def test_a_resumed_apply_judges_before_it_goes_on(world: World) -> None:
    dies(world, listens=False)
    sick(world)
    world.account.clock.sleep(timedelta(minutes=40).total_seconds())
    with pytest.raises(Breach):
        world.fresh().apply(plan_of(world), Phase.COMPUTE)
    assert (world.table(), record_of(world).state) == (DESIGNED, PhaseState.ROLLED_BACK)


def test_aws_at_work_on_a_move_is_waited_for(world: World) -> None:
    """An instance refresh or a failover goes on without the job: an undo into it would be refused or worse."""
    working = [True]

    def moves(*arguments: object) -> list[object]:
        first, second, *rest = ACTION.moves(*arguments)
        return [first, replace(second, is_ready=lambda aws: not working, deadline=timedelta(hours=3)), *rest]

    dies(world, listens=False)
    world.action = replace(ACTION, moves=moves)
    assert watched(world, timedelta(hours=2)) == 0
    assert record_of(world).state is PhaseState.APPLYING
    working.clear()
    assert watched(world, timedelta(minutes=15)) == 1
    assert world.table() == DESIGNED


def test_the_watch_tends_what_a_dead_job_left(world: World) -> None:
    tended: list[str] = []

    def tend(*arguments: object) -> str:
        tended.append("tended")
        return ""

    dies(world, listens=False)
    world.action = replace(ACTION, tend=tend)
    watched(world, timedelta(minutes=20))
    assert len(tended) >= 2


def test_a_living_job_is_neither_called_dead_nor_kept_from_its_work(world: World) -> None:
    plan, seen = world.approved(), list[PhaseRecord]()

    def say(line: str) -> None:
        if "recovery on" in line:
            world.fresh().watch()
            seen.append(record_of(world))

    replace(world.fresh(), say=say).apply(plan, Phase.COMPUTE)
    assert [(each.state, each.unattended_since) for each in seen] == [(PhaseState.APPLYING, None)]
    assert world.table() == APPLIED


def test_the_kill_switch_keeps_a_half_applied_phase_where_it_is(world: World) -> None:
    ssm = world.account.client("ssm", "111111111111", "us-east-1")
    ssm.put_parameter(Name="/tap/switch", Value="go", Type="String")
    world.environ = {**world.environ, "TAP_SWITCH_PARAMETER": "/tap/switch"}
    plan = world.approved()

    def stop(line: str) -> None:
        if "recovery on" in line:
            ssm.put_parameter(Name="/tap/switch", Value="stop", Overwrite=True)

    with pytest.raises(Stopped):
        replace(world.fresh(), say=stop).apply(plan, Phase.COMPUTE)
    assert watched(world, timedelta(hours=3), timedelta(minutes=30)) == 0
    assert (world.table(), record_of(world).unattended_since) == (HALF, None)
    ssm.put_parameter(Name="/tap/switch", Value="go", Overwrite=True)
    assert watched(world, GIVEN_UP, timedelta(minutes=15)) == 0
    world.fresh().apply(plan, Phase.COMPUTE)
    assert world.table() == APPLIED


@pytest.mark.slow
@pytest.mark.parametrize("ill", [False, True])
@pytest.mark.parametrize("time", [timedelta(hours=2), timedelta(days=1)])
def test_a_job_that_died_at_any_call_leaves_nothing_unguarded(make_world, ill, time) -> None:  # type: ignore[no-untyped-def]
    """Hours or a day pass before anybody comes, with a breach and without."""
    whole = make_world()
    plan = whole.approved()
    with whole.account.acting("apply"):
        whole.fresh().apply(plan, Phase.COMPUTE)
    last = max(each.number for each in whole.account.calls)
    for number in range(last - 30, last + 1, 5):
        world = make_world(crash_at=number)
        plan = world.approved()
        with pytest.raises(Crash), world.account.acting("apply"):
            world.fresh().apply(plan, Phase.COMPUTE)
        if ill:
            sick(world)
        watched(world, time, timedelta(minutes=15))
        state = record_of(world).state
        assert state in (PhaseState.WAITING, PhaseState.ROLLED_BACK, PhaseState.OBSERVING), f"crash at {number}"
        assert world.table() == (APPLIED if state is PhaseState.OBSERVING else DESIGNED), f"crash at {number}"
        assert not (ill and state is PhaseState.OBSERVING), f"crash at {number}"


# While a job is at work


def ill_from(world: World, at: str, p99_ms: float | None) -> tuple[Lifecycle, list[str]]:
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        if at in line:
            sick(world, p99_ms)

    return replace(world.fresh(), say=say), said


def waits(seconds: int) -> Action:
    """The action, whose first move takes so long to be seen."""

    def moves(*arguments: object) -> list[object]:
        first, *rest = ACTION.moves(*arguments)
        return [replace(first, settle=timedelta(seconds=seconds)), *rest]

    return replace(ACTION, moves=moves)


def test_a_breach_while_applying_is_rolled_back_by_the_job_itself(world: World) -> None:
    plan = world.approved()
    world.action = waits(3600)
    life, said = ill_from(world, "protect the table", 300.0)
    with pytest.raises(Breach, match="while it was applied"):
        life.apply(plan, Phase.COMPUTE)
    assert (world.table(), record_of(world).state) == (DESIGNED, PhaseState.ROLLED_BACK)
    assert not any("recovery on" in each for each in said), "no further move"


def test_silence_while_applying_lets_no_further_move_begin(world: World) -> None:
    plan = world.approved()
    world.action = waits(1800)
    life, said = ill_from(world, "protect the table", None)
    with pytest.raises(Unhealthy):
        life.apply(plan, Phase.COMPUTE)
    assert (world.table(), record_of(world).state) == (HALF, PhaseState.APPLYING)
    assert not any("recovery on" in each for each in said)


def test_a_gap_that_mends_itself_costs_the_job_its_time_alone(world: World) -> None:
    plan = world.approved()
    world.action = waits(1800)
    life, _ = ill_from(world, "protect the table", None)
    world.service.until = world.account.clock.now() + timedelta(minutes=45)
    life.apply(plan, Phase.COMPUTE)
    assert (world.table(), record_of(world).state) == (APPLIED, PhaseState.OBSERVING)


def test_the_watch_takes_a_phase_back_from_a_job_that_hangs(world: World) -> None:
    plan = world.approved()
    world.action = waits(0)

    def say(line: str) -> None:
        if "recovery on" in line:
            sick(world)
            world.account.clock.sleep(timedelta(minutes=40).total_seconds())
            with pytest.raises(Breach):
                world.fresh().watch()

    with pytest.raises(LeaseLost):
        replace(world.fresh(), say=say).apply(plan, Phase.COMPUTE)
    assert (world.table(), record_of(world).state) == (DESIGNED, PhaseState.ROLLED_BACK)


# At acceptance


def accepting(world: World) -> World:
    """A world whose acceptance died right before its one-way move."""
    world.listen()
    plan = world.approved()
    world.fresh().apply(plan, Phase.COMPUTE)
    world.account.clock.sleep(48 * 3600)
    life = world.fresh()
    with life.journal.lease(Purpose.ACCEPT, "dies") as lease:
        JournalWriter(life.journal, lease).move_phase(plan, record_of(world), PhaseState.ACCEPTING, "acceptance begins")
    return world


def test_an_acceptance_that_died_is_told_and_stays_guarded(world: World) -> None:
    accepting(world)
    assert watched(world, timedelta(hours=3), timedelta(minutes=15)) == 0
    assert (world.table(), record_of(world).state) == (APPLIED, PhaseState.ACCEPTING)
    assert len(world.mail()) == 1
    sick(world)
    assert watched(world, timedelta(hours=1)) == 1
    assert world.table() == DESIGNED


def test_an_acceptance_goes_on_only_when_the_service_is_surely_well(world: World) -> None:
    accepting(world)
    sick(world, None)
    world.account.clock.sleep(6 * 3600)
    with pytest.raises(Unhealthy, match="does not go on"):
        world.fresh().accept(Phase.COMPUTE)
    assert not world.table()["stream"]


def test_after_the_first_one_way_move_a_breach_holds_and_ends_when_it_is_over(world: World) -> None:
    accepting(world)
    with pytest.raises(Crash):
        replace(world.fresh(), say=crash_at("for good")).accept(Phase.COMPUTE)
    sick(world)
    world.service.until = world.account.clock.now() + timedelta(hours=2)
    world.account.clock.sleep(3600)
    _, assessment = world.fresh().watch()
    assert assessment is not None
    assert assessment.verdict is Health.BREACH
    with pytest.raises(Unhealthy):
        world.fresh().accept(Phase.COMPUTE)
    world.account.clock.sleep(3 * 3600)
    assert world.fresh().accept(Phase.COMPUTE).state is PhaseState.ACCEPTED


# The way back


def test_a_way_back_that_is_closed_is_found_before_anything_is_said_to_be_undone(world: World) -> None:
    world.listen()

    def moves(*arguments: object) -> list[object]:
        first, *rest = ACTION.moves(*arguments)
        return [replace(first, closed=lambda aws: "The stream was read too late."), *rest]

    plan = world.approved()
    world.fresh().apply(plan, Phase.COMPUTE)
    world.action = replace(ACTION, moves=moves)
    with pytest.raises(WayBackClosed, match=r"cannot undo 'protect the table'. The stream was read too late"):
        world.fresh().rollback(Phase.COMPUTE, "asked")
    journal = world.fresh().journal
    assert (record_of(world).state, world.table()) == (PhaseState.OBSERVING, APPLIED)
    assert {each.state for each in journal.moves(plan, Phase.COMPUTE)} == {MoveState.DONE}
    sick(world)
    world.account.clock.sleep(3600)
    for _ in range(2):
        with pytest.raises(WayBackClosed):
            world.fresh().watch()
    assert [each["Subject"].split(") ")[1] for each in world.mail()] == ["cannot be rolled back"]
    world.action = ACTION  # mended by hand
    assert world.fresh().rollback(Phase.COMPUTE, "asked").state is PhaseState.ROLLED_BACK
    assert world.table() == DESIGNED


def test_an_approved_plan_can_be_given_up_while_no_phase_is_under_way(world: World) -> None:
    """As one whose resource is another for good by now: it can never be applied."""
    plan = world.approved()
    world.account.clock.sleep(60)
    life = world.fresh()
    life.propose(world.plan(), None, life.journal.current())
    current = world.fresh().journal.current()
    assert current is not None
    assert (current.state, current.plan.hash != plan.hash) == (PlanState.PROPOSED, True)
    again = world.approved()
    world.fresh().apply(again, Phase.COMPUTE)
    with pytest.raises(OptimizerError, match="would leave it to nobody"):
        world.fresh().propose(world.plan(), None, world.fresh().journal.current())


def test_while_a_living_job_rolls_back_the_watch_judges_the_present_and_leaves_it_to_its_work(world: World) -> None:
    world.fresh().apply(world.approved(), Phase.COMPUTE)
    sick(world)
    world.account.clock.sleep(3600)
    world.service.until = world.account.clock.now()  # the undo helps at once
    seen: list[Health] = []

    def keeps(line: str) -> None:
        if "undo: point-in-time" in line:
            _, assessment = world.fresh().watch()
            assert assessment is not None
            seen.append(assessment.verdict)

    with pytest.raises(Breach):
        replace(world.fresh(), say=keeps).watch()
    assert seen, "the lease was the living job's"
    assert (world.table(), record_of(world).state) == (DESIGNED, PhaseState.ROLLED_BACK)
