"""Streams of the emulated account: a day of records, iterators for a quarter of an hour; and fences that hold."""

from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from emulator.account import EmulatedAccount
from optimizer.consolidate.switches import writes_blocked
from optimizer.ports.aws import Aws

START = datetime(2027, 3, 1, 8, tzinfo=UTC)
PRODUCTION, REGION = "222222222222", "us-east-1"


@pytest.fixture
def account():
    with EmulatedAccount(start=START, tooling="111111111111", production=PRODUCTION) as emulated:
        yield emulated


def aws_of(account, role):
    key = account.credentials.assume(f"arn:aws:iam::{PRODUCTION}:role/{role}", "s", START + timedelta(days=9))
    return Aws(account.session_of(key, REGION), PRODUCTION, REGION, account.clock)


@pytest.fixture
def aws(account):
    made = aws_of(account, "tap-act")
    made.dynamodb.create_table(
        TableName="users",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    return made


def put(aws, name):
    aws.dynamodb.put_item(TableName="users", Item={"pk": {"S": name}})


def shard_of(aws):
    stream = aws.dynamodb.describe_table(TableName="users")["Table"]["LatestStreamArn"]
    return stream, aws.streams.describe_stream(StreamArn=stream)["StreamDescription"]["Shards"][0]["ShardId"]


def iterator(aws, kind="TRIM_HORIZON", **more):
    stream, shard = shard_of(aws)
    asked = {"StreamArn": stream, "ShardId": shard, "ShardIteratorType": kind, **more}
    return aws.streams.get_shard_iterator(**asked)["ShardIterator"]


def names(aws, of):
    return [each["dynamodb"]["Keys"]["pk"]["S"] for each in aws.streams.get_records(ShardIterator=of)["Records"]]


def test_records_are_gone_after_a_day(account, aws):
    put(aws, "old")
    (record,) = aws.streams.get_records(ShardIterator=iterator(aws))["Records"]
    account.clock.sleep(25 * 3600)
    put(aws, "new")
    account.clock.sleep(3600)
    put(aws, "newest")
    assert names(aws, iterator(aws)) == ["new", "newest"]
    sequence = record["dynamodb"]["SequenceNumber"]
    assert names(aws, iterator(aws, "AFTER_SEQUENCE_NUMBER", SequenceNumber=sequence)) == ["new", "newest"]
    account.clock.sleep(23.5 * 3600)
    with pytest.raises(aws.streams.exceptions.TrimmedDataAccessException):
        iterator(aws, "AFTER_SEQUENCE_NUMBER", SequenceNumber=sequence)


def test_an_iterator_is_good_for_a_quarter_of_an_hour(account, aws):
    one = iterator(aws)
    account.clock.sleep(14 * 60)
    following = aws.streams.get_records(ShardIterator=one)["NextShardIterator"]
    account.clock.sleep(16 * 60)
    with pytest.raises(aws.streams.exceptions.ExpiredIteratorException):
        aws.streams.get_records(ShardIterator=following)


def test_a_new_iterator_may_give_nothing_before_it_comes_to_what_is_there(account, aws):
    put(aws, "there")
    with account.acting("job"):
        following, seen = iterator(aws), []
        for _ in range(5):
            answer = aws.streams.get_records(ShardIterator=following)
            following = answer["NextShardIterator"]
            seen.append(len(answer["Records"]))
    assert seen == [0, 0, 0, 0, 1]


def test_a_fence_lets_its_own_role_through_and_nobody_else(account, aws):
    application = aws_of(account, "tap-fleet").dynamodb
    key = {"pk": {"S": "a"}}
    writes = [
        lambda: application.put_item(TableName="users", Item=key),
        lambda: application.delete_item(TableName="users", Key=key),
        lambda: application.update_item(TableName="users", Key=key),
        lambda: application.batch_write_item(RequestItems={"users": [{"PutRequest": {"Item": key}}]}),
        lambda: application.transact_write_items(TransactItems=[{"Put": {"TableName": "users", "Item": key}}]),
    ]
    with writes_blocked(aws, ["users"]):
        put(aws, "ours")
        for write in writes:
            with pytest.raises(ClientError, match="explicit deny"):
                write()
        application.get_item(TableName="users", Key=key)


def test_a_cancelled_transaction_says_which_condition_failed(aws):
    put(aws, "there")
    condition = {"TableName": "users", "ConditionExpression": "attribute_not_exists(pk)"}
    items = [{"Put": {**condition, "Item": {"pk": {"S": name}}}} for name in ("there", "new")]
    with pytest.raises(aws.dynamodb.exceptions.TransactionCanceledException) as refused:
        aws.dynamodb.transact_write_items(TransactItems=items)
    assert [each["Code"] for each in refused.value.response["CancellationReasons"]] == [
        "ConditionalCheckFailed",
        "None",
    ]
    assert "Item" not in aws.dynamodb.get_item(TableName="users", Key={"pk": {"S": "new"}})
