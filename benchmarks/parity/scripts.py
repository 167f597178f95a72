"""Behavior of AWS that our rules rest on, tested by small scripts: the same against AWS and the emulated account.

Each makes its resources under its own name, tagged `tap:parity`, tests, and removes them in every case.
An answer is a short word or number, so that two accounts can be compared.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from benchmarks.parity.asking import TAG, Answers, Asked, Script, refused
from benchmarks.parity.metrics import ask_dimensions
from benchmarks.parity.refresh import OTHER, ask_refresh


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
    "dimensions": Script(
        "A metric is found under its exact set of dimensions alone",
        "https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html",
        ("cloudwatch:GetMetricData",),
        "less than a cent: one custom metric for an hour",
        {
            "under its whole set": True,
            "in another order": True,
            "under one of its dimensions": False,
            "under none": False,
        },
        ask_dimensions,
    ),
    "refresh": Script(
        "A refresh of two small instances, in the default VPC",
        "https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_StartInstanceRefresh.html",
        ("autoscaling:StartInstanceRefresh", "autoscaling:DescribeInstanceRefreshes"),
        "about a cent: up to four t3 instances for some minutes",
        {
            "two small instances before": True,
            "a refresh to the template's latest version": "accepted",
            "another one meanwhile": "InstanceRefreshInProgress",
            "ends": "Successful",
            "the type of all afterwards": OTHER,
            "rolling back what has ended": "ActiveInstanceRefreshNotFound",
        },
        ask_refresh,
    ),
}
