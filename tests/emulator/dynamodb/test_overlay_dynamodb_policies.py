"""Resource policies: in force a moment later, never changed twice in 15 seconds, and denying for real."""

import json
from datetime import UTC, datetime

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from emulator.account import EmulatedAccount
from emulator.core.policy_evaluation import denies

START = datetime(2027, 3, 1, 8, tzinfo=UTC)
TABLE = "arn:aws:dynamodb:us-east-1:222222222222:table/users"
INDEX = f"{TABLE}/index/by-a"


def deny(*resources, action="dynamodb:Query", **more):
    statement = {"Effect": "Deny", "Principal": "*", "Action": action, "Resource": list(resources), **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture
def account():
    with EmulatedAccount(start=START, tooling="111111111111", production="222222222222") as account:
        yield account


@pytest.fixture
def dynamodb(account):
    client = account.session(account.production, "us-east-1").client(
        "dynamodb", config=Config(retries={"total_max_attempts": 1})
    )
    client.create_table(
        TableName="users",
        AttributeDefinitions=[{"AttributeName": each, "AttributeType": "S"} for each in ("pk", "a")],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-a",
                "KeySchema": [{"AttributeName": "a", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )
    return client


def put(dynamodb, policy, **more):
    return dynamodb.put_resource_policy(ResourceArn=TABLE, Policy=policy, **more)["RevisionId"]


def read(dynamodb):
    try:
        return dynamodb.get_resource_policy(ResourceArn=TABLE)["Policy"]
    except dynamodb.exceptions.PolicyNotFoundException:
        return None


def query(dynamodb, index="by-a", key="a"):
    name = {"IndexName": index} if index else {}
    return dynamodb.query(
        TableName="users",
        KeyConditionExpression=f"{key} = :x",
        ExpressionAttributeValues={":x": {"S": "x"}},
        **name,
    )


def test_a_policy_is_in_force_and_shown_a_few_seconds_later(account, dynamodb):
    put(dynamodb, deny(INDEX))
    assert read(dynamodb) is None
    query(dynamodb)
    account.clock.sleep(5)
    assert read(dynamodb) == deny(INDEX)
    with pytest.raises(ClientError, match="explicit deny in a resource-based policy") as caught:
        query(dynamodb)
    assert caught.value.response["Error"]["Code"] == "AccessDeniedException"


def test_a_deny_concerns_what_it_names_only(account, dynamodb):
    put(dynamodb, deny(INDEX))
    account.clock.sleep(5)
    query(dynamodb, index=None, key="pk")
    dynamodb.scan(TableName="users", IndexName="by-a")


@pytest.mark.parametrize(("seconds", "code"), [(1, "ResourceInUseException"), (10, "ThrottlingException")])
def test_a_policy_is_not_changed_again_within_15_seconds(account, dynamodb, seconds, code):
    put(dynamodb, deny(INDEX))
    account.clock.sleep(seconds)
    for change in (
        lambda: put(dynamodb, deny(TABLE)),
        lambda: dynamodb.delete_resource_policy(ResourceArn=TABLE),
    ):
        with pytest.raises(ClientError) as caught:
            change()
        assert caught.value.response["Error"]["Code"] == code
    account.clock.sleep(15)
    put(dynamodb, deny(TABLE))


def test_a_revision_that_is_not_in_force_is_refused(account, dynamodb):
    first = put(dynamodb, deny(INDEX), ExpectedRevisionId="NO_POLICY")
    account.clock.sleep(16)
    for expected in ("NO_POLICY", "another"):
        with pytest.raises(dynamodb.exceptions.PolicyNotFoundException):
            put(dynamodb, deny(TABLE), ExpectedRevisionId=expected)
    assert put(dynamodb, deny(INDEX)) == first  # the same text keeps its revision
    assert put(dynamodb, deny(TABLE), ExpectedRevisionId=first) != first


def test_deleting(account, dynamodb):
    dynamodb.delete_resource_policy(ResourceArn=TABLE)
    with pytest.raises(dynamodb.exceptions.PolicyNotFoundException):
        dynamodb.delete_resource_policy(ResourceArn=TABLE, ExpectedRevisionId="another")
    revision = put(dynamodb, deny(INDEX))
    account.clock.sleep(16)
    assert dynamodb.delete_resource_policy(ResourceArn=TABLE, ExpectedRevisionId=revision)["RevisionId"] == revision
    assert read(dynamodb) == deny(INDEX)
    account.clock.sleep(5)
    assert read(dynamodb) is None
    query(dynamodb)


@pytest.mark.parametrize("policy", ["no json", "{}", json.dumps({"Statement": []}), deny(INDEX, Sid="x" * (20 * 1024))])
def test_what_is_no_policy_is_refused(dynamodb, policy):
    with pytest.raises(ClientError, match="ValidationException"):
        put(dynamodb, policy)


def test_an_unknown_table_is_named(dynamodb):
    with pytest.raises(dynamodb.exceptions.ResourceNotFoundException):
        dynamodb.put_resource_policy(ResourceArn=TABLE.replace("users", "absent"), Policy=deny(INDEX))


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (deny(INDEX), True),
        (deny(f"{TABLE}/index/*"), True),
        (deny("*", action="dynamodb:*"), True),
        (deny(INDEX, action=["dynamodb:Scan", "dynamodb:query"]), True),
        (deny(INDEX, Principal={"AWS": "*"}), True),
        (deny(INDEX, action="dynamodb:Scan"), False),
        (deny(TABLE), False),
        (deny(INDEX, Effect="Allow"), False),
        (deny(INDEX, Principal={"AWS": "arn:aws:iam::222222222222:role/one"}), False),
        (deny(INDEX, Condition={"Bool": {"aws:SecureTransport": "false"}}), False),
        (None, False),
    ],
)
def test_what_a_policy_denies_to_everybody(policy, expected):
    assert denies(policy, "dynamodb:Query", INDEX) is expected
