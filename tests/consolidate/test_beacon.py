"""How far a stream was read: what three empty answers hide, a beacon shows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from domain.errors import MoveFailed
from optimizer.consolidate import cutover
from optimizer.consolidate.mapping import Entity
from optimizer.consolidate.merge import Speed
from optimizer.consolidate.stream_reader import Position, Reader
from optimizer.consolidate.watermark import put_out, to_now
from optimizer.ports.aws import Aws
from tests.consolidate import campaign
from tests.consolidate.model import _Streams
from tests.consolidate.platform import MERGE, Platform, lived

SPEED = Speed(units=1e6, segments=1, workers=1)
FAR = (30,)  # empty answers from a new iterator to the first record


def read(platform: Platform, *, patience: timedelta = timedelta(minutes=10)) -> list[str]:
    """The sort keys that come out of the stream of users."""
    aws = platform.aws
    reader = Reader(aws, Position(aws.dynamodb.describe_table(TableName="users")["Table"]["LatestStreamArn"]))
    batches = to_now(aws, "users", reader, aws.clock.now() + patience)
    return [record["dynamodb"]["Keys"]["sk"]["S"] for records in batches for record in records]


def test_everything_written_before_comes_out_and_no_beacon_does() -> None:
    with lived(100, 0, hops=FAR) as platform:
        platform.application.busy = False
        found = read(platform)
        assert len(found) == 50
        assert all(each.startswith("USER#") for each in found)
        assert len(platform.stored("users")) == 50


def test_every_shard_is_lit_also_those_that_split_meanwhile() -> None:
    with lived(800, 1, hops=(0, 12)) as platform:
        platform.write(300)
        shards = platform.aws.streams.describe_stream(
            StreamArn=platform.aws.dynamodb.describe_table(TableName="users")["Table"]["LatestStreamArn"]
        )["StreamDescription"]["Shards"]
        assert len(shards) > 4
        before = platform.application.writes
        assert len(read(platform)) >= 400
        assert platform.application.writes > before  # it wrote on, and shards split


def test_a_shard_that_is_not_listed_yet_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    listed, answers = _Streams.describe_stream, iter([False] * 7)

    def late(streams: _Streams, **asked: Any) -> Any:
        shown = listed(streams, **asked)
        return shown if next(answers, True) else {"StreamDescription": {"Shards": []}}

    monkeypatch.setattr(_Streams, "describe_stream", late)
    with lived(100, 0) as platform:
        platform.application.busy = False
        assert len(read(platform)) == 50


def test_a_stream_that_does_not_come_to_now_is_an_error() -> None:
    with lived(10, 0, hops=(10**6,)) as platform, pytest.raises(MoveFailed, match="could not be read up to now"):
        read(platform, patience=timedelta(minutes=1))


def test_what_a_dead_run_left_is_taken_away() -> None:
    with lived(10, 0) as platform:
        platform.aws.dynamodb.put_item(
            TableName="users", Item={"pk": {"S": "tap_mark_beacon#3"}, "sk": {"S": "tap_mark_beacon"}}
        )
        put_out(platform.aws, "users")
        assert len(platform.stored("users")) == 5


def test_the_way_back_carries_what_lies_far_along_the_stream() -> None:
    """Writes that only show after many empty answers, and a rollback that comes at once."""
    with lived(100, 0) as platform:
        campaign.migrate(platform, SPEED)
        platform.application.busy = False
        model = platform.aws.streams._answers._model
        model.hops = FAR
        platform.write(60)
        notes = platform.notes
        cutover.turn_back(platform.aws, MERGE, notes, campaign.state_of(notes), Random(1))
        campaign.agree(platform.missing_in_sources())


def test_without_beacons_it_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cutover, "to_now", lambda aws, table, reader, deadline: reader.batches())
    with pytest.raises((AssertionError, MoveFailed)):
        test_the_way_back_carries_what_lies_far_along_the_stream()


@pytest.mark.parametrize("hops", [(0,), FAR])
@pytest.mark.parametrize("write", ["put", "delete"])
def test_a_write_that_got_past_the_fence_is_named(hops: tuple[int, ...], write: str) -> None:
    """A resource policy is in force everywhere a moment after it is shown; and the record may lie far along."""
    with lived(100, 0) as platform:
        campaign.copied(platform, SPEED)
        key = sorted(platform.application.items[Entity.USERS])[0]
        turn = cutover.turn_pointers

        def late(aws: Aws, wanted: Mapping[str, str]) -> None:
            platform.aws.streams._answers._model.hops = hops
            stored = {"pk": {"S": key[0]}, "sk": {"S": key[1]}}
            if write == "put":
                aws.dynamodb.put_item(TableName="users", Item={**stored, "late": {"BOOL": True}})
            else:
                aws.dynamodb.delete_item(TableName="users", Key=stored)
            turn(aws, wanted)

        platform.application.busy = False
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(cutover, "turn_pointers", late)
            with pytest.raises(
                MoveFailed, match=rf"1 writes reached .* users {', '.join(key)}\. Write to tenants_users"
            ):
                campaign.turn(platform, SPEED)


def test_what_the_way_back_writes_and_removes_is_no_stray() -> None:
    with lived(200, 1) as platform:
        campaign.copied(platform, SPEED)
        campaign.turn(platform, SPEED)
        assert platform.application.writes > 200
