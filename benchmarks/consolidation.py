"""Copying `tenants` and `users` into one table: ours against the best plain copy, on the same emulated account.

A separate process serves the account on loopback and makes the items first; each contestant runs in a fresh
process and copies into its own table. The plain copy scans in parallel segments and writes the unchanged items by
BatchWriteItem, without a record of its position. Ours maps every item and keeps checkpoints; `followed` also follows
the streams, as it does for tables too large to compare in a pause; `verified` reads both sides again and compares
every item, as behind the write block; `in_production` takes pages of 400 items and writes each checkpoint to a table,
under a lease. `compared` is the comparison alone, which decides the length of a pause. Memory is the peak that a
contestant's own process allocates, traced in a second run.

Meant for 10,000 items and more: below that, each contestant's fixed costs outweigh its items.

Fails if ours copies at less than 0.8 of the plain copy's speed, or its memory grows with the number of items.

    python -m benchmarks.consolidation [--items 10000] [--rounds 3] [--memory 10000 100000]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import time
import tracemalloc
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from multiprocessing.connection import Connection
from random import Random
from typing import Any

import boto3

from domain.indexes import INDEXES, merged_indexes
from emulator.account import EmulatedAccount
from emulator.core.botocore_waits import simulated_waits
from emulator.core.credentials import AccessKey, botocore_session
from emulator.http_server import serving
from optimizer.consolidate import copy as copying
from optimizer.consolidate.comparison import WholeTables, compare
from optimizer.consolidate.following.followed_tables import FollowedTables
from optimizer.consolidate.mapping import Entity, table_shape
from optimizer.consolidate.merge import Merge, Speed
from optimizer.consolidate.state import MergeProgress
from optimizer.model.health import Pause
from optimizer.ports.aws import Aws
from rehearsal.served_world import HttpClock

START = datetime(2027, 3, 1, tzinfo=UTC)
TOOLING, PRODUCTION, HOME = "111111111111", "222222222222", "us-east-1"
ROLE = f"arn:aws:iam::{PRODUCTION}:role/tap-act"
KEPT = tuple(name for entity in Entity for name in INDEXES[entity])
SEGMENTS, WORKERS = 4, 4
PAGE = 1_000  # the account sorts a whole table for each page: small pages would measure that
LEAST_SPEED = 0.8  # of the plain copy's speed
MOST_MEMORY = 1.25  # at the largest number of items, relative to the smallest
JOURNAL = "journal"
STREAM = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
FAST = Speed(units=1e9, segments=SEGMENTS, workers=WORKERS, page=PAGE)
Work = Callable[[Aws, str], int]


class Clock:
    """The account's time without a call for it: it moves only in waits, which take no real time."""

    def __init__(self, account: HttpClock) -> None:
        self._account = account
        self._now = account.now()

    def now(self) -> datetime:
        return self._now

    def sleep(self, seconds: float) -> None:
        self._account.sleep(seconds)
        self._now = self._account.now()


class Notes:
    """Checkpoints in memory, with the journal's interface."""

    def __init__(self) -> None:
        self._text = "null"

    def read(self) -> Mapping[str, Any] | None:
        document: Mapping[str, Any] | None = json.loads(self._text)
        return document

    def write(self, document: Mapping[str, Any]) -> None:
        self._text = json.dumps(document)

    def hold(self) -> None:
        """Do nothing: no other process wants the lease."""

    def announce(self, pause: Pause) -> None:
        """Do nothing: no process judges health."""

    def say(self, line: str) -> None:
        """Do nothing: progress is not measured."""


class JournaledNotes(Notes):
    """Checkpoints in a table, each under the lease that it renews, as in the journal."""

    def __init__(self, aws: Aws) -> None:
        super().__init__()
        self._aws = aws

    def write(self, document: Mapping[str, Any]) -> None:
        super().write(document)
        self._aws.dynamodb.transact_write_items(
            TransactItems=[
                {"Put": {"TableName": JOURNAL, "Item": {"pk": {"S": "notes"}, "text": {"S": self._text}}}},
                {"Put": {"TableName": JOURNAL, "Item": {"pk": {"S": "lease"}}}},
            ]
        )


def plain(aws: Aws, target: str) -> int:
    """The plain copy: parallel scan and BatchWriteItem."""

    def segment(source: str, number: int) -> int:
        pages = aws.dynamodb.get_paginator("scan").paginate(TableName=source, TotalSegments=SEGMENTS, Segment=number)
        count = 0
        for page in pages:
            for begin in range(0, len(page["Items"]), 25):
                writes = [{"PutRequest": {"Item": item}} for item in page["Items"][begin : begin + 25]]
                count += len(writes)
                left: Mapping[str, Sequence[Any]] = {target: writes}
                while left:
                    left = aws.dynamodb.batch_write_item(RequestItems=left)["UnprocessedItems"]
        return count

    work = [(source, number) for source in Entity for number in range(SEGMENTS)]
    with ThreadPoolExecutor(WORKERS) as pool:
        return sum(pool.map(lambda each: segment(*each), work))


def ours(aws: Aws, target: str) -> int:
    """The engine, with verification off."""
    return _copied(aws, target, FAST, Notes()).state.copied


def followed(aws: Aws, target: str) -> int:
    """The engine, and the streams followed to their end."""
    progress = _copied(aws, target, FAST, Notes())
    FollowedTables(aws, Merge(KEPT, target=target).there, FAST, progress, Random(1)).follow()
    return progress.state.copied


def verified(aws: Aws, target: str) -> int:
    """The engine, and every item of both sides compared."""
    progress = _copied(aws, target, FAST, Notes())
    WholeTables(aws, Merge(KEPT, target=target).there, FAST, progress).catch_up()
    return progress.state.copied


def compared(aws: Aws, target: str) -> int:
    """The comparison alone, of the tables that were copied in the round before."""
    filled = target.replace("compared", "ours")
    found = compare(aws, Merge(KEPT, target=filled).there, FAST, lambda: None, remember=True)
    assert not found.different, f"{len(found.different)} differ"
    return sum(tally.items for tally in found.sums.values())


def in_production(aws: Aws, target: str) -> int:
    """The engine as in an apply, without its limit on the share of capacity; not verified."""
    return _copied(aws, target, Speed(units=1e9), JournaledNotes(aws)).state.copied


def _copied(aws: Aws, target: str, speed: Speed, notes: Notes) -> MergeProgress:
    merge = Merge(KEPT, target=target)
    progress = MergeProgress(notes, copying.begin(aws, merge, speed), aws.clock)
    copying.copy(aws, merge, speed, progress)
    return progress


def serve(items: int, tables: list[str], ready: Connection) -> None:
    """Serve an account with the sources, `items` in both together, and an empty table for each contestant's round."""

    with EmulatedAccount(start=START, tooling=TOOLING, production=PRODUCTION) as account:
        dynamodb = account.client("dynamodb", PRODUCTION, HOME)
        for name in Entity:
            shape = table_shape(name, INDEXES[name])
            dynamodb.create_table(TableName=name, BillingMode="PAY_PER_REQUEST", StreamSpecification=STREAM, **shape)
        for target in tables:
            shape = table_shape("tenants_users", merged_indexes(KEPT))
            dynamodb.create_table(TableName=target, BillingMode="PAY_PER_REQUEST", **shape)
        dynamodb.create_table(
            TableName=JOURNAL,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        )
        for number in range(items):
            entity, item = made(number)
            dynamodb.put_item(TableName=entity, Item=item)
        account.clock.sleep(25 * 3600)  # the streams have dropped the records of the items' creation
        key = account.credentials.assume(ROLE, "benchmark", account.clock.now() + timedelta(days=30))
        with serving(account, 0, lambda _verb: {}) as port:
            ready.send((port, key))
            ready.recv()


def made(number: int) -> tuple[Entity, dict[str, Any]]:
    """The item with this number: a tenth are tenants; about 400 bytes each."""
    entity = Entity.TENANTS if number % 10 == 0 else Entity.USERS
    texts = {
        "pk": f"TENANT#{number // 10}",
        "sk": "PROFILE" if entity is Entity.TENANTS else f"USER#{number}",
        "name": f"Name {number}",
        "status": "active",
        "domain": f"d{number}.example.com",
        "plan": "pro",
        "created_at": "2026-01-01T00:00:00Z",
        "email": f"{number}@example.com",
        "tenant_role": f"{number // 10}#member",
        "notes": "x" * 200,
    }
    return entity, {name: {"S": value} for name, value in texts.items()}


def timed(work: Work, port: int, key: AccessKey, target: str, *, trace: bool) -> tuple[int, float, float]:
    """Items, wall seconds and peak MiB of one contestant."""
    os.environ["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{port}"
    session = boto3.Session(botocore_session=botocore_session(key, HOME, endpoint=True))
    aws, random = Aws(session, PRODUCTION, HOME, Clock(HttpClock(port))), Random(0)
    with simulated_waits(aws.clock, random.random):
        aws.dynamodb.describe_table(TableName=target)  # clients are made, connections opened
        if trace:
            tracemalloc.start()
        began = time.perf_counter()
        count = work(aws, target)
        wall = time.perf_counter() - began
        return count, wall, tracemalloc.get_traced_memory()[1] / 2**20 if trace else 0.0


def run(items: int, contests: Sequence[tuple[Work, str]], *, trace: bool) -> dict[str, list[tuple[float, float]]]:
    """Run every contest in turn on one account; items a second and peak MiB, by contestant."""
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    server = spawn.Process(target=serve, args=(items, [target for _, target in contests], there), daemon=True)
    server.start()
    port, key = here.recv()
    found: dict[str, list[tuple[float, float]]] = {}
    for work, target in contests:
        with spawn.Pool(1) as fresh:
            count, wall, memory = fresh.apply(partial(timed, trace=trace), (work, port, key, target))
        assert count == items, f"{work.__name__} copied {count} of {items}"
        found.setdefault(work.__name__, []).append((count / wall, memory))
    here.send("end")
    server.join()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Consolidating tables against a plain copy.")
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", type=int, nargs="*", default=[10_000, 100_000])
    asked = parser.parse_args()

    works = (plain, ours, followed, verified, compared, in_production)
    contests = [(work, f"{work.__name__}-{each}") for each in range(asked.rounds) for work in works]
    rates = {name: max(rate for rate, _ in each) for name, each in run(asked.items, contests, trace=False).items()}
    print(f"{asked.items:,} items, the best of {asked.rounds} rounds   items/s   of plain")
    for name, rate in rates.items():
        print(f"  {name:<36}{rate:>10,.0f}{rate / rates['plain']:>11.2f}")
    memory = {items: run(items, [(ours, "traced")], trace=True)["ours"][0][1] for items in asked.memory}
    for items, peak in memory.items():
        print(f"ours allocates {peak:.1f} MiB at its peak for {items:,} items")
    if missed := missing(rates["ours"] / rates["plain"], memory):
        raise SystemExit(missed)


def missing(speed: float, memory: Mapping[int, float]) -> str:
    """The bound that does not hold; empty if both do."""
    missed = []
    if speed < LEAST_SPEED:
        missed.append(f"ours copies at {speed:.2f} of the plain copy's speed, less than {LEAST_SPEED}")
    if memory and (growth := memory[max(memory)] / memory[min(memory)]) > MOST_MEMORY:
        missed.append(f"its memory grows to {growth:.2f} of what {min(memory):,} items take, more than {MOST_MEMORY}")
    return "; ".join(missed)


if __name__ == "__main__":
    main()
