"""The calendar before a phase begins; never in the way of one that has begun, nor of the way back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from domain.errors import NotNow, UsageError
from emulator.account import Crash
from emulator.core.faults import Faults
from optimizer.execute.records import PhaseState
from optimizer.model.phase import Phase
from tests.execute.conftest import ENVIRON, World

PEAKS = "/tap/peaks"
DESIGNED = {"protected": False, "recovery": "DISABLED", "stream": False}


def announced(world: World, value: str) -> World:
    ssm = world.account.session("111111111111", "us-east-1").client("ssm")
    ssm.put_parameter(Name=PEAKS, Type="String", Value=value, Overwrite=True)
    return replace(world, environ={**ENVIRON, "TAP_PEAKS_PARAMETER": PEAKS})


def test_before_a_weekend_nothing_begins_and_it_says_from_when_on(world: World) -> None:
    plan = world.approved()
    world.account.clock.sleep(timedelta(days=3).total_seconds())  # Thursday morning
    with pytest.raises(NotNow, match=r"the weekend, Sat 2027-03-06. Retry the stage from Mon 2027-03-08 00:00 UTC on"):
        world.fresh().apply(plan, Phase.COMPUTE)
    assert world.table() == DESIGNED
    assert world.fresh().journal.phase(plan, Phase.COMPUTE).state is PhaseState.WAITING
    world.account.clock.sleep(timedelta(days=4).total_seconds())
    assert world.fresh().apply(plan, Phase.COMPUTE).state is PhaseState.OBSERVING


def test_before_an_announced_peak_nothing_begins(world: World) -> None:
    busy = announced(world, "2027-03-03 Product launch")
    plan = busy.approved()
    with pytest.raises(NotNow, match="Product launch, Wed 2027-03-03"):
        busy.fresh().apply(plan, Phase.COMPUTE)
    announced(world, "none")
    assert busy.fresh().apply(plan, Phase.COMPUTE).state is PhaseState.OBSERVING


def test_an_unreadable_announcement_is_no_open_day(world: World) -> None:
    busy = announced(world, "next week")
    plan = busy.approved()
    with pytest.raises(UsageError, match="no announced peak"):
        busy.fresh().apply(plan, Phase.COMPUTE)
    assert world.table() == DESIGNED


def test_what_has_begun_goes_on_and_may_be_undone_on_any_day(world: World) -> None:
    plan = world.approved()
    world.account.faults = Faults(20, 0.0, 0)  # counts a job's calls
    with world.account.acting("job"), pytest.raises(Crash):
        world.fresh().apply(plan, Phase.COMPUTE)
    assert world.fresh().journal.phase(plan, Phase.COMPUTE).state is PhaseState.APPLYING
    world.account.clock.sleep(timedelta(days=5).total_seconds())  # Saturday
    assert world.fresh().apply(plan, Phase.COMPUTE).state is PhaseState.OBSERVING
    assert world.fresh().rollback(Phase.COMPUTE, "asked").state is PhaseState.ROLLED_BACK
    assert world.table() == DESIGNED
