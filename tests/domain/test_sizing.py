"""The sizing file: absent is the design, an unreadable one stops synthesis with one line that says what to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from domain.sizing import Sizing, SizingRecord, UnreadableSizing, read_sizing


def record(**fleet: Any) -> dict[str, Any]:
    made = SizingRecord(revision=4, sizing=Sizing.AS_DESIGNED).model_dump(mode="json")
    made["sizing"]["fleet"] |= fleet
    return made


def tabled(**tables: list[str]) -> dict[str, Any]:
    made = record()
    made["sizing"]["tables"] |= {name: {"indexes": indexes, "stream": True} for name, indexes in tables.items()}
    return made


def test_no_file_is_the_design(tmp_path: Path) -> None:
    assert read_sizing(tmp_path / "sizing.json") == SizingRecord(revision=0, sizing=Sizing.AS_DESIGNED)


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "sizing.json"
    file.write_text(json.dumps(record(desired=13)))
    read = read_sizing(file)
    assert (read.revision, read.sizing.fleet.desired) == (4, 13)
    assert read.sizing.aurora == Sizing.AS_DESIGNED.aurora


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "Invalid JSON"),
        (b"\xff\xfe", "UnicodeDecodeError"),
        (b"{}", "revision: Field required, and 1 more"),
        (json.dumps(record(desired=99)).encode(), "sizing.fleet: minimum 12, desired 99, maximum 25 are out of order"),
        (json.dumps(record(colour="red")).encode(), "sizing.fleet.colour: Extra inputs are not permitted"),
        (json.dumps(tabled(orders=[])).encode(), "sizing.tables: orders is no table of the platform"),
        (json.dumps(tabled(users=["by-name", "by-email"])).encode(), "sizing.tables: users has no index by-name"),
    ],
    ids=["empty", "binary", "no fields", "out of order", "unknown field", "unknown table", "unknown index"],
)
def test_what_is_no_record_is_refused_in_one_line(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "sizing.json"
    file.write_bytes(content)
    with pytest.raises(UnreadableSizing) as refused:
        read_sizing(file)
    message = str(refused.value)
    assert said in message
    assert f"python -m optimizer sizing --out {file}" in message
    assert "\n" not in message


def test_a_folder_is_no_record(tmp_path: Path) -> None:
    with pytest.raises(UnreadableSizing, match="IsADirectoryError"):
        read_sizing(tmp_path)
