"""One crash at each distinct call of a life: job, operation, before or after it landed; recovery soon or a day later.

The small world has every verb, the journal, the lease and a one-way move. `benchmarks/crashes.py`, which
`make campaign` runs as well, forks whole rehearsals at their calls.
"""

from __future__ import annotations

from datetime import timedelta
from random import Random

from benchmarks.campaigns.campaign import Campaign, Row, Size
from benchmarks.campaigns.lives import OneCrash, ended, opened, step, watched
from emulator.account import Crash

At = tuple[str, str, str]
DELAYS = (timedelta(0), timedelta(hours=2), timedelta(days=1))


def distinct() -> list[At]:
    """Job, service and operation of each call of an undisturbed life and of one that is rolled back, each once."""
    found: dict[At, None] = {}
    for sick in (False, True):
        with opened() as world:
            plan = world.approved()
            step(world, plan)
            if sick:
                world.service.p99_ms, world.service.since = 300.0, world.account.clock.now()
                world.account.clock.sleep(3600)
            ended(world, plan)
            found |= dict.fromkeys((call.actor, call.service, call.operation) for call in world.account.calls)
    return [each for each in found if each[0] in ("apply", "accept", "reconcile", "rollback")]


def life(at: At, landed: bool, delay: timedelta, breach: bool) -> str:
    """The fault at the end of a life with this crash; empty if the call never came, or the end is right."""
    with opened() as world:
        plan = world.approved()
        if at[0] == "rollback":
            step(world, plan)
        faults = world.account.faults = OneCrash(world.account, at, landed)
        try:
            if at[0] == "rollback":
                with world.account.acting("rollback"):
                    world.fresh().rollback(plan.phase_of(plan.decisions[0]), "asked")
            for _ in range(10):
                if not step(world, plan):
                    break
        except Crash:
            if breach:
                world.service.p99_ms, world.service.since = 300.0, world.account.clock.now()
            watched(world, delay)
        wrong = ended(world, plan)
        return wrong if faults.fired or wrong else ""


def run(size: Size) -> Row:
    random = Random(size.seed)
    every = [
        (at, landed, delay, breach)
        for at in distinct()
        for landed in (False, True)
        for delay in DELAYS
        for breach in (False, True)
    ]
    count = min(size.of(24, 400, len(every)), len(every))
    chosen = random.sample(every, count)
    failures = []
    for at, landed, delay, breach in chosen:
        if wrong := life(at, landed, delay, breach):
            when = f"{'after' if landed else 'before'} {':'.join(at)} landed, back after {delay}"
            failures.append(f"{when}{', in breach' if breach else ''}: {wrong}")
    return Row(count, tuple(failures), f"{count} of {len(every)} (job, operation, before or after, delay, breach)")


CAMPAIGN = Campaign(
    title="Crashes",
    proves="a job that dies at any kind of call leaves a state from which the next verbs finish or undo, exactly",
    cannot="crashes inside a service of AWS, and calls that land minutes after their job died",
    planted="`engine.py`: only moves whose record says done are undone",
    run=run,
)
