"""A small platform that is consolidated while it runs.

It has two tables, an application that writes between any two calls of the optimizer, and its acknowledged writes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError

from domain.clock import Clock
from domain.indexes import INDEXES
from emulator.account import Crash, EmulatedAccount
from emulator.core.faults import Faults
from optimizer.consolidate.mapping import Entity, merged, merged_key, table_shape
from optimizer.consolidate.merge import Merge
from optimizer.consolidate.switches import POINTER
from optimizer.model.health import Pause
from optimizer.ports.aws import Aws
from tests.consolidate.model import HOPS, Model

START = datetime(2027, 3, 1, 8, tzinfo=UTC)
PRODUCTION, REGION = "222222222222", "us-east-1"
KEPT = tuple(name for entity in Entity for name in INDEXES[entity])
MERGE = Merge(KEPT)
ROLE = "arn:aws:iam::222222222222:role/"


class MemoryNotes:
    """The journal's place for notes, without a journal: JSON in, JSON out."""

    def __init__(self) -> None:
        self.text: str | None = None
        self.written = 0
        self.said: list[str] = []

    def read(self) -> Mapping[str, Any] | None:
        return None if self.text is None else json.loads(self.text)

    def write(self, document: Mapping[str, Any]) -> None:
        self.text = json.dumps(document)
        self.written += 1

    def hold(self) -> None:
        """Do nothing: no other process wants the lease."""

    def announce(self, pause: Pause) -> None:
        """Do nothing: no process judges health."""

    def say(self, line: str) -> None:
        self.said.append(line)


@dataclass
class Between:
    """Events around each call of the optimizer.

    Before each call the application takes a step, and at the chosen calls the optimizer dies: before the call landed,
    after it, or so that the call lands while the next process works.
    """

    random: Random
    step: Callable[[], None] = lambda: None
    left: list[int] = field(default_factory=list)  # calls until each death, one after the other
    late: list[tuple[int, Callable[[], Any]]] = field(default_factory=list)  # what lands when so many were made
    calls: int = 0
    lands_late: bool = False

    def around(self, land: Callable[[], Any]) -> Any:
        self.calls += 1
        self.step()
        self._land([call for at, call in self.late if at <= self.calls])
        self.late = [each for each in self.late if each[0] > self.calls]
        if self.left:
            self.left[0] -= 1
            if self.left[0] <= 0:
                self.left.pop(0)
                self._die(land)
        return land()

    def die_soon(self, times: int, within: int, *, lands_late: bool) -> None:
        """Let the optimizer die that many times, each time within that many calls."""
        self.left = [int(within ** self.random.random()) for _ in range(times)]
        self.lands_late = lands_late

    def land(self) -> None:
        """Let the calls in flight land."""
        self._land([call for _, call in self.late])
        self.late = []

    def end(self) -> None:
        """No more deaths."""
        self.land()
        self.left = []

    def _die(self, land: Callable[[], Any]) -> None:
        fate = self.random.choice(("lost", "landed", "late" if self.lands_late else "lost"))
        if fate == "landed":
            land()
        elif fate == "late":
            self.late.append((self.calls + self.random.randrange(10**6), land))
        raise Crash(f"at call {self.calls}: {fate}")

    def _land(self, calls: list[Callable[[], Any]]) -> None:
        for call in calls:
            with suppress(ClientError):  # nobody hears the answer
                call()


@dataclass
class Application:
    """Follows the pointer, remembers it for a few writes, reads it again when it is refused.

    `items` is what was acknowledged: by entity and key, in the sources' shape.
    """

    clients: Any
    random: Random
    keys: int
    items: dict[Entity, dict[tuple[str, str], dict[str, Any]]] = field(
        default_factory=lambda: {each: {} for each in Entity}
    )
    writes: int = 0
    refused: int = 0
    version: int = 0
    busy: bool = True
    _tables: dict[Entity, tuple[str, int]] = field(default_factory=dict)

    def step(self) -> None:
        """One write or none."""
        if self.busy and self.random.random() < 0.6:
            self.write()

    def write(self) -> None:
        entity = self.random.choice(list(Entity))
        key = self._key(entity, self.random.randrange(self.keys))
        known = self.items[entity]
        try:
            if key in known and self.random.random() < 0.3:
                self._delete(entity, key)
            elif key in known and self.random.random() < 0.6:
                self._update(entity, key)
            else:
                self._put(entity, key)
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("AccessDeniedException", "ResourceNotFoundException"):
                raise
            self.refused += 1  # nothing was written: it reads the pointer again, and would try anew
            self._tables.pop(entity, None)
            return
        self.writes += 1

    def seed(self, count: int) -> None:
        for number in range(count):
            entity = list(Entity)[number % 2]
            self._put(entity, self._key(entity, number // 2))

    def _key(self, entity: Entity, number: int) -> tuple[str, str]:
        tenant = f"TENANT#{number % max(1, self.keys // 4)}"
        return (tenant, f"CONTRACT#{number}" if entity is Entity.TENANTS else f"USER#{number}")

    def _put(self, entity: Entity, key: tuple[str, str]) -> None:
        self.version += 1
        item: dict[str, Any] = {
            "pk": {"S": key[0]},
            "sk": {"S": key[1]},
            "n": {"N": str(self.version)},
            "email": {"S": f"{self.random.randrange(1000)}@example.com"},
            "blob": {"B": bytes([self.version % 256])},
            "tags": {"SS": ["a", f"b{self.version}"]},
        }
        if self.random.random() < 0.5:
            item |= {"domain": {"S": f"d{self.version}"}, "tap_plan": {"L": [{"BOOL": True}, {"NULL": True}]}}
        table = self._table(entity)
        stored = merged(entity, item, KEPT) if table == MERGE.target else item
        self.clients.dynamodb.put_item(TableName=table, Item=stored)
        self.items[entity][key] = item

    def _update(self, entity: Entity, key: tuple[str, str]) -> None:
        """Leaves whatever else is on the item, the copying's marks too."""
        self.version += 1
        self.clients.dynamodb.update_item(
            TableName=(table := self._table(entity)),
            Key=self._stored_key(table, entity, key),
            UpdateExpression="SET n = :n, note = :note",
            ExpressionAttributeValues={":n": {"N": str(self.version)}, ":note": {"S": f"note {self.version}"}},
        )
        self.items[entity][key] = {
            **self.items[entity][key],
            "n": {"N": str(self.version)},
            "note": {"S": f"note {self.version}"},
        }

    def _delete(self, entity: Entity, key: tuple[str, str]) -> None:
        table = self._table(entity)
        self.clients.dynamodb.delete_item(TableName=table, Key=self._stored_key(table, entity, key))
        del self.items[entity][key]

    def _stored_key(self, table: str, entity: Entity, key: tuple[str, str]) -> Any:
        own = {"pk": {"S": key[0]}, "sk": {"S": key[1]}}
        return merged_key(entity, own) if table == MERGE.target else own

    def _table(self, entity: Entity) -> str:
        table, left = self._tables.get(entity, ("", 0))
        if not left:
            table, left = self.clients.ssm.get_parameter(Name=POINTER + entity)["Parameter"]["Value"], 4
        self._tables[entity] = (table, left - 1)
        return table


@dataclass
class Platform:
    """The account with the application in it. `aws` opens a new process of the optimizer, under its own role."""

    application: Application
    between: Between
    clock: Clock
    open: Callable[[], Aws]
    stored: Callable[[str], Mapping[tuple[str, str], Mapping[str, Any]]]
    acting: Callable[[], AbstractContextManager[Any]] = nullcontext
    lands_late: bool = False  # whether a dead process's last call may land later
    notes: MemoryNotes = field(default_factory=MemoryNotes)

    @property
    def aws(self) -> Aws:
        return self.open()

    def write(self, times: int) -> None:
        """Let the application write that many times."""
        for _ in range(times):
            self.application.write()

    def missing_in_sources(self) -> list[str]:
        """Differences of the sources from the application's writes: lost, stale, doubled or resurrected items."""
        wrong = []
        for entity, known in self.application.items.items():
            wrong += _differences(entity, known, self.stored(entity))
        return wrong

    def missing_in_target(self) -> list[str]:
        """The same of the target, in which both must lie and nothing else."""
        wanted = {
            (made["pk"]["S"], made["sk"]["S"]): made
            for entity, known in self.application.items.items()
            for item in known.values()
            for made in [merged(entity, item, KEPT)]
        }
        return _differences(MERGE.target, wanted, self.stored(MERGE.target))


def _differences(table: str, wanted: Mapping[Any, Any], stored: Mapping[Any, Any]) -> list[str]:
    wrong = [f"{table} {key}: lost" for key in wanted.keys() - stored.keys()]
    stored = {key: item for key, item in stored.items() if "BAD#" not in key[1]}  # events.py: nobody's data
    wrong += [f"{table} {key}: resurrected or doubled" for key in stored.keys() - wanted.keys()]
    for key in wanted.keys() & stored.keys():
        if _comparable(stored[key]) != _comparable(wanted[key]):
            wrong.append(f"{table} {key}: stale")
    return wrong


def _comparable(item: Mapping[str, Any]) -> Any:
    return {name: sorted(each["SS"]) if "SS" in each else each for name, each in item.items()}


@contextmanager
def lived(items: int, seed: int, hops: Sequence[int] = HOPS) -> Iterator[Platform]:
    """The platform in the model, with that many items; `hops` from a new iterator to its first record."""
    model = Model(seed, hops)
    for entity in Entity:
        model.enable_stream(table := model.make(entity))
        table.shown["GlobalSecondaryIndexes"] = _indexes(entity)
        model.pointers[POINTER + entity] = entity
    between = Between(Random(seed))
    application = Application(model.clients(), Random(seed + 1), max(8, items // 2))
    application.seed(items)
    model.clock.sleep(3600)
    between.step, model.around = application.step, between.around
    yield Platform(application, between, model.clock, model.aws, lambda name: model.tables[name].items, lands_late=True)


def _indexes(entity: Entity) -> list[Any]:
    made: Any = table_shape(entity, INDEXES[entity])["GlobalSecondaryIndexes"]
    return [{**each, "IndexStatus": "ACTIVE"} for each in made]


@contextmanager
def emulated(items: int, seed: int) -> Iterator[Platform]:
    """The platform in the emulated account."""
    with EmulatedAccount(start=START, tooling="111111111111", production=PRODUCTION, seed=seed) as account:
        hands = account.client("dynamodb", PRODUCTION, REGION)
        for entity in Entity:
            hands.create_table(
                TableName=entity,
                **table_shape(entity, INDEXES[entity]),
                BillingMode="PAY_PER_REQUEST",
                StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
                DeletionProtectionEnabled=True,
            )
            account.client("ssm", PRODUCTION, REGION).put_parameter(Name=POINTER + entity, Value=entity, Type="String")
        fleet = account.credentials.assume(f"{ROLE}tap-fleet", "i-1", START + timedelta(days=90))
        session = account.session_of(fleet, REGION)
        clients = SimpleNamespace(dynamodb=session.client("dynamodb"), ssm=session.client("ssm"))
        between = Between(Random(seed))
        application = Application(clients, Random(seed + 1), max(8, items // 2))
        application.seed(items)
        account.clock.sleep(3600)
        between.step = application.step
        faults = Faults(None, 0.0, 0)
        account.faults = faults
        faults.around = lambda number, land: between.around(land)  # type: ignore[method-assign]

        def opened() -> Aws:
            until = account.clock.now() + timedelta(days=30)
            key = account.credentials.assume(f"{ROLE}tap-act", "job", until)
            return Aws(account.session_of(key, REGION), PRODUCTION, REGION, account.clock)

        def stored(table: str) -> Mapping[tuple[str, str], Mapping[str, Any]]:
            pages = hands.get_paginator("scan").paginate(TableName=table)
            return {(item["pk"]["S"], item["sk"]["S"]): item for page in pages for item in page["Items"]}

        acting = partial(account.acting, "optimizer")
        yield Platform(application, between, account.clock, opened, stored, acting)
