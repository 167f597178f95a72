"""The override of the freeze: the parameter's value, its user, and the restart of an open window."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from domain.errors import Unhealthy, UsageError, WrongState
from optimizer.execute.freeze_override import Freeze, read_override
from optimizer.execute.journal_writer import JournalWriter
from optimizer.execute.lease import Purpose
from optimizer.execute.records import Override, PhaseState
from optimizer.model.phase import Phase
from tests.execute.conftest import World

PARAMETER = "/tap/freeze-override"
COMMIT = "c0ffee" * 6 + "c0ff"


def put(world: World, value: str) -> None:
    ssm = world.account.session("111111111111", "us-east-1").client("ssm")
    ssm.put_parameter(Name=PARAMETER, Type="String", Value=value, Overwrite=True)


def read(world: World) -> Override | None:
    return read_override(world.fresh().tooling, PARAMETER, COMMIT)


def freeze(world: World) -> Freeze:
    life = world.fresh()
    return Freeze(life.journal, life.policy.window, "test", world.said.append)


@pytest.mark.parametrize("value", ["none", "decade1 a fix that cannot wait", "none of it"])
def test_no_override_for_this_commit(world: World, value: str) -> None:
    put(world, value)
    assert read(world) is None


@pytest.mark.parametrize("value", [f"{COMMIT[:7]} a fix that cannot wait", f" {COMMIT}  a fix that cannot wait "])
def test_an_override_names_the_commit_the_reason_and_by_parameter_store_who(world: World, value: str) -> None:
    put(world, "none")
    put(world, value)
    found = read(world)
    assert found is not None
    assert (found.commit, found.reason) == (COMMIT, "a fix that cannot wait")
    assert found.who.startswith("arn:aws:iam::111111111111:user/")


@pytest.mark.parametrize("value", [COMMIT, f"{COMMIT} ", f"{COMMIT[:4]} because"])
def test_an_override_without_a_reason_or_with_too_short_a_commit_is_refused(world: World, value: str) -> None:
    put(world, value)
    with pytest.raises(UsageError, match="must be `COMMIT REASON"):
        read(world)


def test_an_override_is_kept_and_restarts_the_window_when_given_and_when_deployed(world: World) -> None:
    plan = world.approved()
    first = world.fresh().apply(plan, Phase.COMPUTE)
    world.account.clock.sleep(10 * 3600)
    given = world.account.clock.now()
    override = Override(COMMIT, "arn:aws:iam::111111111111:user/jane", "a fix", given)
    freeze(world).override(plan, override)
    journal = world.fresh().journal
    assert journal.override(plan, COMMIT) == override
    restarted = journal.phase(plan, Phase.COMPUTE)
    assert (restarted.window_start, restarted.window_end) == (given, given + timedelta(hours=48))
    assert first.window_end is not None
    assert restarted.window_end > first.window_end
    told = [each.text for each in journal.history().events]
    assert f"Freeze overridden by arn:aws:iam::111111111111:user/jane for commit {COMMIT[:12]}: a fix" in told

    world.account.clock.sleep(3600)
    for _ in range(2):  # the same execution again restarts nothing
        freeze(world).deployed(plan, COMMIT)
        world.account.clock.sleep(60)
    again = journal.phase(plan, Phase.COMPUTE)
    assert again.window_start == given + timedelta(hours=1)


def test_a_deployment_without_an_override_restarts_nothing(world: World) -> None:
    plan = world.approved()
    before = world.fresh().apply(plan, Phase.COMPUTE)
    world.account.clock.sleep(3600)
    freeze(world).deployed(plan, COMMIT)
    assert world.fresh().journal.phase(plan, Phase.COMPUTE).window_start == before.window_start


@pytest.mark.parametrize("state", [PhaseState.APPLYING, PhaseState.ACCEPTING, PhaseState.ROLLING_BACK])
def test_no_override_lets_a_deployment_into_a_phase_at_work(world: World, state: PhaseState) -> None:
    plan = world.approved()
    if state is PhaseState.APPLYING:
        record = world.fresh().journal.phase(plan, Phase.COMPUTE)
    else:
        record = world.fresh().apply(plan, Phase.COMPUTE)
    journal = world.fresh().journal
    with journal.lease(Purpose.APPLY, "test") as lease:
        JournalWriter(journal, lease).move_phase(plan, record, state, "at work")
    with pytest.raises(WrongState, match="a second change of the same resources"):
        freeze(world).override(plan, Override(COMMIT, "jane", "a fix", world.account.clock.now()))
    assert journal.override(plan, COMMIT) is None


def test_the_accepted_window_is_the_new_one(world: World) -> None:
    plan = world.approved()
    world.fresh().apply(plan, Phase.COMPUTE)
    world.account.clock.sleep(47 * 3600)
    freeze(world).override(plan, Override(COMMIT, "jane", "a fix", world.account.clock.now()))
    world.account.clock.sleep(3600)
    with pytest.raises(Unhealthy, match="is observed until"):
        world.fresh().accept(Phase.COMPUTE)
    world.account.clock.sleep(47 * 3600)
    assert world.fresh().accept(Phase.COMPUTE).state is PhaseState.ACCEPTED


def test_another_commit_s_override_is_not_this_one_s(world: World) -> None:
    plan = world.approved()
    life = world.fresh()
    freeze(world).override(plan, Override(COMMIT, "jane", "a fix", life.tooling.clock.now()))
    assert life.journal.override(plan, "decade" * 6 + "deca") is None
    assert replace(life, say=print).journal.override(plan, COMMIT) is not None
