"""Amazon DynamoDB: table updates, which take time, one at a time, and their effect on indexes and streams."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

from moto.dynamodb.models import dynamodb_backends

from emulator.core.call_record import REHEARSAL
from emulator.core.errors import AwsError
from emulator.core.registry import Answer, emulates

if TYPE_CHECKING:
    from emulator.core.call_record import Call
    from emulator.core.port import Account

API = "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference"
GUIDE = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide"

STREAM = timedelta(seconds=5)
SETTING = timedelta(seconds=4)
DELETES = timedelta(minutes=4)
ALLOCATES = timedelta(minutes=2)
BACKFILLS = timedelta(minutes=20)
REPLICATES = timedelta(minutes=1)

Key = tuple[str, str, str]  # account, Region, table


@dataclass
class TableChanges:
    """State that moto does not have: tables that are created, deleted or UPDATING, indexes in backfill, replicas."""

    states: dict[Key, str] = field(default_factory=dict)  # CREATING or DELETING
    updating: set[Key] = field(default_factory=set)
    backfilling: set[tuple[Key, str]] = field(default_factory=set)
    replicas: dict[Key, list[str]] = field(default_factory=dict)
    each_counts_as: int = 1  # items per stored item: the stored ones are a sample

    def state_of(self, key: Key) -> str:
        """The table's status in DescribeTable."""
        return self.states.get(key, "UPDATING" if key in self.updating else "ACTIVE")


@emulates(
    "dynamodb",
    "UpdateTable",
    rule="Creates or deletes one index per call, and none while an index is not ACTIVE; the call that creates one "
    "defines its keys' attributes. Refused while the table is not ACTIVE. Changes take time. A stream gets a new "
    "label each time it is enabled, is neither enabled nor disabled twice, and cannot be disabled under replicas.",
    source=f"{API}/API_UpdateTable.html",
)
def update_table(account: Account, call: Call) -> Answer | None:
    asked = call.parameters
    key, table = find_table(call, asked["TableName"])
    changes = asked.get("GlobalSecondaryIndexUpdates", [])
    stream, replicas = asked.get("StreamSpecification"), asked.get("ReplicaUpdates", [])
    if not (changes or stream or replicas or "DeletionProtectionEnabled" in asked):
        return None
    _refuse_busy(account, key, table, changes)
    if changes and stream:
        raise _invalid("You cannot create or delete index while changing stream status")
    if replicas:
        _replicate(account, call, key, table, replicas)
    elif stream:
        _set_stream(account, key, table, stream)
    elif not changes:
        call.forward()
        if call.actor != REHEARSAL:
            _busy_for(account, key, SETTING)
    else:
        _change_index(account, call, key, table, changes[0])
    return {"TableDescription": table_description(account, key, table)}


@emulates(
    "dynamodb",
    "DescribeTable",
    rule="The table is CREATING, UPDATING or DELETING and its index CREATING or DELETING for a while; an index in "
    "backfill has Backfilling set, while the table is ACTIVE again.",
    source=f"{GUIDE}/GSI.OnlineOps.html",
)
def describe_table(account: Account, call: Call) -> Answer | None:
    name = call.parameters["TableName"].rsplit("/", 1)[-1]
    table = dynamodb_backends[call.account][call.region].tables.get(name)
    key, changes = (call.account, call.region, name), account.part(TableChanges)
    quiet = changes.state_of(key) == "ACTIVE" and key not in changes.replicas and changes.each_counts_as == 1
    if table is None or (quiet and all(index.status == "ACTIVE" for index in table.global_indexes)):
        return None
    return {"Table": table_description(account, key, table)}


@emulates(
    "dynamodb",
    "ListContributorInsights",
    rule="Tables and indexes for which Contributor Insights was never enabled are not listed.",
    source=f"{API}/API_ListContributorInsights.html",
)
def list_contributor_insights(_: Account, call: Call) -> Answer:
    if "TableName" in call.parameters:
        find_table(call, call.parameters["TableName"])
    return {"ContributorInsightsSummaries": []}


@emulates(
    "dynamodb",
    "DescribeKinesisStreamingDestination",
    rule="A table whose changes never went to a Kinesis data stream has no destinations.",
    source=f"{API}/API_DescribeKinesisStreamingDestination.html",
)
def describe_kinesis_streaming_destination(_: Account, call: Call) -> Answer:
    find_table(call, name := call.parameters["TableName"])
    return {"TableName": name, "KinesisDataStreamDestinations": []}


def find_table(call: Call, name: str) -> tuple[Key, Any]:
    """moto's object for a table; raises ResourceNotFoundException."""
    name = name.rsplit("/", 1)[-1]
    table = dynamodb_backends[call.account][call.region].tables.get(name)
    if table is None:
        raise AwsError("ResourceNotFoundException", f"Requested resource not found: Table: {name} not found")
    return (call.account, call.region, name), table


def _invalid(what: str) -> AwsError:
    return AwsError("ValidationException", f"One or more parameter values were invalid: {what}")


def _refuse_busy(account: Account, key: Key, table: Any, changes: Sequence[Mapping[str, Any]]) -> None:
    if account.part(TableChanges).state_of(key) != "ACTIVE":
        raise AwsError(
            "ResourceInUseException",
            f"Attempt to change a resource which is still in use: Table is being updated: {table.name}",
        )
    busy = any(index.status != "ACTIVE" for index in table.global_indexes)
    if sum("Create" in each or "Delete" in each for each in changes) + busy > 1:
        # AWS's own words: architect/architect#268 on GitHub.
        raise AwsError(
            "LimitExceededException",
            "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table",
        )


def _set_stream(account: Account, key: Key, table: Any, asked: Mapping[str, Any]) -> None:
    is_on = bool(table.stream_specification and table.stream_specification.get("StreamEnabled"))
    if asked["StreamEnabled"]:
        if is_on:
            raise AwsError("ValidationException", f"Table already has an enabled stream: TableName: {table.name}")
        if "StreamViewType" not in asked:
            raise _invalid("If stream is being enabled then UpdateViewType is required")
        table.set_stream_specification(dict(asked))
    else:
        if "StreamViewType" in asked:
            raise _invalid("If stream is being disabled, then UpdateViewType must not be specified")
        if account.part(TableChanges).replicas.get(key):
            raise _invalid("Disabling Stream is not allowed for a Global Table replica.")
        if not is_on:
            raise AwsError("ValidationException", f"Table has no stream to disable: TableName: {table.name}")
        table.set_stream_specification(None)
        table.stream_shard = None
    _busy_for(account, key, STREAM)


def _change_index(account: Account, call: Call, key: Key, table: Any, change: Mapping[str, Any]) -> None:
    if "Delete" in change:
        name = change["Delete"]["IndexName"]
        index = next((each for each in table.global_indexes if each.name == name), None)
        if index is None:
            raise AwsError("ResourceNotFoundException", f"Requested resource not found: Index: {name} not found")
        index.status = "DELETING"
        _busy_for(account, key, DELETES, lambda: _drop_index(table, index))
    elif "Create" in change:
        _create_index(account, call, key, table, change["Create"])
    else:
        call.forward()


def _create_index(account: Account, call: Call, key: Key, table: Any, wanted: Mapping[str, Any]) -> None:
    name = wanted["IndexName"]
    if any(each.name == name for each in table.global_indexes):
        raise _invalid(f"Attempting to create an index which already exists: {name}")
    asked = dict(call.parameters)
    given = {each["AttributeName"]: each for each in asked.get("AttributeDefinitions", [])}
    if undefined := [each["AttributeName"] for each in wanted["KeySchema"] if each["AttributeName"] not in given]:
        raise _invalid(
            "Some index key attributes are not defined in AttributeDefinitions. "
            f"Keys: [{', '.join(undefined)}], AttributeDefinitions: [{', '.join(given)}]"
        )
    known = {each["AttributeName"]: each for each in table.attr}
    call.forward({**asked, "AttributeDefinitions": list((known | given).values())})
    index = next(each for each in table.global_indexes if each.name == name)
    index.status = "CREATING"
    backfilling = account.part(TableChanges).backfilling

    def complete() -> None:
        index.status = "ACTIVE"
        backfilling.discard((key, name))

    _busy_for(account, key, ALLOCATES, lambda: backfilling.add((key, name)))
    account.schedule(account.clock.now() + ALLOCATES + BACKFILLS, complete)


def _drop_index(table: Any, index: Any) -> None:
    """Remove the index, and the definitions of attributes that are no longer a key of anything."""
    table.global_indexes = [each for each in table.global_indexes if each is not index]
    schemas = [table.schema, *(each.schema for each in (*table.global_indexes, *table.indexes))]
    used = {each["AttributeName"] for schema in schemas for each in schema}
    table.attr = [each for each in table.attr if each["AttributeName"] in used]


def _replicate(account: Account, call: Call, key: Key, table: Any, updates: Sequence[Mapping[str, Any]]) -> None:
    """Make the table's replicas, each with the table's present schema, indexes and stream."""
    if not (table.stream_specification or {}).get("StreamEnabled"):
        raise _invalid("A global table needs its stream, with new and old images")
    regions = [each["Create"]["RegionName"] for each in updates if "Create" in each]
    if len(regions) != 1:
        raise _invalid("Exactly one replica is created at a time")
    here, there = key[1], regions[0]
    indexes = [
        {"IndexName": each.name, "KeySchema": each.schema, "Projection": each.projection}
        for each in table.global_indexes
    ]
    account.client("dynamodb", call.account, there).create_table(
        TableName=table.name,
        AttributeDefinitions=table.attr,
        KeySchema=table.schema,
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification=table.stream_specification,
        **({"GlobalSecondaryIndexes": indexes} if indexes else {}),
    )
    replicas = account.part(TableChanges).replicas
    for region, other in ((here, there), (there, here)):
        replicas.setdefault((key[0], region, table.name), []).append(other)
    _busy_for(account, key, REPLICATES)


def _busy_for(account: Account, key: Key, time: timedelta, then: Callable[[], object] | None = None) -> None:
    updating = account.part(TableChanges).updating
    updating.add(key)

    def end() -> None:
        updating.discard(key)
        if then is not None:
            then()

    account.schedule(account.clock.now() + time, end)


def table_description(account: Account, key: Key, table: Any) -> dict[str, Any]:
    """moto's own description of a table, with the changes under way."""
    changes = account.part(TableChanges)
    shown = dict(table.describe()["TableDescription"])
    shown["CreationDateTime"] = table.created_at.replace(tzinfo=UTC)
    shown["TableStatus"] = changes.state_of(key)
    for index in shown["GlobalSecondaryIndexes"]:
        if index["IndexStatus"] == "CREATING":
            index["Backfilling"] = (key, index["IndexName"]) in changes.backfilling
    if key in changes.replicas:
        shown["Replicas"] = [{"RegionName": each, "ReplicaStatus": "ACTIVE"} for each in changes.replicas[key]]
    for counted in (shown, *shown["GlobalSecondaryIndexes"]):
        for name in ("ItemCount", "TableSizeBytes", "IndexSizeBytes"):
            if name in counted:
                counted[name] *= changes.each_counts_as
    return shown
