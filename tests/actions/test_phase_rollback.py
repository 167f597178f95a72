"""Whole phases, rolled back from after each of their moves: everything is as it was described before."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

import pytest

from emulator.account import Crash
from optimizer.actions import actions_of
from optimizer.execute.records import PhaseState
from optimizer.model.phase import Phase
from optimizer.model.plan import Plan
from optimizer.observe.inventory import take_inventory
from tests.actions.foundation import Foundation, loaded

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def foundation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Foundation]:
    with loaded(tmp_path_factory.mktemp("rollback")) as found:
        yield found


NAMES = {Phase.COMPUTE: {"tap-fleet", "tap-cache"}, Phase.DATABASE: {"tap-database", "tap-global"}}


@dataclass
class DiesAfter:
    """A log in which the job dies when it announces the move with this number."""

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
        plan = foundation.approved(*actions_of(phase))
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


def announced(foundation: Foundation, plan: Plan, phase: Phase) -> set[str]:
    """The engine's announcements of the moves that it begins."""
    found = foundation.resources(plan.to_apply(phase))
    return {
        f"{found[each.resource].name}: {move.summary}"
        for each in plan.to_apply(phase)
        for move in foundation.life.actions[each.action].moves(found[each.resource], each.before, each)
    }


def described(foundation: Foundation, phase: Phase) -> dict[str, Mapping[str, Any]]:
    """What each action of the phase describes, of each resource of its kind."""
    governed = take_inventory(foundation.aws, foundation.life.regions).governed
    return {
        f"{action.id} {each.arn}": json.loads(json.dumps(action.describe(foundation.aws.at(each.region), each)))
        for action in actions_of(phase)
        for each in governed
        if each.kind is action.kind
    }
