"""Calls that fail, at 10, 30 and 60 %, that answer with a part or with the past, and a service that is down for hours.

Throttled, 5xx, answers lost after the effect, access denied, expired keys; batches of which a part is done, short
pages, transactions in conflict; reads that show what was before; one whole service down. Most are lives of the engine's
small world; batches and reads of the past meet the merge of tables too, whole and both ways.
"""

from __future__ import annotations

from random import Random

from benchmarks.campaigns.campaign import Campaign, Row, Size
from benchmarks.campaigns.faulty import DOWN, Down, Failing, Partial, Stale
from benchmarks.campaigns.lives import TOLD, ended, opened, state_of, step, wrong_end
from benchmarks.second_emulator.compare import emulated
from benchmarks.second_emulator.merging import ask_merge
from benchmarks.second_emulator.scripts import MERGED
from emulator.account import EmulatedAccount
from emulator.core.faults import Fault, Faults
from optimizer.execute.records import PhaseState
from optimizer.model.phase import Phase
from tests.consolidate.campaign import STREAMS, WHOLE

RATES = (0.1, 0.3, 0.6)
KINDS: dict[str, tuple[Fault | str, ...]] = {
    "any": tuple(Fault),
    "throttled": (Fault.THROTTLED,),
    "5xx": (Fault.UNAVAILABLE,),
    "answers lost": (Fault.LOST_ANSWER, Fault.RESET_AFTER),
    "access denied": ("AccessDeniedException",),
    "expired credentials": ("ExpiredTokenException",),
}
OTHERS = ("partial", "stale")
TRIES = 8  # verbs under faults, before the account is well again
BEFORE_ACCEPTANCE = (PhaseState.WAITING, PhaseState.APPLYING, PhaseState.OBSERVING, PhaseState.ROLLING_BACK)
Case = tuple[str, float]


def cases() -> list[Case]:
    """Every kind at every rate; a service that is down has no rate, it answers nothing."""
    rated = [(name, rate) for name in (*KINDS, *OTHERS, *(f"merge {each}" for each in OTHERS)) for rate in RATES]
    return [*rated, *((f"{service} down", 1.0) for service in DOWN)]


def faults_of(account: EmulatedAccount, case: Case, seed: int) -> Faults:
    name, rate = case
    if name == "partial":
        return Partial(rate, seed)
    if name == "stale":
        return Stale(rate, seed)
    if name in KINDS:
        return Failing(account, rate, KINDS[name], seed)
    return Down(account, name.removesuffix(" down"))


def life(case: Case, seed: int) -> str:
    """The fault at the end of a life under these failures, or in one of its steps; empty if there is none."""
    with opened() as world:
        plan = world.approved()
        calm = world.account.faults
        for number in range(TRIES):
            world.account.faults = faults_of(world.account, case, seed + number)
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
        wrong = ended(world, plan)
        if wrong and state_of(world, plan) is PhaseState.OBSERVING:  # held, and told that a rollback leads on
            world.fresh().rollback(Phase.COMPUTE, "held")
            wrong = wrong_end(world, plan)
        return wrong


def merge(case: Case, seed: int) -> str:
    """The fault of the tables after a merge and its rollback under these failures; empty if there is none."""
    kind = case[0].removeprefix("merge ")
    way = STREAMS if seed % 200 else WHOLE
    with emulated() as (account, asked):
        account.faults = faults_of(account, (kind, case[1]), seed)
        with account.acting("apply"):
            answers = ask_merge(way, asked)
    return "; ".join(f"{name}: {answers[name]}" for name in MERGED if answers[name] != MERGED[name])


def run(size: Size) -> Row:
    random, every = Random(size.seed), cases()
    rounds = size.of(1, 4, 60)
    chosen = random.sample(every, 12) if rounds == 1 else every * rounds
    failures = []
    for number, case in enumerate(chosen):
        tried = merge if case[0].startswith("merge ") else life
        if wrong := tried(case, size.seed * 100_000 + 100 * number):
            failures.append(f"{case[0]} at {case[1]:.0%} of calls, seed {100 * number}: {wrong}")
    return Row(len(chosen), tuple(failures), f"{len(set(chosen))} of {len(every)} (kind, rate), {rounds} times")


CAMPAIGN = Campaign(
    title="Faults",
    proves="calls that fail, lose their answers, do a part or show the past, and a service that is down for three "
    "hours, end in a clear error and a verb that leads on",
    cannot="failures inside AWS that answer as successes",
    planted="`engine.py`: moves of acceptance carried out by apply",
    run=run,
)
