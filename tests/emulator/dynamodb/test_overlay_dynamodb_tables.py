"""Table updates in simulated time: one index at a time, streams under new labels."""

from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

from emulator.account import EmulatedAccount
from emulator.services.dynamodb.tables_api import TableChanges

START = datetime(2027, 3, 1, 8, tzinfo=UTC)


@pytest.fixture
def account():
    with EmulatedAccount(start=START, tooling="111111111111", production="222222222222") as account:
        yield account


@pytest.fixture
def dynamodb(account):
    client = account.client("dynamodb", account.production, "us-east-1")
    keys = ("pk", "a", "b")
    client.create_table(
        TableName="users",
        AttributeDefinitions=[{"AttributeName": each, "AttributeType": "S"} for each in keys],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
        GlobalSecondaryIndexes=[_index("by-a", "a"), _index("by-b", "b")],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    client.put_item(TableName="users", Item={"pk": {"S": "1"}, "a": {"S": "x"}})
    return client


def _index(name, key):
    schema = [{"AttributeName": key, "KeyType": "HASH"}]
    return {"IndexName": name, "KeySchema": schema, "Projection": {"ProjectionType": "ALL"}}


def update(dynamodb, **asked):
    return dynamodb.update_table(TableName="users", **asked)["TableDescription"]


def delete(dynamodb, *names):
    return update(dynamodb, GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": each}} for each in names])


def create(dynamodb, name, key):
    return update(
        dynamodb,
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
        GlobalSecondaryIndexUpdates=[{"Create": _index(name, key)}],
    )


def stream(dynamodb, **asked):
    return update(dynamodb, StreamSpecification=asked)


def shown(dynamodb):
    return dynamodb.describe_table(TableName="users")["Table"]


def states(dynamodb):
    table = shown(dynamodb)
    indexes = {each["IndexName"]: each["IndexStatus"] for each in table.get("GlobalSecondaryIndexes", [])}
    return table["TableStatus"], indexes


def query(dynamodb, index="by-a"):
    return dynamodb.query(
        TableName="users",
        IndexName=index,
        KeyConditionExpression="a = :a",
        ExpressionAttributeValues={":a": {"S": "x"}},
    )["Count"]


def test_an_index_is_deleted_in_a_while_and_takes_its_attribute_along(account, dynamodb):
    answer = delete(dynamodb, "by-a")
    assert answer["TableStatus"] == "UPDATING"
    assert states(dynamodb) == ("UPDATING", {"by-a": "DELETING", "by-b": "ACTIVE"})
    account.clock.sleep(241)
    assert states(dynamodb) == ("ACTIVE", {"by-b": "ACTIVE"})
    assert {each["AttributeName"] for each in shown(dynamodb)["AttributeDefinitions"]} == {"pk", "b"}


def test_an_index_that_is_being_deleted_cannot_be_queried(dynamodb):
    assert query(dynamodb) == 1
    delete(dynamodb, "by-a")
    with pytest.raises(ClientError, match="does not have the specified index"):
        query(dynamodb)


def test_two_indexes_in_one_call_are_refused(dynamodb):
    with pytest.raises(dynamodb.exceptions.LimitExceededException, match="Only 1 online index"):
        delete(dynamodb, "by-a", "by-b")
    assert states(dynamodb) == ("ACTIVE", {"by-a": "ACTIVE", "by-b": "ACTIVE"})


def test_nothing_else_is_changed_while_the_table_is_updating(account, dynamodb):
    delete(dynamodb, "by-a")
    with pytest.raises(dynamodb.exceptions.ResourceInUseException):
        delete(dynamodb, "by-b")
    with pytest.raises(dynamodb.exceptions.ResourceInUseException):
        stream(dynamodb, StreamEnabled=False)
    account.clock.sleep(241)
    delete(dynamodb, "by-b")


def test_an_unknown_index_is_not_deleted(dynamodb):
    with pytest.raises(dynamodb.exceptions.ResourceNotFoundException):
        delete(dynamodb, "by-c")
    with pytest.raises(dynamodb.exceptions.ResourceNotFoundException):
        dynamodb.update_table(TableName="absent", StreamSpecification={"StreamEnabled": False})


def test_a_new_index_is_allocated_then_filled(account, dynamodb):
    create(dynamodb, "by-c", "c")
    assert states(dynamodb)[0] == "UPDATING"
    assert shown(dynamodb)["GlobalSecondaryIndexes"][-1]["Backfilling"] is False
    account.clock.sleep(121)
    assert states(dynamodb) == ("ACTIVE", {"by-a": "ACTIVE", "by-b": "ACTIVE", "by-c": "CREATING"})
    assert shown(dynamodb)["GlobalSecondaryIndexes"][-1]["Backfilling"] is True
    with pytest.raises(dynamodb.exceptions.LimitExceededException):
        delete(dynamodb, "by-a")
    account.clock.sleep(1201)
    assert states(dynamodb)[1]["by-c"] == "ACTIVE"
    assert {each["AttributeName"] for each in shown(dynamodb)["AttributeDefinitions"]} == {"pk", "a", "b", "c"}
    with pytest.raises(ClientError, match="already exists"):
        create(dynamodb, "by-c", "c")


def test_a_stream_comes_back_under_a_new_arn(account, dynamodb):
    before = shown(dynamodb)["LatestStreamArn"]
    assert stream(dynamodb, StreamEnabled=False)["TableStatus"] == "UPDATING"
    assert "StreamSpecification" not in shown(dynamodb)
    account.clock.sleep(6)
    assert (shown(dynamodb)["TableStatus"], shown(dynamodb)["LatestStreamArn"]) == ("ACTIVE", before)
    stream(dynamodb, StreamEnabled=True, StreamViewType="NEW_AND_OLD_IMAGES")
    account.clock.sleep(6)
    assert shown(dynamodb)["StreamSpecification"]["StreamViewType"] == "NEW_AND_OLD_IMAGES"
    assert shown(dynamodb)["LatestStreamArn"] != before


@pytest.mark.parametrize(
    ("disabled_before", "asked", "said"),
    [
        (False, {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}, "already has an enabled stream"),
        (False, {"StreamEnabled": False, "StreamViewType": "KEYS_ONLY"}, "must not be specified"),
        (True, {"StreamEnabled": False}, "no stream to disable"),
        (True, {"StreamEnabled": True}, "UpdateViewType is required"),
    ],
)
def test_what_cannot_be_done_to_a_stream(account, dynamodb, disabled_before, asked, said):
    if disabled_before:
        stream(dynamodb, StreamEnabled=False)
        account.clock.sleep(6)
    with pytest.raises(ClientError, match=said) as caught:
        stream(dynamodb, **asked)
    assert caught.value.response["Error"]["Code"] == "ValidationException"


def test_index_and_stream_are_not_changed_in_one_call(dynamodb):
    with pytest.raises(ClientError, match="while changing stream status"):
        update(
            dynamodb,
            GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "by-a"}}],
            StreamSpecification={"StreamEnabled": False},
        )


def test_a_stream_that_replicas_run_on_is_not_disabled(account, dynamodb):
    update(dynamodb, ReplicaUpdates=[{"Create": {"RegionName": "us-west-2"}}])
    account.clock.sleep(61)
    assert [each["RegionName"] for each in shown(dynamodb)["Replicas"]] == ["us-west-2"]
    with pytest.raises(ClientError, match="not allowed for a Global Table replica"):
        stream(dynamodb, StreamEnabled=False)
    replica = account.client("dynamodb", account.production, "us-west-2").describe_table(TableName="users")["Table"]
    assert [each["RegionName"] for each in replica["Replicas"]] == ["us-east-1"]
    assert len(replica["GlobalSecondaryIndexes"]) == 2


def test_deletion_protection_is_not_changed_while_the_table_is_updating(account, dynamodb):
    delete(dynamodb, "by-a")
    with pytest.raises(dynamodb.exceptions.ResourceInUseException):
        update(dynamodb, DeletionProtectionEnabled=True)
    account.clock.sleep(241)
    assert update(dynamodb, DeletionProtectionEnabled=True)["DeletionProtectionEnabled"] is True


def test_contributor_insights_that_were_never_enabled_are_not_listed(dynamodb):
    assert dynamodb.list_contributor_insights(TableName="users")["ContributorInsightsSummaries"] == []


def test_a_sample_of_the_items_counts_as_many(account, dynamodb):
    account.part(TableChanges).each_counts_as = 250
    counted = dynamodb.describe_table(TableName="users")["Table"]
    assert counted["ItemCount"] == 250
    assert len(dynamodb.scan(TableName="users")["Items"]) == 1
