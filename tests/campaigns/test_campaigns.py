"""A sample of every campaign, cheap enough for each run of the tests; `make campaign` runs the large ones."""

from __future__ import annotations

import ast
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.campaigns import reliability, secrets
from benchmarks.campaigns.campaign import ROOT, Extent, Size, campaigns
from benchmarks.campaigns.mutants import LOSSES, PAGE, mutants, page
from tests.rehearsal.shared import Lived

NAMES = sorted(campaigns())


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_sample_of_it_finds_nothing(name: str) -> None:
    row = campaigns()[name].run(Size(Extent.SAMPLE))
    assert row.failures == ()
    assert row.cases > 0


def test_every_fault_is_python() -> None:
    """That each line still stands is a wall: tests/test_walls.py."""
    for each in mutants():
        ast.parse(each.text())


def test_every_fault_is_seen_by_a_test_that_is_there() -> None:
    sources: dict[str, str] = {}
    for each in mutants():
        assert each.seen_by, f"no quick test sees {each.id}"
        file, test = each.seen_by.split("[")[0].split("::")
        sources.setdefault(file, (ROOT / file).read_text())
        assert f"def {test}(" in sources[file], f"{each.id}: python -m benchmarks.campaigns.mutants {each.id}"


def test_the_page_of_the_faults_is_made_from_the_table() -> None:
    assert PAGE.read_text() == page(), "python -m benchmarks.campaigns.mutants ID of a fault makes it anew"


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
