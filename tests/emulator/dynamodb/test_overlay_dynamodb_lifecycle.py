"""Tables that come and go in simulated time, for everybody but the rehearsal's own hands."""

from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

from emulator.account import EmulatedAccount

START = datetime(2027, 3, 1, 8, tzinfo=UTC)
NAME = "orders"


@pytest.fixture
def account():
    with EmulatedAccount(start=START, tooling="111111111111", production="222222222222") as account:
        yield account


@pytest.fixture
def dynamodb(account):
    with account.acting("job"):
        yield account.client("dynamodb", account.production, "us-east-1")


def create(dynamodb, **more):
    return dynamodb.create_table(
        TableName=NAME,
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
        **more,
    )["TableDescription"]


def status(dynamodb):
    return dynamodb.describe_table(TableName=NAME)["Table"]["TableStatus"]


def protect(dynamodb, on):
    dynamodb.update_table(TableName=NAME, DeletionProtectionEnabled=on)


def recover(dynamodb):
    dynamodb.update_continuous_backups(
        TableName=NAME, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )


def test_a_table_is_creating_for_a_while(account, dynamodb):
    assert create(dynamodb)["TableStatus"] == status(dynamodb) == "CREATING"
    with pytest.raises(dynamodb.exceptions.ResourceInUseException):
        dynamodb.delete_table(TableName=NAME)
    with pytest.raises(dynamodb.exceptions.ResourceInUseException):
        protect(dynamodb, on=True)
    account.clock.sleep(21)
    assert status(dynamodb) == "ACTIVE"


def test_what_the_rehearsal_makes_is_there_at_once(account):
    hands = account.client("dynamodb", account.production, "us-east-1")
    assert create(hands)["TableStatus"] == "ACTIVE"
    recover(hands)
    hands.delete_table(TableName=NAME)
    with pytest.raises(hands.exceptions.ResourceNotFoundException):
        status(hands)


def test_backups_are_enabled_some_time_after_the_table(account, dynamodb):
    create(dynamodb)
    account.clock.sleep(21)
    for ask in (lambda: recover(dynamodb), lambda: dynamodb.create_backup(TableName=NAME, BackupName="before")):
        with pytest.raises(dynamodb.exceptions.ContinuousBackupsUnavailableException, match="are being enabled"):
            ask()
    account.clock.sleep(30)
    recover(dynamodb)
    dynamodb.create_backup(TableName=NAME, BackupName="before")


def test_a_table_that_is_not_there_yet_is_not_backed_up(dynamodb):
    create(dynamodb)
    with pytest.raises(dynamodb.exceptions.TableInUseException, match="being created"):
        dynamodb.create_backup(TableName=NAME, BackupName="before")


def test_a_tables_policy_goes_with_it(account, dynamodb):
    """A new table of the same name has none."""
    policy = '{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "dynamodb:Scan"}]}'
    for _ in range(2):
        create(dynamodb)
        account.clock.sleep(60)
        arn = dynamodb.describe_table(TableName=NAME)["Table"]["TableArn"]
        with pytest.raises(dynamodb.exceptions.PolicyNotFoundException):
            dynamodb.get_resource_policy(ResourceArn=arn)
        dynamodb.put_resource_policy(ResourceArn=arn, Policy=policy)
        account.clock.sleep(30)
        dynamodb.delete_table(TableName=NAME)
        account.clock.sleep(60)


def test_protection_goes_in_a_moment_and_then_the_table(account, dynamodb):
    create(dynamodb, DeletionProtectionEnabled=True)
    account.clock.sleep(60)
    with pytest.raises(ClientError, match="DeletionProtectionEnabled"):
        dynamodb.delete_table(TableName=NAME)
    protect(dynamodb, on=False)
    assert status(dynamodb) == "UPDATING"
    with pytest.raises(dynamodb.exceptions.ResourceInUseException):
        dynamodb.delete_table(TableName=NAME)
    account.clock.sleep(5)
    dynamodb.delete_table(TableName=NAME)
    assert status(dynamodb) == "DELETING"
    dynamodb.delete_table(TableName=NAME)  # is no error
    account.clock.sleep(31)
    with pytest.raises(dynamodb.exceptions.ResourceNotFoundException):
        status(dynamodb)
