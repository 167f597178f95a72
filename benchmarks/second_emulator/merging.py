"""The merge of tables, whole and both ways, while an application writes between any two calls of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from random import Random
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError

from benchmarks.parity.asking import Answers, Sandbox
from benchmarks.second_emulator.moves import aws_of
from domain.indexes import INDEXES
from optimizer.consolidate.mapping import Entity, table_shape
from optimizer.consolidate.switches import POINTER, is_blocked, read_pointers, to_sources, to_target
from optimizer.consolidate.target import create_target
from optimizer.ports.aws import Aws
from tests.consolidate import campaign
from tests.consolidate.platform import MERGE, Application, Between, Platform

TABLES = (*map(str, MERGE.sources), MERGE.target)


class Bound:
    """The application's DynamoDB client: our write block refuses it even if the account evaluates no policy."""

    def __init__(self, client: Any, aws: Aws) -> None:
        self._client, self._aws = client, aws

    def __getattr__(self, name: str) -> Any:
        def call(**request: Any) -> Any:
            if request["TableName"] in self._aws.dynamodb.list_tables()["TableNames"] and is_blocked(
                self._aws, request["TableName"]
            ):
                raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "explicit deny"}}, name)
            return getattr(self._client, name)(**request)

        return call


class Lively:
    """A client of ours that lets the application take a step before each call."""

    def __init__(self, client: Any, step: Callable[[], None]) -> None:
        self._client, self._step = client, step

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if name not in self._client.meta.method_to_api_mapping:
            return found

        def call(**request: Any) -> Any:
            self._step()
            return found(**request)

        return call


@contextmanager
def platform(sandbox: Sandbox) -> Iterator[Platform]:
    """Both tables with 60 items, and the application; all of it is deleted afterwards."""
    aws = aws_of(sandbox)
    for entity in Entity:
        aws.dynamodb.create_table(
            TableName=entity,
            **table_shape(entity, INDEXES[entity]),
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
        aws.ssm.put_parameter(Name=POINTER + entity, Value=entity, Type="String")
    sandbox.sleep(60)
    own = sandbox.session.client("dynamodb", region_name=sandbox.region)
    clients = SimpleNamespace(dynamodb=Bound(own, aws), ssm=sandbox.session.client("ssm", region_name=sandbox.region))
    application = Application(clients, Random(2), 30)
    application.seed(60)

    def opened() -> Aws:
        fresh = Aws(sandbox.session, aws.account, aws.region, aws.clock)
        for name in ("dynamodb", "streams", "ssm_once"):  # a cached property looks there first
            fresh.__dict__[name] = Lively(getattr(fresh, name), application.step)
        return fresh

    def stored(name: str) -> Mapping[tuple[str, str], Mapping[str, Any]]:
        pages = own.get_paginator("scan").paginate(TableName=name)
        return {(item["pk"]["S"], item["sk"]["S"]): item for page in pages for item in page["Items"]}

    try:
        yield Platform(application, Between(Random(1)), aws.clock, opened, stored)
    finally:
        for name in set(TABLES) & set(aws.dynamodb.list_tables()["TableNames"]):
            aws.dynamodb.delete_table(TableName=name)
        aws.ssm.delete_parameters(Names=[POINTER + name for name in MERGE.sources])


def ask_merge(way: campaign.Way, sandbox: Sandbox) -> Answers:
    aws = aws_of(sandbox)
    with platform(sandbox) as live:
        before = live.application.writes
        create_target(live.aws, MERGE, {**campaign.LIKE, "protected": False}, {})
        sandbox.sleep(60)
        campaign.copy(live.aws, live.notes, way)
        if way.streams:
            campaign.open_way_back(live.aws)
        campaign.turn(live.aws, live.notes, way)
        turned = read_pointers(aws, MERGE) == to_target(MERGE)
        there = _wrong(live, live.missing_in_target)
        for _ in range(3):
            live.write(30)
            sandbox.sleep(900)
            campaign.catch_up(live.aws, live.notes, way)
        campaign.turn_back(live.aws, live.notes, way)
        return {
            "the pointers are turned": turned,
            "items lost, stale or doubled there": there,
            "the pointers are turned back": read_pointers(aws, MERGE) == to_sources(MERGE),
            "items lost, stale or doubled back": _wrong(live, live.missing_in_sources),
            "thirty writes and more came in between": live.application.writes - before - 90 >= 30,
            "some were refused by the block": live.application.refused > 0,
        }


def _wrong(live: Platform, missing: Callable[[], list[str]]) -> int:
    """The number of items that differ from the application's acknowledged writes, while it pauses."""
    live.application.busy = False
    found = missing()
    live.application.busy = True
    return len(found)
