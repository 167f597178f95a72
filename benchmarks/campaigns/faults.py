"""Calls that fail at 10, 30 and 60 %: throttled, 5xx, answers lost after the effect, access denied, expired keys."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from botocore.exceptions import ClientError

from benchmarks.campaigns.campaign import Campaign, Row, Size
from benchmarks.campaigns.lives import TOLD, ended, opened, state_of, step
from emulator.account import EmulatedAccount
from emulator.core.faults import Fault, Faults
from optimizer.execute.records import PhaseState

RATES = (0.1, 0.3, 0.6)
KINDS = {
    "any": tuple(Fault),
    "throttled": (Fault.THROTTLED,),
    "5xx": (Fault.UNAVAILABLE,),
    "answers lost": (Fault.LOST_ANSWER, Fault.RESET_AFTER),
    "access denied": ("AccessDeniedException",),
    "expired credentials": ("ExpiredTokenException",),
}
TRIES = 8  # verbs under faults, before the account works again
BEFORE_ACCEPTANCE = (PhaseState.WAITING, PhaseState.APPLYING, PhaseState.OBSERVING, PhaseState.ROLLING_BACK)


class Failing(Faults):
    """Calls of jobs fail at a rate, in one of several ways."""

    def __init__(self, account: EmulatedAccount, rate: float, kinds: tuple[Fault | str, ...], seed: int) -> None:
        super().__init__(None, 0.0, 0)
        self._account, self._share, self._kinds, self._chance = account, rate, kinds, Random(seed)

    def around(self, number: int, land: Callable[[], object]) -> Fault | None:
        call = self._account.calls[number - 1]
        if call.actor not in ("apply", "accept", "reconcile", "rollback") or self._chance.random() >= self._share:
            land()
            return None
        kind = self._chance.choice(self._kinds)
        if isinstance(kind, str):
            call.error = kind
            raise ClientError({"Error": {"Code": kind, "Message": "made up by the campaign"}}, call.operation)
        if kind.landed:
            land()
        return {Fault.RESET_BEFORE: Fault.UNAVAILABLE, Fault.RESET_AFTER: Fault.LOST_ANSWER}.get(kind, kind)


def life(kinds: tuple[Fault | str, ...], rate: float, seed: int) -> str:
    """The fault at the end of a life under these failures, or in one of its steps; empty if there is none."""
    with opened() as world:
        plan = world.approved()
        calm = world.account.faults
        for number in range(TRIES):
            world.account.faults = Failing(world.account, rate, kinds, seed + number)
            try:
                over = not step(world, plan)
            except TOLD as error:
                over = False
                if not str(error).strip():
                    return f"{type(error).__name__} says nothing"
            world.account.faults = calm
            if world.table()["stream"] and state_of(world, plan) in BEFORE_ACCEPTANCE:
                return f"a move of acceptance ran while the phase is {state_of(world, plan).value}"
            if over:
                break
            world.account.clock.sleep(600)
        world.account.clock.sleep(600)
        return ended(world, plan)


def run(size: Size) -> Row:
    random = Random(size.seed)
    every = [(name, rate) for name in KINDS for rate in RATES]
    rounds = size.of(1, 10, 60)
    chosen = random.sample(every, 12) if rounds == 1 else every * rounds
    failures = []
    for number, (name, rate) in enumerate(chosen):
        if wrong := life(KINDS[name], rate, size.seed * 100_000 + 100 * number):
            failures.append(f"{rate:.0%} of calls {name}, seed {100 * number}: {wrong}")
    return Row(len(chosen), tuple(failures), f"{len(set(chosen))} of {len(every)} (kind, rate), {rounds} times")


CAMPAIGN = Campaign(
    title="Faults and one-way moves",
    proves="calls that fail or whose answers are lost end in a clear error and a verb that leads on; no move of "
    "acceptance runs before acceptance",
    cannot="failures inside AWS that answer as successes",
    planted="`engine.py`: moves of acceptance carried out by apply",
    run=run,
)
