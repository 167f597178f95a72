"""What the merged layout costs from month to month, against the two tables: write units and storage. Pure.

A write is billed in units of 1 KB of the item, and again for each index whose entry it changes. The merged layout adds
some attributes to an item, so that some items need a unit more. By how much is estimated from a sample of items; how
often they are written was measured. What was sampled is kept as sums: no item leaves the account.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from domain.errors import ItemRefused, PriceMissing
from domain.indexes import INDEXES, MERGED, Index
from domain.list_prices import price_of
from optimizer.consolidate.copy_engine import MILLION, READ_REQUESTS, WRITE_UNIT, WRITES
from optimizer.consolidate.item_size import Item, item_size
from optimizer.consolidate.mapping import Entity, merged

STORAGE, RECOVERY = "DynamoDB storage", "DynamoDB point-in-time recovery"  # priced by the GB-month
GB = 10**9


@dataclass(frozen=True)
class Size:
    """Bytes and write units of so many items or index entries together, today and in the merged table."""

    count: int = 0
    today: int = 0
    after: int = 0
    units_today: int = 0
    units_after: int = 0

    def plus(self, today: Item, after: Item) -> Size:
        sizes = item_size(today), item_size(after)
        units = (-(-size // WRITE_UNIT) for size in sizes)
        return Size(
            self.count + 1,
            self.today + sizes[0],
            self.after + sizes[1],
            self.units_today + next(units),
            self.units_after + next(units),
        )

    @property
    def growth(self) -> float:
        """Bytes afterwards for one today."""
        return self.after / self.today if self.today else 1.0

    @property
    def units_growth(self) -> float:
        """Write units afterwards for one today."""
        return self.units_after / self.units_today if self.units_today else 1.0


@dataclass(frozen=True)
class Sample:
    """Sizes of some items of one source, and of their entries by index."""

    items: Size = Size()
    entries: Mapping[str, Size] = field(default_factory=dict)


@dataclass(frozen=True)
class Use:
    """One source: bytes of items and of each index, and what it consumes a month, None where it was not measured."""

    size: int
    index_sizes: Mapping[str, int]
    writes: float | None
    index_writes: Mapping[str, float]
    reads: float | None
    recovery: bool
    sample: Sample


@dataclass(frozen=True)
class Recurring:
    """The monthly difference for both sources together. `kept_gb`: what the sources hold until they are retired."""

    writes: float | None  # units
    storage_gb: float
    recovery_gb: float
    kept_gb: float
    kept_recovery_gb: float


def sample_of(entity: Entity, items: Iterable[Item]) -> Sample:
    """The sizes of these items of a source, as if each of its indexes were kept."""
    whole, entries = Size(), {name: Size() for name in INDEXES[entity]}
    for item in items:
        try:
            after = merged(entity, item, INDEXES[entity])
        except ItemRefused:
            continue  # it is named when it is copied
        whole = whole.plus(item, after)
        for name, index in INDEXES[entity].items():
            if index.partition_key in item and index.sort_key in item:
                into = INDEXES[MERGED][name]
                entries[name] = entries[name].plus(_entry(index, item), _entry(into, after))
    return Sample(whole, entries)


def recurring(uses: Iterable[Use], kept: Iterable[str]) -> Recurring:
    """What changes from month to month once both are one, in the indexes that are kept."""
    wanted = set(kept)
    writes: float | None = 0.0
    storage = recovery = kept_gb = kept_recovery = 0.0
    for use in uses:
        grown = use.size * (use.sample.items.growth - 1)
        storage += grown
        recovery += grown if use.recovery else 0.0
        kept_gb += use.size + sum(use.index_sizes.values())
        kept_recovery += use.size if use.recovery else 0.0
        if writes is not None:
            writes = None if use.writes is None else writes + use.writes * (use.sample.items.units_growth - 1)
        for name, size in use.index_sizes.items():
            entry = use.sample.entries.get(name, Size())
            storage += size * (entry.growth - 1 if name in wanted else -1)
            if writes is not None:
                units = use.index_writes.get(name, 0.0)
                writes += units * (entry.units_growth - 1 if name in wanted else -1)
    return Recurring(writes, storage / GB, recovery / GB, kept_gb / GB, kept_recovery / GB)


def share_of_bill(found: Recurring, uses: Iterable[Use], region: str) -> float | None:
    """The monthly difference in percent of what both tables cost a month; None without a measure or a price."""
    known = list(uses)
    if found.writes is None or any(use.writes is None or use.reads is None for use in known):
        return None
    writes = sum((use.writes or 0.0) + sum(use.index_writes.values()) for use in known)
    reads = sum(use.reads or 0.0 for use in known)
    stored = sum(use.size + sum(use.index_sizes.values()) for use in known) / GB
    covered = sum(use.size for use in known if use.recovery) / GB
    try:
        bill = _usd(region, writes=writes, reads=reads, storage=stored, recovery=covered)
        more = _usd(region, writes=found.writes, storage=found.storage_gb, recovery=found.recovery_gb)
    except PriceMissing:
        return None
    return round(float(100 * more / bill), 1) if bill else 0.0 if more <= 0 else 100.0


def _usd(
    region: str, *, writes: float = 0.0, reads: float = 0.0, storage: float = 0.0, recovery: float = 0.0
) -> Decimal:
    requests = Decimal(writes) * price_of(WRITES, region).usd + Decimal(reads) * price_of(READ_REQUESTS, region).usd
    held = Decimal(storage) * price_of(STORAGE, region).usd + Decimal(recovery) * price_of(RECOVERY, region).usd
    return requests / MILLION + held


def _entry(index: Index, item: Item) -> Item:
    """What an index holds of an item that is in it."""
    if index.copies is None:
        return item
    names = {"pk", "sk", index.partition_key, index.sort_key, *index.copies}
    return {name: value for name, value in item.items() if name in names}
