"""A sample of a table's items: from anywhere, and never nothing of a table that holds something."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random

import pytest

from emulator.account import EmulatedAccount
from optimizer.ports.aws import Aws
from optimizer.resources.tables.items import sample_items

REGION = "us-east-1"


@pytest.fixture
def aws() -> Iterator[Aws]:
    start = datetime(2027, 3, 1, tzinfo=UTC)
    with EmulatedAccount(start=start, tooling="111111111111", production="222222222222") as account:
        aws = Aws(account.session(account.production, REGION), account.production, REGION, account.clock)
        aws.dynamodb.create_table(
            TableName="users",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
            BillingMode="PAY_PER_REQUEST",
        )
        yield aws


def fill(aws: Aws, partitions: int, each: int) -> None:
    for partition in range(partitions):
        for number in range(each):
            aws.dynamodb.put_item(TableName="users", Item={"pk": {"S": f"t{partition}"}, "sk": {"S": f"u{number}"}})


@pytest.mark.parametrize("seed", range(5))
def test_a_table_of_one_partition_is_sampled_though_nearly_every_segment_is_empty(aws: Aws, seed: int) -> None:
    fill(aws, 1, 7)
    found = sample_items(aws, "users", 100_000, 1_000, Random(seed))
    assert len(found) == 7


def test_a_small_table_is_read_whole_and_an_empty_one_gives_nothing(aws: Aws) -> None:
    assert sample_items(aws, "users", 0, 1_000, Random(1)) == []
    fill(aws, 20, 3)
    assert len(sample_items(aws, "users", 60, 1_000, Random(1))) == 60
