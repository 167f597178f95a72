"""No move of acceptance runs before acceptance, whatever fails: apply, watch and rollback under every kind of fault."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from random import Random

from benchmarks.campaigns.campaign import Campaign, Row, Size
from benchmarks.campaigns.faults import Case, cases, faults_of
from benchmarks.campaigns.lives import OPENED, TOLD, opened
from emulator.core.faults import Faults
from optimizer.execute.lifecycle import Lifecycle
from optimizer.model.phase import Phase
from optimizer.model.plan import Plan
from tests.execute.conftest import World

VERBS = ("apply", "apply", "watch", "apply", "watch", "rollback", "watch", "rollback")


def life(case: Case, seed: int) -> str:
    """The fault after these verbs under failures, with the gate never passed; the window is over by the end."""
    with opened() as world:
        plan = world.approved()
        for number, name in enumerate(VERBS):
            world.account.faults = faults_of(world.account, case, seed + number)
            with suppress(*TOLD), world.account.acting(name):
                verb(world.fresh(), plan, name)()
            world.account.clock.sleep(OPENED.total_seconds() / 2)
            if wrong := begun(world, plan):
                return f"{name}: {wrong}"
    return ""


def verb(work: Lifecycle, plan: Plan, name: str) -> Callable[[], object]:
    return {
        "apply": lambda: work.apply(plan, Phase.COMPUTE),
        "watch": work.watch,
        "rollback": lambda: work.rollback(Phase.COMPUTE, "asked"),
    }[name]


def begun(world: World, plan: Plan) -> str:
    """Proof that a one-way move was begun: from the calls, the table or the journal; empty if there is none."""
    if any("StreamSpecification" in call.parameters for call in world.account.calls.of("dynamodb", "UpdateTable")):
        return "the stream was asked for"
    if world.table()["stream"]:
        return "the stream is on"
    world.account.faults = Faults(None, 0.0, 0)
    moves = world.fresh().journal.moves(plan, Phase.COMPUTE)
    return "its intent is written" if any(each.one_way for each in moves) else ""


def run(size: Size) -> Row:
    random = Random(size.seed)
    every = [case for case in cases() if not case[0].startswith("merge ")]
    rounds = size.of(1, 4, 40)
    chosen = random.sample(every, 8) if rounds == 1 else every * rounds
    failures = [
        f"{case[0]} at {case[1]:.0%}, seed {100 * number}: {wrong}"
        for number, case in enumerate(chosen)
        if (wrong := life(case, size.seed * 100_000 + 100 * number))
    ]
    return Row(len(chosen), tuple(failures), f"{len(set(chosen))} of {len(every)} (kind, rate), {rounds} times")


CAMPAIGN = Campaign(
    title="One-way moves",
    proves="no move of acceptance is begun before the gate is passed, whatever fails in apply, watch and rollback",
    cannot="one-way effects that AWS itself adds to a reversible call",
    planted="`engine.py`: moves of acceptance carried out by apply",
    run=run,
)
