"""Builds that a job starts: who may start one, and when its commands begin."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from cloudformation.template import Place
from emulator.account import EmulatedAccount
from emulator.services.cloudformation.stacks import DeployedResource, DeployedStack, StackStore
from emulator.services.codebuild.builds import PROVISIONING, Builds
from emulator.workload.spec import WorkloadEvent, WorkloadSpec
from emulator.workload.workload import Workload

START = datetime(2027, 3, 1, tzinfo=UTC)
TOOLING, REGION = "111111111111", "us-east-1"


@pytest.fixture
def account():
    with EmulatedAccount(start=START, tooling=TOOLING, production="222222222222") as account:
        found = DeployedResource("Watch", "AWS::CodeBuild::Project", "tap-watch", {}, {}, False, START)
        place = Place(TOOLING, REGION, "tap-pipeline")
        account.part(StackStore).record(DeployedStack(place, {}, {"Watch": found}, {}, {}, {}, START))
        yield account


def test_a_build_begins_once_its_container_is_there(account):
    client = account.client("codebuild", TOOLING, REGION)
    started = client.start_build(projectName="tap-watch")["build"]
    assert (started["projectName"], started["buildStatus"]) == ("tap-watch", "IN_PROGRESS")
    builds = account.part(Builds)
    assert builds.due("tap-watch", START + PROVISIONING - timedelta(seconds=1)) is None
    build = builds.due("tap-watch", START + PROVISIONING)
    assert build is not None
    assert build.id == started["id"]
    assert builds.due("tap-watch", START + timedelta(days=1)) is None, "it begins once"


def test_a_project_that_does_not_exist_is_not_found(account):
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        account.client("codebuild", TOOLING, REGION).start_build(projectName="another")


def test_no_more_builds_run_at_once_than_the_account_may(account):
    event = WorkloadEvent(on="plan.approved", until_minutes=60, build_limit=1)
    spec = WorkloadSpec(tenants=10, requests_per_day=1e6)
    Workload(spec, account, 0, events=(event,)).milestone("plan.approved", START)
    client = account.client("codebuild", TOOLING, REGION)
    with account.part(Builds).at_work(), pytest.raises(ClientError, match="AccountLimitExceededException"):
        client.start_build(projectName="tap-watch")
    client.start_build(projectName="tap-watch")
    with pytest.raises(ClientError, match="Cannot have more than 1 builds in queue"):
        client.start_build(projectName="tap-watch")
    account.clock.sleep(3600)
    client.start_build(projectName="tap-watch")
