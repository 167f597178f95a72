"""The end of a stream's read part: three empty answers hide it, a watermark shows it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest

from domain.errors import MoveFailed
from domain.indexes import WATERMARK
from optimizer.consolidate.following.streams import Reader, StreamPosition, TooLate, readable, remove_watermarks, to_now
from optimizer.consolidate.switches import Deadline
from optimizer.resources.tables.items import scan_page
from tests.consolidate import campaign
from tests.consolidate.campaign import STREAMS
from tests.consolidate.model import STREAM_ERRORS, Shard, _place
from tests.consolidate.platform import Platform, lived

FAR = (30,)  # empty answers from a new iterator to the first record
TAG = "20270301T080000"


def model(platform: Platform) -> Any:
    return platform.aws.streams._answers._model


def reader(platform: Platform) -> Reader:
    aws = platform.aws
    return Reader(aws, StreamPosition(aws.dynamodb.describe_table(TableName="users")["Table"]["LatestStreamArn"]))


def read(platform: Platform, patience: timedelta = timedelta(minutes=10), by: Reader | None = None) -> list[str]:
    """The sort keys that come out of the stream of users."""
    deadline = Deadline(platform.clock, patience, "could not be read up to now")
    batches = to_now(platform.aws, "users", by or reader(platform), TAG, deadline.check)
    return [record["dynamodb"]["Keys"]["sk"]["S"] for records in batches for record in records]


def test_everything_written_before_comes_out_and_no_watermark_does() -> None:
    with lived(100, 0, hops=FAR) as platform:
        platform.application.busy = False
        found = read(platform)
        assert len(found) == 50
        assert all(each.startswith("USER#") for each in found)
        assert len(platform.stored("users")) == 50


def test_every_shard_shows_one_also_those_that_split_meanwhile() -> None:
    with lived(800, 1, hops=(0, 12)) as platform:
        platform.write(300)
        assert len(model(platform).tables["users"].stream.shards) > 4
        before = platform.application.writes
        assert len(read(platform)) >= 400
        assert platform.application.writes > before  # it wrote on, and shards split


def test_two_hundred_shards_are_reached() -> None:
    with lived(400, 1, hops=(0,)) as platform:
        platform.application.busy = False
        widened(model(platform).tables["users"].stream, 200)
        platform.write(50)
        assert len(read(platform, timedelta(minutes=3))) >= 200


@pytest.mark.parametrize("answers", [1, 7, 30])
def test_children_that_are_not_shown_yet_are_waited_for(answers: int) -> None:
    """A closed shard can be listed before its children are: their records have not been read yet."""
    for seed in range(6):
        with lived(200, seed, hops=(0,)) as platform:
            platform.application.busy = False
            by, stream = reader(platform), model(platform).tables["users"].stream
            read(platform, by=by)
            before = {_number(record) for shard in stream.shards for record in shard.records}
            narrowed(stream, _place("TENANT#0"))
            read(platform, by=by)
            before = {_number(record) for shard in stream.shards for record in shard.records}
            stream.hide_children = answers
            stream._split(stream.shards[-1])
            platform.aws.dynamodb.put_item(TableName="users", Item=item(0))
            written = {_number(record) for shard in stream.shards for record in shard.records} - before
            deadline = Deadline(platform.clock, timedelta(minutes=10), "late")
            batches = to_now(platform.aws, "users", by, TAG, deadline.check)
            assert {_number(record) for records in batches for record in records} >= written


def widened(stream: Any, count: int) -> None:
    """From now on the stream has that many shards."""
    leaves, width = [shard for shard in stream.shards if not shard.closed], 2**32 // count
    for shard in leaves:
        shard.closed = True
    for number in range(count):
        high = 2**32 if number == count - 1 else (number + 1) * width
        stream.shards.append(Shard(f"wide-{number}", leaves[number % len(leaves)].id, number * width, high))


def narrowed(stream: Any, place: int) -> None:
    """From now on one of its shards is so narrow that the first watermarks may all miss it."""
    leaves = [shard for shard in stream.shards if not shard.closed]
    for shard in leaves:
        shard.closed = True
        narrow = shard.low <= place < shard.high
        bounds = (shard.low, place - 2**25, place + 2**25, shard.high) if narrow else (shard.low, shard.high)
        for low, high in pairwise(bounds):
            stream.shards.append(Shard(f"of-{shard.id}-{low}", shard.id, low, high))
    stream.shards.sort(key=lambda shard: shard.low <= place < shard.high and not shard.closed)


def _number(record: Any) -> str:
    return str(record["dynamodb"]["SequenceNumber"])


def item(number: int) -> dict[str, Any]:
    return {"pk": {"S": f"TENANT#{number}"}, "sk": {"S": f"USER#new{number}"}}


def test_a_stream_that_does_not_come_to_now_is_an_error() -> None:
    with lived(10, 0, hops=(10**6,)) as platform, pytest.raises(MoveFailed, match="could not be read up to now"):
        read(platform, patience=timedelta(minutes=1))


def test_what_a_dead_run_left_is_taken_away() -> None:
    with lived(10, 0) as platform:
        platform.application.busy = False
        platform.aws.dynamodb.put_item(
            TableName="users",
            Item={"pk": {"S": f"{WATERMARK}#{TAG}#3"}, "sk": {"S": WATERMARK}, WATERMARK: {"S": "token"}},
        )
        assert len(scan_page(platform.aws, "users", (0, 1), None, 100, consistent=True).items) == 5
        remove_watermarks(platform.aws, "users", TAG)
        assert len(platform.stored("users")) == 5


def test_an_item_of_the_application_under_such_a_key_is_the_applications() -> None:
    with lived(10, 0, hops=(0,)) as platform:
        platform.application.busy = False
        for sort in (WATERMARK, "USER#x"):
            platform.application.clients.dynamodb.put_item(
                TableName="users", Item={"pk": {"S": f"{WATERMARK}#3"}, "sk": {"S": sort}}
            )
        platform.application.clients.dynamodb.delete_item(
            TableName="users", Key={"pk": {"S": f"{WATERMARK}#3"}, "sk": {"S": WATERMARK}}
        )
        assert read(platform)[-3:] == [WATERMARK, "USER#x", WATERMARK] or set(read(platform)) >= {"USER#x"}
        assert len(scan_page(platform.aws, "users", (0, 1), None, 100, consistent=True).items) == 6


def lies_far_along() -> None:
    """Writes that only show after many empty answers, and a rollback that comes at once."""
    with lived(100, 0) as platform:
        campaign.migrate(platform, STREAMS)
        platform.application.busy = False
        model(platform).hops = FAR
        platform.write(60)
        campaign.turn_back(platform.aws, platform.notes, STREAMS)
        campaign.agree(platform.missing_in_sources())


def test_the_way_back_carries_what_lies_far_along_the_stream() -> None:
    lies_far_along()


def test_without_watermarks_it_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def trusting(_aws: Any, _table: str, by: Reader, _tag: str, between: Callable[[], object]) -> Any:
        return by.batches(between)

    monkeypatch.setattr("optimizer.consolidate.following.followed_tables.to_now", trusting)
    with pytest.raises((AssertionError, MoveFailed)):
        lies_far_along()


def test_a_stream_that_was_not_read_for_a_day_closes_no_way_back() -> None:
    """A comparison of everything finds the records that the stream has lost."""
    with lived(100, 0) as platform:
        campaign.migrate(platform, STREAMS)
        platform.application.busy = False
        platform.write(60)
        platform.clock.sleep(30 * 3600)
        platform.write(20)
        campaign.turn_back(platform.aws, platform.notes, STREAMS)
        campaign.agree(platform.missing_in_sources())


def test_trimmed_records_are_an_error_of_their_own() -> None:
    with lived(1_000, 0, hops=(0,)) as platform:
        by = reader(platform)
        for _ in by.batches(lambda: None):
            break
        platform.application.busy = False
        by._iterators.clear()
        platform.clock.sleep(30 * 3600)
        platform.write(100)
        with pytest.raises(TooLate, match="older than the 24 hours"):
            list(by.batches(lambda: None))


def test_without_waiting_for_them_something_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("optimizer.consolidate.following.streams.childless", lambda _shards, _position: [])
    with pytest.raises(AssertionError):
        test_children_that_are_not_shown_yet_are_waited_for(30)


SHARDS = [{"ShardId": "a"}, {"ShardId": "b", "ParentShardId": "a"}, {"ShardId": "c", "ParentShardId": "gone"}]


@pytest.mark.parametrize(
    ("ended", "expected"), [((), ["a", "c"]), (("a",), ["b", "c"]), (("a", "b"), ["c"]), (("c",), ["a"])]
)
def test_a_shard_is_read_after_its_parent(ended: tuple[str, ...], expected: list[str]) -> None:
    """The changes of one item go on in the child: read first, they would be older than they seem."""
    assert readable(SHARDS, StreamPosition("s", {}, ended)) == expected


def test_a_shard_is_read_from_its_beginning_or_after_what_was_read() -> None:
    asked: list[tuple[str, str | None]] = []

    def get_shard_iterator(**more: Any) -> Any:
        asked.append((more["ShardIteratorType"], more.get("SequenceNumber")))
        return {"ShardIterator": "x"}

    streams = SimpleNamespace(get_shard_iterator=get_shard_iterator, exceptions=STREAM_ERRORS)
    by = Reader(SimpleNamespace(streams=streams), StreamPosition("s", {"read": "7"}))
    for shard in ("new", "read"):
        by._iterator(shard)
    assert asked == [("TRIM_HORIZON", None), ("AFTER_SEQUENCE_NUMBER", "7")]
