"""What is merged into what, and how fast: the values that every part of the consolidation works on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from domain.indexes import MERGED
from optimizer.consolidate.item_size import Item, Value
from optimizer.consolidate.mapping import MARK, Entity, merged, split, unmarked

Say = Callable[[str], None]

VERSION = f"{MARK}version"  # which stream record an item was written from: origin and version in one
GONE = f"{MARK}gone"  # a tombstone: the item was deleted while the copying had not yet come by
BEACON = f"{MARK}beacon"  # of an item that is there for a moment, to be seen in the stream
POINTER = "/tap/tables/"


@dataclass(frozen=True)
class Merge:
    """Which tables go where. `kept` names the sources' indexes that are still needed."""

    kept: tuple[str, ...]
    sources: tuple[Entity, ...] = tuple(Entity)
    target: str = MERGED

    @property
    def tables(self) -> tuple[str, ...]:
        return (*self.sources, self.target)

    def merged(self, entity: Entity, item: Item) -> dict[str, Value]:
        """An item of a source as it has to lie in the target, without marks."""
        return dict(merged(entity, unmarked(item), self.kept))

    def split(self, item: Item) -> tuple[Entity, dict[str, Value]]:
        """An item of the target as it has to lie in its source, without marks."""
        return split(item)


@dataclass(frozen=True)
class Speed:
    """How fast the copying may go. `units` a second: its share of what the target takes in writes."""

    units: float = 2_000.0
    segments: int = 8  # of each source
    workers: int = 8  # segments that are copied side by side
    page: int = 100  # items in one request, and in one checkpoint of a segment
    pointer_age: timedelta = timedelta(minutes=1)  # how long the application may remember a pointer


def key_of(item: Item) -> dict[str, Value]:
    return {"pk": item["pk"], "sk": item["sk"]}


def is_beacon(key: Item) -> bool:
    """Whether an item under this key is none of the application's, but a beacon of ours."""
    return str(key["pk"].get("S", "")).startswith(BEACON)


def told(key: Item) -> str:
    """A key as a person reads it."""
    return f"{key['pk'].get('S')}, {key['sk'].get('S')}"
