"""The emulated account: callers, time, refusals, and the record of calls."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.core.utils import get_service_model

from emulator.account import Crash, EmulatedAccount
from optimizer.decide.approvals import ApprovalRule
from optimizer.ports.sessions import production, tooling
from optimizer.ports.settings import Settings
from rehearsal.job_world import job_world

START = datetime(2027, 3, 1, 8, tzinfo=UTC)
TOOLING, PRODUCTION = "111111111111", "222222222222"
SETTINGS = Settings(
    journal_table="tap-journal",
    production_account=PRODUCTION,
    primary_region="us-east-1",
    secondary_regions=(),
    role_arn=f"arn:aws:iam::{PRODUCTION}:role/tap-act",
    external_id="tap",
    pipeline_name="tap",
    switch_parameter=None,
    override_parameter=None,
    peaks_parameter=None,
    approvals=ApprovalRule(second=False),
    revision="abc",
    build_id="local",
)


@pytest.fixture
def account():
    with EmulatedAccount(start=START, tooling=TOOLING, production=PRODUCTION) as account:
        yield account


def make_table(dynamodb, name):
    dynamodb.create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )


def make_tables(dynamodb, *names):
    for name in names:
        make_table(dynamodb, name)


def test_a_job_has_the_tooling_accounts_credentials_and_assumes_production_by_a_role(account):
    world = job_world(account, {})
    make_table(tooling(world, SETTINGS).dynamodb, "tap-journal")
    make_table(production(world, SETTINGS).dynamodb, "tenants")

    own = account.session(TOOLING, "us-east-1").client("dynamodb").list_tables()["TableNames"]
    theirs = account.session(PRODUCTION, "us-east-1").client("dynamodb").list_tables()["TableNames"]
    assert (own, theirs) == (["tap-journal"], ["tenants"])


def test_all_clients_of_a_service_share_its_model_with_moto(account):
    clients = [account.client("rds", owner, "us-east-1") for owner in (TOOLING, PRODUCTION)]
    assert clients[0].meta.service_model is clients[1].meta.service_model
    assert get_service_model("rds").metadata is clients[0].meta.service_model.metadata


def test_regions_are_apart(account):
    make_table(account.client("dynamodb", TOOLING, "us-west-2"), "here")
    assert account.client("dynamodb", TOOLING, "us-east-1").list_tables()["TableNames"] == []


def test_timestamps_are_the_accounts(account):
    account.clock.sleep(3600)
    make_table(account.client("dynamodb", TOOLING, "us-east-1"), "t")
    created = account.client("dynamodb", TOOLING, "us-east-1").describe_table(TableName="t")["Table"][
        "CreationDateTime"
    ]
    assert created == START + timedelta(hours=1)


def test_a_role_session_ends_after_an_hour_and_refreshes_itself(account):
    sts = account.client("sts", TOOLING, "us-east-1")
    given = sts.assume_role(RoleArn=SETTINGS.role_arn, RoleSessionName="test")["Credentials"]
    assert given["Expiration"] == START + timedelta(hours=1)
    refreshing = production(job_world(account, {}), SETTINGS)
    refreshing.dynamodb.list_tables()

    account.clock.sleep(3601)
    stale = boto3.Session(
        given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"], region_name="us-east-1"
    ).client("dynamodb")
    with pytest.raises(ClientError, match="expired"):
        stale.list_tables()
    refreshing.dynamodb.list_tables()


def test_a_role_of_a_foreign_account_is_denied(account):
    with pytest.raises(ClientError, match="AccessDenied"):
        account.client("sts", TOOLING, "us-east-1").assume_role(
            RoleArn="arn:aws:iam::999999999999:role/x", RoleSessionName="test"
        )


def test_what_nobody_implements_is_named(account):
    with pytest.raises(NotImplementedError, match="codepipeline:ListDeployActionExecutionTargets"):
        account.client("codepipeline", TOOLING, "us-east-1").list_deploy_action_execution_targets(actionExecutionId="x")


def test_only_jobs_are_recorded_with_their_parameters(account):
    client = account.client("dynamodb", TOOLING, "us-east-1")
    make_table(client, "before")
    with account.acting("Phase1.Apply"):
        client.describe_table(TableName="before")
        with pytest.raises(ClientError):
            client.delete_table(TableName="absent")
    described, deleted = account.calls
    assert (described.number, described.actor, described.mutating, described.error) == (1, "Phase1.Apply", False, None)
    assert described.parameters == {"TableName": "before"}
    assert (deleted.number, deleted.mutating, deleted.error) == (2, True, "ResourceNotFoundException")
    assert (described.account, described.region, described.at) == (TOOLING, "us-east-1", START)


def put_objects(s3, *keys):
    for key in keys:
        s3.put_object(Bucket="records", Key=key, Body=b"x")


@pytest.mark.parametrize(("number", "landed"), [(1, ["a"]), (2, ["a"])])
def test_objects_are_recorded_and_lost_as_every_call_is(number, landed):
    with EmulatedAccount(start=START, tooling=TOOLING, production=PRODUCTION, crash_at=number) as account:
        s3 = account.client("s3", TOOLING, "us-east-1")
        s3.create_bucket(Bucket="records")
        with account.acting("job"), pytest.raises(Crash):
            put_objects(s3, "a", "b")
        assert [each["Key"] for each in s3.list_objects_v2(Bucket="records")["Contents"]] == landed
        with account.acting("job"), pytest.raises(ClientError, match="NoSuchKey"):
            s3.get_object(Bucket="records", Key="absent")
        *_, last = account.calls
        assert (last.service, last.operation, last.error) == ("s3", "GetObject", "NoSuchKey")
        assert last.parameters == {"Bucket": "records", "Key": "absent"}


@pytest.mark.parametrize("attempt", range(5))
def test_one_conditional_write_of_many_wins(account, attempt):
    make_table(account.client("dynamodb", TOOLING, "us-east-1"), "lease")
    clients = [account.session(TOOLING, "us-east-1").client("dynamodb") for _ in range(8)]

    def take(client):
        try:
            client.put_item(TableName="lease", Item={"pk": {"S": "x"}}, ConditionExpression="attribute_not_exists(pk)")
        except client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(take, clients)) == 1


def test_changes_are_told_once_and_data_is_not_a_change(account):
    seen = []
    client = account.client("dynamodb", TOOLING, "us-east-1")
    account.on_change(lambda at: seen.append((at, client.list_tables()["TableNames"])))
    make_table(client, "t")
    client.put_item(TableName="t", Item={"pk": {"S": "1"}})
    account.schedule(START + timedelta(minutes=5), lambda: client.delete_table(TableName="t"))
    account.clock.sleep(600)
    assert seen == [(START, ["t"]), (START + timedelta(minutes=5), [])]


@pytest.mark.parametrize(
    ("number", "landed"),
    [
        (1, ["a"]),  # odd: it landed, the answer is lost
        (2, ["a"]),  # even: it never landed
        (3, ["a", "b", "c"]),
    ],
)
def test_a_crash_is_after_landing_at_odd_numbers_and_happens_once(number, landed):
    with EmulatedAccount(start=START, tooling=TOOLING, production=PRODUCTION, crash_at=number) as account:
        client = account.client("dynamodb", TOOLING, "us-east-1")
        with account.acting("job"), pytest.raises(Crash):
            make_tables(client, "a", "b", "c")
        assert client.list_tables()["TableNames"] == landed
        with account.acting("job"):
            make_table(client, "after")


def test_faults_are_ridden_out_without_real_time_and_repeat_by_seed():
    def live():
        with EmulatedAccount(start=START, tooling=TOOLING, production=PRODUCTION, fault_rate=0.3, seed=7) as account:
            aws = tooling(job_world(account, {}), SETTINGS)
            with account.acting("job"):
                for _ in range(40):
                    aws.dynamodb.list_tables()
            return account.clock.now(), account.faults.injected

    first, second = live(), live()
    assert first == second
    assert len(first[1]) > 5
    assert first[0] > START


def test_a_role_session_says_which_build_of_which_commit_it_is(account):
    with account.acting("job"):
        production(job_world(account, {}), SETTINGS).dynamodb.list_tables()
    (asked,) = account.calls.of("sts", "AssumeRole")
    assert asked.parameters["ExternalId"] == "tap"
    assert {tag["Key"]: tag["Value"] for tag in asked.parameters["Tags"]} == {"tap:build": "local", "tap:commit": "abc"}
