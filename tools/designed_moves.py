"""The moves of every action for the foundation, as in the plan that the scenario `quiet` proposes."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from io import StringIO
from pathlib import Path

from domain.sizing import Sizing, SizingRecord
from optimizer.action import Action, Move, NoNotes
from optimizer.actions import registry
from optimizer.analyze.analysis import analyze
from optimizer.decide.policy import Policy
from optimizer.model.decision import Choice, Decision
from optimizer.model.resource import Governed
from optimizer.observe.inventory import take_inventory
from optimizer.ports.settings import Settings


def designed_moves() -> Mapping[str, Sequence[Move]]:
    """The moves of each action's largest decision. Loads the foundation into an emulated account, once."""
    return _designed_moves(tuple(each.id for each in registry()))


@cache
def _designed_moves(_actions: tuple[str, ...]) -> Mapping[str, Sequence[Move]]:
    from rehearsal.report import Progress
    from rehearsal.scenario import load_scenario
    from rehearsal.session import RehearsalSession
    from rehearsal.workspace import PROJECT, RehearsalRequest, Workspace

    with tempfile.TemporaryDirectory() as folder:
        request = RehearsalRequest(Path(folder) / "out", load_scenario("quiet"))
        setting = Workspace(request, PROJECT, Path(folder), Progress(StringIO()))
        assembly = setting.synthesize()
        with setting.account_of(assembly) as account:
            life = RehearsalSession(setting, account, assembly)
            life.begin()
            regions = tuple(dict.fromkeys(stack.region for stack in life.production))
            settings = Settings.from_environ(
                {
                    "TAP_JOURNAL_TABLE": "tap-journal",
                    "TAP_PRODUCTION_ACCOUNT": account.production,
                    "TAP_PRIMARY_REGION": life.aws.region,
                    "TAP_SECONDARY_REGIONS": ",".join(each for each in regions if each != life.aws.region),
                }
            )
            plan = analyze(
                life.aws, settings, registry(), Policy(), SizingRecord(revision=0, sizing=Sizing.AS_DESIGNED)
            ).plan
            governed = {each.arn: each for each in take_inventory(life.aws, regions).governed}
            return {each.id: _moves(each, plan.decisions, governed) for each in registry()}


def _moves(action: Action, decisions: Sequence[Decision], governed: Mapping[str, Governed]) -> Sequence[Move]:
    """The moves of the action's decision that makes the most: of tables that share one decision, one leads."""
    mine = [each for each in decisions if each.action == action.id]
    mine = [each for each in mine if each.choice is Choice.APPLY] or mine
    notes = (NoNotes(),) if action.keeps_notes else ()
    return max((action.moves(governed[each.resource], each.before, each, *notes) for each in mine), key=len)
