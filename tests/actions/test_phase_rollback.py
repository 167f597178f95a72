"""Whole phases, rolled back from after each of their moves: everything is as it was described before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from optimizer.actions import actions_of, registry
from optimizer.analyze import analyze
from optimizer.decide.plan import Plan
from optimizer.decide.policy import Policy
from optimizer.execute.lease import Purpose
from optimizer.execute.pen import Pen
from optimizer.execute.records import PhaseState
from optimizer.phase import Phase
from optimizer.rehearsal.account import Crash
from tests.actions.foundation import Foundation, loaded

pytestmark = pytest.mark.slow

PERIOD = timedelta(days=61)  # what a rollback made anew has no metrics of its own before that


@pytest.fixture(scope="module")
def foundation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Foundation]:
    with loaded(tmp_path_factory.mktemp("rollback")) as found:
        yield found


NAMES = {Phase.COMPUTE: {"tap-fleet", "tap-cache"}, Phase.DATABASE: {"tap-database", "tap-global"}}


@dataclass
class DiesAfter:
    """A log in which the job dies when it announces the move after so many."""

    moves: int
    announced: set[str]
    seen: list[str] = field(default_factory=list)

    def __call__(self, line: str) -> None:
        if line in self.announced:
            self.seen.append(line)
            if len(self.seen) > self.moves:
                raise Crash(f"after {self.seen[-2]}")


@pytest.mark.parametrize("phase", [Phase.COMPUTE, Phase.DATABASE])
def test_from_after_each_move_a_rollback_restores_what_was_described(foundation: Foundation, phase: Phase) -> None:
    before = described(foundation, phase)
    for moves in count(1):
        plan = approved(foundation, phase)
        log = DiesAfter(moves, announced(foundation, plan, phase))
        try:
            replace(foundation.life, say=log).apply(plan, phase)
            died = False
        except Crash:
            died = True
        record = foundation.life.rollback(phase, "rehearsed")
        assert record.state is PhaseState.ROLLED_BACK
        assert described(foundation, phase) == before, f"rolled back after {log.seen[moves - 1]}"
        if not died:
            break
    assert moves == len(log.seen), "the last round went through all of them"
    assert {line.split(":")[0] for line in log.seen} == NAMES[phase]


def approved(foundation: Foundation, phase: Phase) -> Plan:
    """A plan of this phase alone, in force."""
    foundation.account.clock.sleep(PERIOD.total_seconds())
    whole = analyze(foundation.aws, foundation.settings, registry(), Policy(), foundation.life.journal.sizing()).plan
    mine = {each.id for each in actions_of(phase)}
    plan = replace(whole, decisions=tuple(each for each in whole.decisions if each.action in mine), held=None)
    with foundation.life.journal.lease(Purpose.ANALYZE, "test") as lease:
        Pen(foundation.life.journal, lease).propose(plan)
    foundation.life.approve(plan)
    return plan


def announced(foundation: Foundation, plan: Plan, phase: Phase) -> set[str]:
    """How the engine says that it begins a move."""
    found = foundation.resources(plan.to_apply(phase))
    return {
        f"{found[each.resource].name}: {move.summary}"
        for each in plan.to_apply(phase)
        for move in foundation.life.actions[each.action].moves(found[each.resource], each.before, each)
    }


def described(foundation: Foundation, phase: Phase) -> dict[str, Mapping[str, Any]]:
    plan = analyze(foundation.aws, foundation.settings, registry(), Policy(), foundation.life.journal.sizing()).plan
    return {
        f"{action.id} {arn}": state
        for action in actions_of(phase)
        for arn, state in foundation.described(action, [d for d in plan.decisions if d.action == action.id]).items()
    }
