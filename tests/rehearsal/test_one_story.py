"""What people read of one plan agrees: terminal, summary, README and page; and each decision is explained."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from optimizer.actions import registry
from optimizer.cli.verbs import main
from tests.rehearsal.shared import lived

ROOT = Path(__file__).parents[2]
MONEY = re.compile(r"Monthly cost at list price: (\S+) before, (\S+) after")

pytestmark = pytest.mark.slow


def test_terminal_summary_readme_and_page_say_the_same_money() -> None:
    life = lived("quiet")
    cost = life.summary["planned_cost"]
    said = (f"${cost['before']:,.2f}", f"${cost['after']:,.2f}")
    assert MONEY.search(life.told).groups() == said
    assert MONEY.search((ROOT / "README.md").read_text()).groups() == said
    page = (life.out / "dashboard.html").read_text()
    assert [amount for amount in said if amount not in page] == []


@pytest.mark.parametrize("action", [each.id for each in registry()])
def test_each_of_the_nine_actions_is_explained_from_the_plan(action: str, capsys: pytest.CaptureFixture[str]) -> None:
    plan = lived("quiet").out / "plan.json"
    assert main(["explain", action, "--plan", str(plan)]) == 0
    said = capsys.readouterr().out
    applied, kept = said.count(": APPLY"), said.count(": KEEP")
    assert applied + kept >= 1
    assert said.count("Undo: ") >= applied
    assert len(re.findall(r"^ *(?:met|NOT MET): ", said, re.MULTILINE)) >= applied + kept
