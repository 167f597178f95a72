"""Behavior of AWS that our rules rest on, tested by small scripts: the same against AWS and the emulated account.

Each makes its resources under its own name, tagged `tap:parity`, tests, and removes them in every case.
An answer is a short word or number, so that two accounts can be compared.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

TAG = {"Key": "tap:parity", "Value": "delete me"}
ONCE = Config(retries={"total_max_attempts": 1})  # shows AWS's own answers, without botocore's retries
Answers = dict[str, str | int | bool | None]


@dataclass(frozen=True)
class Asked:
    """An account under test, and its time."""

    session: boto3.Session
    region: str
    suffix: str
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def client(self, service: str) -> Any:
        return self.session.client(service, region_name=self.region, config=ONCE)  # type: ignore[call-overload]

    def until(self, reached: Callable[[], bool], seconds: int = 1_800) -> int | None:
        """Whole seconds until the condition holds, checked every few seconds; None if it never does."""
        began = self.now()
        while not reached():
            if self.now() - began > timedelta(seconds=seconds):
                return None
            self.sleep(3)
        return round((self.now() - began).total_seconds())


@dataclass(frozen=True)
class Script:
    """`documented`: AWS's documented answers; `operations`: those whose rules rest on them; `cost` of one run."""

    title: str
    source: str
    operations: tuple[str, ...]
    cost: str
    documented: Mapping[str, str | int | bool | None]
    ask: Callable[[Asked], Answers]


def refused(call: Callable[[], object]) -> str:
    """AWS's error code; `accepted` if the call succeeded."""
    try:
        call()
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "accepted"


@contextmanager
def table(asked: Asked, name: str, *indexes: str) -> Iterator[tuple[Any, str, str]]:
    """An on-demand table with these indexes: the client, its name and its ARN."""
    client, name = asked.client("dynamodb"), f"tap-parity-{name}-{asked.suffix}"
    made = [
        {
            "IndexName": each,
            "KeySchema": [{"AttributeName": each, "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        }
        for each in indexes
    ]
    shown = client.create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": each, "AttributeType": "S"} for each in ("pk", *indexes)],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
        Tags=[TAG],
        **({"GlobalSecondaryIndexes": made} if made else {}),
    )["TableDescription"]
    try:
        asked.until(lambda: bool(_table(client, name)["TableStatus"] == "ACTIVE"))
        yield client, name, shown["TableArn"]
    finally:
        asked.until(lambda: bool(_table(client, name)["TableStatus"] == "ACTIVE"))
        client.delete_table(TableName=name)


def _table(client: Any, name: str) -> Any:
    return client.describe_table(TableName=name)["Table"]


def _indexes(client: Any, name: str) -> list[Any]:
    return list(_table(client, name).get("GlobalSecondaryIndexes", []))


def _deny(arn: str, sid: str) -> str:
    statement = {
        "Sid": sid,
        "Effect": "Deny",
        "Principal": "*",
        "Action": "dynamodb:Query",
        "Resource": f"{arn}/index/by-a",
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def ask_policy(asked: Asked) -> Answers:
    with table(asked, "policy", "by-a") as (client, name, arn):
        put = client.put_resource_policy
        first = put(ResourceArn=arn, Policy=_deny(arn, "One"), ExpectedRevisionId="NO_POLICY")["RevisionId"]
        at_once = refused(lambda: put(ResourceArn=arn, Policy=_deny(arn, "Two")))

        def query() -> str:
            values = {":x": {"S": "x"}}
            return refused(
                lambda: client.query(
                    TableName=name,
                    IndexName="by-a",
                    KeyConditionExpression="#a = :x",
                    ExpressionAttributeValues=values,
                    ExpressionAttributeNames={"#a": "by-a"},
                )
            )

        denied = asked.until(lambda: query() == "AccessDeniedException", 120)
        asked.sleep(20)
        wrong = refused(lambda: put(ResourceArn=arn, Policy=_deny(arn, "Two"), ExpectedRevisionId="NO_POLICY"))
        same = put(ResourceArn=arn, Policy=_deny(arn, "One"))["RevisionId"] == first
        asked.sleep(20)
        client.delete_resource_policy(ResourceArn=arn)
        lifted = asked.until(lambda: query() == "accepted", 120)
        return {
            "a second change at once": at_once
            if at_once in ("ResourceInUseException", "accepted")
            else "another error",
            "denies within a minute": denied is not None and denied <= 60,
            "a revision that is not in force": wrong,
            "the same text keeps its revision": same,
            "is lifted within a minute": lifted is not None and lifted <= 60,
        }


def ask_index(asked: Asked) -> Answers:
    with table(asked, "index", "by-a", "by-b") as (client, name, _):

        def delete(*indexes: str) -> str:
            updates = [{"Delete": {"IndexName": each}} for each in indexes]
            return refused(lambda: client.update_table(TableName=name, GlobalSecondaryIndexUpdates=updates))

        both, one = delete("by-a", "by-b"), delete("by-a")
        meanwhile = delete("by-b")
        status = next((e["IndexStatus"] for e in _indexes(client, name) if e["IndexName"] == "by-a"), "gone at once")
        gone = asked.until(lambda: "by-a" not in [each["IndexName"] for each in _indexes(client, name)])
        asked.until(lambda: bool(_table(client, name)["TableStatus"] == "ACTIVE"))
        attributes = {each["AttributeName"] for each in _table(client, name)["AttributeDefinitions"]}
        undefined = {
            "IndexName": "by-pk",
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        }
        return {
            "two in one call": both,
            "one": one,
            "its status then": status,
            "another one meanwhile": meanwhile,
            "is gone in the end": gone is not None,
            "its attribute's definition goes along": "by-a" not in attributes,
            "one that is not there": delete("by-c"),
            "a new one without its attribute's definition": refused(
                lambda: client.update_table(TableName=name, GlobalSecondaryIndexUpdates=[{"Create": undefined}])
            ),
        }


def ask_stream(asked: Asked) -> Answers:
    with table(asked, "stream") as (client, name, _):
        wanted = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}

        def switch(specification: Mapping[str, Any]) -> str:
            answer = refused(lambda: client.update_table(TableName=name, StreamSpecification=specification))
            asked.until(lambda: bool(_table(client, name)["TableStatus"] == "ACTIVE"))
            return answer

        off_before = switch({"StreamEnabled": False})
        switch(wanted)
        first = _table(client, name)["LatestStreamArn"]
        on_again = switch(wanted)
        switch({"StreamEnabled": False})
        kept = _table(client, name).get("LatestStreamArn") == first
        asked.sleep(5)
        switch(wanted)
        return {
            "off where it is off": off_before,
            "on where it is on": on_again,
            "the ARN of the one before is shown while it is off": kept,
            "has a new ARN": _table(client, name)["LatestStreamArn"] != first,
        }


REFERENCE = "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference"
SCRIPTS: Mapping[str, Script] = {
    "policy": Script(
        "A table's resource policy: spread, order and revisions",
        f"{REFERENCE}/API_PutResourcePolicy.html",
        ("dynamodb:PutResourcePolicy", "dynamodb:DeleteResourcePolicy"),
        "less than a cent",
        {
            "a second change at once": "ResourceInUseException",
            "denies within a minute": True,
            "a revision that is not in force": "PolicyNotFoundException",
            "the same text keeps its revision": True,
            "is lifted within a minute": True,
        },
        ask_policy,
    ),
    "index": Script(
        "Deleting indexes",
        f"{REFERENCE}/API_UpdateTable.html",
        ("dynamodb:UpdateTable",),
        "less than a cent",
        {
            "two in one call": "LimitExceededException",
            "one": "accepted",
            "its status then": "DELETING",
            "another one meanwhile": "ResourceInUseException",
            "is gone in the end": True,
            "its attribute's definition goes along": True,
            "one that is not there": "ResourceNotFoundException",
            "a new one without its attribute's definition": "ValidationException",
        },
        ask_index,
    ),
    "stream": Script(
        "A stream switched off and on",
        f"{REFERENCE}/API_StreamSpecification.html",
        ("dynamodb:UpdateTable",),
        "less than a cent",
        {
            "off where it is off": "ValidationException",
            "on where it is on": "ValidationException",
            "the ARN of the one before is shown while it is off": True,
            "has a new ARN": True,
        },
        ask_stream,
    ),
}
