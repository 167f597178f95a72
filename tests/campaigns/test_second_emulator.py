"""The scripts of the second emulator, run against the emulated account, and the page that is made of both answers."""

from __future__ import annotations

import pytest

from benchmarks.second_emulator import page
from benchmarks.second_emulator.compare import ours
from benchmarks.second_emulator.scripts import RUN


@pytest.mark.parametrize("name", RUN)
def test_the_emulated_account_answers_as_documented_and_as_is_shown(name: str) -> None:
    answers = ours([name])[name]
    assert answers == RUN[name].documented
    assert answers == page.seen()["scripts"][name]["emulated"]


def test_the_page_is_made_of_the_last_answers() -> None:
    assert page.PAGE.read_text() == page.page(page.seen())


def test_it_is_said_who_is_right() -> None:
    """Not both wrong, and no disagreement that is known without AWS's page."""
    lines = [line for line in page.PAGE.read_text().splitlines() if line.count("|") == 7 and "https://" in line]
    assert lines
    assert [line for line in lines if not line.endswith(("| emulated account |", "| ministack |"))] == []
