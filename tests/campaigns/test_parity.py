"""The scripts for a real account, run against the emulated one: it answers as AWS's pages say."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from benchmarks.parity.__main__ import ProductionAccount, differences, require_sandbox
from benchmarks.parity.asking import Sandbox
from benchmarks.parity.scripts import SCRIPTS
from emulator.account import EmulatedAccount
from emulator.core.registry import operations

PRODUCTION, REGION = "222222222222", "us-east-1"


@pytest.fixture
def account() -> Iterator[EmulatedAccount]:
    start = datetime(2027, 3, 1, 8, tzinfo=UTC)
    with EmulatedAccount(start=start, tooling="111111111111", production=PRODUCTION) as emulated:
        yield emulated


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_emulated_account_answers_as_documented(account: EmulatedAccount, name: str) -> None:
    session, clock = account.session(PRODUCTION, REGION), account.clock
    script = SCRIPTS[name]
    answers = script.ask(Sandbox(session, REGION, "test", clock.sleep, clock.now))
    assert differences(script, answers) == []
    assert answers.keys() == script.documented.keys()
    clock.sleep(60)
    assert session.client("dynamodb").list_tables()["TableNames"] == [], "it takes away what it made"
    clock.sleep(3_600)
    assert session.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"] == []
    assert session.client("ec2").describe_launch_templates()["LaunchTemplates"] == []
    assert session.client("cloudformation").describe_stacks()["Stacks"] == []
    assert session.client("elasticache").describe_replication_groups()["ReplicationGroups"] == []
    assert session.client("rds").describe_db_clusters()["DBClusters"] == []
    assert session.client("s3").list_buckets()["Buckets"] == []
    assert session.client("iam").list_roles()["Roles"] == []


def test_another_answer_is_shown_side_by_side() -> None:
    script = SCRIPTS["stream"]
    answers = {**script.documented, "has a new ARN": False}
    assert differences(script, answers) == ["  has a new ARN: documented True, answered False"]


@pytest.mark.parametrize("account_id", ["111111111111", "222222222222"])
def test_the_platforms_own_accounts_are_refused(account_id: str) -> None:
    with pytest.raises(ProductionAccount, match="in a sandbox account"):
        require_sandbox(account_id)
    require_sandbox("999999999999")


@pytest.mark.parametrize("name", SCRIPTS)
def test_each_script_names_rules_of_the_emulated_account(name: str) -> None:
    known = {f"{each.service}:{each.operation}" for each in operations().values()}
    assert set(SCRIPTS[name].operations) <= known
