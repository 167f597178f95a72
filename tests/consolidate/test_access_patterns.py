"""Every question that the two tables answered, the merged table answers: in one request, with the same items.

The questions and both ways to ask them are read from docs/access-patterns.md, so that the document is what is tested.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from domain.indexes import INDEXES, MERGED, merged_indexes
from emulator.account import EmulatedAccount
from optimizer.consolidate.mapping import Entity, merged, split, table_shape
from optimizer.ports.aws import Aws
from tests.consolidate.made_platform import platform

PRODUCTION, REGION = "222222222222", "us-east-1"
DOCUMENT = Path(__file__).parents[2] / "docs" / "access-patterns.md"
TABLE = DOCUMENT.read_text().split("| question | before | after |")[1]
ROW = re.compile(r"^\| ([^|`]+?) \| (`.+?) \| (`.+?) \|$", re.MULTILINE)
ALL = [index for entity in Entity for index in INDEXES[entity]]
# What the letters in the conditions stand for. A domain reads as an address does and a plan as a Region: nothing but
# the index keeps them apart.
LETTERS = {"t": "t1", "u": "u1", "d": "same", "e": "same", "p": "same", "s": "suspended", "r": "same", "i": "same"}
LETTERS["then"] = "2026-06-01T00:00:00Z"


@dataclass(frozen=True)
class Asked:
    """One query: where, and under which condition."""

    table: str
    index: str | None
    conditions: tuple[tuple[str, str, str], ...]  # attribute, operator, value
    backwards: bool


def asked(cell: str, table: str) -> Asked:
    """A cell of the document: a table or an index, where it names one, and conditions. `table`: it is of that one."""
    first, *others = re.findall(r"`([^`]+)`", cell)
    conditions = [first, *others] if " " in first else others
    index = first if first.startswith("by-") else None
    named = [each for each in INDEXES if first == each or first in INDEXES[each]]
    return Asked(table or named[0], index, tuple(map(condition, conditions)), cell.endswith("backwards"))


def condition(text: str) -> tuple[str, str, str]:
    value = re.compile("|".join(rf"\b{letter}\b" for letter in LETTERS))
    if begins := re.fullmatch(r"begins_with\((\w+), (.+)\)", text):
        attribute, operator, operand = begins[1], "begins_with", begins[2]
    else:
        attribute, operator, operand = text.split(" ")
    return attribute, operator, value.sub(lambda letter: LETTERS[letter[0]], operand)


def answer(aws: Aws, asked: Asked) -> list[dict[str, Any]]:
    """The items of one request."""
    terms = {"begins_with": "begins_with(#{0}, :{0})"}
    expression = " AND ".join(
        terms.get(operator, "#{0} " + operator + " :{0}").format(n)
        for n, (_, operator, _) in enumerate(asked.conditions)
    )
    shown = aws.dynamodb.query(
        TableName=asked.table,
        KeyConditionExpression=expression,
        ExpressionAttributeNames={f"#{n}": name for n, (name, _, _) in enumerate(asked.conditions)},
        ExpressionAttributeValues={f":{n}": {"S": value} for n, (_, _, value) in enumerate(asked.conditions)},
        ScanIndexForward=not asked.backwards,
        **({"IndexName": asked.index} if asked.index else {}),  # type: ignore[arg-type]
    )
    assert "LastEvaluatedKey" not in shown
    return shown["Items"]


@pytest.fixture(scope="module")
def tables() -> Iterator[Aws]:
    """Both sources and the merged table, with the same items."""
    with EmulatedAccount(start=datetime(2027, 3, 1, tzinfo=UTC), tooling="111111111111", production=PRODUCTION) as made:
        aws = Aws(made.session(PRODUCTION, REGION), PRODUCTION, REGION, made.clock)
        for name, indexes in {**{each: INDEXES[each] for each in Entity}, MERGED: merged_indexes(ALL)}.items():
            aws.dynamodb.create_table(TableName=name, BillingMode="PAY_PER_REQUEST", **table_shape(name, indexes))
        for entity, item in platform():
            aws.dynamodb.put_item(TableName=entity, Item=item)
            aws.dynamodb.put_item(TableName=MERGED, Item=merged(entity, item, ALL))
        yield aws


ROWS = {question: (asked(before, ""), asked(after, MERGED)) for question, before, after in ROW.findall(TABLE)}


@pytest.mark.parametrize("question", ROWS)
def test_the_merged_table_gives_the_same_items_in_one_request(tables: Aws, question: str) -> None:
    before, after = ROWS[question]
    found = answer(tables, before)
    again = [split(item) for item in answer(tables, after)]
    assert found, "a question that finds nothing compares nothing"
    assert {entity for entity, _ in again} == {before.table}
    assert [item for _, item in again] == found


def test_every_way_to_ask_has_a_row() -> None:
    before = {(asked.table, asked.index) for asked, _ in ROWS.values()}
    assert before == {(entity, index) for entity in Entity for index in (None, *INDEXES[entity])}
    assert {asked.index for _, asked in ROWS.values()} == {None, *INDEXES[MERGED]}


def test_a_tenant_with_its_users_is_one_query(tables: Aws) -> None:
    (cells,) = re.findall(r"^\| a tenant with its users \| two queries \| (.+?) \|$", TABLE, re.MULTILINE)
    found = [split(item) for item in answer(tables, asked(cells, MERGED))]
    whose = [each for each in platform() if each[1]["pk"]["S"] == "TENANT#t1"]
    assert sorted(found, key=repr) == sorted(whose, key=repr)


def test_an_index_that_was_not_kept_is_not_entered(tables: Aws) -> None:
    """It holds the items of its source only."""
    tables.dynamodb.create_table(
        TableName="kept-in-part", BillingMode="PAY_PER_REQUEST", **table_shape(MERGED, merged_indexes({"by-email"}))
    )
    for entity, item in itertools.islice(platform(), 7):
        tables.dynamodb.put_item(TableName="kept-in-part", Item=merged(entity, item, {"by-email"}))
    shown = tables.dynamodb.scan(TableName="kept-in-part", IndexName="by-email")
    assert {split(item)[0] for item in shown["Items"]} == {Entity.USERS}
