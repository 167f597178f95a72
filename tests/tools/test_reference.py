"""The reference pages of docs/ equal a new generation from the code; and only one page needs the emulator."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from optimizer.actions import registry
from tools import reference
from tools.designed_moves import designed_moves
from tools.reference import COMMAND, DOCS, PAGES, _without_hash, write


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_not_stale(name):
    assert (DOCS / name).read_text() == PAGES[name](), f"docs/{name} is stale: run `{COMMAND}` and commit it"


def test_the_readmes_table_of_actions_is_not_stale():
    text = (DOCS.parent / "README.md").read_text()
    assert reference.readme_with_actions(text) == text, f"README.md is stale: run `{COMMAND}` and commit it"
    assert text.count("](docs/actions.md#") == len(registry()) == 9


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


def test_every_limit_says_where_it_comes_from():
    origins = ("the brief", "ours", "guard", "AWS")
    rows = [row for row in reference.policy_page().splitlines() if row.startswith("| `")]
    unsaid = [
        row for row in rows if not row.split(" | ")[2].casefold().startswith(tuple(each.casefold() for each in origins))
    ]
    assert [row for row in unsaid if "](#" not in row] == []  # a part of the policy has its own table
    assert len(rows) > 50


def test_every_action_has_its_moves():
    page = (DOCS / "actions.md").read_text()
    for action in registry():
        moves = designed_moves()[action.id]
        assert moves, action.id
        assert all(_without_hash(each.summary) in page for each in moves)
        assert f"\n## {action.id}\n" in page


def test_the_other_pages_do_without_the_emulator():
    code = "import sys; from tools.reference import *; permissions_page(), policy_page(); "
    subprocess.run([sys.executable, "-c", code + "assert 'moto' not in sys.modules"], check=True, cwd=DOCS.parent)


def test_every_rule_of_the_overlay_is_shown_by_a_test():
    rows = [line for line in (DOCS / "overlay.md").read_text().splitlines() if line.startswith("| ")][2:]
    assert len(rows) > 50
    assert not [row for row in rows if "::test_" not in row.split(" | ")[-1]]
