"""The proof before the cutover: every item on both sides, counted, hashed and compared.

The sources are written meanwhile, so an item may differ at the moment it is looked at. Such an item is
suspected, not wrong: it is read again on both sides after the changes were followed. What never
agrees is a difference, and is named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import groupby
from random import Random

from domain.errors import MoveFailed
from optimizer.consolidate.comparison import Comparison, Key, as_copied, content_hash, named, plain_key, read_items
from optimizer.consolidate.item_size import Item
from optimizer.consolidate.mapping import Entity, merged_key, split_key, unmarked
from optimizer.consolidate.merge import GONE, Merge, key_of
from optimizer.consolidate.scan import scan_page
from optimizer.ports.aws import Aws

Agree = Callable[[Merge, Entity, Item | None, Item | None], bool]
"""Whether a source's item and the target's are the same; None where there is none."""


def still_different(
    aws: Aws, merge: Merge, suspects: Iterable[tuple[Entity, Key]], agree: Agree | None = None
) -> set[tuple[Entity, Key]]:
    """Of these, the ones that do not agree now either: as `as_copied` says, if not otherwise."""
    agree = agree or as_copied
    different: set[tuple[Entity, Key]] = set()
    for entity, group in groupby(sorted(suspects), key=lambda each: each[0]):
        keys = [{"pk": {"S": pk}, "sk": {"S": sk}} for _, (pk, sk) in group]
        sources = read_items(aws, entity, keys)
        targets = read_items(aws, merge.target, [merged_key(entity, key) for key in keys])
        for key in keys:
            source, target = sources.get(plain_key(key)), targets.get(plain_key(merged_key(entity, key)))
            if not agree(merge, entity, source, target):
                different.add((entity, plain_key(key)))
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
            items, _ = scan_page(aws, table, (segment, segments), None, left, consistent=True)
            left -= len(items)
            keys = {_source_key(table, item) for item in items}
            different |= still_different(aws, merge, keys, agree)
    return different


def _source_key(table: str, item: Item) -> tuple[Entity, Key]:
    """Of an item of any of the tables, what it is and its key in its source."""
    entity, key = (Entity(table), item) if table in tuple(Entity) else split_key(key_of(item))
    return entity, plain_key(key)


def refuse_difference(different: Iterable[tuple[Entity, Key]], when: str, used: str = "the sources") -> None:
    """Raises MoveFailed that names the items. `used`: what the application reads and writes at that time."""
    keys = sorted(different)
    if keys:
        raise MoveFailed(
            f"{len(keys)} items differ between sources and target {when}: {named(keys)}. "
            f"The application still reads and writes {used}. Find out why; then run this again, or roll back."
        )


def as_returned(merge: Merge, entity: Entity, source: Item | None, target: Item | None) -> bool:  # noqa: ARG001 -- as Agree has it
    """Whether the source holds the target's item. By which indexes the target finds what the application wrote
    there is the application's own."""
    gone = target is None or GONE in target
    if source is None or target is None or gone:
        return source is None and gone
    return content_hash(source) == content_hash(merge.split(unmarked(target))[1])


def refuse_other_sums(found: Comparison, followed: int) -> None:
    """Raises MoveFailed when every item agrees and nothing moved meanwhile, and yet the sums of the sides differ."""
    if not followed and not found.suspects and not found.agrees:
        sides = "; ".join(f"{entity}: {of} and {found.target[entity]}" for entity, of in found.sources.items())
        raise MoveFailed(
            f"Item by item both sides agree, but not in their sums: {sides}. Something wrote to the merged table that "
            "the streams do not show. Roll the phase back; the sources are untouched."
        )


def told(found: Comparison) -> dict[str, str]:
    """Both sides' sums by entity, as the journal keeps them."""
    written = f"; {len(found.suspects)} were written meanwhile and agree by themselves" if found.suspects else ""
    return {str(entity): f"source {of}; merged {found.target[entity]}{written}" for entity, of in found.sources.items()}
