"""Comparison of both sides: differences found, repaired and reported, and a lease that does not end meanwhile."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from optimizer.consolidate import comparison
from optimizer.consolidate.comparison import Tally, WholeTables, compare, content_hash, make_equal, reconcile
from optimizer.consolidate.mapping import Entity
from optimizer.consolidate.merge import Speed
from optimizer.consolidate.state import MergeProgress
from optimizer.consolidate.switches import Deadline
from optimizer.execute.lease import DURATION
from optimizer.resources.tables import items
from optimizer.resources.tables.items import Address
from tests.consolidate import campaign
from tests.consolidate.model import _Tables, refusal
from tests.consolidate.platform import MERGE, MemoryNotes, Platform, lived

SPEED = Speed(units=1e6, segments=2, workers=1, page=5)


def nothing() -> None:
    """Between two requests."""


def copied(platform: Platform) -> None:
    """Both sides filled, without writes from then on."""
    campaign.create_target(platform.aws, MERGE, campaign.LIKE, {})
    campaign.copy(platform.aws, platform.notes)
    platform.application.busy = False


def test_what_was_written_while_all_was_copied_is_found_and_put_right() -> None:
    with lived(120, 0) as platform:
        copied(platform)
        assert platform.missing_in_target()
        found = make_equal(platform.aws, MERGE.there, SPEED, nothing)
        assert found.different
        campaign.agree(platform.missing_in_target())
        again = compare(platform.aws, MERGE.there, SPEED, nothing)
        assert not again.different
        assert again.sums.keys() == {str(each) for each in Entity}
        assert again.sums["users"].items == len(platform.stored("users"))
        assert again.sums == compare(platform.aws, MERGE.there, Speed(page=400, workers=1), nothing).sums


@pytest.mark.parametrize("back", [False, True])
def test_one_item_of_any_kind_of_difference_is_named(back: bool) -> None:
    with lived(60, 0) as platform:
        copied(platform)
        make_equal(platform.aws, MERGE.there, SPEED, nothing)
        direction = MERGE.back if back else MERGE.there
        follower = platform.aws.dynamodb
        keys = sorted(platform.stored("users"))
        changed, gone = (Address("users", *key) for key in keys[:2])
        extra = Address("users", "TENANT#0", "USER#extra")
        at = {each: each if back else MERGE.there.follower(each) for each in (changed, gone, extra)}
        stored = platform.stored(at[changed].table)[at[changed][1:]]
        follower.put_item(TableName=at[changed].table, Item={**stored, "n": {"N": "-1"}})
        follower.delete_item(TableName=at[gone].table, Key=at[gone].key)
        follower.put_item(TableName=at[extra].table, Item=at[extra].key)
        named = {MERGE.there.follower(each) if back else each for each in (changed, gone, extra)}
        assert compare(platform.aws, direction, SPEED, nothing).different == named
        make_equal(platform.aws, direction, SPEED, nothing)
        assert not compare(platform.aws, direction, SPEED, nothing).different
        campaign.agree(platform.missing_in_target() + platform.missing_in_sources())


def test_an_extra_and_a_missing_item_do_not_make_up_for_each_other() -> None:
    """Though both sides have as many."""
    with lived(60, 0) as platform:
        copied(platform)
        make_equal(platform.aws, MERGE.there, SPEED, nothing)
        key = sorted(platform.stored(MERGE.target))[0]
        platform.aws.dynamodb.delete_item(TableName=MERGE.target, Key=Address(MERGE.target, *key).key)
        platform.aws.dynamodb.put_item(TableName=MERGE.target, Item=Address(MERGE.target, "x", "users#x").key)
        assert len(compare(platform.aws, MERGE.there, SPEED, nothing).different) == 2


def test_without_looking_at_the_following_side_what_was_deleted_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "_page_of_following", lambda *_: None)
    with lived(120, 0) as platform:
        copied(platform)
        for key in sorted(platform.application.items[Entity.USERS])[:3]:
            platform.application._delete(Entity.USERS, key)
        make_equal(platform.aws, MERGE.there, SPEED, nothing)
        assert platform.missing_in_target()


def test_the_same_content_has_the_same_hash_however_it_is_ordered() -> None:
    one: dict[str, Any] = {"a": {"SS": ["x", "y"]}, "b": {"M": {"c": {"BS": [b"1", b"2"]}, "d": {"L": [{"N": "1"}]}}}}
    other = {"b": {"M": {"d": {"L": [{"N": "1"}]}, "c": {"BS": [b"2", b"1"]}}}, "a": {"SS": ["y", "x"]}}
    assert content_hash(one) == content_hash(other)
    assert content_hash(one) != content_hash({**one, "e": {"NULL": True}})


def test_sums_do_not_depend_on_the_order_and_are_told() -> None:
    first, second = Tally(), Tally()
    for content in (1, 2, 3):
        first.add(content)
    for content in (3, 1, 2):
        second.add(content)
    assert first == second
    assert str(first) == f"3 items, hash {6:032x}"


def test_what_was_reconciled_twice_is_written_once() -> None:
    with lived(60, 0) as platform:
        copied(platform)
        addresses = [Address("users", *key) for key in platform.stored("users")]
        reconcile(platform.aws, MERGE.there, addresses)
        written = len(platform.aws.streams._answers._model.tables[MERGE.target].items)
        platform.aws.dynamodb.update_table(TableName=MERGE.target, StreamSpecification={"StreamEnabled": True})
        reconcile(platform.aws, MERGE.there, addresses)
        table = platform.aws.streams._answers._model.tables[MERGE.target]
        assert len(table.items) == written
        assert not [record for shard in table.stream.shards for record in shard.records]


class TimedNotes(MemoryNotes):
    """Knows when the lease was held last."""

    def __init__(self, platform: Platform) -> None:
        super().__init__()
        self.text, self._clock = platform.notes.text, platform.clock
        self._at = platform.clock.now()
        self.longest = timedelta(0)

    def write(self, document: Any) -> None:
        super().write(document)
        self.hold()

    def hold(self) -> None:
        now = self._clock.now()
        self._at, self.longest = now, max(self.longest, now - self._at)


def compared_slowly() -> timedelta:
    """The longest that the lease was not held in a comparison whose every call takes two seconds."""
    with lived(400, 0, hops=(0,)) as platform:
        copied(platform)
        notes = TimedNotes(platform)
        progress = MergeProgress(notes, campaign.state_of(notes), platform.clock)
        platform.between.step = lambda: platform.clock.sleep(2)
        make_equal(platform.aws, MERGE.there, SPEED, progress.renew)
        notes.hold()
        return notes.longest


def test_the_lease_is_renewed_while_all_is_compared() -> None:
    assert compared_slowly() < DURATION


def test_without_it_the_lease_would_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MergeProgress, "renew", lambda progress: None)
    assert compared_slowly() > DURATION


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"SS": ["a", "b"]}, {"SS": ["a", "c"]}),
        ({"NS": ["1", "2"]}, {"NS": ["1", "3"]}),
        ({"BS": [b"1", b"2"]}, {"BS": [b"1", b"3"]}),
        ({"B": b"12"}, {"B": b"13"}),
        ({"S": "1"}, {"N": "1"}),
        ({"N": "1"}, {"N": "2"}),
        ({"BOOL": True}, {"BOOL": False}),
        ({"NULL": True}, {"BOOL": True}),
        ({"L": [{"S": "a"}, {"S": "b"}]}, {"L": [{"S": "b"}, {"S": "a"}]}),
        ({"M": {"x": {"S": "a"}}}, {"M": {"x": {"S": "b"}}}),
        ({"M": {"x": {"S": "a"}}}, {"M": {"y": {"S": "a"}}}),
    ],
)
def test_any_other_value_has_another_hash(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Also with the same length and type: items with one hash count as copied."""
    assert content_hash({"a": one}) != content_hash({"a": other})


def test_what_dynamodb_itself_refuses_is_named_and_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though the mapping knew no reason: a limit that is new to us."""
    refused, put = "users#USER#7", _Tables._put

    def picky(tables: Any, table: Any, item: Any) -> None:
        if item["sk"]["S"] == refused:
            raise refusal("ValidationException", "PutItem")
        put(tables, table, item)

    with lived(60, 0) as platform:
        campaign.create_target(platform.aws, MERGE, campaign.LIKE, {})
        platform.application.busy = False
        monkeypatch.setattr(_Tables, "_put", picky)
        found = make_equal(platform.aws, MERGE.there, SPEED, nothing)
        (named,) = found.refused
        assert named.sk == "USER#7"
        assert len(platform.missing_in_target()) == 1


def test_a_page_that_shows_nothing_of_the_applications_is_not_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """Watermarks, or items left out by a filter: as long as there is a last key, there is more."""
    monkeypatch.setattr(items, "is_watermark", lambda item: item["sk"]["S"] in ("USER#3", "USER#4", "USER#5"))
    with lived(40, 0) as platform:
        platform.application.busy = False
        found = items.pages(platform.aws, ["users"], Speed(page=1, segments=1, workers=1), nothing)
        assert sum(len(page.items) for page in found) == len(platform.stored("users")) - 3


def test_what_was_put_right_is_looked_at_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call of a run that died lands right after ours: the write is repeated before any pointer is switched."""
    lost, write = [], comparison.write_all

    def lose_once(aws: Any, writes: Any, *rest: Any) -> Any:
        if not lost:
            lost.extend(writes)
            return {}
        return write(aws, writes, *rest)

    with lived(60, 3) as platform:
        campaign.copied(platform)
        platform.application.busy = False
        progress = campaign.progressed(platform.aws, platform.notes)
        tables = WholeTables(platform.aws, MERGE.there, SPEED, progress)
        monkeypatch.setattr(comparison, "write_all", lose_once)
        tables.settle(Deadline(platform.clock, timedelta(minutes=3), "late"))
        assert lost
        campaign.agree(platform.missing_in_target())
