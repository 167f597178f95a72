"""The reference pages of docs/ are what the code would make now; and no page needs the emulator but one."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from optimizer.action import When
from optimizer.actions import registry
from tools import reference
from tools.declared_moves import DeclaredMove, declared_moves
from tools.reference import COMMAND, DOCS, PAGES, write


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_not_stale(name):
    assert (DOCS / name).read_text() == PAGES[name](), f"docs/{name} is stale: run `{COMMAND}` and commit it"


def test_only_what_changed_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(reference, "PAGES", {"one.md": lambda: "1", "two.md": lambda: "2"})
    assert [path.name for path in write(tmp_path)] == ["one.md", "two.md"]
    (tmp_path / "two.md").write_text("edited")
    assert write(tmp_path) == [tmp_path / "two.md"]


def test_a_changed_number_and_its_comment_are_in_the_policy_page(tmp_path, monkeypatch):
    path = tmp_path / "changed_policy.py"
    line = "commands_per_second: float = 10_000.0  # the brief: all nodes together"
    source = Path(reference.policy.__file__).read_text()
    assert line in source
    path.write_text(source.replace(line, "commands_per_second: float = 9_000.0  # the brief: busiest node"))
    spec = importlib.util.spec_from_file_location("changed_policy", path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "changed_policy", module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(reference, "policy", module)
    assert "| `commands_per_second` | `9000.0` | the brief: busiest node |" in reference.policy_page()


MADE_UP = """
def moves(table, before, decision):
    return [_first(table), *(_later(table, "second", name) for name in decision), Move("last", When.ACCEPT, "the end")]

def _later(table, kind, name):
    return Move(name=kind, when=When.APPLY, summary=name)

def _first(table):
    return Move(name="one", when=When.APPLY, summary=f"{before['size']} of {table.name} {'on' if table else 'off'}")

def _unused():
    return Move("never", When.ACCEPT, "never")
"""


def test_moves_are_read_in_the_order_in_which_they_are_made():
    assert [(each.when, each.summary) for each in declared_moves(MADE_UP)] == [
        (When.APPLY, "*before size* of *table* on or off"),
        (When.APPLY, "second"),
        (When.ACCEPT, "the end"),
    ]


def test_moves_that_another_file_makes_are_read_there():
    source = """
from optimizer.consolidate.moves import back_up_table as backed_up
from optimizer.consolidate.backup import back_up

def moves(users, before, decision):
    return [backed_up(users, decision), back_up(users)]
"""
    assert declared_moves(source) == (DeclaredMove(When.APPLY, "back up *table*"),)


def test_every_action_has_its_moves():
    page = (DOCS / "actions.md").read_text()
    for action in registry():
        source = Path(sys.modules[f"optimizer.actions.{action.id}"].__file__).read_text()
        assert declared_moves(source), action.id
        assert f"\n## {action.id}\n" in page


def test_the_other_pages_do_without_the_emulator():
    code = "import sys; from tools.reference import *; actions_page(), permissions_page(), policy_page(); "
    subprocess.run([sys.executable, "-c", code + "assert 'moto' not in sys.modules"], check=True, cwd=DOCS.parent)


def test_every_rule_of_the_overlay_is_shown_by_a_test():
    rows = [line for line in (DOCS / "overlay.md").read_text().splitlines() if line.startswith("| ")][2:]
    assert len(rows) > 50
    assert not [row for row in rows if "::test_" not in row.split(" | ")[-1]]
