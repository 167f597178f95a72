"""The person at the gates: the time that each waits, and the watch's work meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from emulator.core.faults import Crash
from emulator.services.codebuild.builds import Build
from emulator.services.codepipeline.execution import Execution
from rehearsal.pipeline.builds import Ended
from rehearsal.pipeline.definition import PipelineAction
from rehearsal.pipeline.person_and_watch import LISTENED, STRIDE, RehearsedWatch, SimulatedPerson, next_tick

START = datetime(2027, 3, 1, 8, 1, tzinfo=UTC)
QUARTER = timedelta(minutes=15)


@dataclass
class Hands:
    """A clock, and a watch job with a test's result at each tick."""

    time: datetime = START
    ticks: list[datetime] = field(default_factory=list)
    at_tick: Callable[[datetime], int] = lambda now: 0

    def now(self) -> datetime:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)

    def advance_to(self, moment: datetime) -> None:
        self.time = max(self.time, moment)

    def run(self, actor: str, overrides: object = None, say: Callable[[str], None] = print) -> Ended:
        self.ticks.append(self.time)
        say("the service is well")
        return Ended(self.at_tick(self.time), "", {}, (), Path())


def person(hands: Hands, window_end: datetime | None, **more: object) -> tuple[SimulatedPerson, Execution, list[str]]:
    execution = Execution("tap", "1", {"Approve": ("ApprovePlan",), "Phase2": ("Apply", "Observe", "Accept")})
    lines: list[str] = []
    watch = RehearsedWatch(hands, QUARTER, hands, hands.advance_to, lines.append)  # type: ignore[arg-type]
    settings = {"approves_plan": True, "approves_plan_after": timedelta(hours=1), **more}
    made = SimulatedPerson(execution, watch, hands, hands.advance_to, lambda stage: window_end, **settings)  # type: ignore[arg-type]
    return made, execution, lines


def approval(name: str, timeout: timedelta | None = None) -> PipelineAction:
    return PipelineAction(name, "Approval", "Manual", 2, None, (), (), {}, None, None, timeout)


@pytest.mark.parametrize("approves", [True, False])
def test_the_plan_is_answered_after_a_while_without_a_watch(approves: bool) -> None:
    hands = Hands()
    who, execution, _ = person(hands, None, approves_plan=approves)
    gate = execution.open("Approve", "ApprovePlan", "", START)
    who.answer(gate, approval("ApprovePlan"))
    assert (gate.approved, hands.time, hands.ticks) == (approves, START + timedelta(hours=1), [])


def test_an_observed_phase_is_approved_after_its_window_and_watched_at_every_tick() -> None:
    hands = Hands()
    who, execution, lines = person(hands, START + timedelta(hours=48))
    gate = execution.open("Phase2", "Observe", "", START)
    who.answer(gate, approval("Observe"))
    assert gate.approved is True
    assert hands.time >= START + timedelta(hours=48)
    assert len(hands.ticks) == 48 * 4 + 1
    assert hands.ticks[0] == datetime(2027, 3, 1, 8, 15, tzinfo=UTC)
    assert lines == ["the service is well"] * 5, "what does not change is said twice a day"


def test_an_alarm_calls_the_watch_between_its_ticks() -> None:
    hands, lines = Hands(), list[str]()
    rings_at = START + timedelta(minutes=17)

    def called() -> tuple[str, ...]:
        rung = rings_at <= hands.time and not any(tick >= rings_at for tick in hands.ticks)
        return ("tap-error-rate",) if rung else ()

    watch = RehearsedWatch(hands, QUARTER, hands, hands.advance_to, lines.append, called)  # type: ignore[arg-type]
    while watch.pass_time(START + timedelta(minutes=45)):
        pass
    minutes = [(tick - datetime(2027, 3, 1, 8, tzinfo=UTC)) // timedelta(minutes=1) for tick in hands.ticks]
    assert minutes == [15, 18, 30, 45]
    assert "called by tap-error-rate" in lines


def test_a_window_that_was_restarted_is_waited_for() -> None:
    hands = Hands()
    who, execution, _ = person(hands, None)
    ends = [START + timedelta(hours=48), START + timedelta(hours=60), START + timedelta(hours=60)]
    who.window_end = lambda stage: ends.pop(0)
    gate = execution.open("Phase2", "Observe", "", START)
    who.answer(gate, approval("Observe"))
    assert gate.approved is True
    assert hands.time >= START + timedelta(hours=60)


def test_a_gate_that_the_watch_rejected_is_not_answered_again() -> None:
    hands = Hands()
    who, execution, _ = person(hands, START + timedelta(hours=48))
    gate = execution.open("Phase2", "Observe", "", START)

    def breach(now: datetime) -> int:
        if now > START + timedelta(hours=2):
            execution.answer("Phase2", "Observe", gate.token, False, "p99 rose", "Watch", now)
            return 3
        return 0

    hands.at_tick = breach
    who.answer(gate, approval("Observe"))
    assert (gate.approved, gate.summary) == (False, "p99 rose")
    assert hands.time < START + timedelta(hours=3)


def test_a_held_stage_is_retried_daily_until_the_gate_would_time_out() -> None:
    hands = Hands()
    who, _, lines = person(hands, START)
    held = Ended(4, "accept", {}, (), Path())
    tries = 0
    while who.retries("Phase2", held):
        tries += 1
    assert tries == 14
    assert lines[0] == "the window is over: from here the watch is rehearsed every 6 h, not every 15 minutes"
    assert hands.time == START + timedelta(days=14)


def test_a_crashed_watch_costs_one_tick(capsys: pytest.CaptureFixture[str]) -> None:
    hands = Hands()
    who, _, lines = person(hands, START)
    crashes = [Crash("call 9")]

    def crash(now: datetime) -> int:
        if crashes:
            raise crashes.pop()
        return 0

    hands.at_tick = crash
    who.watch.settle()
    assert len(hands.ticks) == 2
    assert lines[0] == "call 9"


def stepped(
    hands: Hands, hours: int, events: Sequence[datetime] = (), called: Callable[[], tuple[str, ...]] = tuple
) -> list[timedelta]:
    """Between the runs of a watch that may step by the hour, so long after a window opened: the pauses."""
    watch = RehearsedWatch(hands, QUARTER, hands, hands.advance_to, print, called, STRIDE, lambda: events)  # type: ignore[arg-type]
    end = START + timedelta(hours=hours)
    while hands.time < end:
        watch.pass_time(end)
    return [after - before for before, after in pairwise(hands.ticks)]


def test_time_steps_by_the_hour_once_the_verdict_stands_and_by_ticks_before_the_end() -> None:
    pauses = stepped(Hands(), 12)
    assert pauses[:3] == [QUARTER] * 3
    assert set(pauses[4:10]) == {STRIDE}
    assert set(pauses[-4:]) == {QUARTER}, "what a visit is for is not missed by an hour"
    assert len(pauses) < 30


@pytest.mark.parametrize("ends", [0, 4])
def test_a_verdict_that_changes_is_looked_at_at_every_tick(ends: int) -> None:
    hands, turns = Hands(), START + timedelta(hours=8)
    hands.at_tick = lambda now: ends if now < turns else 4 - ends
    stepped(hands, 24)
    after = [tick for tick in hands.ticks if tick >= turns]
    assert [later - tick for tick, later in pairwise(after)][:3] == [QUARTER] * 3


def test_every_tick_around_an_event_counts() -> None:
    hands, event = Hands(), START + timedelta(hours=20, minutes=7)
    stepped(hands, 48, [event])
    near = [tick for tick in hands.ticks if event - timedelta(hours=1) <= tick <= event + timedelta(hours=3)]
    assert len(near) == 4 * 4


def test_an_alarm_that_calls_ends_the_steps() -> None:
    hands, rings_at = Hands(), START + timedelta(hours=20, minutes=17)

    def called() -> tuple[str, ...]:
        return ("tap-error-rate",) if rings_at <= hands.time and not any(t >= rings_at for t in hands.ticks) else ()

    stepped(hands, 48, called=called)
    after = [tick for tick in hands.ticks if tick >= rings_at]
    assert after[0] < rings_at + timedelta(minutes=5)
    assert {later - tick for tick, later in pairwise(after[1:5])} == {QUARTER}


@pytest.mark.parametrize(("undisturbed", "step"), [(True, STRIDE), (False, QUARTER)])
def test_beside_a_job_it_steps_only_where_nothing_ever_happened(undisturbed: bool, step: timedelta) -> None:
    hands = Hands()
    watch = RehearsedWatch(hands, QUARTER, hands, hands.advance_to, print, stride=STRIDE)  # type: ignore[arg-type]
    watch.undisturbed = lambda: undisturbed
    end = START + timedelta(hours=9)
    while (at := watch.next_start(end)) is not None:
        hands.advance_to(at)
        watch.start()
    pauses = [after - before for before, after in pairwise(hands.ticks)]
    assert pauses[:3] == [QUARTER] * 3, "the verdict has to stand"
    assert set(pauses[4:]) == {step}


def test_a_build_that_a_job_asks_for_begins_with_every_tick() -> None:
    hands, end = Hands(), START + timedelta(hours=9)
    builds = [Build("1", "watch", START + timedelta(hours=6, minutes=1))]

    def asked(by: datetime) -> Build | None:
        return builds.pop() if builds and builds[0].begins <= by else None

    watch = RehearsedWatch(hands, QUARTER, hands, hands.advance_to, print, stride=STRIDE, started_by_job=asked)  # type: ignore[arg-type]
    watch.undisturbed = lambda: True
    while hands.time < end:
        waits_until = hands.time + QUARTER
        while (at := watch.next_start(waits_until)) is not None:
            hands.advance_to(at)
            watch.start()
        hands.advance_to(waits_until)
    after = [tick for tick in hands.ticks if tick >= START + timedelta(hours=6, minutes=1)]
    pauses = [later - tick for tick, later in pairwise(after)]
    assert (pauses[1:3], pauses[-1]) == ([QUARTER] * 2, STRIDE)


def test_a_build_whose_job_ended_before_it_began_runs_at_its_time() -> None:
    """Else it would run beside the next job, in the place of the build that that one starts."""
    hands = Hands()
    who, _, _ = person(hands, START)
    builds = [Build("1", "watch", START + timedelta(minutes=2))]
    who.watch.started_by_job = lambda by: builds.pop() if builds and builds[0].begins <= by else None
    assert who.retries("Phase3", Ended(4, "apply", {}, (), Path()))
    assert hands.ticks[0] <= START + timedelta(minutes=2) + LISTENED
    assert not builds


def test_the_watch_of_a_rehearsal_asked_for_every_tick_never_steps() -> None:
    hands = Hands()
    watch = RehearsedWatch(hands, QUARTER, hands, hands.advance_to, print)  # type: ignore[arg-type]
    while watch.pass_time(START + timedelta(hours=24)):
        pass
    assert len(hands.ticks) == 24 * 4


@pytest.mark.parametrize(
    ("now", "tick"),
    [((8, 0), (8, 15)), ((8, 1), (8, 15)), ((8, 14), (8, 15)), ((8, 45), (9, 0))],
)
def test_ticks_are_whole_quarters_of_an_hour(now: tuple[int, int], tick: tuple[int, int]) -> None:
    assert next_tick(datetime(2027, 3, 1, *now, tzinfo=UTC), QUARTER) == datetime(2027, 3, 1, *tick, tzinfo=UTC)
