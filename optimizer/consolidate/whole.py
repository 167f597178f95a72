"""Changes found by comparing both sides as a whole: the default, for tables that are compared within a pause."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from domain.errors import ItemRefused
from optimizer.consolidate.comparison import TableComparison, compare, content_hash, hashed, make_equal, named
from optimizer.consolidate.merge import Address, Direction, Speed
from optimizer.consolidate.scan import Between, pages, read_items
from optimizer.consolidate.state import MergeProgress
from optimizer.consolidate.write_block import Deadline
from optimizer.ports.aws import Aws


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
        found = make_equal(self.aws, self.direction, self.speed, self.progress.renew)
        self.progress.set_aside(found.refused)
        self.progress.keep(equal_at=begun)

    def settle(self, deadline: Deadline) -> None:
        """Behind the write block: make both sides equal, and see it. Raises MoveFailed past the deadline."""

        def between() -> None:
            deadline.check()
            self.progress.renew()

        while True:
            found = make_equal(self.aws, self.direction, self.speed, between, remember=True)
            deadline.check()
            self.progress.set_aside(found.refused)
            if not self._still_different(found, between):
                break
        self._settled = found.contents
        proof = {entity: f"both sides {tally}" for entity, tally in sorted(found.sums.items())}
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

    def _still_different(self, found: TableComparison, between: Between) -> set[Address]:
        """The items put right that the following side still does not have as wanted."""
        contents = found.contents or {}
        changed = {self.direction.follower(leader): leader for leader in found.different - found.refused.keys()}
        held = read_items(self.aws, changed, between)
        return {leader for follower, leader in changed.items() if hashed(held.get(follower)) != contents.get(leader)}

    def _name_late(self) -> None:
        found = compare(self.aws, self.direction, self.speed, self.progress.renew)
        proof = {entity: f"both sides {tally}" for entity, tally in sorted(found.sums.items())}
        if proof != self.progress.state.proof or found.refused:
            leading = " and ".join(self.direction.leading)
            self.progress.notes.say(
                f"{leading} changed after writes were denied there, and the run that knows which items died. Of "
                f"these the two sides differ, most by newer writes: {named(found.different | found.refused.keys())}. "
                "Look at them: a backup of every table that is deleted stays for 35 days."
            )
