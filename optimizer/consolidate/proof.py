"""The proof before the cutover: every item on both sides, counted, hashed and compared.

The sources are written meanwhile, so an item may differ at the moment it is looked at. Such an item is
suspected, not wrong: it is read again on both sides after the changes were followed. What never
agrees is a difference, and is named.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from random import Random
from typing import Any

from optimizer.aws import Aws
from optimizer.consolidate.item_size import Item
from optimizer.consolidate.mapping import Entity, merged_key, split_key, unmarked
from optimizer.consolidate.merge import GONE, Merge, is_beacon, key_of
from optimizer.consolidate.writes import unbury, write_all
from optimizer.errors import MoveFailed

MOST_KEYS = 100  # of one BatchGetItem
MOST_SUSPECTS = 10_000  # more cannot be writes on their way
SHOWN = 10
MODULUS = 2**128

Key = tuple[str, str]
Agree = Callable[[Merge, Entity, Item | None, Item | None], bool]
"""Whether a source's item and the target's are the same; None where there is none."""


@dataclass
class Tally:
    """What one side holds of an entity. The sum of the items' hashes does not depend on their order."""

    items: int = 0
    total: int = 0

    def add(self, item: Item) -> None:
        self.items += 1
        self.total = (self.total + content_hash(item)) % MODULUS

    def __str__(self) -> str:
        return f"{self.items} items, hash {self.total:032x}"


@dataclass
class Comparison:
    """One look at everything: tallies by entity and side, and the source keys that did not agree."""

    sources: dict[Entity, Tally] = field(default_factory=dict)
    target: dict[Entity, Tally] = field(default_factory=dict)
    suspects: set[tuple[Entity, Key]] = field(default_factory=set)

    @property
    def agrees(self) -> bool:
        return not self.suspects and self.sources == self.target

    def suspect(self, entity: Entity, key: Item) -> None:
        self.suspects.add((entity, (key["pk"]["S"], key["sk"]["S"])))
        if len(self.suspects) > MOST_SUSPECTS:
            raise MoveFailed(
                f"More than {MOST_SUSPECTS} items differ, {_named(self.suspects)} among them. "
                "Roll the phase back; the sources are untouched."
            )


def content_hash(item: Item) -> int:
    """Of the item's data, however its attributes and sets are ordered, without the copying's marks."""
    plain = json.dumps(_plain({"M": unmarked(item)}), sort_keys=True, separators=(",", ":"))
    return int.from_bytes(hashlib.blake2b(plain.encode(), digest_size=16).digest())


def compare(aws: Aws, merge: Merge, page: int) -> Comparison:
    """Both sides, read whole. The copying has ended: its tombstones are taken away on the way."""
    found = Comparison(
        {each: Tally() for each in merge.sources},
        {each: Tally() for each in merge.sources},
    )
    for entity in merge.sources:
        for items in _pages(aws, entity, page):
            wanted = [merge.merged(entity, item) for item in items]
            held = _read(aws, merge.target, [key_of(each) for each in wanted])
            for item, target in zip(items, wanted, strict=True):
                found.sources[entity].add(target)
                if not as_copied(merge, entity, item, held.get(_key(target))):
                    found.suspect(entity, item)
    for items in _pages(aws, merge.target, page):
        write_all(aws, (unbury(merge.target, item) for item in items if GONE in item))
        for entity, keys in _by_entity(merge, found, items).items():
            there = _read(aws, entity, keys)
            for key in keys:
                if _key(key) not in there:
                    found.suspect(entity, key)
    return found


def still_different(
    aws: Aws, merge: Merge, suspects: Iterable[tuple[Entity, Key]], agree: Agree | None = None
) -> set[tuple[Entity, Key]]:
    """Of these, the ones that do not agree now either: as `as_copied` says, if not otherwise."""
    agree = agree or as_copied
    different: set[tuple[Entity, Key]] = set()
    for entity, group in groupby(sorted(suspects), key=lambda each: each[0]):
        keys = [{"pk": {"S": pk}, "sk": {"S": sk}} for _, (pk, sk) in group]
        sources = _read(aws, entity, keys)
        targets = _read(aws, merge.target, [merged_key(entity, key) for key in keys])
        for key in keys:
            source, target = sources.get(_key(key)), targets.get(_key(merged_key(entity, key)))
            if not agree(merge, entity, source, target):
                different.add((entity, _key(key)))
    return different


def sampled(aws: Aws, merge: Merge, count: int, random: Random, agree: Agree | None = None) -> set[tuple[Entity, Key]]:
    """A shadow read: so many items of each table read on both sides as the application would; those that differ.

    They are read from a place in the table that chance chooses.
    """
    different: set[tuple[Entity, Key]] = set()
    for table in merge.tables:
        segments = 16
        left = count
        for segment in random.sample(range(segments), segments):
            if left <= 0:
                break
            items = aws.dynamodb.scan(
                TableName=table, TotalSegments=segments, Segment=segment, Limit=left, ConsistentRead=True
            )["Items"]
            left -= len(items)
            keys = {_source_key(table, item) for item in items if not is_beacon(item)}
            different |= still_different(aws, merge, keys, agree)
    return different


def _source_key(table: str, item: Item) -> tuple[Entity, Key]:
    """Of an item of any of the tables, what it is and its key in its source."""
    entity, key = (Entity(table), item) if table in tuple(Entity) else split_key(key_of(item))
    return entity, _key(key)


def refuse_difference(different: Iterable[tuple[Entity, Key]], when: str, used: str = "the sources") -> None:
    """Raises MoveFailed that names the items. `used`: what the application reads and writes at that time."""
    keys = sorted(different)
    if keys:
        raise MoveFailed(
            f"{len(keys)} items differ between sources and target {when}: {_named(keys)}. "
            f"The application still reads and writes {used}. Find out why; then run this again, or roll back."
        )


def _named(keys: Iterable[tuple[Entity, Key]]) -> str:
    shown = sorted(keys)
    more = f" and {len(shown) - SHOWN} more" if len(shown) > SHOWN else ""
    return "; ".join(f"{entity} {', '.join(key)}" for entity, key in shown[:SHOWN]) + more


def as_copied(merge: Merge, entity: Entity, source: Item | None, target: Item | None) -> bool:
    """Whether the target holds the source's item, found by every kept index."""
    gone = target is None or GONE in target
    if source is None or target is None or gone:
        return source is None and gone
    return content_hash(merge.merged(entity, source)) == content_hash(target)


def as_returned(merge: Merge, entity: Entity, source: Item | None, target: Item | None) -> bool:  # noqa: ARG001 -- as Agree has it
    """Whether the source holds the target's item. By which indexes the target finds what the application wrote
    there is the application's own."""
    gone = target is None or GONE in target
    if source is None or target is None or gone:
        return source is None and gone
    return content_hash(source) == content_hash(merge.split(unmarked(target))[1])


def _by_entity(merge: Merge, found: Comparison, items: Iterable[Item]) -> Mapping[Entity, list[Item]]:
    """The source keys of what the target holds; counted on the way."""
    keys: dict[Entity, list[Item]] = {}
    for item in items:
        if GONE in item:
            continue
        entity, own = merge.split(item)
        found.target[entity].add(item)
        keys.setdefault(entity, []).append(key_of(own))
    return keys


def _pages(aws: Aws, table: str, page: int) -> Iterator[Sequence[Item]]:
    pages = aws.dynamodb.get_paginator("scan").paginate(
        TableName=table, PaginationConfig={"PageSize": page}, ConsistentRead=True
    )
    for each in pages:
        yield [item for item in each["Items"] if not is_beacon(item)]


def _read(aws: Aws, table: str, keys: Sequence[Item]) -> dict[Key, Item]:
    """The items under these keys; what AWS leaves unprocessed is asked for again."""
    found: dict[Key, Item] = {}
    for start in range(0, len(keys), MOST_KEYS):
        asked: Any = {table: {"Keys": list(keys[start : start + MOST_KEYS]), "ConsistentRead": True}}
        wait = 0.1
        while asked:
            answer = aws.dynamodb.batch_get_item(RequestItems=asked)
            found |= {_key(item): item for item in answer["Responses"].get(table, [])}
            asked = answer.get("UnprocessedKeys")
            if asked:
                aws.clock.sleep(wait)
                wait = min(2 * wait, 20.0)
    return found


def _key(item: Item) -> Key:
    return item["pk"]["S"], item["sk"]["S"]


def _plain(value: Mapping[str, Any]) -> Any:
    """A value in wire form as JSON: sets sorted, bytes as their hex."""
    ((kind, held),) = value.items()
    match kind:
        case "M":
            return {kind: {name: _plain(each) for name, each in held.items()}}
        case "L":
            return {kind: [_plain(each) for each in held]}
        case "B":
            return {kind: bytes(held).hex()}
        case "BS":
            return {kind: sorted(bytes(each).hex() for each in held)}
        case "SS" | "NS":
            return {kind: sorted(held)}
    return {kind: held}
