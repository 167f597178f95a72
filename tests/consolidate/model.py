"""The part of DynamoDB that a consolidation uses, in plain dictionaries.

It is a thousand times quicker than the emulated account, with AWS's streams: shards that split, and empty answers.

`tests/consolidate/test_migration_emulated.py` takes the same way through the emulated account.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError

from domain.item_size import MOST_BYTES, item_size

Item = dict[str, Any]
Key = tuple[str, str]
KEPT = timedelta(hours=24)
HOPS = (0, 0, 3, 9)  # answers without a record, before a new iterator has come to one


class SteppingClock:
    """Time that passes only during a sleep."""

    def __init__(self) -> None:
        self._now = datetime(2027, 3, 1, 8, tzinfo=UTC)
        self.slept = 0.0

    def now(self) -> datetime:
        return self._now

    def sleep(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)
        self.slept += seconds

    def step(self, seconds: float) -> None:
        """Set the clock, as a person does."""
        self._now += timedelta(seconds=seconds)


def refusal(code: str, operation: str, **more: Any) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": code}, **more}, operation)


def exceptions(*names: str) -> Any:
    """A client's exceptions."""
    return SimpleNamespace(**{name: type(name, (ClientError,), {}) for name in names})


STREAM_ERRORS = exceptions("TrimmedDataAccessException", "ExpiredIteratorException", "ResourceNotFoundException")
TABLE_ERRORS = exceptions("ResourceNotFoundException", "PolicyNotFoundException", "ResourceInUseException")


@dataclass
class Shard:
    """A part of a stream: the partition keys from `low` up to `high`, until it splits."""

    id: str
    parent: str | None
    low: int
    high: int
    records: list[Any] = field(default_factory=list)
    closed: bool = False


class Stream:
    """Records in shards; one in sixty writes splits one."""

    def __init__(self, arn: str, clock: SteppingClock, random: Random) -> None:
        self.arn, self._clock, self._random = arn, clock, random
        self._sequence = random.randrange(10**20, 10**21)
        self.shards = [Shard("shard-0", None, 0, 2**32)]
        self.hide_children = 0  # after a split, answers of DescribeStream that do not show its children yet
        self.hidden = 0

    def add(self, key: Key, old: Item | None, new: Item | None) -> None:
        if old == new:
            return  # no record for a write that changes nothing (Streams, "Change data capture")
        open_shards = [shard for shard in self.shards if not shard.closed]
        if self._random.random() < 1 / 60 and len(open_shards) < 6:
            self._split(self._random.choice(open_shards))
        place = _place(key[0])
        shard = next(each for each in self.shards if not each.closed and each.low <= place < each.high)
        self._sequence += self._random.randrange(1, 1000)
        change = {
            "Keys": {"pk": {"S": key[0]}, "sk": {"S": key[1]}},
            "SequenceNumber": str(self._sequence),
            "ApproximateCreationDateTime": self._clock.now().replace(microsecond=0),
        }
        if old is not None:
            change["OldImage"] = old
        if new is not None:
            change["NewImage"] = new
        name = "INSERT" if old is None else "REMOVE" if new is None else "MODIFY"
        shard.records.append({"eventName": name, "dynamodb": change})

    def _split(self, shard: Shard) -> None:
        shard.closed, self.hidden = True, self.hide_children
        middle = (shard.low + shard.high) // 2
        for low, high in ((shard.low, middle), (middle, shard.high)):
            self.shards.append(Shard(f"shard-{len(self.shards)}", shard.id, low, high))


class Table:
    """Items in the order of their hashed keys, as scans meet them."""

    def __init__(self, name: str, arn: str) -> None:
        self.name, self.arn = name, arn
        self.items: dict[Key, Item] = {}
        self.order: list[tuple[int, Key]] = []
        self.stream: Stream | None = None
        self.shown: Item = {"TableStatus": "ACTIVE", "TableArn": arn}

    def write(self, key: Key, new: Item | None) -> None:
        old = self.items.get(key)
        if new is None:
            self.items.pop(key, None)
            if old is not None:
                self.order.pop(bisect_left(self.order, (_place(key[0]), key)))
        else:
            self.items[key] = new
            if old is None:
                insort(self.order, (_place(key[0]), key))
        if self.stream is not None and (old is not None or new is not None):
            self.stream.add(key, old, new)


class Model:
    """One account. `around` is called with the landing of each call that the optimizer makes."""

    def __init__(self, seed: int, hops: Sequence[int] = HOPS) -> None:
        self.hops = hops
        self.clock = SteppingClock()
        self.random = Random(seed)
        self.tables: dict[str, Table] = {}
        self.pointers: dict[str, str] = {}
        self.policies: dict[str, str] = {}
        self.around: Callable[[Callable[[], Any]], Any] = lambda land: land()
        self._labels = 0
        self.denied_at: dict[str, float] = {}  # by ARN: since when, in seconds that were slept
        self.late_share, self.late_for = 0.0, 0.0  # of requests that meet a policy late, and by how many seconds

    def make(self, name: str) -> Table:
        table = self.tables[name] = Table(name, f"arn:aws:dynamodb:us-east-1:222222222222:table/{name}")
        return table

    def enable_stream(self, table: Table) -> None:
        self._labels += 1
        label = f"{self.clock.now().isoformat()}.{self._labels:03}"
        table.stream = Stream(f"{table.arn}/stream/{label}", self.clock, self.random)

    def aws(self) -> Any:
        """A new process of the optimizer, with its clients."""
        return SimpleNamespace(
            dynamodb=_Client(self, _Tables(self, fenced=False), TABLE_ERRORS),
            streams=_Client(self, _Streams(self), STREAM_ERRORS),
            ssm=_Client(self, _Parameters(self), None),
            ssm_once=_Client(self, _Parameters(self), None),
            partition="aws",
            sts=SimpleNamespace(
                get_caller_identity=lambda: {"Arn": "arn:aws:sts::222222222222:assumed-role/tap-act/j"}
            ),
            clock=self.clock,
            region="us-east-1",
            account="222222222222",
        )

    def clients(self) -> Any:
        """The application's: behind fences they are refused."""
        return SimpleNamespace(dynamodb=_Tables(self, fenced=True), ssm=_Parameters(self))


class _Client:
    """Every call of the optimizer, with the events around it."""

    def __init__(self, model: Model, answers: Any, errors: Any) -> None:
        self._model, self._answers, self.exceptions = model, answers, errors

    def __getattr__(self, name: str) -> Any:
        answer = getattr(self._answers, name)

        def call(**asked: Any) -> Any:
            return self._model.around(lambda: answer(**asked))

        return call

    def get_paginator(self, name: str) -> Any:
        assert name == "scan"

        def paginate(*, TableName: str, PaginationConfig: Any, **_: Any) -> Iterator[Any]:  # noqa: N803
            start: Any = {}
            while True:
                page = self.scan(TableName=TableName, Limit=PaginationConfig["PageSize"], **start)
                yield page
                if "LastEvaluatedKey" not in page:
                    return
                start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

        return SimpleNamespace(paginate=paginate)


class _Tables:
    def __init__(self, model: Model, *, fenced: bool) -> None:
        self._model, self._fenced = model, fenced

    def _table(self, name: str) -> Table:
        if name not in self._model.tables:
            raise TABLE_ERRORS.ResourceNotFoundException({"Error": {"Code": "ResourceNotFoundException"}}, "call")
        return self._model.tables[name]

    def _writable(self, name: str) -> Table:
        table = self._table(name)
        if self._fenced and table.arn in self._model.policies and not self._meets_it_late(table.arn):
            raise refusal("AccessDeniedException", "write")
        return table

    def _meets_it_late(self, arn: str) -> bool:
        """Whether this request is one of the few that a policy is not in force for yet."""
        model = self._model
        age = model.clock.slept - model.denied_at.get(arn, -1e9)
        return age < model.late_for and model.random.random() < model.late_share

    def _put(self, table: Table, item: Item) -> None:
        """Put an item, unless one of its index keys is no string, or empty.

        DynamoDB Developer Guide, "Detecting and correcting index key violations".
        """
        for index in table.shown.get("GlobalSecondaryIndexes", []):
            for name in (each["AttributeName"] for each in index["KeySchema"]):
                if name in item and not item[name].get("S"):
                    raise refusal("ValidationException", "PutItem")
        if item_size(item) > MOST_BYTES:
            raise refusal("ValidationException", "PutItem")
        table.write(_key(item), item)

    def describe_table(self, TableName: str) -> Any:  # noqa: N803
        table = self._table(TableName)
        shown: Item = {**table.shown, "ItemCount": len(table.items)}
        if table.stream:
            shown |= {"LatestStreamArn": table.stream.arn, "StreamSpecification": {"StreamEnabled": True}}
        return {"Table": shown}

    def list_tags_of_resource(self, ResourceArn: str) -> Any:  # noqa: N803
        return {"Tags": []}

    def create_table(self, **asked: Any) -> Any:
        indexes = [{**each, "IndexStatus": "ACTIVE"} for each in asked["GlobalSecondaryIndexes"]]
        as_asked = {name: asked[name] for name in ("KeySchema", "DeletionProtectionEnabled")}
        self._model.make(asked["TableName"]).shown |= {**as_asked, "GlobalSecondaryIndexes": indexes}

    def update_table(self, **asked: Any) -> Any:
        table = self._table(asked["TableName"])
        if "StreamSpecification" in asked:
            self._model.enable_stream(table)
        else:
            table.shown["DeletionProtectionEnabled"] = asked["DeletionProtectionEnabled"]

    def delete_table(self, TableName: str) -> Any:  # noqa: N803
        del self._model.tables[TableName]

    def describe_continuous_backups(self, **_: Any) -> Any:
        return {"ContinuousBackupsDescription": {}}

    def describe_time_to_live(self, **_: Any) -> Any:
        return {"TimeToLiveDescription": {}}

    def get_resource_policy(self, ResourceArn: str) -> Any:  # noqa: N803
        if ResourceArn not in self._model.policies:
            raise TABLE_ERRORS.PolicyNotFoundException({"Error": {"Code": "PolicyNotFoundException"}}, "call")
        return {"Policy": self._model.policies[ResourceArn], "RevisionId": "1"}

    def put_resource_policy(self, ResourceArn: str, Policy: str, **_: Any) -> Any:  # noqa: N803
        self._model.policies[ResourceArn] = Policy
        self._model.denied_at[ResourceArn] = self._model.clock.slept

    def delete_resource_policy(self, ResourceArn: str, **_: Any) -> Any:  # noqa: N803
        self._model.policies.pop(ResourceArn, None)

    def scan(self, TableName: str, **asked: Any) -> Any:  # noqa: N803
        table, of = self._table(TableName), asked.get("TotalSegments", 1)
        limit = asked.get("Limit", 1_000)
        width, number = 2**32 // of, asked.get("Segment", 0)
        low, high = number * width, (number + 1) * width if number < of - 1 else 2**32
        begin = bisect_left(table.order, (low, ("", "")))
        if start := asked.get("ExclusiveStartKey"):
            key = _key(start)
            begin = bisect_right(table.order, (_place(key[0]), key))
        end = bisect_left(table.order, (high, ("", "")))
        found = table.order[begin : min(end, begin + limit)]
        answer: Item = {"Count": len(found)}
        if asked.get("Select") != "COUNT":
            answer["Items"] = [table.items[key] for _, key in found]
        if begin + limit < end:
            answer["LastEvaluatedKey"] = {"pk": {"S": found[-1][1][0]}, "sk": {"S": found[-1][1][1]}}
        return answer

    def batch_get_item(self, RequestItems: Mapping[str, Any]) -> Any:  # noqa: N803
        """Now and then the last keys are left unprocessed."""
        assert 0 < sum(len(asked["Keys"]) for asked in RequestItems.values()) <= 100
        answer: Item = {"Responses": {}}
        for name, asked in RequestItems.items():
            keys = asked["Keys"]
            done = len(keys) if self._model.random.random() < 0.9 else (len(keys) + 1) // 2
            items = self._table(name).items
            answer["Responses"][name] = [items[_key(key)] for key in keys[:done] if _key(key) in items]
            if done < len(keys):
                answer.setdefault("UnprocessedKeys", {})[name] = {**asked, "Keys": keys[done:]}
        return answer

    def batch_write_item(self, RequestItems: Mapping[str, Any]) -> Any:  # noqa: N803
        """Refused as a whole for one item that is not valid; now and then the last are left unprocessed."""
        assert 0 < sum(map(len, RequestItems.values())) <= 25
        for name, requests in RequestItems.items():
            table, scratch = self._writable(name), Table(name, "")
            scratch.shown = table.shown
            for request in requests:
                if "PutRequest" in request:
                    self._put(scratch, request["PutRequest"]["Item"])
        left: Item = {}
        for name, requests in RequestItems.items():
            done = len(requests) if self._model.random.random() < 0.95 else (len(requests) + 1) // 2
            for request in requests[:done]:
                if "PutRequest" in request:
                    self._put(self._table(name), request["PutRequest"]["Item"])
                else:
                    self._table(name).write(_key(request["DeleteRequest"]["Key"]), None)
            if done < len(requests):
                left[name] = requests[done:]
        return {"UnprocessedItems": left}

    def put_item(self, TableName: str, Item: Item, **condition: Any) -> Any:  # noqa: N803
        table = self._writable(TableName)
        self._require(table, _key(Item), condition)
        self._put(table, Item)

    def delete_item(self, TableName: str, Key: Item, **condition: Any) -> Any:  # noqa: N803
        table = self._writable(TableName)
        self._require(table, _key(Key), condition)
        table.write(_key(Key), None)

    def _require(self, table: Table, key: Key, asked: Mapping[str, Any]) -> None:
        if "ConditionExpression" not in asked:
            return
        names, current = asked["ExpressionAttributeNames"], table.items.get(key, {})
        for term in asked["ConditionExpression"].split(" AND "):
            if term.startswith("attribute_not_exists("):
                holds = names[term.split("(")[1].rstrip(")")] not in current
            else:
                name, value = term.split(" = ")
                holds = current.get(names[name]) == asked["ExpressionAttributeValues"][value]
            if not holds:
                raise refusal("ConditionalCheckFailedException", "PutItem")

    def update_item(self, **asked: Any) -> Any:
        """SET alone, of plain names."""
        table, key = self._writable(asked["TableName"]), asked["Key"]
        parts = [part.split(" = ") for part in asked["UpdateExpression"].removeprefix("SET ").split(", ")]
        changed = {name: asked["ExpressionAttributeValues"][value] for name, value in parts}
        self._put(table, {**table.items.get(_key(key), key), **changed})


class _Streams:
    def __init__(self, model: Model) -> None:
        self._model = model

    def _stream(self, arn: str) -> Stream:
        table = self._model.tables[arn.split(":table/")[1].split("/")[0]]
        assert table.stream is not None
        assert table.stream.arn == arn
        return table.stream

    def describe_stream(self, StreamArn: str, **_: Any) -> Any:  # noqa: N803
        stream = self._stream(StreamArn)
        shards = list(stream.shards)
        if stream.hidden:  # a closed shard can be shown before its children are
            stream.hidden -= 1
            shards = shards[:-2]
        shown = [
            {"ShardId": each.id, **({"ParentShardId": each.parent} if each.parent else {})}
            for each in self._model.random.sample(shards, len(shards))
        ]
        return {"StreamDescription": {"Shards": shown}}

    def get_shard_iterator(self, StreamArn: str, ShardId: str, ShardIteratorType: str, **asked: Any) -> Any:  # noqa: N803
        shard = next(each for each in self._stream(StreamArn).shards if each.id == ShardId)
        oldest = self._model.clock.now() - KEPT
        first = next(
            (n for n, r in enumerate(shard.records) if r["dynamodb"]["ApproximateCreationDateTime"] >= oldest),
            len(shard.records),
        )
        place = first
        if ShardIteratorType == "AFTER_SEQUENCE_NUMBER":
            numbers = [each["dynamodb"]["SequenceNumber"] for each in shard.records]
            place = numbers.index(asked["SequenceNumber"]) + 1
            if place < first:
                raise STREAM_ERRORS.TrimmedDataAccessException(
                    {"Error": {"Code": "TrimmedDataAccessException"}}, "GetShardIterator"
                )
        return {"ShardIterator": f"{StreamArn}|{ShardId}|{place}|{self._model.random.choice(self._model.hops)}"}

    def get_records(self, ShardIterator: str) -> Any:  # noqa: N803
        """A page of chance length, sometimes none; and none for a while from a new iterator, though there is more."""
        arn, shard_id, place, hops = ShardIterator.split("|")
        if int(hops):
            return {"Records": [], "NextShardIterator": f"{arn}|{shard_id}|{place}|{int(hops) - 1}"}
        shard = next(each for each in self._stream(arn).shards if each.id == shard_id)
        most = self._model.random.choice((0, 7, 40, 200))
        records = shard.records[int(place) : int(place) + most]
        after = int(place) + len(records)
        if shard.closed and after == len(shard.records):
            return {"Records": records}
        return {"Records": records, "NextShardIterator": f"{arn}|{shard_id}|{after}|0"}


class _Parameters:
    def __init__(self, model: Model) -> None:
        self._model = model

    def get_parameter(self, Name: str) -> Any:  # noqa: N803
        return {"Parameter": {"Name": Name, "Value": self._model.pointers[Name]}}

    def get_parameters(self, Names: list[str]) -> Any:  # noqa: N803
        return {"Parameters": [{"Name": each, "Value": self._model.pointers[each]} for each in Names]}

    def put_parameter(self, Name: str, Value: str, **_: Any) -> Any:  # noqa: N803
        self._model.pointers[Name] = Value


def _key(item: Mapping[str, Any]) -> Key:
    return item["pk"]["S"], item["sk"]["S"]


def _place(partition: str) -> int:
    return int.from_bytes(hashlib.md5(partition.encode()).digest()[:4])
