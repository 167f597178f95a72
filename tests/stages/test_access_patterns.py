"""docs/access-patterns.md and the tables agree on the indexes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from domain.indexes import INDEXES, MERGED
from domain.sizing import Sizing

DOCUMENT = (Path(__file__).parents[2] / "docs" / "access-patterns.md").read_text()


@pytest.mark.parametrize("table", sorted(INDEXES.keys() - {MERGED}))
def test_every_index_says_which_question_it_answers(table: str) -> None:
    section = DOCUMENT.split(f"## `{table}`")[1].split("\n## ")[0]
    rows = dict(re.findall(r"^\| .+? \| `(by-[a-z-]+)` \| (.+?) \|$", section, re.MULTILINE))
    assert rows.keys() == set(INDEXES[table]) == set(Sizing.AS_DESIGNED.tables[table].indexes)
    for name, condition in rows.items():
        assert INDEXES[table][name].partition_key in condition
