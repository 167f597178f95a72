"""Each line of a cutover that protects writes, tested alone: without the line the loss happens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from domain.errors import MoveFailed
from optimizer.consolidate import comparison, cutover
from optimizer.consolidate import copy as copying
from optimizer.consolidate.following.streams import Reader, StreamPosition, TooLate
from optimizer.consolidate.mapping import Entity
from optimizer.consolidate.state import MergeStage
from optimizer.consolidate.switches import PAUSE, is_blocked
from optimizer.execute.lease import DURATION
from tests.consolidate import campaign
from tests.consolidate.campaign import STREAMS, WHOLE, Way, agree, state_of
from tests.consolidate.model import _Tables
from tests.consolidate.platform import MERGE, Platform, lived

WAYS = pytest.mark.parametrize("way", [WHOLE, STREAMS], ids=["whole", "streams"])
SOURCES = tuple(map(str, MERGE.sources))
FAR = (30,)  # empty answers before the first record: what was written just now lies far along the stream


@contextmanager
def ready(way: Way, hops: tuple[int, ...] = (0,)) -> Iterator[Platform]:
    """Both sides filled; the pointers may be turned."""
    with lived(60, 3, hops) as platform:
        campaign.copied(platform, way)
        yield platform


@contextmanager
def flipped(way: Way, hops: tuple[int, ...] = (0,)) -> Iterator[Platform]:
    with ready(way, hops) as platform:
        campaign.turn(platform.aws, platform.notes, way)
        yield platform


def model(platform: Platform) -> Any:
    return platform.aws.streams._answers._model


def before_settling(monkeypatch: pytest.MonkeyPatch, way: Way, work: Any) -> None:
    """Run a function while the write block is in force, right before both sides are made equal."""
    kind = type(way.changes(None, MERGE.there, None))  # type: ignore[arg-type]
    settle = kind.settle

    def first(changes: Any, deadline: Any) -> None:
        work()
        settle(changes, deadline)

    monkeypatch.setattr(kind, "settle", first)


@WAYS
def test_the_turn_carries_what_was_written_until_the_block(way: Way) -> None:
    with ready(way, FAR) as platform:
        platform.write(60)
        campaign.turn(platform.aws, platform.notes, way)
        platform.application.busy = False
        agree(platform.missing_in_target())


@WAYS
def test_so_does_the_return(way: Way) -> None:
    with flipped(way, FAR) as platform:
        platform.write(60)
        campaign.turn_back(platform.aws, platform.notes, way)
        platform.application.busy = False
        agree(platform.missing_in_sources())


@WAYS
@pytest.mark.parametrize("back", [False, True])
def test_what_is_written_between_the_last_look_and_the_block_is_carried(
    way: Way, back: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The write block is a moment old, and the application wrote until then: only settling sees it."""
    with (flipped if back else ready)(way) as platform:
        catch_up = type(way.changes(None, MERGE.there, None)).catch_up  # type: ignore[arg-type]

        def written_after(changes: Any) -> None:
            catch_up(changes)
            platform.write(40)
            platform.application.busy = False

        monkeypatch.setattr(type(way.changes(None, MERGE.there, None)), "catch_up", written_after)  # type: ignore[arg-type]
        (campaign.turn_back if back else campaign.turn)(platform.aws, platform.notes, way)
        agree(platform.missing_in_sources() if back else platform.missing_in_target())


@WAYS
@pytest.mark.parametrize("back", [False, True])
def test_an_item_that_does_not_pass_is_refused_also_when_settling_finds_it(
    way: Way, back: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (flipped if back else ready)(way) as platform:
        platform.application.busy = False
        poison: dict[str, Any] = {"pk": {"S": "TENANT#0"}, "sk": {"S": "USER#999"}, "blob": {"S": "x" * 409_573}}
        if back:
            poison = {"pk": {"S": "TENANT#0"}, "sk": {"S": "users#USER#999"}, "email": {"NULL": True}}
        table = MERGE.target if back else "users"
        put = model(platform).clients().dynamodb._table(table).write
        before_settling(monkeypatch, way, lambda: put((poison["pk"]["S"], poison["sk"]["S"]), poison))
        with pytest.raises(MoveFailed, match="cannot be carried over"):
            (campaign.turn_back if back else campaign.turn)(platform.aws, platform.notes, way)
        assert cutover.is_flipped(platform.aws, MERGE) is back
        assert state_of(platform.notes).stage is (MergeStage.FLIPPED if back else MergeStage.COPIED)


@WAYS
@pytest.mark.parametrize("back", [False, True])
def test_a_pause_that_took_too_long_turns_nothing(way: Way, back: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when it took its time after the last look at the deadline."""
    with (flipped if back else ready)(way) as platform:
        platform.application.busy = False
        kind = type(way.changes(None, MERGE.there, None))  # type: ignore[arg-type]
        monkeypatch.setattr(kind, "settle", lambda *_: platform.clock.sleep(PAUSE.total_seconds() + 1))
        with pytest.raises(MoveFailed, match="without coming to an end"):
            (campaign.turn_back if back else campaign.turn)(platform.aws, platform.notes, way)
        assert cutover.is_flipped(platform.aws, MERGE) is back


def late_to(platform: Platform, table: str, sort: str, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """A write that was let through reaches a table although it is denied, after both sides were found equal."""
    key, turn, came = sorted(platform.application.items[Entity.USERS])[0], cutover.turn_pointers, []

    def late(aws: Any, *rest: Any) -> None:
        turn(aws, *rest)
        if not came:
            came.append(1)
            held = {"pk": {"S": key[0]}, "sk": {"S": sort + key[1]}, "late": {"BOOL": True}}
            aws.dynamodb.put_item(TableName=table, Item=held)

    monkeypatch.setattr(cutover, "turn_pointers", late)
    return key


@WAYS
def test_a_write_that_comes_late_to_a_source_is_carried_over(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    with ready(way) as platform:
        platform.application.busy = False
        key = late_to(platform, "users", "", monkeypatch)
        campaign.turn(platform.aws, platform.notes, way)
        assert platform.stored(MERGE.target)[key[0], f"users#{key[1]}"]["late"] == {"BOOL": True}


@WAYS
def test_a_write_that_comes_late_to_the_merged_table_is_carried_back(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    with flipped(way) as platform:
        platform.application.busy = False
        key = late_to(platform, MERGE.target, "users#", monkeypatch)
        campaign.turn_back(platform.aws, platform.notes, way)
        assert platform.stored("users")[key]["late"] == {"BOOL": True}


@WAYS
def test_what_leads_is_written_down_before_the_sources_may_be_written(
    way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that dies here must not copy the merged table over the application's writes to the sources."""
    with flipped(way) as platform:
        opened, stages = cutover.let_writes_through, []

        def let(aws: Any, tables: Any) -> None:
            stages.append(state_of(platform.notes).stage)
            opened(aws, tables)

        monkeypatch.setattr(cutover, "let_writes_through", let)
        campaign.turn_back(platform.aws, platform.notes, way)
        assert stages == [MergeStage.RETURNING]


def test_after_the_turn_the_sources_stay_closed_also_for_the_watch() -> None:
    """It recovers the remains of a dead run: a write block after the switch is not one of them."""
    with flipped(WHOLE) as platform:
        progress = campaign.progressed(platform.aws, platform.notes)
        assert cutover.recover(platform.aws, MERGE, progress) == ""
        assert all(is_blocked(platform.aws, each) for each in SOURCES)


def test_the_merged_table_stays_closed_until_no_call_of_the_run_before_can_land(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with flipped(WHOLE) as platform:
        platform.application.busy = False
        began, turned = platform.clock.now(), []
        turn = cutover.turn_pointers

        def noted(*arguments: Any) -> None:
            turn(*arguments)
            turned.append(platform.clock.now())

        monkeypatch.setattr(cutover, "turn_pointers", noted)
        campaign.turn_back(platform.aws, platform.notes)
        assert turned[0] - began >= timedelta(minutes=1), "the block has spread"
        assert platform.clock.now() - turned[0] >= DURATION, "after the pointers are back it is looked again"
        assert is_blocked(platform.aws, MERGE.target)


@pytest.mark.parametrize("back", [False, True])
def test_what_comes_between_putting_right_and_the_proof_is_put_right_again(
    back: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call of the run before lands on the following side: what was put right there is looked at once more."""
    made_equal, spoiled = comparison.make_equal, []
    last = "_let_calls_land" if back else "_at_a_periods_start"  # what comes right before the block
    before_the_block = getattr(cutover, last)

    def spoil(aws: Any, direction: Any, *rest: Any, **options: Any) -> Any:
        found = made_equal(aws, direction, *rest, **options)
        if options.get("remember") and found.different and not spoiled:
            spoiled.append(follower := direction.follower(min(found.different)))
            aws.dynamodb.delete_item(TableName=follower.table, Key=follower.key)
        return found

    with (flipped if back else ready)(WHOLE) as platform:

        def written(*arguments: Any) -> None:
            before_the_block(*arguments)
            platform.write(30)

        monkeypatch.setattr(comparison, "make_equal", spoil)
        monkeypatch.setattr(cutover, last, written)
        (campaign.turn_back if back else campaign.turn)(platform.aws, platform.notes)
        platform.application.busy = False
        assert spoiled
        agree(platform.missing_in_sources() if back else platform.missing_in_target())


@WAYS
@pytest.mark.parametrize("back", [False, True])
def test_everything_that_proves_is_read_consistently(way: Way, back: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """An eventually consistent read may miss the last second (Developer Guide, "Read consistency")."""
    eventually: list[str] = []

    def recorded(name: str, consistent: Any) -> None:
        answer = getattr(_Tables, name)

        def call(tables: Any, *rest: Any, **asked: Any) -> Any:
            if not consistent(asked):
                eventually.append(name)
            return answer(tables, *rest, **asked)

        monkeypatch.setattr(_Tables, name, call)

    with (flipped if back else ready)(way) as platform:
        recorded("scan", lambda asked: asked.get("ConsistentRead") is True)
        recorded(
            "batch_get_item",
            lambda asked: all(each.get("ConsistentRead") is True for each in asked["RequestItems"].values()),
        )
        platform.write(20)
        (campaign.turn_back if back else campaign.turn)(platform.aws, platform.notes, way)
        assert eventually == []


def test_a_stream_that_is_another_one_by_now_is_read_from_its_beginning() -> None:
    """Switched off and on again it has a new ARN: a position in the old one says nothing of it."""
    with ready(STREAMS) as platform:
        STREAMS.changes(platform.aws, MERGE.there, campaign.progressed(platform.aws, platform.notes)).catch_up()
        users = model(platform).tables["users"]
        model(platform).enable_stream(users)
        platform.write(30)
        campaign.turn(platform.aws, platform.notes, STREAMS)
        shown = platform.aws.dynamodb.describe_table(TableName="users")["Table"]
        assert state_of(platform.notes).read["users"].stream == shown["LatestStreamArn"]
        platform.application.busy = False
        agree(platform.missing_in_target())


def test_a_sample_that_differs_behind_the_block_turns_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another writer writes to the merged table: no stream of the sources shows that."""
    with ready(STREAMS) as platform:
        platform.application.busy = False

        def spoil() -> None:
            for key in list(model(platform).tables[MERGE.target].items):
                model(platform).tables[MERGE.target].write(key, None)

        before_settling(monkeypatch, STREAMS, spoil)
        with pytest.raises(MoveFailed, match="of a sample differ"):
            campaign.turn(platform.aws, platform.notes, STREAMS)
        assert not cutover.is_flipped(platform.aws, MERGE)


def test_a_shard_that_went_before_it_was_read_is_an_error() -> None:
    """Then changes are gone; everything is compared instead."""
    with lived(40, 0) as platform:
        stream = model(platform).tables["users"].stream
        gone = Reader(platform.aws, StreamPosition(stream.arn, {"shard-long-gone": "1"}))
        with pytest.raises(TooLate, match="older than the 24 hours"):
            list(gone.batches(lambda: None))


def test_a_run_that_did_not_settle_itself_names_what_may_have_come_late() -> None:
    """It knows the sums only: the run that knows the items died."""
    with flipped(WHOLE) as platform:
        platform.application.busy = False
        key = sorted(platform.stored("users"))[0]
        late = {"pk": {"S": key[0]}, "sk": {"S": key[1]}, "late": {"BOOL": True}}
        platform.aws.dynamodb.put_item(TableName="users", Item=late)
        campaign.turn(platform.aws, platform.notes)
        assert any("changed after writes were denied" in line and key[1] in line for line in platform.notes.said)


def test_the_copy_reads_every_page_and_leaves_a_filled_table_to_the_comparison() -> None:
    with lived(600, 3, (0,)) as platform:  # three pages of each segment
        platform.application.busy = False
        campaign.copied(platform)
        assert state_of(platform.notes).copied > 500  # a process that dies between two notes counts a page less
        again = copying.begin(platform.aws, MERGE, campaign.SPEED)
        assert all(segment.done for segment in again.segments)
