"""A table's resource policy, its indexes and its stream: what merging tables and removing indexes rest on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from benchmarks.parity.asking import TAG, Answers, Sandbox, refused


@contextmanager
def table(sandbox: Sandbox, name: str, *indexes: str) -> Iterator[tuple[Any, str, str]]:
    """An on-demand table with these indexes: the client, its name and its ARN."""
    client, name = sandbox.client("dynamodb"), f"tap-parity-{name}-{sandbox.suffix}"
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
        sandbox.until(lambda: bool(_table(client, name)["TableStatus"] == "ACTIVE"))
        yield client, name, shown["TableArn"]
    finally:
        sandbox.until(lambda: bool(_table(client, name)["TableStatus"] == "ACTIVE"))
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


def ask_policy(sandbox: Sandbox) -> Answers:
    with table(sandbox, "policy", "by-a") as (client, name, arn):
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

        denied = sandbox.until(lambda: query() == "AccessDeniedException", 120)
        sandbox.sleep(20)
        wrong = refused(lambda: put(ResourceArn=arn, Policy=_deny(arn, "Two"), ExpectedRevisionId="NO_POLICY"))
        same = put(ResourceArn=arn, Policy=_deny(arn, "One"))["RevisionId"] == first
        sandbox.sleep(20)
        client.delete_resource_policy(ResourceArn=arn)
        lifted = sandbox.until(lambda: query() == "accepted", 120)
        return {
            "a second change at once": at_once
            if at_once in ("ResourceInUseException", "accepted")
            else "another error",
            "denies within a minute": denied is not None and denied <= 60,
            "a revision that is not in force": wrong,
            "the same text keeps its revision": same,
            "is lifted within a minute": lifted is not None and lifted <= 60,
        }


def ask_index(sandbox: Sandbox) -> Answers:
    with table(sandbox, "index", "by-a", "by-b") as (client, name, _):

        def delete(*indexes: str) -> str:
            updates = [{"Delete": {"IndexName": each}} for each in indexes]
            return refused(lambda: client.update_table(TableName=name, GlobalSecondaryIndexUpdates=updates))

        both, one = delete("by-a", "by-b"), delete("by-a")
        meanwhile = delete("by-b")
        status = next((e["IndexStatus"] for e in _indexes(client, name) if e["IndexName"] == "by-a"), "gone at once")
        gone = sandbox.until(lambda: "by-a" not in [each["IndexName"] for each in _indexes(client, name)])
        sandbox.until(lambda: bool(_table(client, name)["TableStatus"] == "ACTIVE"))
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


def ask_stream(sandbox: Sandbox) -> Answers:
    with table(sandbox, "stream") as (client, name, _):
        wanted = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}

        def switch(specification: Mapping[str, Any]) -> str:
            answer = refused(lambda: client.update_table(TableName=name, StreamSpecification=specification))
            sandbox.until(lambda: bool(_table(client, name)["TableStatus"] == "ACTIVE"))
            return answer

        off_before = switch({"StreamEnabled": False})
        switch(wanted)
        first = _table(client, name)["LatestStreamArn"]
        on_again = switch(wanted)
        switch({"StreamEnabled": False})
        kept = _table(client, name).get("LatestStreamArn") == first
        sandbox.sleep(5)
        switch(wanted)
        return {
            "off where it is off": off_before,
            "on where it is on": on_again,
            "the ARN of the one before is shown while it is off": kept,
            "has a new ARN": _table(client, name)["LatestStreamArn"] != first,
        }
