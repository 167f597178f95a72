"""The values that every part of a consolidation works on: sources and target, direction, and speed."""

from __future__ import annotations

from dataclasses import dataclass

from domain.indexes import MERGED
from domain.item_size import Item, Value
from optimizer.consolidate.mapping import Entity, merged, merged_key, split, split_key
from optimizer.resources.tables.items import Address, Scans


@dataclass(frozen=True)
class Merge:
    """Which tables go where. `kept` names the sources' indexes that are still needed."""

    kept: tuple[str, ...]
    sources: tuple[Entity, ...] = tuple(Entity)
    target: str = MERGED

    @property
    def there(self) -> Direction:
        """From the sources to the merged table."""
        return Direction(self, back=False)

    @property
    def back(self) -> Direction:
        """From the merged table to the sources."""
        return Direction(self, back=True)


@dataclass(frozen=True)
class Direction:
    """From the side that the application writes, which leads, to the side that is made equal to it, which follows."""

    merge: Merge
    back: bool

    @property
    def leading(self) -> tuple[str, ...]:
        return (self.merge.target,) if self.back else tuple(map(str, self.merge.sources))

    @property
    def following(self) -> tuple[str, ...]:
        return tuple(map(str, self.merge.sources)) if self.back else (self.merge.target,)

    def follower(self, leader: Address) -> Address:
        """The place on the other side of an item of the leading side. Raises ItemRefused where it cannot lie there."""
        return self._to_source(leader) if self.back else self._to_target(leader)

    def leader(self, follower: Address) -> Address:
        """The inverse of `follower`."""
        return self._to_target(follower) if self.back else self._to_source(follower)

    def mapped(self, leader: Address, item: Item) -> dict[str, Value]:
        """An item of the leading side as it has to lie on the other side. Raises ItemRefused where it cannot."""
        if self.back:
            return split(item)[1]
        return dict(merged(Entity(leader.table), item, self.merge.kept))

    def entity(self, leader: Address) -> str:
        """The entity of an item, by the source that it belongs to. Raises ItemRefused for an item of none."""
        return self.follower(leader).table if self.back else leader.table

    def _to_target(self, source: Address) -> Address:
        return Address.of(self.merge.target, merged_key(Entity(source.table), source.key))

    def _to_source(self, target: Address) -> Address:
        entity, key = split_key(target.key)
        return Address.of(entity, key)


@dataclass(frozen=True)
class Speed(Scans):
    """The limit of the copy's speed. `units` a second: its share of what the target takes in writes."""

    units: float = 2_000.0
