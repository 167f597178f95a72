"""Whole lives of the small world of the engine's tests: one table, three moves, of which the last is one-way.

The pipeline and people choose each verb by the journal alone, whatever the last one answered.
So a disturbed life must end like an undisturbed one, or in the state before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

from botocore.exceptions import BotoCoreError, ClientError

from domain.errors import Breach, LeaseLost, OptimizerError, Unhealthy
from emulator.account import Crash, EmulatedAccount
from emulator.core.faults import Faults
from optimizer.execute.lifecycle import Lifecycle
from optimizer.execute.records import PhaseState
from optimizer.model.phase import Phase
from optimizer.model.plan import Plan
from tests.execute.conftest import APPLIED, DESIGNED, START, World, created

ACCEPTED = {**APPLIED, "stream": True}
OPENED = timedelta(hours=48)
STEPS = 40  # a longer life has stopped making progress
TOLD = (OptimizerError, ClientError, BotoCoreError)


@contextmanager
def opened() -> Iterator[World]:
    with EmulatedAccount(start=START, tooling="111111111111", production="222222222222") as account:
        yield created(account)


def state_of(world: World, plan: Plan) -> PhaseState:
    return world.fresh().journal.phase(plan, Phase.COMPUTE).state


def verb_of(world: World, plan: Plan) -> tuple[str, Callable[[Lifecycle], object]] | None:
    """The next verb of people and the pipeline, by the journal; None when nothing is left to do."""
    match state_of(world, plan):
        case PhaseState.WAITING | PhaseState.APPLYING:
            return "apply", lambda life: life.apply(plan, Phase.COMPUTE)
        case PhaseState.OBSERVING | PhaseState.ACCEPTING:
            return "accept", lambda life: life.accept(Phase.COMPUTE)
        case PhaseState.ACCEPTED:
            return "reconcile", lambda life: life.reconciled()
        case PhaseState.ROLLING_BACK:
            return "rollback", lambda life: life.rollback(Phase.COMPUTE, "carried on")
        case _:
            return None


def step(world: World, plan: Plan) -> bool:
    """Run one verb as a job does; False when nothing is left to do. Crash and unexpected errors pass through."""
    found = verb_of(world, plan)
    if found is None:
        return False
    name, verb = found
    if state_of(world, plan) is PhaseState.OBSERVING:
        world.account.clock.sleep(OPENED.total_seconds())
    try:
        with world.account.acting(name):
            verb(world.fresh())
    except LeaseLost:
        world.account.clock.sleep(timedelta(minutes=6).total_seconds())
    except Unhealthy:
        world.account.clock.sleep(timedelta(hours=2).total_seconds())
    except Breach:
        return True
    return True


def watched(world: World, time: timedelta) -> None:
    """Run the watch every hour for `time`, as far as it can run."""
    for _ in range(max(0, int(time / timedelta(hours=1)))):
        world.account.clock.sleep(3600)
        with suppress(*TOLD), world.account.acting("watch"):
            world.fresh().watch()


def ended(world: World, plan: Plan) -> str:
    """Continue the life until nothing is left to do; returns the fault at its end, empty if there is none."""
    for number in range(STEPS):
        try:
            if not step(world, plan):
                break
        except TOLD as error:
            return f"it does not go on: {type(error).__name__}: {error}"
        if number == STEPS // 2:  # a service that is ill for ever is not a case
            world.service.until = world.account.clock.now()
    return wrong_end(world, plan)


def wrong_end(world: World, plan: Plan) -> str:
    """The fault of an end that is neither an undisturbed life's nor the state before it; empty if none."""
    state, table = state_of(world, plan), world.table()
    if state is PhaseState.WAITING and table == DESIGNED:
        return ""  # the service was ill, so that no phase may begin for a week
    wanted = {PhaseState.RECONCILED: ACCEPTED, PhaseState.ROLLED_BACK: DESIGNED}.get(state)
    if wanted is None:
        return f"it ended {state.value}"
    revision = world.fresh().journal.sizing().revision
    if table != wanted or revision != (state is PhaseState.RECONCILED):
        return f"it ended {state.value} with {table}, sizing revision {revision}"
    return ""


class OneCrash(Faults):
    """The job dies once, at the numbered call of one actor and operation, before or after the call landed."""

    def __init__(self, account: EmulatedAccount, at: tuple[str, str, str], landed: bool) -> None:
        super().__init__(None, 0.0, 0)
        self._account, self._at, self._landed, self.fired = account, at, landed, False

    def around(self, number: int, land: Callable[[], object]) -> None:
        call = self._account.calls[number - 1]
        if not self.fired and (call.actor, call.service, call.operation) == self._at:
            self.fired = True
            if self._landed:
                land()
            raise Crash(f"the job died at {call.operation}")
        land()
