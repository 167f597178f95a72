"""The lock: one holder, a number that only rises, and no write by a holder that overslept."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain.errors import LeaseLost
from emulator.account import Crash
from optimizer.execute.journal_writer import JournalWriter
from optimizer.execute.lease import DURATION, Held, Purpose
from optimizer.execute.records import PlanState


def _held(world, purpose):
    journal = world.fresh().journal
    return Held(journal.aws, journal.table, purpose, "test")


def test_the_number_rises_with_each_holder(world):
    fences = []
    for _ in range(3):
        with _held(world, Purpose.APPLY) as lease:
            fences.append(lease.fence)
    assert fences == sorted(set(fences))


def test_a_second_holder_waits_and_then_gives_up_naming_the_first(world):
    holder = _held(world, Purpose.APPLY)
    lease = holder.__enter__()
    real = world.account.clock.advance_to

    def kept(at):
        real(at)
        lease.write()

    world.account.clock.advance_to = kept
    with pytest.raises(LeaseLost, match="held by apply test"), _held(world, Purpose.ACCEPT):
        raise AssertionError("two holders at once")


def test_a_crashed_holders_lease_runs_out_and_its_late_write_is_refused(world):
    crashed = _held(world, Purpose.APPLY).__enter__()
    began = world.account.clock.now()
    with _held(world, Purpose.APPLY) as lease:
        assert world.account.clock.now() - began >= DURATION
        with pytest.raises(LeaseLost):
            crashed.write()
        lease.write()


@pytest.mark.parametrize(
    ("holder", "taken"),
    [(Purpose.APPLY, True), (Purpose.ACCEPT, True), (Purpose.WATCH, True), (Purpose.ROLLBACK, False)],
)
def test_a_rollback_takes_over_from_anyone_but_a_rollback(world, holder, taken):
    first = _held(world, holder).__enter__()
    began = world.account.clock.now()
    with _held(world, Purpose.ROLLBACK):
        waited = world.account.clock.now() - began
    assert (waited < timedelta(seconds=5)) is taken
    with pytest.raises(LeaseLost):
        first.write()


def test_a_failed_run_gives_the_lease_back_at_once(world):
    with pytest.raises(ZeroDivisionError), _held(world, Purpose.APPLY):
        raise ZeroDivisionError
    began = world.account.clock.now()
    with _held(world, Purpose.APPLY):
        assert world.account.clock.now() == began


def test_a_crash_does_not_give_the_lease_back(world):
    """A call of the dead job may be on its way: the next one waits until it has landed."""
    with pytest.raises(Crash), _held(world, Purpose.APPLY):
        raise Crash
    began = world.account.clock.now()
    with _held(world, Purpose.APPLY):
        assert world.account.clock.now() - began >= DURATION


def test_a_holder_that_waits_renews_the_lease_in_time(world):
    with _held(world, Purpose.APPLY) as lease:
        world.account.clock.sleep(DURATION.total_seconds() / 2)
        lease.keep()
        world.account.clock.sleep(DURATION.total_seconds() * 0.8)
        journal = world.fresh().journal
        with pytest.raises(LeaseLost, match="held by apply"):
            Held(journal.aws, journal.table, Purpose.ACCEPT, "test", timedelta(0)).__enter__()
        lease.write()


def test_a_write_behind_the_fence_changes_nothing(world):
    plan = world.approved()
    journal = world.fresh().journal
    late = JournalWriter(journal, _held(world, Purpose.APPLY).__enter__())
    world.account.clock.sleep(DURATION.total_seconds() + 1)
    with _held(world, Purpose.APPLY), pytest.raises(LeaseLost):
        late.close(plan, PlanState.STOPPED, "too late")
    assert journal.current().state is PlanState.APPROVED
