"""The tables' keys and indexes, the merged table's too, as CreateTable and ImportTable take them.

Synthesis declares the same (stages/tables.py), from the same definitions: once the next deployment has
imported the table, template and account agree.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypedDict

from domain.indexes import INDEXES, Index

if TYPE_CHECKING:
    from types_boto3_dynamodb.literals import KeyTypeType
    from types_boto3_dynamodb.type_defs import (
        AttributeDefinitionTypeDef,
        GlobalSecondaryIndexUnionTypeDef,
        KeySchemaElementTypeDef,
        ProjectionTypeDef,
    )


class TableShape(TypedDict):
    """The members that CreateTable and the TableCreationParameters of ImportTable have in common."""

    KeySchema: list[KeySchemaElementTypeDef]
    AttributeDefinitions: list[AttributeDefinitionTypeDef]
    GlobalSecondaryIndexes: list[GlobalSecondaryIndexUnionTypeDef]


def table_shape(table: str, names: Iterable[str]) -> TableShape:
    """A table with the indexes `names` of its own. All key attributes are strings."""
    indexes = {name: INDEXES[table][name] for name in names}
    keys = ["pk", "sk", *(key for index in indexes.values() for key in (index.partition_key, index.sort_key))]
    return {
        "KeySchema": _keys("pk", "sk"),
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in dict.fromkeys(keys)],
        "GlobalSecondaryIndexes": [
            {
                "IndexName": name,
                "KeySchema": _keys(index.partition_key, index.sort_key),
                "Projection": _projection(index),
            }
            for name, index in indexes.items()
        ],
    }


def _keys(partition: str, sort: str) -> list[KeySchemaElementTypeDef]:
    kinds: tuple[tuple[str, KeyTypeType], ...] = ((partition, "HASH"), (sort, "RANGE"))
    return [{"AttributeName": name, "KeyType": kind} for name, kind in kinds]


def _projection(index: Index) -> ProjectionTypeDef:
    if index.copies is None:
        return {"ProjectionType": "ALL"}
    return {"ProjectionType": "INCLUDE", "NonKeyAttributes": list(index.copies)}
