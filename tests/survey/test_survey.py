"""A survey of a platform that this project did not make: everything decided or named, read only, within its policy."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from emulator.account import EmulatedAccount
from emulator.core.call_record import Call
from emulator.iam_actions import iam_actions
from optimizer.actions import registry
from optimizer.model.decision import Choice
from optimizer.survey.permissions import policy
from optimizer.survey.read_only import DENIED
from tests.survey.platform import OWNER, REGION, plan_in, role, run, shop

RegionArgs = ["--regions", REGION]
# In the policy, and asked by no survey of this account: what would have to be there.
UNASKED = {
    "ce:GetSavingsPlansUtilization": "a Savings Plan",
    "dynamodb:DescribeContinuousBackups": "the foundation's tables tenants and users",
    "dynamodb:DescribeKinesisStreamingDestination": "the same, of an application that follows the pointers",
    "dynamodb:DescribeTimeToLive": "the same",
    "osis:GetPipeline": "an OpenSearch Ingestion pipeline",
    "servicequotas:GetAWSDefaultServiceQuota": "a quota without a value of the account's own",
    "ssm:GetParameter": "the foundation's tables tenants and users",
    "ssm:GetParameters": "the same",
}


@pytest.fixture(scope="module")
def account() -> Iterator[EmulatedAccount]:
    with shop() as account:
        yield account


@pytest.fixture(scope="module")
def surveyed(account: EmulatedAccount, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Call]]:
    """The folder that a survey wrote under exactly the policy that it prints, and its calls."""
    out = tmp_path_factory.mktemp("survey")
    code, calls = run(account, [*RegionArgs, "--out", str(out)], role(account, "reader", policy()))
    assert code == 0
    return out, calls


def test_every_resource_is_decided_by_every_action_of_its_kind(surveyed: tuple[Path, list[Call]]) -> None:
    plan = plan_in(surveyed[0])
    decided = {
        (each.action, each.resource.rsplit("/", 1)[-1].rsplit(":", 1)[-1]): each.choice for each in plan.decisions
    }
    assert {name for action, name in decided if action == "fleet_rightsize"} == {"shop-web", "shop-worker"}
    assert decided["fleet_rightsize", "shop-web"] is Choice.APPLY
    assert decided["redis_rightsize", "sessions"] is Choice.KEEP
    assert decided["aurora_writer", "orders"] is Choice.APPLY
    assert decided["aurora_readers", "orders"] is Choice.APPLY
    assert decided["aurora_backups", "orders"] is Choice.APPLY
    assert decided["gsi_removal", "carts"] is Choice.KEEP  # provisioned
    assert {action for action, name in decided if name == "wishes"} == {
        each.id for each in registry() if each.kind.name == "TABLE"
    }
    assert plan.held is None


def test_targets_are_a_step_down_from_where_each_stands(surveyed: tuple[Path, list[Call]]) -> None:
    targets = {each.action: each.target for each in plan_in(surveyed[0]).decisions if "worker" not in each.resource}
    assert targets["fleet_rightsize"]["instance_type"] == "m5.2xlarge"
    assert targets["fleet_rightsize"]["desired"] == 7
    assert targets["redis_rightsize"]["node_type"] == "cache.r6g.large"
    assert targets["redis_rightsize"]["shards"] == ["0001"]
    assert {each["class"] for each in targets["aurora_writer"]["instances"].values()} == {"db.r6g.xlarge"}


def test_connections_are_those_of_aurora_mysql(surveyed: tuple[Path, list[Call]]) -> None:
    """db.r6g.xlarge takes 2,000 under MySQL and 3,479 under PostgreSQL."""
    (writer,) = (each for each in plan_in(surveyed[0]).decisions if each.action == "aurora_writer")
    shown = next(each for each in writer.projected if each.name == "connections of max_connections")
    assert shown.after is not None
    assert shown.today is not None
    assert shown.after == pytest.approx(2 * shown.today)  # 4,000 to 2,000


def test_a_tenants_table_is_left_alone(surveyed: tuple[Path, list[Call]]) -> None:
    plan = plan_in(surveyed[0])
    assert [(each.name, each.reason) for each in plan.excluded] == [
        ("tenant-nine", "owned by a tenant: tag TenantId=nine")
    ]
    assert not [each for each in plan.decisions if "tenant-nine" in each.resource]


def test_savings_add_up_and_are_told_by_resource(surveyed: tuple[Path, list[Call]]) -> None:
    costs = plan_in(surveyed[0]).costs
    assert costs is not None
    assert costs.before - costs.after == sum(each.monthly for each in costs.savings)
    by = {(each.action, each.resource.rsplit("/", 1)[-1]): each.monthly for each in costs.savings}
    hours, large, half = 730, 0.768, 0.384
    assert float(by["fleet_rightsize", "shop-web"]) == pytest.approx(hours * (12 * large - 7 * half), abs=0.02)
    assert float(by["fleet_rightsize", "shop-worker"]) == pytest.approx(hours * (2 * large - 2 * half), abs=0.02)


def test_the_page_says_what_would_not_be_carried_out(surveyed: tuple[Path, list[Call]]) -> None:
    page = (surveyed[0] / "dashboard.html").read_text()
    assert f"Survey of account {OWNER}" in page
    assert "the group has no target group" in page
    assert "not created by the foundation" in page
    assert "no Aurora global database" in page
    assert "Approve or reject the plan" not in page
    assert "code, template and account can be brought to agree after each" in page


def test_the_page_has_what_a_survey_has_and_nothing_of_a_pipeline(surveyed: tuple[Path, list[Call]]) -> None:
    page = (surveyed[0] / "dashboard.html").read_text()
    sections = re.findall(r'<section class="wrap" id="([a-z]+)"', page)
    assert re.findall(r'<a href="#([a-z]+)">', page.split("<nav", 1)[1].split("</nav>")[0]) == [
        "decisions",
        "costs",
        "risks",
        "load",
        "tenants",
        "plan",
    ]
    assert sections == ["decisions", "costs", "risks", "load", "tenants", "plan"]
    assert "You have nothing to do" not in page
    assert "rehearse --account mine.json" in page
    assert "Shared by all tenants" not in page
    assert "Waiting for approval" not in page


def test_only_reads_leave_the_process_and_the_printed_policy_holds_them(surveyed: tuple[Path, list[Call]]) -> None:
    _, calls = surveyed
    assert not [each for each in calls if each.mutating]
    assert not [each for each in calls if each.error in DENIED]
    used = {name for each in calls for name in iam_actions(each.service, each.operation, each.parameters)}
    printed = {name for statement in json.loads(policy())["Statement"] for name in statement["Action"]}
    assert used <= printed
    assert printed - used == set(UNASKED)


def test_no_question_is_asked_twice(surveyed: tuple[Path, list[Call]]) -> None:
    asked = Counter((each.service, each.region, each.operation, str(each.parameters)) for each in surveyed[1])
    assert [each for each, times in asked.items() if times > 1] == []


def test_what_is_printed(account: EmulatedAccount, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(account, [*RegionArgs, "--out", str(tmp_path), "--no-bill"])[0] == 0
    told = capsys.readouterr().out
    assert "This look changed nothing and cost $0.00: " in told
    assert "0 requests of Cost Explorer ($0.00)" in told
    assert "shop-worker (us-east-1): the group has no target group" in told


def test_one_tag_alone(account: EmulatedAccount, tmp_path: Path) -> None:
    code, calls = run(account, [*RegionArgs, "--out", str(tmp_path), "--tag", "team=web", "--no-bill"])
    plan = plan_in(tmp_path)
    names = {each.resource.rsplit("/", 1)[-1].rsplit(":", 1)[-1] for each in plan.decisions}
    assert (code, names) == (0, {"shop-web", "sessions", "carts", "wishes"})
    assert [each for each in calls if each.operation == "ListTables"] == []


def test_what_is_denied_is_said_and_the_rest_goes_on(
    account: EmulatedAccount, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = json.loads(policy())
    for statement in document["Statement"]:
        statement["Action"] = [each for each in statement["Action"] if not each.startswith(("elasticache:", "ce:"))]
    key = role(account, "half", json.dumps(document))
    assert run(account, [*RegionArgs, "--out", str(tmp_path)], key)[0] == 0
    told = capsys.readouterr().out
    assert "Not read: elasticache:DescribeReplicationGroups in us-east-1 was denied (AccessDenied)" in told
    assert "APPLY    fleet_rightsize" in told
    assert "elasticache:DescribeReplicationGroups" in (tmp_path / "dashboard.html").read_text()


@pytest.mark.parametrize(
    ("denied", "choice"),
    [
        ("cloudwatch:GetMetricData", Choice.NO_DATA),
        ("rds:DescribeDBClusterEndpoints", Choice.NO_DATA),
    ],
)
def test_a_decision_without_its_evidence_has_no_data(
    account: EmulatedAccount, tmp_path: Path, denied: str, choice: Choice
) -> None:
    document = json.loads(policy())
    for statement in document["Statement"]:
        statement["Action"] = [each for each in statement["Action"] if each != denied]
    key = role(account, f"no-{denied.partition(':')[2]}", json.dumps(document))
    assert run(account, [*RegionArgs, "--out", str(tmp_path), "--no-bill"], key)[0] == 0
    decided = {each.action: each.choice for each in plan_in(tmp_path).decisions}
    assert decided["aurora_readers"] is choice


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--out", "x"], "survey: --regions names what to look at"),
        (["--regions", "us-esat-1", "--out", "x"], "survey: us-esat-1 is no Region of AWS."),
        (["--regions", REGION], "survey: --out DIR says where"),
        (["--regions", REGION, "--out", "x", "--profile", "nobody"], "survey: there is no profile nobody."),
        (["--regions", REGION, "--out", "x", "--tag", "team"], "survey: --tag 'team' is not of the form KEY=VALUE."),
        (["--regions", REGION, "--out", "x", "--tag", "a=b", "--all"], "survey: --tag and --all contradict"),
    ],
)
def test_a_wrong_word_gives_one_line(
    account: EmulatedAccount, arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, calls = run(account, arguments)
    told = capsys.readouterr().err.splitlines()
    assert (code, calls, len(told)) == (64, [], 1)
    assert told[0].startswith(f"UsageError: {line}")


def test_credentials_that_have_expired_give_one_line(
    account: EmulatedAccount, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    past = account.clock.now() - timedelta(minutes=1)
    key = account.credentials.assume(f"arn:aws:iam::{OWNER}:role/reader", "late", past).variables
    code, _ = run(account, [*RegionArgs, "--out", str(tmp_path)], key)
    assert code == 64
    assert "the AWS credentials have expired (ExpiredToken). Sign in again" in capsys.readouterr().err
