"""One look at an account: answers are reused until a call that may change them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from emulator.account import EmulatedAccount
from optimizer.ports.aws import Aws
from optimizer.ports.one_look import one_look

REGION, ELSEWHERE = "us-east-1", "us-west-2"


@pytest.fixture
def account() -> Iterator[EmulatedAccount]:
    start = datetime(2027, 3, 1, tzinfo=UTC)
    with EmulatedAccount(start=start, tooling="111111111111", production="222222222222") as made:
        yield made


@pytest.fixture
def aws(account: EmulatedAccount) -> Aws:
    aws = Aws(account.session(account.production, REGION), account.production, REGION, account.clock)
    aws.dynamodb.create_table(
        TableName="orders",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return aws


def asked(account: EmulatedAccount, work: Callable[[], None]) -> list[str]:
    """The operations that the account recorded while `work` ran with recorded calls."""
    before = len(account.calls)
    with account.acting("Job"):
        work()
    return [call.operation for call in list(account.calls)[before:]]


def test_a_read_is_made_once_for_each_of_its_parameters_and_places(account: EmulatedAccount, aws: Aws) -> None:
    look = one_look(aws)

    def reads() -> None:
        for _ in range(2):
            assert look.dynamodb.describe_table(TableName="orders")["Table"]["TableName"] == "orders"
            assert [page["TableNames"] for page in look.dynamodb.get_paginator("list_tables").paginate()] == [
                ["orders"]
            ]
            assert look.at(ELSEWHERE).dynamodb.list_tables()["TableNames"] == []
            assert look.at(ELSEWHERE) is look.at(ELSEWHERE)

    assert asked(account, reads) == ["DescribeTable", "ListTables", "ListTables"]


def test_whoever_changes_an_answer_changes_nobody_else_s(aws: Aws) -> None:
    look = one_look(aws)
    look.dynamodb.describe_table(TableName="orders")["Table"].clear()
    assert look.dynamodb.describe_table(TableName="orders")["Table"]["TableName"] == "orders"


def test_after_a_write_everything_is_read_anew(account: EmulatedAccount, aws: Aws) -> None:
    look = one_look(aws)

    def changes() -> None:
        assert look.at(ELSEWHERE).rds.describe_db_clusters()["DBClusters"] == []
        assert "StreamSpecification" not in look.dynamodb.describe_table(TableName="orders")["Table"]
        stream = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
        look.dynamodb.update_table(TableName="orders", StreamSpecification=stream)
        assert look.dynamodb.describe_table(TableName="orders")["Table"]["StreamSpecification"] == stream
        assert look.at(ELSEWHERE).rds.describe_db_clusters()["DBClusters"] == []

    calls = ["DescribeDBClusters", "DescribeTable"]
    assert asked(account, changes) == [*calls, "UpdateTable", *reversed(calls)]


def test_items_errors_and_other_looks_are_never_remembered(account: EmulatedAccount, aws: Aws) -> None:
    look, other = one_look(aws), one_look(aws)

    def reads() -> None:
        for each in (look, look, other):
            each.dynamodb.describe_table(TableName="orders")
            assert "Item" not in each.dynamodb.get_item(TableName="orders", Key={"pk": {"S": "a"}})
            with pytest.raises(each.dynamodb.exceptions.ResourceNotFoundException):
                each.dynamodb.describe_table(TableName="gone")

    first = ["DescribeTable", "GetItem", "DescribeTable"]
    assert asked(account, reads) == [*first, "GetItem", "DescribeTable", *first]
