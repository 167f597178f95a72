"""A sample of every campaign, cheap enough for each run of the tests; `make campaign` runs the large ones."""

from __future__ import annotations

import ast
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.campaigns import reliability, secrets
from benchmarks.campaigns.campaign import Extent, Size, campaigns
from benchmarks.campaigns.mutants import LOSSES, mutants
from tests.rehearsal.shared import Lived

NAMES = sorted(campaigns())


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_sample_of_it_finds_nothing(name: str) -> None:
    row = campaigns()[name].run(Size(Extent.SAMPLE))
    assert row.failures == ()
    assert row.cases > 0


def test_most_faults_can_still_be_made_and_are_python() -> None:
    """Lines change; when a tenth of the table is gone, it wants to be brought after the code."""
    table = mutants()
    made = [each for each in table if each.can_be_made]
    assert len(made) >= 0.9 * len(table), sorted({each.id for each in table} - {each.id for each in made})
    for each in made:
        ast.parse(each.text())


def test_the_table_of_faults_is_about_what_could_do_harm() -> None:
    table = mutants()
    assert [name for name, count in Counter(each.id for each in table).items() if count > 1] == []
    assert len(table) >= 100
    assert sum(each.harm in LOSSES for each in table) > len(table) / 2
    assert {each.harm for each in table} <= {*LOSSES, "other"}


def test_the_page_is_made_from_the_campaigns_and_their_last_rows() -> None:
    assert reliability.PAGE.read_text() == reliability.page(reliability.kept())


def test_no_row_that_is_shown_has_a_failure() -> None:
    rows = reliability.kept()
    assert {*rows} <= {*NAMES}
    assert {name: row["failures"] for name, row in rows.items() if row["failures"]} == {}


def test_a_planted_secret_is_found_in_an_archive_as_well(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "archive.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("inside/log.txt", "AWS_SECRET_ACCESS_KEY=secret-of-ASIAJOB0000000000000")
    (tmp_path / "page.html").write_text("nothing")
    life = Lived(0, tmp_path, "token-of-ASIAJOB0000000000000", "")
    found = [name for name, body in secrets.texts(life) if secrets.PLANTED.search(body)]
    assert found == ["stdout", "archive.zip/inside/log.txt"]
