"""Items that the sources refuse, late writes, long operations: none of them stops the others, or loses a write."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from domain.errors import LeaseLost, MoveFailed
from emulator.account import Crash
from optimizer.consolidate import comparison, cutover, switches
from optimizer.consolidate.mapping import Entity
from optimizer.consolidate.switches import PAUSE, is_blocked
from optimizer.resources.tables.items import Address
from tests.consolidate import campaign
from tests.consolidate.campaign import STREAMS, WHOLE, Way, agree, state_of
from tests.consolidate.platform import MERGE, MemoryNotes, Platform, lived

WAYS = pytest.mark.parametrize("way", [WHOLE, STREAMS], ids=["whole", "streams"])
SOURCES = tuple(map(str, MERGE.sources))


@contextmanager
def migrated(way: Way, items: int = 100, seed: int = 3, hops: tuple[int, ...] = (0,)) -> Iterator[Platform]:
    """The application on the merged table, without writes."""
    with lived(items, seed, hops) as platform:
        campaign.migrate(platform, way)
        platform.application.busy = False
        yield platform


def item(sort: str, **more: Any) -> dict[str, Any]:
    return {"pk": {"S": "TENANT#0"}, "sk": {"S": sort}, **more}


def put(platform: Platform, table: str, written: Mapping[str, Any]) -> None:
    """As the application does it."""
    platform.application.clients.dynamodb.put_item(TableName=table, Item=written)


REFUSED_BY_SOURCES = [
    item("users#USER#999", email={"NULL": True}),
    item("users#USER#999", email={"S": ""}),
    item("users#USER#999", invitation_id={"N": "7"}),
    item("users#USER#999", tenant_role={"S": "x" * 2049}),
    item("users#USER#999", last_login_at={"S": "x" * 1025}),
    item("tenants#PROFILE#9", status={"M": {}}),
    item("PROFILE"),
    item("users#"),
]


@WAYS
@pytest.mark.parametrize("poison", REFUSED_BY_SOURCES, ids=lambda each: f"{each['sk']['S']} {[*each][-1]}")
def test_one_item_that_the_sources_refuse_stops_no_other_and_is_named(way: Way, poison: dict[str, Any]) -> None:
    with migrated(way) as platform:
        put(platform, MERGE.target, poison)
        platform.write(60)
        platform.clock.sleep(900)
        campaign.catch_up(platform.aws, platform.notes, way)
        agree(platform.missing_in_sources())
        (aside,) = state_of(platform.notes).aside
        assert aside.address == Address.of(MERGE.target, poison)
        assert any(poison["sk"]["S"] in line for line in platform.notes.said)
        with pytest.raises(MoveFailed, match=r"still reads and writes tenants_users: 1 items .* the same command"):
            campaign.turn_back(platform.aws, platform.notes, way)
        assert not is_blocked(platform.aws, MERGE.target)
        platform.application.clients.dynamodb.delete_item(
            TableName=MERGE.target, Key={name: poison[name] for name in ("pk", "sk")}
        )
        platform.write(20)
        campaign.turn_back(platform.aws, platform.notes, way)
        agree(platform.missing_in_sources())


@WAYS
def test_a_poisoned_item_that_was_mended_by_the_return_is_carried(way: Way) -> None:
    """It is looked at as it is now, whatever a log would say of how it was."""
    with migrated(way) as platform:
        put(platform, MERGE.target, item("users#USER#7", email={"S": ""}))
        campaign.catch_up(platform.aws, platform.notes, way)
        put(platform, MERGE.target, item("users#USER#7", n={"N": "1"}))
        platform.application.items[Entity.USERS]["TENANT#0", "USER#7"] = item("USER#7", n={"N": "1"})
        campaign.turn_back(platform.aws, platform.notes, way)
        agree(platform.missing_in_sources())
        assert state_of(platform.notes).aside == ()


@WAYS
def test_an_item_too_large_before_the_turn_is_named_and_made_smaller_goes_on(way: Way) -> None:
    """Its large state stays in the stream for a day: its present state counts."""
    with lived(100, 3, hops=(0,)) as platform:
        campaign.copied(platform, way)
        platform.application.busy = False
        put(platform, "users", item("USER#999", blob={"S": "x" * 409_573}))
        for _ in range(2):
            with pytest.raises(MoveFailed, match=r"not turned: 1 items .*users TENANT#0, USER#999\..*Make it smaller"):
                campaign.turn(platform.aws, platform.notes, way)
        assert not any(is_blocked(platform.aws, each) for each in SOURCES)
        platform.write(40)
        put(platform, "users", item("USER#999", blob={"S": "x"}))
        platform.application.items[Entity.USERS]["TENANT#0", "USER#999"] = item("USER#999", blob={"S": "x"})
        campaign.turn(platform.aws, platform.notes, way)
        agree(platform.missing_in_target())


@WAYS
@pytest.mark.parametrize("delay", [5, 20, 60])
@pytest.mark.parametrize("share", [0.005, 0.05])
def test_a_deny_that_spreads_late_loses_nothing(way: Way, delay: int, share: float) -> None:
    for seed in range(4):
        with migrated(way, seed=seed) as platform:
            platform.application.busy = True
            model = platform.aws.streams._answers._model
            model.late_for, model.late_share = delay, share
            campaign.turn_back(platform.aws, platform.notes, way)
            platform.application.busy = False
            agree(platform.missing_in_sources())


@WAYS
def test_without_the_wait_for_it_to_spread_something_is_lost(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(switches, "SPREADING", timedelta(seconds=1))
    monkeypatch.setattr(cutover, "_carry_late", lambda *_: None)
    with pytest.raises((AssertionError, MoveFailed)):  # noqa: PT012 -- any of them
        for _ in range(3):
            test_a_deny_that_spreads_late_loses_nothing(way, 60, 0.5)


def played_late(way: Way, written: Any, *, overtaken: bool) -> Platform:
    """A write reaches the merged table although it is denied, longer after the deny than anybody waits."""
    with migrated(way) as platform:
        key, turn = sorted(platform.application.items[Entity.USERS])[0], cutover.turn_pointers

        def late(aws: Any, merge: Any, wanted: Any, hold: Any) -> None:
            turn(aws, merge, wanted, hold)
            stored = {"pk": {"S": key[0]}, "sk": {"S": f"users#{key[1]}"}}
            if aws.dynamodb.batch_get_item(RequestItems={MERGE.target: {"Keys": [stored]}})["Responses"][MERGE.target]:
                written(aws, stored)
                if overtaken:
                    put(platform, "users", {**item(key[1], newer={"BOOL": True}), "pk": stored["pk"]})

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(cutover, "turn_pointers", late)
            campaign.turn_back(platform.aws, platform.notes, way)
        platform.key = key  # type: ignore[attr-defined]
        return platform


def put_late(aws: Any, stored: Any) -> None:
    aws.dynamodb.put_item(TableName=MERGE.target, Item={**stored, "late": {"BOOL": True}})


def delete_late(aws: Any, stored: Any) -> None:
    aws.dynamodb.delete_item(TableName=MERGE.target, Key=stored)


@WAYS
def test_a_write_that_comes_later_than_that_is_carried_over(way: Way) -> None:
    platform = played_late(way, put_late, overtaken=False)
    assert platform.stored("users")[platform.key]["late"] == {"BOOL": True}  # type: ignore[attr-defined]
    platform = played_late(
        way, lambda aws, at: aws.dynamodb.delete_item(TableName=MERGE.target, Key=at), overtaken=False
    )
    assert platform.key not in platform.stored("users")  # type: ignore[attr-defined]


@WAYS
def test_where_the_application_wrote_since_its_write_stays_and_the_late_one_is_named(way: Way) -> None:
    platform = played_late(way, put_late, overtaken=True)
    assert "newer" in platform.stored("users")[platform.key]  # type: ignore[attr-defined]
    assert any("newer ones, which stay: tenants_users" in line for line in platform.notes.said)


def denied_for(platform: Platform, way: Way) -> tuple[float, str]:
    """For how many seconds writes to the merged table are denied before the pointers turn, and how the return ends."""
    model, denied = platform.aws.streams._answers._model, 0.0
    arn, sleep = model.tables[MERGE.target].arn, model.clock.sleep

    def slept(seconds: float) -> None:
        nonlocal denied
        sleep(seconds)
        if arn in model.policies and not cutover.is_turned_back(platform.aws, MERGE):
            denied += seconds

    model.clock.sleep = slept
    try:
        campaign.turn_back(platform.aws, platform.notes, way)
    except MoveFailed as error:
        return denied, str(error)
    return denied, ""


@WAYS
@pytest.mark.parametrize("hops", [0, 100, 200, 300, 500, 700])
def test_writes_are_denied_for_three_minutes_at_most(way: Way, hops: int) -> None:
    with migrated(way) as platform:
        platform.write(5)
        platform.aws.streams._answers._model.hops = (hops,)
        denied, end = denied_for(platform, way)
        assert denied <= PAUSE.total_seconds() + 20  # and what it takes to let writes through again
        assert not end or "run the same command again" in end.casefold()
        assert cutover.is_turned_back(platform.aws, MERGE) or not is_blocked(platform.aws, MERGE.target)


@pytest.mark.parametrize("back", [False, True])
@WAYS
def test_a_run_after_one_that_died_behind_the_block_opens_it_before_anything_else(
    way: Way, back: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It compares, waits for late calls and for a period's start: the application writes meanwhile."""
    with lived(100, 3, hops=(0,)) as platform:
        campaign.copied(platform, way)
        if back:
            campaign.turn(platform.aws, platform.notes, way)
        turn, tables = (campaign.turn_back, [MERGE.target]) if back else (campaign.turn, SOURCES)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(type(way.changes(None, MERGE.there, None)), "settle", die)  # type: ignore[arg-type]
            with pytest.raises(Crash):
                turn(platform.aws, platform.notes, way)
        assert all(is_blocked(platform.aws, each) for each in tables)
        platform.clock.sleep(37)
        platform.application.busy = False
        kind = type(way.changes(None, MERGE.there, None))  # type: ignore[arg-type]
        catch_up = kind.catch_up
        monkeypatch.setattr(kind, "catch_up", lambda changes: [platform.clock.sleep(300), catch_up(changes)])
        denied = denied_until_turned(platform, tables, lambda: turn(platform.aws, platform.notes, way))
        assert denied < PAUSE.total_seconds() / 2
        assert all(pause.end for pause in state_of(platform.notes).pauses)
        agree(platform.missing_in_sources() if back else platform.missing_in_target())


def die(*_: Any) -> None:
    raise Crash("behind the block")


def denied_until_turned(platform: Platform, tables: Any, work: Any) -> float:
    """For how many seconds writes are denied to the side that the pointers name."""
    model, denied = platform.aws.streams._answers._model, 0.0
    sleep = model.clock.sleep

    def slept(seconds: float) -> None:
        nonlocal denied
        sleep(seconds)
        if any(model.tables[each].arn in model.policies and each in model.pointers.values() for each in tables):
            denied += seconds

    model.clock.sleep = slept
    work()
    return denied


@pytest.mark.parametrize(
    "error", [KeyError("a bug"), MoveFailed("late"), RuntimeError("anything"), KeyboardInterrupt()]
)
def test_whatever_goes_wrong_behind_the_write_block_lifts_it(
    error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    with lived(60, 1) as platform:
        campaign.copied(platform)
        monkeypatch.setattr(comparison.WholeTables, "settle", fail)
        with pytest.raises(type(error)):
            campaign.turn(platform.aws, platform.notes)
        assert not any(is_blocked(platform.aws, each) for each in SOURCES)
        assert cutover.is_turned_back(platform.aws, MERGE)
        (pause,) = state_of(platform.notes).pauses
        assert (pause.end is None) == isinstance(error, KeyboardInterrupt)


def test_a_run_that_lost_the_lease_leaves_the_block_to_the_next() -> None:
    class Lost(MemoryNotes):
        def hold(self) -> None:
            raise LeaseLost("taken over")

    with lived(60, 1) as platform:
        campaign.copied(platform)
        notes = Lost()
        notes.text = platform.notes.text
        with pytest.raises(LeaseLost):
            campaign.turn(platform.aws, notes)
        assert all(is_blocked(platform.aws, each) for each in SOURCES)


def test_the_pause_begins_with_a_period_of_health_and_is_announced() -> None:
    with lived(60, 1) as platform:
        campaign.copied(platform)
        platform.clock.sleep(137)
        campaign.turn(platform.aws, platform.notes)
        (pause,) = state_of(platform.notes).pauses
        assert pause.end is not None
        assert pause.begin.timestamp() % 300 < 30
        assert pause.end - pause.begin < timedelta(minutes=2)


@pytest.mark.parametrize("seconds", [5, 70, 200, 290])
def test_a_write_of_the_run_before_that_lands_late_is_overtaken(seconds: float) -> None:
    """The watch carries back, its batch is on its way, and a rollback takes the lease at once."""
    with migrated(WHOLE) as platform:
        key = sorted(platform.application.items[Entity.USERS])[0]
        stale = dict(platform.stored("users").get(key, item(key[1])))
        campaign.progressed(platform.aws, platform.notes).keep()
        platform.application._update(Entity.USERS, key)
        clock, sleep, slept = platform.clock, platform.clock.sleep, 0.0

        def sleep_and_land(span: float) -> None:
            nonlocal slept
            sleep(span)
            if slept < seconds <= slept + span:
                platform.aws.dynamodb.put_item(TableName="users", Item={**stale, "pk": {"S": key[0]}})
            slept += span

        clock.sleep = sleep_and_land  # type: ignore[method-assign]
        campaign.turn_back(platform.aws, platform.notes)
        assert slept > seconds
        agree(platform.missing_in_sources())


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
def test_the_block_leaves_the_optimizer_out_in_every_partition(partition: str) -> None:
    with lived(20, 1) as platform:
        aws = platform.aws
        caller = f"arn:{partition}:sts::222222222222:assumed-role/tap-act/job"
        aws.partition, aws.sts.get_caller_identity = partition, lambda: {"Arn": caller}
        switches.block_writes(aws, SOURCES, switches.Deadline(platform.clock, PAUSE, "late"))
        policies = platform.aws.streams._answers._model.policies
        assert set(policies) == {f"arn:{partition}:dynamodb:us-east-1:222222222222:table/{each}" for each in SOURCES}
        for policy in policies.values():
            (statement,) = json.loads(policy)["Statement"]
            me = f"arn:{partition}:iam::222222222222:role/tap-act"
            assert statement["Condition"] == {"ArnNotEquals": {"aws:PrincipalArn": me}}
