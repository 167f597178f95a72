"""An item of `tenants` or `users` as it lies in the merged table, and the way back; the table's layout. Pure, total.

Items are in DynamoDB's wire form, `{"pk": {"S": ...}, ...}`, and values go over untouched.

    sort key     <entity>#<sort key>: a query of one entity is a query by that prefix, and no two items can meet
    partition    as it was, so that a tenant with its users is one query
    indexes      tap_<x> and tap_<x>2 hold the key of one index, as it is in the source (domain/indexes.py);
                 only for indexes that are kept, and only where the item was in that index
    escaping     an attribute of the item's own that begins with `tap_` gets `tap_own_` in front

Both ways refuse, by ItemRefused, what the source refuses (a key of an index that is no string, empty or too long), what
would pass a limit of DynamoDB's once it is merged, and what is an item of neither table.
The Spark job maps by these same functions, so that nothing but the standard library is imported.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from enum import StrEnum
from typing import TYPE_CHECKING, TypedDict

from domain.errors import ItemRefused
from domain.indexes import INDEXES, MERGED, RESERVED, Index
from domain.item_size import MOST_BYTES, Item, Value, item_size

if TYPE_CHECKING:
    from types_boto3_dynamodb.literals import KeyTypeType
    from types_boto3_dynamodb.type_defs import (
        AttributeDefinitionTypeDef,
        GlobalSecondaryIndexUnionTypeDef,
        KeySchemaElementTypeDef,
        ProjectionTypeDef,
    )

OWN = RESERVED + "own_"
# What the layout adds to an item, whichever indexes are kept.
ADDED = {key for each in INDEXES[MERGED].values() for key in (each.partition_key, each.sort_key)} - {"pk"}

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
MOST_SORT_KEY = 1024
MOST_PARTITION_KEY = 2048


class Entity(StrEnum):
    """The entity of an item, named after the table that it comes from."""

    TENANTS = "tenants"
    USERS = "users"


def merged(entity: Entity, item: Item, kept: Collection[str]) -> Item:
    """`item` of the table `entity` as it lies in the merged table, in the indexes that are `kept`."""
    _check_index_keys(entity, item)
    made = {_escaped(name): value for name, value in item.items()}
    made |= merged_key(entity, item)
    for index in INDEXES[entity].keys() & set(kept):
        made |= _entry(entity, index, item)
    if (size := item_size(made)) > MOST_BYTES:
        raise ItemRefused(
            f"{_named(entity, item)} would have {size:,} bytes in {MERGED}, more than the {MOST_BYTES:,} of DynamoDB. "
            "Make it smaller, then go on."
        )
    return made


def split(item: Item) -> tuple[Entity, dict[str, Value]]:
    """The entity of a merged table's item, and the item as it lies in its source; the inverse of `merged`."""
    entity, key = split_key(item)
    own = {_unescaped(item, name): value for name, value in item.items() if name not in ADDED}
    _check_index_keys(entity, {**own, **key})
    return entity, own | dict(key)


def merged_key(entity: Entity, key: Item) -> Item:
    """The key in the merged table of what lies under `key` in `entity`: of a whole item, or to delete one."""
    sort = f"{entity}#{_string(key, 'sk')}"
    _check_key(entity, key, "sort key", sort, MOST_SORT_KEY)
    return {"pk": key["pk"], "sk": {"S": sort}}


def split_key(key: Item) -> tuple[Entity, Item]:
    """The inverse of `merged_key`."""
    name, _, sort = _string(key, "sk").partition("#")
    if not sort or name not in set(Entity):
        raise ItemRefused(
            f"the item {_string(key, 'pk')}, {_string(key, 'sk')} of {MERGED} is of no entity: its sort key "
            f"begins with none of {', '.join(f'{each}#' for each in Entity)}. Find out who wrote it."
        )
    return Entity(name), {"pk": key["pk"], "sk": {"S": sort}}


def _entry(entity: Entity, index: str, item: Item) -> Item:
    """The key attributes that put the item into the index of the merged table; none when it was not in `index`."""
    of, into = INDEXES[entity][index], INDEXES[MERGED][index]
    if of.partition_key not in item or of.sort_key not in item:  # an index leaves out what lacks its keys
        return {}
    entry = {into.partition_key: item[of.partition_key]}
    return entry if into.sort_key == "pk" else {**entry, into.sort_key: item[of.sort_key]}


def _escaped(name: str) -> str:
    return OWN + name if name.startswith(RESERVED) else name


def _unescaped(item: Item, name: str) -> str:
    """The inverse of `_escaped`. Raises ItemRefused for a name that it does not give: the attribute would be lost."""
    own = name.removeprefix(OWN)
    if _escaped(own) != name:
        raise ItemRefused(
            f"the item {_string(item, 'pk')}, {_string(item, 'sk')} of {MERGED} has {name}, which the layout does "
            f"not know: an attribute of its own that begins with {RESERVED} has {OWN} in front. Rename it, then go on."
        )
    return own


def _check_index_keys(entity: Entity, item: Item) -> None:
    """Refuse what the source refuses: an index takes no item whose key is no string, empty or too long.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.OnlineOps.ViolationDetection.html
    """
    for name, index in INDEXES[entity].items():
        for key, most in ((index.partition_key, MOST_PARTITION_KEY), (index.sort_key, MOST_SORT_KEY)):
            if key not in item or key == "pk":
                continue
            ((kind, held),) = item[key].items()
            wrong = f"of type {kind}" if kind != "S" else "empty" if not held else ""
            if kind == "S" and (size := len(held.encode())) > most:
                wrong = f"of {size:,} bytes, more than {most:,}"
            if wrong:
                raise ItemRefused(
                    f"{_named(entity, item)} has {key} {wrong}: it is a key of the index {name}, and {entity} takes "
                    "no such item. Give it a string, or take the attribute away, then go on."
                )


def _check_key(entity: Entity, item: Item, what: str, value: str, most: int) -> None:
    if (size := len(value.encode())) > most:
        raise ItemRefused(
            f"{_named(entity, item)} would have a {what} of {size:,} bytes in {MERGED}, more than the {most:,} of "
            "DynamoDB. Give it a shorter one, then go on."
        )


def _named(entity: Entity, item: Item) -> str:
    return f"the item {_string(item, 'pk')}, {_string(item, 'sk')} of {entity}"


def _string(item: Item, name: str) -> str:
    value: str = item[name]["S"]
    return value


class TableShape(TypedDict):
    """The members that CreateTable and the TableCreationParameters of ImportTable have in common."""

    KeySchema: list[KeySchemaElementTypeDef]
    AttributeDefinitions: list[AttributeDefinitionTypeDef]
    GlobalSecondaryIndexes: list[GlobalSecondaryIndexUnionTypeDef]


def table_shape(table: str, names: Iterable[str]) -> TableShape:
    """A table with the indexes `names` of its own. All key attributes are strings.

    Synthesis declares the same from the same definitions (stages/tables.py): once the next deployment has imported the
    merged table, template and account agree.
    """
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
