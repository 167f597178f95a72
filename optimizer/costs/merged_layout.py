"""Monthly cost of the merged layout against the two tables: write units and storage. Pure.

A write is billed in units of 1 KB of the item, and again for each index whose entry it changes. The merged layout adds
some attributes to an item, so that some items need a unit more. How many, only the sizes of single items tell. Whoever
analyses may read none (docs/adr/0032): it estimates as if sizes were spread evenly up to twice the average that
DescribeTable counts, and bounds that by the least and the most that this average allows. The job that changes the
tables reads a sample before it begins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from domain.errors import ItemRefused, PriceMissing
from domain.indexes import INDEXES, MERGED, Index, merged_indexes
from domain.item_size import Item, item_size
from domain.list_prices import price_of
from optimizer.consolidate.mapping import Entity, merged
from optimizer.costs.copy_engine import (
    MILLION,
    READ_REQUESTS,
    WRITE_UNIT,
    WRITES,
    CopyLoad,
    units_by_threads,
)
from optimizer.model.decision import ChangeCost

STORAGE, RECOVERY = "DynamoDB storage", "DynamoDB point-in-time recovery"  # priced by the GB-month
GB = 10**9
KEY_BYTES, MOST_KEY_BYTES = 24, 40  # of a key's value, assumed: ids, addresses and times have 10 to 40
STEPS = 200  # sizes that are looked at between nothing and twice the average


@dataclass(frozen=True)
class HeldCopies:
    """DescribeTable's counts of a table or an index, updated about every six hours."""

    items: int
    size: int

    @property
    def average(self) -> float:
        """Bytes of one."""
        return self.size / self.items if self.items else 0.0


@dataclass(frozen=True)
class Growth:
    """Bytes, and write units for one write, afterwards for one today."""

    size: float = 1.0
    units: float = 1.0


@dataclass(frozen=True)
class LayoutUse:
    """One source: what it and its indexes hold, and consume a month, None where that was not measured."""

    table: str
    held: HeldCopies
    indexes: Mapping[str, HeldCopies]
    writes: float | None
    index_writes: Mapping[str, float]
    reads: float | None
    recovery: bool

    @property
    def stored(self) -> int:
        """Bytes of the items and of all entries."""
        return self.held.size + sum(each.size for each in self.indexes.values())


@dataclass(frozen=True)
class Recurring:
    """The monthly difference for both sources together. `kept_gb`: what the sources hold until they are retired."""

    writes: float | None  # units
    storage_gb: float
    recovery_gb: float
    kept_gb: float
    kept_recovery_gb: float


@dataclass(frozen=True)
class LayoutGrowth:
    """Growth of one source's items, and of the entries of each of its indexes that is kept."""

    item: Growth
    entries: Mapping[str, Growth]


Grow = Callable[[LayoutUse, Iterable[str]], LayoutGrowth]


def grown(average: float, added: float) -> Growth:
    """Growth of items of this average size when so many bytes are added to each."""
    if not average:
        return Growth()
    sizes = [2 * average * (step + 0.5) / STEPS for step in range(STEPS)]
    return Growth(1 + added / average, _growth((size, size + added) for size in sizes).units)


def least_grown(average: float, added: float) -> Growth:
    """The least: no item is so near to the next unit that it needs one more."""
    return replace(grown(average, added), units=1.0)


def most_grown(average: float, added: float) -> Growth:
    """The most: as many items as their average allows lie so near to the next unit that they need one more.

    Such an item has 1,024 bytes less `added` at least, and each 1,024 bytes of items are a unit already. So of items of
    400 bytes on average at most 40 % can need one more, and of items of 4,000 bytes at most one for each four units.
    """
    near = max(1.0, WRITE_UNIT - added)
    more = min(1.0, average / near, WRITE_UNIT / average) if average and added > 0 else 0.0
    return replace(grown(average, added), units=1.0 + more)


def by_averages(use: LayoutUse, kept: Iterable[str]) -> LayoutGrowth:
    """Growth estimated from DescribeTable's averages."""
    return _by_counts(use, set(kept), grown, KEY_BYTES)


def at_least(use: LayoutUse, kept: Iterable[str]) -> LayoutGrowth:
    """The least that DescribeTable's counts allow."""
    return _by_counts(use, set(kept), least_grown, KEY_BYTES)


def at_most(use: LayoutUse, kept: Iterable[str]) -> LayoutGrowth:
    """The most that DescribeTable's counts allow."""
    return _by_counts(use, set(kept), most_grown, MOST_KEY_BYTES)


def _by_counts(use: LayoutUse, kept: set[str], grow: Callable[[float, float], Growth], key: int) -> LayoutGrowth:
    added = added_to_item(use, kept, key)
    entries = {
        name: grow(held.average, added_to_entry(use, name, added, key))
        for name, held in use.indexes.items()
        if name in kept
    }
    return LayoutGrowth(grow(use.held.average, added), entries)


def by_sample(sample: Mapping[str, Sequence[Item]]) -> Grow:
    """By the sizes of these items of each source; where there is none, as far as DescribeTable tells."""

    def growth(use: LayoutUse, kept: Iterable[str]) -> LayoutGrowth:
        wanted = set(kept)
        pairs = [(item, made) for item in sample[use.table] if (made := _merged(use.table, item, wanted))]
        if not pairs:
            return by_averages(use, wanted)
        entries = {
            name: _growth((_entry_size(use.table, name, item), _entry_size(MERGED, name, made)) for item, made in pairs)
            for name in INDEXES[use.table].keys() & wanted
        }
        return LayoutGrowth(_growth((item_size(item), item_size(made)) for item, made in pairs), entries)

    return growth


def added_to_item(use: LayoutUse, kept: Iterable[str], key: int = KEY_BYTES) -> float:
    """Bytes that an average item gets: the entity in its sort key, and the keys of the indexes that it is in."""
    entries = sum(_keys(name, key) * use.indexes[name].items for name in kept if name in use.indexes)
    return len(f"{use.table}#") + (entries / use.held.items if use.held.items else 0.0)


def added_to_entry(use: LayoutUse, name: str, to_item: float, key: int = KEY_BYTES) -> float:
    """Bytes that an average entry of an index gets: all that the item gets, where it copies everything."""
    index = INDEXES.get(use.table, {}).get(name)
    return to_item if index is None or index.copies is None else len(f"{use.table}#") + _keys(name, key)


def recurring(uses: Iterable[LayoutUse], kept: Iterable[str], grow: Grow = by_averages) -> Recurring:
    """The monthly difference once both are one, in the indexes that are kept."""
    wanted = set(kept)
    writes: float | None = 0.0
    storage = recovery = kept_gb = kept_recovery = 0.0
    for use in uses:
        growth = grow(use, wanted)
        more = use.held.size * (growth.item.size - 1)
        storage += more
        recovery += more if use.recovery else 0.0
        kept_gb += use.stored
        kept_recovery += use.held.size if use.recovery else 0.0
        if writes is not None:
            writes = None if use.writes is None else writes + use.writes * (growth.item.units - 1)
        for name, held in use.indexes.items():
            entry = growth.entries.get(name, Growth()) if name in wanted else Growth(0.0, 0.0)
            storage += held.size * (entry.size - 1)
            if writes is not None:
                writes += use.index_writes.get(name, 0.0) * (entry.units - 1)
    return Recurring(writes, storage / GB, recovery / GB, kept_gb / GB, kept_recovery / GB)


def monthly_usd(difference: Recurring, region: str) -> Decimal | None:
    """The monthly difference, without the sources that stay for a while; None without a measure or a price."""
    if difference.writes is None:
        return None
    try:
        return _usd(region, writes=difference.writes, storage=difference.storage_gb, recovery=difference.recovery_gb)
    except PriceMissing:
        return None


def share_of_bill(difference: Recurring, uses: Iterable[LayoutUse], region: str) -> float | None:
    """The monthly difference in percent of what both tables cost a month; None without a measure or a price."""
    known = list(uses)
    more = monthly_usd(difference, region)
    if more is None or any(use.writes is None or use.reads is None for use in known):
        return None
    writes = sum((use.writes or 0.0) + sum(use.index_writes.values()) for use in known)
    reads = sum(use.reads or 0.0 for use in known)
    stored = sum(use.stored for use in known) / GB
    covered = sum(use.held.size for use in known if use.recovery) / GB
    bill = _usd(region, writes=writes, reads=reads, storage=stored, recovery=covered)
    return round(float(100 * more / bill), 1) if bill else 0.0 if more <= 0 else 100.0


def copy_costs(size: int, items: int, kept: Iterable[str], region: str) -> tuple[ChangeCost, ...]:
    """Cost of copying so many items, of so many bytes together, once."""
    writes, reads = units_by_threads(CopyLoad(size, items, len(merged_indexes(set(kept)))))
    return (
        ChangeCost("writes of the copy", "tables", WRITES, region, writes / 1e6),
        ChangeCost("reads of the copy and its proof", "tables", READ_REQUESTS, region, reads / 1e6),
    )


def monthly_costs(more: Recurring, region: str) -> tuple[ChangeCost, ...]:
    """Cost of the layout from then on."""

    def cost(name: str, item: str, quantity: float | None) -> ChangeCost:
        return ChangeCost(name, "tables", item, region, quantity, monthly=True)

    writes = None if more.writes is None else more.writes / 1e6
    return (
        cost("write units of larger items, less those of dropped indexes", WRITES, writes),
        cost("storage of larger items, less that of dropped indexes", STORAGE, more.storage_gb),
        cost("recovery of larger items", RECOVERY, more.recovery_gb),
        cost("storage of the sources, until a person retires them", STORAGE, more.kept_gb),
        cost("recovery of the sources, until a person retires them", RECOVERY, more.kept_recovery_gb),
    )


def _usd(
    region: str, *, writes: float = 0.0, reads: float = 0.0, storage: float = 0.0, recovery: float = 0.0
) -> Decimal:
    requests = Decimal(writes) * price_of(WRITES, region).usd + Decimal(reads) * price_of(READ_REQUESTS, region).usd
    held = Decimal(storage) * price_of(STORAGE, region).usd + Decimal(recovery) * price_of(RECOVERY, region).usd
    return requests / MILLION + held


def _merged(table: str, item: Item, kept: set[str]) -> Item | None:
    """The item as it lies in the merged table; None for one that cannot."""
    try:
        return merged(Entity(table), item, kept)
    except ItemRefused:
        return None


def _entry_size(table: str, name: str, item: Item) -> int:
    """Bytes of the item's entry in an index; none when it is not in it."""
    index = INDEXES[table][name]
    if index.partition_key not in item or index.sort_key not in item:
        return 0
    if index.copies is None:
        return item_size(item)
    copied = {"pk", "sk", index.partition_key, index.sort_key, *index.copies}
    return item_size({attribute: value for attribute, value in item.items() if attribute in copied})


def _growth(sizes: Iterable[tuple[float, float]]) -> Growth:
    """Growth of items by their sizes before and after; none for no items."""
    before, after = zip(*sizes, strict=True)
    today = sum(-(-size // WRITE_UNIT) for size in before)
    return (
        Growth(sum(after) / sum(before), sum(-(-size // WRITE_UNIT) for size in after) / today) if today else Growth()
    )


def _keys(name: str, key_bytes: int) -> float:
    """Bytes of the attributes that put an item into an index of the merged table; of one that it lacks, none."""
    index: Index | None = INDEXES[MERGED].get(name)
    own = [key for key in (index.partition_key, index.sort_key) if key != "pk"] if index else []
    return sum(len(key) + key_bytes for key in own)
