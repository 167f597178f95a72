"""The watch and the gates together: notifications, the meaning of a failed gate, the winner of a race."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError

from domain.errors import Breach, LeaseLost, OneWayBegun, WrongState
from emulator.account import Crash
from emulator.services.codepipeline.execution import Executions, Gate
from optimizer.execute.journal_writer import JournalWriter
from optimizer.execute.lease import DURATION, Purpose
from optimizer.execute.pipeline_gates import rejected_since
from optimizer.execute.records import PhaseRecord, PhaseState, PlanState
from optimizer.model.health import Health
from optimizer.model.phase import Phase
from tests.execute.conftest import ACTION, ARN

TIMEOUT = timedelta(days=14)
STAGE = "Phase2"
DESIGNED = {"protected": False, "recovery": "DISABLED", "stream": False}
APPLIED = {"protected": True, "recovery": "ENABLED", "stream": False}
PERSON = "arn:aws:iam::111111111111:user/release-engineer"


@pytest.fixture
def applied(world):
    """A world whose phase is observed behind a waiting gate, with a reader of the mail."""
    world.listen()
    execution = world.account.part(Executions).by_pipeline["tap"]
    plan = world.approved()
    world.fresh().apply(plan, Phase.COMPUTE)
    world.gate = execution.open(STAGE, "Observe", "look", world.account.clock.now())
    world.plan_applied = plan
    return world


def sick(world, hours: float = 1) -> None:
    world.service.p99_ms, world.service.since = 300.0, world.account.clock.now()
    world.account.clock.sleep(hours * 3600)


def answer(world, approved: bool, who: str = PERSON) -> None:
    gate: Gate = world.gate
    execution = world.account.part(Executions).by_pipeline["tap"]
    execution.answer(gate.stage, gate.action, gate.token, approved, "said so", who, world.account.clock.now())


def state(world) -> PhaseState:
    return world.fresh().journal.phase(world.plan_applied, Phase.COMPUTE).state


def test_the_watch_looks_after_what_a_dead_job_left_and_waits_for_no_living_one(make_world):
    """A job is dead when its lease has run out."""
    whole, asked = make_world(), []
    plan = whole.approved()
    with whole.account.acting("apply"):
        whole.fresh().apply(plan, Phase.COMPUTE)
    in_the_middle = next(c.number for c in whole.account.calls if c.operation == "UpdateContinuousBackups")
    world = make_world(crash_at=in_the_middle)
    world.action = replace(ACTION, recover=lambda *arguments: asked.append(arguments) or "let go of")
    plan = world.approved()
    with pytest.raises(Crash), world.account.acting("apply"):
        world.fresh().apply(plan, Phase.COMPUTE)
    world.fresh().watch()
    assert not asked
    world.account.clock.sleep(DURATION.total_seconds() + 1)
    world.fresh().watch()
    assert [each[1].arn for each in asked] == [ARN]
    assert world.said[-1] == "let go of"
    world.fresh().apply(plan, Phase.COMPUTE)
    assert world.table() == APPLIED


def test_the_watch_ends_a_plan_whose_last_job_died_right_before(world):
    plan = world.approved()
    life = world.fresh()
    with life.journal.lease(Purpose.APPLY, "test") as lease:
        pen = JournalWriter(life.journal, lease)
        pen.move_phase(plan, life.journal.phase(plan, Phase.COMPUTE), PhaseState.EMPTY, "Every decision was vetoed")
    world.fresh().watch()
    assert world.fresh().journal.current().state is PlanState.DONE
    world.fresh().watch()
    ended = [each for each in world.fresh().journal.history().events if "the plan is done" in each.text]
    assert len(ended) == 1


def test_a_rejected_gate_rolls_back_and_says_who_rejected_it(applied):
    applied.account.clock.sleep(3600)
    answer(applied, approved=False)
    assert "rolled_back" in applied.fresh().gate_failed(Phase.COMPUTE, "id-1", TIMEOUT)
    assert applied.table() == DESIGNED
    assert PERSON in applied.fresh().journal.phase(applied.plan_applied, Phase.COMPUTE).reason


def test_the_watch_finds_a_rejected_gate_whose_event_was_lost(applied):
    applied.environ = {**applied.environ, "GATE_TIMEOUT_MINUTES": str(round(TIMEOUT.total_seconds() / 60))}
    applied.account.clock.sleep(3600)
    applied.fresh().watch()
    assert applied.table() == APPLIED  # a gate that waits is nobody's no
    answer(applied, approved=False)
    with pytest.raises(Breach, match="rejected by"):
        applied.fresh().watch()
    assert (applied.table(), state(applied)) == (DESIGNED, PhaseState.ROLLED_BACK)


def test_the_watch_leaves_an_expired_gate_and_one_of_an_earlier_plan(applied):
    applied.environ = {**applied.environ, "GATE_TIMEOUT_MINUTES": str(round(TIMEOUT.total_seconds() / 60))}
    tooling, record = applied.fresh().tooling, applied.fresh().journal.phase(applied.plan_applied, Phase.COMPUTE)
    applied.account.clock.sleep(3600)
    answer(applied, approved=False)
    later = record.applied_at + timedelta(days=1)
    assert rejected_since(tooling, "tap", STAGE, record.applied_at, TIMEOUT) is not None
    assert rejected_since(tooling, "tap", STAGE, later, TIMEOUT) is None
    assert rejected_since(tooling, "tap", STAGE, record.applied_at, timedelta(hours=1)) is None  # its time ran out
    assert rejected_since(tooling, "tap", "Phase1", record.applied_at, TIMEOUT) is None
    assert rejected_since(tooling, "tap", STAGE, record.applied_at, None) is None


@pytest.mark.parametrize(("after", "outcome"), [(TIMEOUT, APPLIED), (TIMEOUT - timedelta(minutes=6), DESIGNED)])
def test_a_gate_that_nobody_answered_stays_observed(applied, after, outcome):
    """Only the time distinguishes the two: here neither has a person's name."""
    applied.account.clock.sleep(after.total_seconds())
    execution = applied.account.part(Executions).by_pipeline["tap"]
    execution.expire(applied.gate, applied.account.clock.now())
    applied.fresh().gate_failed(Phase.COMPUTE, "id-1", TIMEOUT)
    assert applied.table() == outcome


def test_a_gate_that_nobody_answered_is_asked_again_and_people_are_told_once(applied):
    applied.account.clock.sleep(TIMEOUT.total_seconds())
    execution = applied.account.part(Executions).by_pipeline["tap"]
    execution.expire(applied.gate, applied.account.clock.now())
    for _ in range(2):
        assert "open again" in applied.fresh().gate_failed(Phase.COMPUTE, "id-1", TIMEOUT)
    assert execution.to_retry == {STAGE}
    assert [each["Subject"] for each in applied.mail()] == ["tap: phase 2 (EC2 and Redis) was not answered in time"]
    assert state(applied) is PhaseState.OBSERVING


def test_a_stage_that_cannot_be_retried_is_left_to_a_person(applied):
    applied.account.clock.sleep(TIMEOUT.total_seconds())
    execution = applied.account.part(Executions).by_pipeline["tap"]
    execution.expire(applied.gate, applied.account.clock.now())
    execution.statuses.clear()  # a newer execution has taken the stage
    assert "open again" not in applied.fresh().gate_failed(Phase.COMPUTE, "id-1", TIMEOUT)
    assert "stage Phase2: choose Retry stage, then Retry all actions" in applied.mail()[0]["Message"]


def test_the_jobs_own_rejection_rolls_back_once(applied):
    sick(applied)
    with pytest.raises(Breach):
        applied.fresh().watch()
    assert applied.gate.approved is False
    before = len(applied.account.calls.mutating())
    assert "nothing to do" in applied.fresh().gate_failed(Phase.COMPUTE, "id-1", TIMEOUT)
    assert len(applied.account.calls.mutating()) == before


def test_a_failed_gate_that_codepipeline_does_not_show_yet_is_an_error_and_no_rollback(applied):
    with pytest.raises(WrongState, match="run this again"):
        applied.fresh().gate_failed(Phase.COMPUTE, "id-1", TIMEOUT)
    assert applied.table() == APPLIED


def test_an_approval_that_came_first_is_tolerated_by_the_rollback(applied):
    answer(applied, approved=True)
    sick(applied)
    with pytest.raises(Breach):
        applied.fresh().watch()
    assert (applied.gate.approved, applied.table()) == (True, DESIGNED)


def test_an_approval_that_comes_after_the_rollback_began_is_refused(applied):
    sick(applied)
    with pytest.raises(Breach):
        applied.fresh().watch()
    gate = applied.gate
    with pytest.raises(ClientError, match="ApprovalAlreadyCompletedException"):
        applied.fresh().tooling.codepipeline.put_approval_result(
            pipelineName="tap",
            stageName=STAGE,
            actionName="Observe",
            result={"summary": "fine", "status": "Approved"},
            token=gate.token,
        )
    with pytest.raises(WrongState):
        applied.fresh().accept(Phase.COMPUTE)


def test_an_acceptance_loses_the_lock_to_a_rollback_before_its_first_one_way_move(applied):
    applied.account.clock.sleep(48 * 3600)
    life, plan = applied.fresh(), applied.plan_applied
    with life.journal.lease(Purpose.ACCEPT, "accept") as lease:
        pen = JournalWriter(life.journal, lease)
        accepting = pen.move_phase(plan, life.journal.phase(plan, Phase.COMPUTE), PhaseState.ACCEPTING, "begins")
        applied.fresh().rollback(Phase.COMPUTE, "asked")
        with pytest.raises(LeaseLost):
            pen.accept(plan, accepting, life.journal.sizing())
    assert (state(applied), applied.table()) == (PhaseState.ROLLED_BACK, DESIGNED)


def test_a_rollback_that_waited_for_the_lock_does_not_undo_what_was_accepted_meanwhile(applied, monkeypatch):
    applied.account.clock.sleep(48 * 3600)
    late = applied.fresh()
    take = late.journal.lease

    def after_an_acceptance(purpose, who):
        applied.fresh().accept(Phase.COMPUTE)
        return take(purpose, who)

    object.__setattr__(late, "journal", _Slow(late.journal, after_an_acceptance))
    with pytest.raises((WrongState, OneWayBegun)):
        late.rollback(Phase.COMPUTE, "asked")
    assert applied.table()["stream"]
    assert state(applied) is PhaseState.ACCEPTED


class _Slow:
    """A journal whose lease comes late."""

    def __init__(self, journal, lease) -> None:
        self._journal, self.lease = journal, lease

    def __getattr__(self, name: str):
        return getattr(self._journal, name)


def accepted(world) -> None:
    world.account.clock.sleep(48 * 3600)
    world.fresh().accept(Phase.COMPUTE)
    world.fresh().reconciled()
    assert world.fresh().journal.current().state is PlanState.DONE


def test_after_acceptance_the_watch_goes_on_and_tells_without_undoing(applied):
    accepted(applied)
    before = applied.table()
    sick(applied)
    for _ in range(2):
        phase, assessment = applied.fresh().watch()
        assert (phase, assessment.verdict) == (Phase.COMPUTE, Health.BREACH)
    assert applied.table() == before
    assert [each["Subject"] for each in applied.mail()] == [
        "tap: phase 2 (EC2 and Redis) was accepted, and now the service is in breach"
    ]


def test_after_acceptance_a_healthy_service_is_healthy_for_a_day_and_then_no_longer_watched(applied):
    accepted(applied)
    applied.account.clock.sleep(3600)
    phase, assessment = applied.fresh().watch()
    assert (phase, assessment.verdict) == (Phase.COMPUTE, Health.HEALTHY)
    sick(applied, hours=24)
    assert applied.fresh().watch() == (None, None)


def test_a_plan_proposed_meanwhile_does_not_end_the_watch_after_acceptance(applied):
    accepted(applied)
    applied.account.clock.sleep(60)
    life = applied.fresh()
    with life.journal.lease(Purpose.ANALYZE, "test") as lease:
        JournalWriter(life.journal, lease).propose(applied.plan())
    sick(applied)
    _, assessment = applied.fresh().watch()
    assert assessment.verdict is Health.BREACH


@pytest.mark.parametrize(
    ("other", "verdict"),
    [(PhaseState.WAITING, Health.BREACH), (PhaseState.APPLYING, None), (PhaseState.ROLLED_BACK, Health.HEALTHY)],
)
def test_what_the_next_phase_did_is_not_laid_to_the_accepted_one(applied, other, verdict):
    accepted(applied)
    sick(applied)
    applied.service.p99_ms = 300.0
    applied.account.clock.sleep(3600)
    done = applied.account.clock.now()
    if other is PhaseState.ROLLED_BACK:
        applied.service.until = done
        applied.account.clock.sleep(3600)
    next_phase = PhaseRecord(Phase.DATABASE, other, done)
    _, assessment = applied.fresh()._afterwards([next_phase])
    assert (assessment and assessment.verdict) == verdict


def test_people_are_told_of_a_rollback_once_also_when_the_watch_died_before_it_could(applied):
    sick(applied)
    with pytest.raises(Breach):
        applied.fresh().watch()  # and dies here
    assert applied.mail() == []
    for _ in range(3):
        applied.fresh().tell()
    assert [each["Subject"] for each in applied.mail()] == ["tap: phase 2 (EC2 and Redis) was rolled back"]


def test_since_when_a_window_is_unclear_is_kept_and_forgotten(applied):
    journal = applied.fresh().journal
    sleep = applied.account.clock.sleep
    began = applied.account.clock.now()
    applied.service.p99_ms, applied.service.since = None, began
    for _ in range(3):
        sleep(3600)
        applied.fresh().watch()
    since = journal.phase(applied.plan_applied, Phase.COMPUTE).unclear_since
    assert since == began + timedelta(hours=1)
    sleep(3 * 3600)
    applied.fresh().watch()
    applied.fresh().tell()
    assert applied.mail() == []
    sleep(3600)
    applied.fresh().watch()
    applied.fresh().tell()
    assert "cannot be judged" in applied.mail()[0]["Subject"]


QUIET_RUN = [
    "GetItem",  # the head: which plan is in force
    "TransactGetItems",  # the plan itself, and where its phases stand
    "Query",  # the baseline it is judged against
    "Query",  # the pauses that the plan announced
    "PutItem",  # it was judged
]
"""What a run of the watch asks of the journal while nothing happens; what is added here has a reason. Five more make
ten: the balancer's target groups and metrics, the gate, the fleet's activities, and the heartbeat's metric. The job's
own script makes another."""


def test_a_run_in_a_quiet_window_reads_each_thing_once(world):
    plan = world.approved()
    with world.account.acting("Apply"):
        world.fresh().apply(plan, Phase.COMPUTE)
    world.account.clock.sleep(3700)
    made = []
    for _ in range(2):  # the first writes down what it sees
        world.account.clock.sleep(300)
        before = len(world.account.calls)
        with world.account.acting("Watch"):
            world.fresh().watch()
        made = [call.operation for call in list(world.account.calls)[before:]]
    assert [each for each in made if each != "AssumeRole"] == QUIET_RUN
