"""A second actor at each call of a first one: apply, rollback, watch in a breach, a newer plan.

The second actor comes before the call lands and does everything it can; then the first one continues, late. Calls
that affect production are left out: one call in flight may land, and recovery handles that.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from random import Random

from benchmarks.campaigns.campaign import Campaign, Row, Size
from benchmarks.campaigns.lives import OPENED, TOLD, ended, opened, step
from emulator.account import EmulatedAccount
from emulator.core.faults import Faults
from optimizer.model.phase import Phase
from optimizer.model.plan import Plan
from tests.execute.conftest import World

FIRST = ("apply", "accept", "rollback")
SECOND = ("apply", "rollback", "watch", "late")


class Meanwhile(Faults):
    """Before the call with that number, another actor runs first."""

    def __init__(self, account: EmulatedAccount, number: int, second: Callable[[], object]) -> None:
        super().__init__(None, 0.0, 0)
        self._account, self._number, self._second, self.came = account, number, second, False

    def around(self, number: int, land: Callable[[], object]) -> None:
        call = self._account.calls[number - 1]
        effect = call.account == self._account.production and call.mutating
        renewal = call.service == "sts"  # in this one process, both would wait for the same lock on the credentials
        if number >= self._number and not self.came and call.actor in FIRST and not (effect or renewal):
            self.came = True
            self._second()
        land()


def other(world: World, plan: Plan, name: str) -> None:
    """The second actor's part; its errors do not matter here."""
    world.account.clock.sleep(timedelta(minutes=6).total_seconds())  # the first actor's lease has expired
    if name == "late":
        return
    if name == "watch":
        world.service.p99_ms, world.service.since = 300.0, world.account.clock.now()
        world.account.clock.sleep(3600)
    with suppress(*TOLD), world.account.acting("second"):
        life = world.fresh()
        {
            "apply": lambda: life.apply(plan, Phase.COMPUTE),
            "rollback": lambda: life.rollback(Phase.COMPUTE, "asked"),
            "watch": life.watch,
        }[name]()


def life(first: str, second: str, after: int) -> str:
    """The fault at the end when the second actor comes `after` calls into the first one; empty if there is none."""
    with opened() as world:
        plan = world.approved()
        if first != "apply":
            step(world, plan)
            world.account.clock.sleep(OPENED.total_seconds() if first == "accept" else 60)
        calm = world.account.faults
        world.account.faults = Meanwhile(
            world.account, len(world.account.calls) + after, lambda: other(world, plan, second)
        )
        with suppress(*TOLD), world.account.acting(first):
            begun = world.fresh()
            if first == "apply":
                begun.apply(plan, Phase.COMPUTE)
            elif first == "accept":
                begun.accept(Phase.COMPUTE)
            else:
                begun.rollback(Phase.COMPUTE, "asked")
        world.account.faults = calm
        world.account.clock.sleep(timedelta(minutes=6).total_seconds())
        return ended(world, plan)


def run(size: Size) -> Row:
    random = Random(size.seed)
    every = [(first, second, after) for first in FIRST for second in SECOND for after in range(1, 60)]
    count = size.of(20, 250, len(every))
    failures = []
    for first, second, after in random.sample(every, count):
        if wrong := life(first, second, after):
            failures.append(f"{second} at call {after} of {first}: {wrong}")
    return Row(count, tuple(failures), f"{count} of {len(every)} (first, second, call)")


CAMPAIGN = Campaign(
    title="Two at once",
    proves="a verb that comes in the middle of another leaves the plan accepted or exactly as it was before",
    cannot="the one call that is in flight when the lease is lost, and clocks that differ between machines",
    planted="`lease.py`: the fence not compared",
    run=run,
)
