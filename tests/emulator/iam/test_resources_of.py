"""On which resources AWS checks a call, by its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from emulator.core.call_record import Call
from emulator.iam_actions import RESOURCES, required

AT = datetime(2027, 3, 1, tzinfo=UTC)
PLACE = "us-west-2:1"
A = {"TableName": "a"}
GLOBAL = "rds:RemoveFromGlobalCluster rds"
RING = "cloudwatch:EnableAlarmActions cloudwatch"
PARAMETERS = f"ssm:GetParameters ssm:{PLACE}:parameter"


def call(service: str, operation: str, asked: Mapping[str, Any]) -> Call:
    return Call(1, AT, "1", "us-west-2", service, operation, "a job", "key", lambda: asked, dict)


@pytest.mark.parametrize(
    ("service", "operation", "asked", "rights"),
    [
        ("dynamodb", "PutItem", {"TableName": "t"}, [f"dynamodb:PutItem dynamodb:{PLACE}:table/t"]),
        (
            "dynamodb",
            "Query",
            {"TableName": "t", "IndexName": "i"},
            [f"dynamodb:Query dynamodb:{PLACE}:table/t/index/i"],
        ),
        (
            "dynamodb",
            "TransactWriteItems",
            {
                "TransactItems": [
                    {"Put": {"TableName": "a"}},
                    {"Delete": {"TableName": "b"}},
                    {"Put": {"TableName": "a"}},
                ]
            },
            [f"dynamodb:DeleteItem dynamodb:{PLACE}:table/b", f"dynamodb:PutItem dynamodb:{PLACE}:table/a"],
        ),
        ("dynamodb", "ListTables", {}, ["dynamodb:ListTables *"]),
        (
            "dynamodbstreams",
            "GetRecords",
            {"ShardIterator": "arn:aws:dynamodb:x:1:table/t/stream/1|1|abc"},
            ["dynamodb:GetRecords dynamodb:x:1:table/t/stream/1"],
        ),
        (
            "rds",
            "CreateDBInstance",
            {"DBInstanceIdentifier": "i", "DBClusterIdentifier": "c", "DBSubnetGroupName": "s"},
            [f"rds:CreateDBInstance rds:{PLACE}:{each}" for each in ("db:i", "cluster:c", "subgrp:s")],
        ),
        (
            "rds",
            "RemoveFromGlobalCluster",
            {"GlobalClusterIdentifier": "g", "DbClusterIdentifier": "arn:aws:rds:us-west-2:1:cluster:c"},
            [
                f"rds:RemoveFromGlobalCluster rds:{PLACE}:cluster:c",
                "rds:RemoveFromGlobalCluster rds::1:global-cluster:g",
            ],
        ),
        ("ssm", "GetParameter", {"Name": "/tap/x"}, [f"ssm:GetParameter ssm:{PLACE}:parameter/tap/x"]),
        (
            "ssm",
            "ListTagsForResource",
            {"ResourceType": "Parameter", "ResourceId": "/tap/x"},
            [f"ssm:ListTagsForResource ssm:{PLACE}:parameter/tap/x"],
        ),
        (
            "ssm",
            "GetParameters",
            {"Names": ["/a", "b"]},
            [f"{PARAMETERS}/a", f"{PARAMETERS}/b"],
        ),
        ("s3", "PutObject", {"Bucket": "b", "Key": "k"}, ["s3:PutObject s3:::b/k"]),
        ("events", "EnableRule", {"Name": "r"}, [f"events:EnableRule events:{PLACE}:rule/r"]),
        (
            "cloudwatch",
            "EnableAlarmActions",
            {"AlarmNames": ["a"]},
            [f"{RING}:{PLACE}:alarm:a"],
        ),
        ("cloudwatch", "PutMetricData", {"Namespace": "Tap"}, ["cloudwatch:PutMetricData *"]),
        ("codebuild", "StartBuild", {"projectName": "p"}, [f"codebuild:StartBuild codebuild:{PLACE}:project/p"]),
        ("sts", "AssumeRole", {"RoleArn": "arn:aws:iam::2:role/r"}, ["sts:AssumeRole iam::2:role/r"]),
    ],
)
def test_what_a_call_takes(service: str, operation: str, asked: Mapping[str, Any], rights: list[str]) -> None:
    found = [
        f"{each.action} {each.resource.removeprefix('arn:aws:')}" for each in required(call(service, operation, asked))
    ]
    assert sorted(found) == sorted(rights)


@pytest.mark.parametrize(("service", "operation"), [("glacier", "DeleteVault"), ("ec2", "DeleteVpc")])
def test_a_change_of_what_is_not_known_is_no_right(service: str, operation: str) -> None:
    with pytest.raises(NotImplementedError, match=operation):
        required(call(service, operation, {}))


def test_every_service_names_its_page() -> None:
    assert all(page.startswith("https://docs.aws.amazon.com/service-authorization/") for _, page in RESOURCES.values())
