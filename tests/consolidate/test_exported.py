"""Lines of exports: DynamoDB's lines are read, and our lines can be read by it."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given

from examples.spark.export_format import merged_line, read_line, write_line
from optimizer.consolidate.mapping import Entity, merged
from tests.consolidate.items import ENTITY, KEPT, items

# From the Developer Guide's page on the export format, with the types that it does not show.
LINE = (
    '{"Item":{"pk":{"S":"TENANT#t"},"sk":{"S":"PROFILE"},"Binary":{"B":"dGhpcyB0ZXh0"},"Number":{"N":"-1.5"},'
    '"Binaries":{"BS":["U3Vubnk=","UmFpbnk="]},"Nested":{"L":[{"M":{"b":{"B":"AA=="}}},{"NULL":true}]}}}'
)


def test_a_line_of_an_export_is_read() -> None:
    item = read_line(LINE)
    assert item["Binary"] == {"B": b"this text"}
    assert item["Binaries"] == {"BS": [b"Sunny", b"Rainy"]}
    assert item["Nested"] == {"L": [{"M": {"b": {"B": b"\0"}}}, {"NULL": True}]}
    assert json.loads(write_line(item)) == json.loads(LINE)


@given(items())
def test_every_item_goes_through_a_line(item: dict[str, Any]) -> None:
    line = write_line(item)
    assert read_line(line) == item
    assert not {"\n", "\r"} & set(line)


@given(ENTITY, items(), KEPT)
def test_a_merged_line_is_the_merged_item(entity: Entity, item: dict[str, Any], kept: frozenset[str]) -> None:
    assert read_line(merged_line(entity, kept, write_line(item))) == merged(entity, item, kept)
