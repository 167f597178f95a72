"""An application that follows the pointers to its tables: a sample of its items, and of its writes.

It writes to the table that the pointer names, in that table's layout. After a refused write it writes
nothing, and reads the pointer again the next time, as it declared (docs/application.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import count
from random import Random
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from domain.indexes import INDEXES, MERGED, SOURCES
from emulator.services.dynamodb.policies_api import PolicyChanges
from emulator.services.dynamodb.tables_api import TableChanges
from emulator.workload.spec import FollowedPointers

if TYPE_CHECKING:
    from emulator.account import EmulatedAccount

DECLARATION = "/tap/application/follows-pointers"
LASTING = timedelta(days=21)  # from its first write on: longer than any plan takes

Item = Mapping[str, Mapping[str, Any]]


class ItemWriter:
    """Writer of items that remembers each acknowledged write, by table of the design and key."""

    def __init__(self, account: EmulatedAccount, region: str, spec: FollowedPointers, seed: int) -> None:
        self._account, self._spec = account, spec
        self._random = Random(seed)  # noqa: S311 -- repeatable on purpose
        self._dynamodb = account.client("dynamodb", account.production, region)
        self._ssm = account.client("ssm", account.production, region)
        self._number = 0
        self.known: dict[str, dict[tuple[str, str], Item]] = {name: {} for name in SOURCES}
        self._led = {name: name for name in SOURCES}  # the pointers' last values, when both agreed

    def declare(self) -> None:
        """Declare that the application follows the pointers, and put the sample of items into the tables."""
        self._account.part(TableChanges).each_counts_as = self._spec.each_counts_as
        self._ssm.put_parameter(Name=DECLARATION, Value="true", Type="String")
        for number in range(self._spec.items):
            self._put(name := SOURCES[number % 2], number // 2, self._table(name))
        if self._spec.late_writes:
            self._account.on_change(self._write_late)

    def begin(self, at: datetime) -> None:
        """Start writing at this moment: one write each time."""
        self._account.schedule(at, lambda: self._write(at + LASTING))

    def differences(self) -> list[str]:
        """Tables named by the pointers that do not hold exactly the acknowledged items, each with the keys."""
        wrong = []
        for name, known in self.known.items():
            table = self._table(name)
            pages = self._dynamodb.get_paginator("scan").paginate(TableName=table)
            different = {
                (each["pk"]["S"], each["sk"]["S"].removeprefix(f"{name}#")): _own(each)
                for page in pages
                for each in page["Items"]
                if table == name or each["sk"]["S"].startswith(f"{name}#")
            }
            held = {key: {k: v for k, v in item.items() if k not in ("pk", "sk")} for key, item in known.items()}
            if different != held:
                keys = sorted(key for key in {*different, *held} if different.get(key) != held.get(key))
                wrong.append(f"{len(keys)} items of {name} in {table} are not what was written: {keys[:3]}")
        return wrong

    def _write(self, until: datetime) -> bool:
        name, number = self._random.choice(SOURCES), self._random.randrange(self._spec.items)
        table = self._table(name)
        try:
            if _key(name, number) in self.known[name] and self._random.random() < 0.25:
                self._delete(name, number, table)
            else:
                self._put(name, number, table)
        except ClientError as error:
            if error.response["Error"]["Code"] != "AccessDeniedException":
                raise
        now = self._account.clock.now()
        if now < until:
            self._account.schedule(now + timedelta(minutes=self._spec.write_every_minutes), lambda: self._write(until))
        return False  # items are data, not configuration

    def _write_late(self, _at: datetime) -> None:
        """A put and a delete to the old tables, sent before the pointers were switched and arriving after it."""
        tables = {name: self._table(name) for name in SOURCES}
        if tables == self._led or len({table == MERGED for table in tables.values()}) > 1:
            return
        left, self._led = self._led, tables
        policies = self._account.part(PolicyChanges)
        policies.unseen = True
        try:
            first, second = SOURCES
            self._put(first, 0, left[first])
            self._delete(second, next(n for n in count() if _key(second, n) in self.known[second]), left[second])
        finally:
            policies.unseen = False

    def _put(self, name: str, number: int, table: str) -> None:
        self._number += 1
        key = _key(name, number)
        item = _item(name, key, number, self._number)
        stored = {**item, **_stored_key(name, key, table), **_entries(name, item)} if table == MERGED else item
        self._dynamodb.put_item(TableName=table, Item=stored)
        self.known[name][key] = item

    def _delete(self, name: str, number: int, table: str) -> None:
        key = _key(name, number)
        self._dynamodb.delete_item(TableName=table, Key=_stored_key(name, key, table))
        del self.known[name][key]

    def _table(self, name: str) -> str:
        value: str = self._ssm.get_parameter(Name=f"/tap/tables/{name}")["Parameter"]["Value"]
        return value


def _key(name: str, number: int) -> tuple[str, str]:
    tenant = f"TENANT#{number // 4:05}"
    return (tenant, f"CONTRACT#{number:05}" if name == "tenants" else f"USER#{number:05}")


def _stored_key(name: str, key: tuple[str, str], table: str) -> dict[str, Any]:
    return {"pk": {"S": key[0]}, "sk": {"S": f"{name}#{key[1]}" if table == MERGED else key[1]}}


def _item(name: str, key: tuple[str, str], number: int, version: int) -> Item:
    keys = {attribute for index in INDEXES[name].values() for attribute in (index.partition_key, index.sort_key)}
    texts = {attribute: f"{attribute}-{number:05}" for attribute in sorted(keys - {"pk"})}
    attributes = {"name": f"number {number}", "status": "active", **texts}
    return {
        "pk": {"S": key[0]},
        "sk": {"S": key[1]},
        "version": {"N": str(version)},
        **{attribute: {"S": value} for attribute, value in attributes.items()},
    }


def _entries(name: str, item: Item) -> dict[str, Any]:
    """The key attributes of the merged table's indexes (docs/access-patterns.md)."""
    made: dict[str, Any] = {}
    for name_of_index, of in INDEXES[name].items():
        into = INDEXES[MERGED][name_of_index]
        made[into.partition_key] = item[of.partition_key]
        if into.sort_key != "pk":
            made[into.sort_key] = item[of.sort_key]
    return made


def _own(item: Item) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name not in ("pk", "sk") and not name.startswith("tap_")}
