"""Surveys of accounts with nothing in them, or too young to decide on."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.survey.platform import REGION, build, empty_account, plan_in, run

RegionArgs = ["--regions", REGION]


def test_an_empty_account_has_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with empty_account() as account:
        assert run(account, [*RegionArgs, "--out", str(tmp_path), "--no-bill"])[0] == 0
    assert "Nothing was found that could be optimized" in (tmp_path / "dashboard.html").read_text()
    assert "no Auto Scaling group" in capsys.readouterr().out


def test_a_young_account_is_held(tmp_path: Path) -> None:
    with empty_account() as account:
        build(account)
        account.clock.sleep(timedelta(days=9).total_seconds())
        assert run(account, [*RegionArgs, "--out", str(tmp_path), "--no-bill"])[0] == 0
    held = plan_in(tmp_path).held
    assert held is not None
    assert held.startswith("9.0 days of metrics are there")
