"""AWS's answers in a bad hour, and unusual items: none of them loses an item, or denies writes for long."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from domain.errors import MoveFailed
from domain.item_size import MOST_BYTES, item_size
from optimizer.consolidate import cutover
from optimizer.consolidate.mapping import Entity, merged
from optimizer.consolidate.switches import PAUSE, is_blocked
from tests.consolidate import campaign
from tests.consolidate.campaign import STREAMS, WHOLE, Way, agree
from tests.consolidate.model import Table, _Tables, refusal
from tests.consolidate.platform import KEPT, MERGE, Platform, lived

WAYS = pytest.mark.parametrize("way", [WHOLE, STREAMS], ids=["whole", "streams"])


def tables(platform: Platform) -> dict[str, Table]:
    found: dict[str, Table] = platform.aws.streams._answers._model.tables
    return found


def known(platform: Platform, entity: Entity, pk: str, sk: str, **attributes: Any) -> None:
    """The application writes an item, and the write is acknowledged."""
    item = {"pk": {"S": pk}, "sk": {"S": sk}, **attributes}
    platform.application.clients.dynamodb.put_item(TableName=entity, Item=item)
    platform.application.items[entity][pk, sk] = item


def largest(entity: Entity, pk: str, sk: str) -> dict[str, Any]:
    """The attribute that makes an item as large as the merged table takes it."""
    bare = {"pk": {"S": pk}, "sk": {"S": sk}, "blob": {"B": b""}}
    return {"blob": {"B": b"x" * (MOST_BYTES - item_size(merged(entity, bare, KEPT)))}}


STRANGE: dict[str, dict[str, Any]] = {
    "38 digits": {"n": {"N": "-1.2345678901234567890123456789012345678E-90"}},
    "numbers": {"n": {"NS": ["1", "1E+100", "-0.5"]}, "zero": {"N": "0"}},
    "empty": {"s": {"S": ""}, "b": {"B": b""}, "l": {"L": []}, "m": {"M": {}}},
    "binary": {"b": {"B": bytes(range(256))}, "bs": {"BS": [b"\x00", b"\xff"]}},
    "nested": {"m": {"M": {"tap_e": {"L": [{"M": {"": {"NULL": True}}}, {"BOOL": False}]}}}},
    "ours": {"tap_e": {"S": "e"}, "tap_own_e": {"N": "1"}, "tap_": {"NULL": True}, "tap_watermark": {"S": "x"}},
    "signs": {"name": {"S": "Zoë 🦆 \u0000 \ud7ff"}, "Ŝ": {"SS": ["ß", "ss"]}},
}
KEYS = [
    ("TENANT#1", "users#USER#1"), ("TENANT#1", "tenants#"), ("TENANT#1", "#"), ("TENANT#1", "##users#"),
    ("tap_watermark#20270301T080000#0", "tap_watermark"), ("users#", "tenants#tenants#"), ("\u0000", "\uffff"),
    ("x" * 2048, "y" * (1024 - len("tenants#"))),
]  # fmt: skip


@WAYS
def test_strange_items_go_there_and_back(way: Way) -> None:
    with lived(40, 7, hops=(0,)) as platform:
        platform.application.busy = False
        for entity in Entity:
            for number, attributes in enumerate(STRANGE.values()):
                known(platform, entity, f"TENANT#{number}", "STRANGE", **attributes)
            for pk, sk in KEYS:
                known(platform, entity, pk, sk, of={"S": entity})
            for number in range(20):  # together more than one answer holds
                sk = f"LARGE#{number}"
                known(platform, entity, "TENANT#0", sk, **largest(entity, "TENANT#0", sk))
        campaign.migrate(platform, way)
        platform.application.busy = False
        agree(platform.missing_in_target())
        campaign.roll_back(platform, way)
        agree(platform.missing_in_sources())


def nothing_processed(operation: str, after: Callable[[], bool], patch: pytest.MonkeyPatch) -> None:
    """Every item of a batch is left unprocessed, once the writes are denied."""
    plain = getattr(_Tables, operation)
    left = "UnprocessedItems" if "write" in operation else "UnprocessedKeys"

    def answer(self: Any, RequestItems: Any) -> Any:  # noqa: N803
        return {"Responses": {}, left: RequestItems} if after() else plain(self, RequestItems)

    patch.setattr(_Tables, operation, answer)


@WAYS
@pytest.mark.parametrize("operation", ["batch_get_item", "batch_write_item"])
def test_a_throttle_that_does_not_end_denies_writes_for_no_longer(
    way: Way, operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with lived(200, 3, hops=(0,)) as platform:
        campaign.migrate(platform, way)
        model: Any = platform.aws.streams._answers._model
        arn, sleep, denied = tables(platform)[MERGE.target].arn, model.clock.sleep, 0.0

        def blocked() -> bool:
            return arn in model.policies

        def slept(seconds: float) -> None:
            nonlocal denied
            sleep(seconds)
            platform.write(2)
            denied += seconds if blocked() else 0.0

        monkeypatch.setattr(model.clock, "sleep", slept)
        model.late_share, model.late_for = 0.05, 30.0  # so that there is something to carry
        with monkeypatch.context() as throttled:
            nothing_processed(operation, blocked, throttled)
            with pytest.raises(MoveFailed, match="un the same command again"):
                campaign.turn_back(platform.aws, platform.notes, way)
        assert denied <= PAUSE.total_seconds() + 30
        assert not is_blocked(platform.aws, MERGE.target)
        model.late_share = 0.0
        campaign.roll_back(platform, way)
        platform.application.busy = False
        agree(platform.missing_in_sources())


@WAYS
def test_items_that_expire_behind_the_block_go_on_both_sides(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    """DynamoDB itself deletes expired items: no policy denies that."""
    with lived(100, 5, hops=(0,)) as platform:
        campaign.copied(platform, way)
        platform.application.busy = False
        turn, (key, *_) = cutover.turn_pointers, sorted(platform.application.items[Entity.USERS])

        def expire(*asked: Any) -> None:
            if tables(platform)["users"].items.get(key):
                tables(platform)["users"].write(key, None)
                del platform.application.items[Entity.USERS][key]
            turn(*asked)

        monkeypatch.setattr(cutover, "turn_pointers", expire)
        campaign.turn(platform.aws, platform.notes, way)
        agree(platform.missing_in_target())


@WAYS
def test_a_late_write_that_meets_a_transaction_is_named(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    """https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html: PutItem is refused."""
    with lived(100, 5, hops=(0,)) as platform:
        campaign.migrate(platform, way)
        platform.application.busy = False
        turn, (key, *_) = cutover.turn_pointers, sorted(platform.application.items[Entity.USERS])
        late = {"pk": {"S": key[0]}, "sk": {"S": f"users#{key[1]}"}, "late": {"BOOL": True}}

        def write_late(*asked: Any) -> None:
            tables(platform)[MERGE.target].write((key[0], f"users#{key[1]}"), late)
            turn(*asked)

        def in_a_transaction(_self: Any, **_asked: Any) -> None:
            raise refusal("TransactionConflictException", "PutItem")

        monkeypatch.setattr(cutover, "turn_pointers", write_late)
        monkeypatch.setattr(_Tables, "put_item", in_a_transaction)
        campaign.turn_back(platform.aws, platform.notes, way)
        assert cutover.is_turned_back(platform.aws, MERGE)
        assert any("newer ones, which stay: tenants_users" in line for line in platform.notes.said)
