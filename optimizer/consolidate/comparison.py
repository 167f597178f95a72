"""Both sides held against each other, and the following side made equal to the leading one: by what they hold now.

Nothing else is read: no log, no order of changes, no mark on an item. So whatever was carried over twice, too late or
not at all is found and put right by the next look, and one item that cannot be carried over is only that one.
`WholeTables` finds changes by this alone: the default, for tables that are compared within a pause.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from domain.errors import ItemRefused
from domain.item_size import Item
from optimizer.consolidate.merge import Direction, Speed
from optimizer.consolidate.state import MergeProgress, named
from optimizer.consolidate.switches import Deadline
from optimizer.ports.aws import Aws
from optimizer.resources.tables.items import Address, Between, Page, Write, count_items, pages, read_items, write_all

MODULUS = 2**128
GROUP = 400  # addresses that are reconciled together
IN_ORDER = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


@dataclass
class Tally:
    """Count and hash of one side's items of an entity. The sum of the items' hashes does not depend on their order."""

    items: int = 0
    total: int = 0

    def add(self, content: int) -> None:
        self.items += 1
        self.total = (self.total + content) % MODULUS

    def __str__(self) -> str:
        return f"{self.items} items, hash {self.total:032x}"


@dataclass
class TableComparison:
    """One look at everything. `different` and `refused` are addresses of the leading side.

    `refused`: what cannot lie on the following side, with the reason. `sums`: of the leading side, by entity, as it has
    to lie on the other. `contents`: the hash of each item, by its address, where that was asked for.
    """

    sums: dict[str, Tally] = field(default_factory=dict)
    different: set[Address] = field(default_factory=set)
    refused: dict[Address, str] = field(default_factory=dict)
    contents: dict[Address, int] | None = None

    def add(self, leader: Address, entity: str, content: int) -> None:
        self.sums.setdefault(entity, Tally()).add(content)
        if self.contents is not None:
            self.contents[leader] = content


def compare(
    aws: Aws, direction: Direction, speed: Speed, between: Between, *, remember: bool = False
) -> TableComparison:
    """Look at every item of both sides. `remember` keeps a hash of each: for tables that are not large."""
    comparison = TableComparison(contents={} if remember else None)
    present = 0
    for page in pages(aws, direction.leading, speed, between):
        present += _page_of_leading(aws, direction, page, comparison, between)
    if count_items(aws, direction.following, between) != present:
        for page in pages(aws, direction.following, speed, between):
            _page_of_following(aws, direction, page, comparison, between)
    return comparison


def compare_page(aws: Aws, direction: Direction, page: Page, between: Between) -> TableComparison:
    """Look at the items of one page of the leading side."""
    comparison = TableComparison()
    _page_of_leading(aws, direction, page, comparison, between)
    return comparison


def make_equal(
    aws: Aws, direction: Direction, speed: Speed, between: Between, *, remember: bool = False
) -> TableComparison:
    """Look at everything, and put right what is different; `refused` holds what the following side does not take."""
    comparison = compare(aws, direction, speed, between, remember=remember)
    comparison.refused |= reconcile(aws, direction, comparison.different, between)
    return comparison


def reconcile(
    aws: Aws, direction: Direction, leaders: Iterable[Address], between: Between = lambda: None
) -> dict[Address, str]:
    """Make the following side equal at these addresses, by what the leading side holds now; what could not be."""
    refused: dict[Address, str] = {}
    wanted = list(dict.fromkeys(leaders))
    for start in range(0, len(wanted), GROUP):
        refused |= _reconcile(aws, direction, wanted[start : start + GROUP], between)
        between()
    return refused


def _reconcile(aws: Aws, direction: Direction, leaders: Iterable[Address], between: Between) -> dict[Address, str]:
    refused: dict[Address, str] = {}
    pairs: dict[Address, Address] = {}  # by follower
    for leader in leaders:
        try:
            pairs[direction.follower(leader)] = leader
        except ItemRefused as error:
            refused[leader] = str(error)
    leading = read_items(aws, (*pairs.values(), *refused), between)
    following = read_items(aws, pairs, between)
    refused = {leader: why for leader, why in refused.items() if leader in leading}  # what is gone is no obstacle
    writes = []
    for follower, leader in pairs.items():
        try:
            wanted = direction.mapped(leader, item) if (item := leading.get(leader)) else None
        except ItemRefused as error:
            refused[leader] = str(error)
            continue
        if hashed(wanted) != hashed(following.get(follower)):
            writes.append(Write(follower, wanted))
    return refused | {
        pairs[follower]: f"the item {follower} is refused by DynamoDB: {why}"
        for follower, why in write_all(aws, writes, between).items()
    }


def _page_of_leading(aws: Aws, direction: Direction, page: Page, comparison: TableComparison, between: Between) -> int:
    """Hold these items of the leading side against the other; how many of them have an item there."""
    wanted: dict[Address, tuple[Address, int]] = {}  # by follower
    for item in page.items:
        leader = Address.of(page.table, item)
        try:
            follower, content = direction.follower(leader), content_hash(direction.mapped(leader, item))
        except ItemRefused as error:
            comparison.refused[leader] = str(error)
            continue
        comparison.add(leader, direction.entity(leader), content)
        wanted[follower] = leader, content
    held = read_items(aws, wanted, between)
    comparison.different |= {
        leader for follower, (leader, content) in wanted.items() if hashed(held.get(follower)) != content
    }
    return len(held)


def _page_of_following(
    aws: Aws, direction: Direction, page: Page, comparison: TableComparison, between: Between
) -> None:
    """Which of these items of the following side have none on the leading side."""
    leaders: set[Address] = set()
    for item in page.items:
        follower = Address.of(page.table, item)
        try:
            leaders.add(direction.leader(follower))
        except ItemRefused as error:
            comparison.refused[follower] = str(error)
    comparison.different |= leaders - read_items(aws, leaders, between).keys() - comparison.refused.keys()


def hashed(item: Item | None) -> int | None:
    """The hash of an item's data; None where there is none."""
    return None if item is None else content_hash(item)


def content_hash(item: Item) -> int:
    """A hash of the item's data, however its attributes and sets are ordered."""
    return int.from_bytes(hashlib.blake2b(IN_ORDER.encode(_plain({"M": item})).encode(), digest_size=16).digest())


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


@dataclass
class WholeTables:
    """Makes the following side equal to the leading one by looking at every item."""

    aws: Aws
    direction: Direction
    speed: Speed
    progress: MergeProgress
    _settled: Mapping[Address, int] | None = field(default=None, init=False)

    def catch_up(self) -> None:
        """Bring the following side close while the leading one is written; keeps what is refused."""
        begun = self.aws.clock.now()
        comparison = make_equal(self.aws, self.direction, self.speed, self.progress.renew)
        self.progress.set_aside(comparison.refused)
        self.progress.keep(equal_at=begun)

    def settle(self, deadline: Deadline) -> None:
        """Behind the write block: make both sides equal, and see it. Raises MoveFailed past the deadline."""

        def between() -> None:
            deadline.check()
            self.progress.renew()

        while True:
            comparison = make_equal(self.aws, self.direction, self.speed, between, remember=True)
            deadline.check()
            self.progress.set_aside(comparison.refused)
            if not self._still_different(comparison, between):
                break
        self._settled = comparison.contents
        proof = {entity: f"both sides {tally}" for entity, tally in sorted(comparison.sums.items())}
        self.progress.keep(proof=proof, equal_at=self.aws.clock.now())

    def late(self) -> Mapping[Address, int | None]:
        """Items written to the leading side since it was settled, with the hash that was settled on; None: nothing.

        A run that did not settle itself knows the sums only, and names what may have come late when they changed.
        """
        settled = self._settled
        if settled is None:
            self._name_late()
            return {}
        now: dict[Address, int] = {}
        for page in pages(self.aws, self.direction.leading, self.speed, self.progress.renew):
            for item in page.items:
                leader = Address.of(page.table, item)
                try:
                    now[leader] = content_hash(self.direction.mapped(leader, item))
                except ItemRefused:
                    now[leader] = -1  # of no hash: it has changed
        return {
            leader: settled.get(leader) for leader in now.keys() | settled if now.get(leader) != settled.get(leader)
        }

    def _still_different(self, comparison: TableComparison, between: Between) -> set[Address]:
        """The items put right that the following side still does not have as wanted."""
        contents = comparison.contents or {}
        changed = {
            self.direction.follower(leader): leader for leader in comparison.different - comparison.refused.keys()
        }
        held = read_items(self.aws, changed, between)
        return {leader for follower, leader in changed.items() if hashed(held.get(follower)) != contents.get(leader)}

    def _name_late(self) -> None:
        result = compare(self.aws, self.direction, self.speed, self.progress.renew)
        proof = {entity: f"both sides {tally}" for entity, tally in sorted(result.sums.items())}
        if proof != self.progress.state.proof or result.refused:
            leading = " and ".join(self.direction.leading)
            self.progress.notes.say(
                f"{leading} changed after writes were denied there, and the run that knows which items died. Of "
                f"these the two sides differ, most by newer writes: {named(result.different | result.refused.keys())}. "
                "Look at them: a backup of every table that is deleted stays for 35 days."
            )
