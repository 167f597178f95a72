"""A new action is a new file: one made up here is found, ordered, permitted, documented and gated.

A file that breaks the contract stops the load with a line that says how.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from optimizer import actions
from optimizer.actions import registry
from optimizer.analyze.analysis import SLACK, analyze
from optimizer.cli.gate_text import gate_text
from optimizer.decide.policy import Policy
from optimizer.execute.journal_writer import JournalWriter
from optimizer.execute.lease import Purpose
from optimizer.execute.records import PhaseState
from optimizer.model.phase import Phase
from optimizer.model.plan import Plan
from pipeline.skip_condition import NothingToDo, check
from tests.execute import conftest as small_world
from tests.pipeline.permitted import permitted
from tools.reference import actions_page, permissions_page

pytestmark = pytest.mark.xdist_group("pipeline")  # one of its tests synthesizes: beside the others that do

ID = "table_recovery"
OWN = "dynamodb:UpdateContributorInsights"  # which no other action asks for
GUIDE = Path(__file__).parents[2] / "docs" / "adding-an-action.md"
TENTH = "\n" + GUIDE.read_text().split("```python\n", 1)[1].split("```", 1)[0]  # the file that the guide shows

make_world = small_world.make_world
world = small_world.world


@pytest.fixture
def put_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], None]]:
    """Writes an action file where the registry looks; the registry is as before afterwards."""
    names: list[str] = []

    def put(name: str, text: str) -> None:
        names.append(name)
        (tmp_path / f"{name}.py").write_text(dedent(text).lstrip())
        importlib.invalidate_caches()
        registry.cache_clear()

    monkeypatch.setattr(actions, "__path__", [*actions.__path__, str(tmp_path)])
    yield put
    for name in names:
        sys.modules.pop(f"optimizer.actions.{name}", None)
        vars(actions).pop(name, None)
    registry.cache_clear()


@pytest.fixture
def tenth(put_file: Callable[[str, str], None]) -> None:
    put_file(ID, TENTH)


def test_it_is_found_and_stands_where_it_asks_to(tenth: None) -> None:
    ids = [each.id for each in registry()]
    assert ids.index(ID) > ids.index("stream_disable")
    assert [each.id for each in actions.actions_of(Phase.NON_CRITICAL)][-1] == ID
    assert actions.action(ID).title == "Keep every second"


def test_afterwards_the_registry_is_as_before() -> None:
    assert ID not in [each.id for each in registry()]


def test_the_act_role_may_what_it_declares_and_the_reading_roles_may_not(tenth: None) -> None:
    may = permitted()
    assert OWN in may["Allow", "tap-act"]
    assert OWN in may["Deny", "tap-act"]  # on what a tenant owns
    for role in ("tap-analyze", "tap-reconcile"):
        assert OWN not in may["Allow", role]


def test_without_it_nobody_may() -> None:
    assert OWN not in {name for names in permitted().values() for name in names}


def test_it_is_documented(tenth: None) -> None:
    page = actions_page()
    assert f"| [{ID}](#{ID}) | 1 · DynamoDB | Keep every second |  |" in page
    told = page.split(f"## {ID}\n")[1].split("\n## ")[0]
    assert "Saves a restore by hand. Risks the price of the backups." in told
    assert "- APPLY moves: every second of tenants can be restored" in told
    assert "- Comes after: `stream_disable`." in told
    assert f"| {ID} | `dynamodb:UpdateContinuousBackups` |" in permissions_page()


def test_a_plan_with_it_is_gated_and_carried_out(tenth: None, world: small_world.World) -> None:
    plan = _proposed(world)
    assert [each.action for each in plan.to_apply(Phase.NON_CRITICAL)] == [ID]
    assert f"Phase 1 (DynamoDB): {ID} on " in gate_text(plan)
    check(_read(world), "Approve")  # the stages' condition: the gate is asked
    with pytest.raises(NothingToDo, match="proposed, not approved"):
        check(_read(world), "Phase1")

    life = replace(world.fresh(), actions={each.id: each for each in registry()})
    life.approve(plan)
    check(_read(world), "Phase1")
    assert life.apply(plan, Phase.NON_CRITICAL).state is PhaseState.OBSERVING
    assert world.table()["recovery"] == "ENABLED"
    assert life.rollback(Phase.NON_CRITICAL, "asked").state is PhaseState.ROLLED_BACK
    assert world.table()["recovery"] == "DISABLED"


def test_without_it_the_same_account_asks_nobody(world: small_world.World) -> None:
    plan = _proposed(world)
    assert not plan.to_apply(Phase.NON_CRITICAL)
    with pytest.raises(NothingToDo, match="changes nothing"):
        check(_read(world), "Approve")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("another", TENTH, "another.py declares the id 'table_recovery': the id is the file's name"),
        (ID, TENTH.replace('"""', "", 2).replace("\nKeep", "\n# Keep").replace("\nSaves", "\n# Saves"), "no docstring"),
        (ID, '"""Says what it saves."""\n', "table_recovery.py has no ACTION"),
        (ID, TENTH.replace("\nACTION = Action(", "\nACTION = dict("), "table_recovery.py has no ACTION"),
        (ID, TENTH.replace('after=("stream_disable",)', 'after=("aurora_writer",)'), "belongs to a later phase"),
        (ID, TENTH.replace('after=("stream_disable",)', 'after=("table_recovery",)'), "NON_CRITICAL wait for each"),
    ],
    ids=["wrong id", "no docstring", "no ACTION", "another thing as ACTION", "after a later phase", "after itself"],
)
def test_a_broken_file_stops_the_load(put_file: Callable[[str, str], None], name: str, text: str, message: str) -> None:
    put_file(name, text)
    with pytest.raises(TypeError, match=message):
        registry()


def test_two_files_that_wait_for_each_other_stop_the_load(put_file: Callable[[str, str], None]) -> None:
    put_file(ID, TENTH.replace('after=("stream_disable",)', 'after=("table_backup",)'))
    put_file("table_backup", TENTH.replace("stream_disable", ID).replace('id="table_recovery"', 'id="table_backup"'))
    with pytest.raises(TypeError, match=r"the actions of NON_CRITICAL wait for each other: .*table_backup"):
        registry()


def _proposed(world: small_world.World) -> Plan:
    """The proposals of the registry's actions for the small world, in which nothing was measured."""
    life = world.fresh()
    policy = Policy(period=SLACK)  # so short that nothing measured is enough
    settings = replace(life.settings, secondary_regions=("us-west-2", "eu-west-1"))  # where the sizing has secondaries
    plan = analyze(life.production, settings, registry(), policy, life.journal.sizing()).plan
    with life.journal.lease(Purpose.ANALYZE, "test") as lease:
        JournalWriter(life.journal, lease).propose(plan)
    return plan


def _read(world: small_world.World) -> Callable[[str, str], Any]:
    client = world.account.session("111111111111", "us-east-1").client("dynamodb")
    return lambda pk, sk: client.get_item(TableName="tap-journal", Key={"pk": {"S": pk}, "sk": {"S": sk}}).get("Item")
