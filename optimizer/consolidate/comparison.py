"""Both sides read whole, in segments side by side: counted, hashed, and item by item held against each other.

There is no checkpoint: the suspects of ten thousand items do not fit into a note, and what was compared before a crash
may have changed since, so that it would have to be looked at again. It costs two reads of everything, and no writes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from domain.errors import MoveFailed
from optimizer.consolidate.item_size import Item
from optimizer.consolidate.mapping import Entity, unmarked
from optimizer.consolidate.merge import GONE, Merge, Speed, key_of
from optimizer.consolidate.parallel import Spread, side_by_side
from optimizer.consolidate.scan import scan_page
from optimizer.consolidate.writes import unbury, write_all
from optimizer.ports.aws import Aws

MOST_KEYS = 100  # of one BatchGetItem
MOST_SUSPECTS = 10_000  # more cannot be writes on their way
SHOWN = 10
MODULUS = 2**128

Key = tuple[str, str]


@dataclass
class Tally:
    """What one side holds of an entity. The sum of the items' hashes does not depend on their order."""

    items: int = 0
    total: int = 0

    def add(self, item: Item) -> None:
        self.take(Tally(1, content_hash(item)))

    def take(self, other: Tally) -> None:
        self.items += other.items
        self.total = (self.total + other.total) % MODULUS

    def __str__(self) -> str:
        return f"{self.items} items, hash {self.total:032x}"


@dataclass
class Comparison:
    """One look at everything, or at a page: tallies by entity and side, and the source keys that did not agree."""

    sources: dict[Entity, Tally] = field(default_factory=lambda: {each: Tally() for each in Entity})
    target: dict[Entity, Tally] = field(default_factory=lambda: {each: Tally() for each in Entity})
    suspects: set[tuple[Entity, Key]] = field(default_factory=set)

    @property
    def agrees(self) -> bool:
        """Both hold the same; whatever was written while it was looked at makes a difference."""
        return not self.suspects and self.sources == self.target

    def suspect(self, entity: Entity, key: Item) -> None:
        self.suspects.add((entity, plain_key(key)))

    def take(self, page: Comparison) -> None:
        """Add what was found on a page."""
        for own, others in ((self.sources, page.sources), (self.target, page.target)):
            for entity, tally in others.items():
                own[entity].take(tally)
        self.suspects |= page.suspects
        if len(self.suspects) > MOST_SUSPECTS:
            raise MoveFailed(
                f"More than {MOST_SUSPECTS} items differ, {named(self.suspects)} among them. "
                "Roll the phase back; the sources are untouched."
            )


@dataclass(frozen=True)
class _Part:
    """A segment of one table, from a key on."""

    table: str
    number: int
    of: int
    after: Mapping[str, Any] | None = None


def compare(aws: Aws, merge: Merge, speed: Speed, between: Callable[[], object]) -> Comparison:
    """Both sides, read whole; `between` is called after a page of each segment.

    The copying has ended: its tombstones are taken away on the way.
    """
    found = Comparison()
    with side_by_side(speed.workers) as spread:
        for tables in (merge.sources, (merge.target,)):
            parts = [_Part(table, number, speed.segments) for table in tables for number in range(speed.segments)]
            for page in _pages(aws, merge, parts, speed.page, spread, between):
                found.take(page)
    return found


def _pages(
    aws: Aws, merge: Merge, parts: Sequence[_Part], page: int, spread: Spread, between: Callable[[], object]
) -> Iterator[Comparison]:
    """What each page shows, a round of all segments after the other."""

    def look(part: _Part) -> tuple[Comparison, _Part | None]:
        items, after = _page(aws, part, page)
        if part.table == merge.target:
            return _of_target(aws, merge, items), after
        return _of_source(aws, merge, Entity(part.table), items), after

    while parts:
        looks = list(spread(look, parts))
        yield from (shown for shown, _ in looks)
        parts = [after for _, after in looks if after is not None]
        between()


def _page(aws: Aws, part: _Part, page: int) -> tuple[list[Item], _Part | None]:
    """A page of a segment, and where the segment goes on."""
    items, last = scan_page(aws, part.table, (part.number, part.of), part.after, page, consistent=True)
    return items, replace(part, after=last) if last else None


def _of_source(aws: Aws, merge: Merge, entity: Entity, items: Iterable[Item]) -> Comparison:
    """Whether the target holds these items of a source as they have to lie there."""
    found = Comparison()
    wanted = [(item, merge.merged(entity, item)) for item in items]
    held = read_items(aws, merge.target, [key_of(each) for _, each in wanted])
    for item, target in wanted:
        found.sources[entity].add(target)
        if not as_copied(merge, entity, item, held.get(plain_key(target))):
            found.suspect(entity, item)
    return found


def _of_target(aws: Aws, merge: Merge, items: Sequence[Item]) -> Comparison:
    """Whether the sources have an item for each of these of the target."""
    found = Comparison()
    write_all(aws, (unbury(merge.target, item) for item in items if GONE in item))
    keys: dict[Entity, list[Item]] = {}
    for item in items:
        if GONE not in item:
            entity, own = merge.split(item)
            found.target[entity].add(item)
            keys.setdefault(entity, []).append(key_of(own))
    for entity, wanted in keys.items():
        there = read_items(aws, entity, wanted)
        for key in wanted:
            if plain_key(key) not in there:
                found.suspect(entity, key)
    return found


def as_copied(merge: Merge, entity: Entity, source: Item | None, target: Item | None) -> bool:
    """Whether the target holds the source's item, found by every kept index."""
    gone = target is None or GONE in target
    if source is None or target is None or gone:
        return source is None and gone
    return content_hash(merge.merged(entity, source)) == content_hash(target)


def read_items(aws: Aws, table: str, keys: Sequence[Item]) -> dict[Key, Item]:
    """The items under these keys; what AWS leaves unprocessed is asked for again."""
    found: dict[Key, Item] = {}
    for start in range(0, len(keys), MOST_KEYS):
        asked: Any = {table: {"Keys": list(keys[start : start + MOST_KEYS]), "ConsistentRead": True}}
        wait = 0.1
        while asked:
            answer = aws.dynamodb.batch_get_item(RequestItems=asked)
            found |= {plain_key(item): item for item in answer["Responses"].get(table, [])}
            asked = answer.get("UnprocessedKeys")
            if asked:
                aws.clock.sleep(wait)
                wait = min(2 * wait, 20.0)
    return found


def named(keys: Iterable[tuple[Entity, Key]]) -> str:
    """The first of them, as a person reads them."""
    shown = sorted(keys)
    more = f" and {len(shown) - SHOWN} more" if len(shown) > SHOWN else ""
    return "; ".join(f"{entity} {', '.join(key)}" for entity, key in shown[:SHOWN]) + more


def content_hash(item: Item) -> int:
    """Of the item's data, however its attributes and sets are ordered, without the copying's marks."""
    plain = json.dumps(_plain({"M": unmarked(item)}), sort_keys=True, separators=(",", ":"))
    return int.from_bytes(hashlib.blake2b(plain.encode(), digest_size=16).digest())


def plain_key(item: Item) -> Key:
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
