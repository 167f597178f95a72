"""Valid key values of an index, in every call that writes an item."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from domain.indexes import INDEXES
from emulator.account import EmulatedAccount
from optimizer.consolidate.mapping import table_shape

KEY = {"pk": {"S": "TENANT#t"}, "sk": {"S": "USER#u"}}
WRONG = [
    ({"NULL": True}, "Type mismatch for Index Key email Expected: S Actual: NULL IndexName: by-email"),
    ({"N": "7"}, "Type mismatch for Index Key email Expected: S Actual: N IndexName: by-email"),
    ({"S": ""}, "cannot contain an empty string value. IndexName: by-email, IndexKey: email"),
    ({"S": "x" * 2049}, "Size of email has exceeded the maximum size limit of"),
]


@pytest.fixture
def dynamodb() -> Iterator[Any]:
    with EmulatedAccount(
        start=datetime(2027, 3, 1, tzinfo=UTC), tooling="111111111111", production="2" * 12
    ) as account:
        client = account.client("dynamodb", "2" * 12, "us-east-1")
        client.create_table(TableName="users", BillingMode="PAY_PER_REQUEST", **table_shape("users", INDEXES["users"]))
        yield client


def put(dynamodb: Any, value: Any) -> None:
    dynamodb.put_item(TableName="users", Item={**KEY, "email": value})


def update(dynamodb: Any, value: Any) -> None:
    dynamodb.update_item(
        TableName="users",
        Key=KEY,
        UpdateExpression="SET note = :o, #e = :e",
        ExpressionAttributeNames={"#e": "email"},
        ExpressionAttributeValues={":e": value, ":o": {"S": ""}},
    )


def batch(dynamodb: Any, value: Any) -> None:
    good = {"pk": {"S": "TENANT#t"}, "sk": {"S": "USER#good"}}
    requests = [{"PutRequest": {"Item": each}} for each in (good, {**KEY, "email": value})]
    dynamodb.batch_write_item(RequestItems={"users": requests})


def transaction(dynamodb: Any, value: Any) -> None:
    dynamodb.transact_write_items(TransactItems=[{"Put": {"TableName": "users", "Item": {**KEY, "email": value}}}])


@pytest.mark.parametrize("write", [put, update, batch, transaction])
@pytest.mark.parametrize(("value", "said"), WRONG)
def test_a_value_that_an_index_does_not_take_is_refused_and_nothing_is_written(
    dynamodb: Any, write: Any, value: Any, said: str
) -> None:
    with pytest.raises(ClientError, match="ValidationException") as refused:
        write(dynamodb, value)
    assert said in str(refused.value)
    assert dynamodb.scan(TableName="users")["Count"] == 0
    write(dynamodb, {"S": "ada@example.com"})
    assert dynamodb.get_item(TableName="users", Key=KEY)["Item"]["email"] == {"S": "ada@example.com"}
