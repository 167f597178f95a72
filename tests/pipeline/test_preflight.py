"""Checks before the first deployment: each line by AWS's answer, the table, and the faults that stop a deployment."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from domain.environment import load_environment
from domain.sizing import Sizing
from emulator.account import EmulatedAccount
from emulator.services.servicequotas.api import Quotas
from pipeline import preflight_checks as checks
from pipeline.preflight import Question, answers, main, questions, table
from pipeline.preflight_checks import Row, Where, covers
from tests.environments import moved

TOOLING, PRODUCTION, REGION = "333333333333", "444444444444", "us-east-1"


def told(answers: dict[str, Any]) -> Where:
    """An account whose every client gives these answers, by operation."""
    client = SimpleNamespace(**{name: lambda answer=answer, **_: answer for name, answer in answers.items()})
    return Where(SimpleNamespace(client=lambda _service, **_where: client), REGION)


class Within:
    """A session that reaches the services which the emulated account has, and no other."""

    services = ("sts", "ssm", "iam", "dynamodb", "rds", "elbv2", "cloudformation", "acm")

    def __init__(self, session: Any) -> None:
        self.session = session

    def client(self, service: str, **where: Any) -> Any:
        if service not in self.services:
            raise EndpointConnectionError(endpoint_url=f"https://{service}.example")
        return self.session.client(service, **where)


@pytest.fixture
def account() -> Iterator[EmulatedAccount]:
    start = datetime(2027, 1, 1, tzinfo=UTC)
    with EmulatedAccount(start=start, tooling=TOOLING, production=PRODUCTION) as account:
        yield account


@pytest.fixture
def production(account: EmulatedAccount) -> Where:
    return Where(account.session(PRODUCTION, REGION), REGION)


@pytest.mark.parametrize(
    ("names", "domain", "good"),
    [
        (["tap.example.com"], "tap.example.com", True),
        (["*.example.com"], "tap.example.com", True),
        (["*.example.com"], "a.tap.example.com", False),  # a wildcard stands for one label
        (["*.example.com"], "example.com", False),
        (["other.example.com"], "tap.example.com", False),
    ],
)
def test_a_certificate_must_hold_the_platforms_name(names: list[str], domain: str, good: bool) -> None:
    assert covers(names, domain) is good


@pytest.mark.parametrize(("value", "good"), [(640.0, True), (400.0, True), (240.0, False), (None, False)])
def test_the_fleet_at_its_largest_fits_the_quota(
    account: EmulatedAccount, production: Where, value: float | None, good: bool
) -> None:
    account.part(Quotas).standard_vcpus = value
    what, code, wanted = next(checks.quotas(Sizing.AS_DESIGNED))
    row = checks.quota(production, what, code, wanted)
    assert (row.wanted, row.good) == ("400 or more", good)
    assert f"--quota-code {code[1]} --desired-value 400" in row.do


def test_an_image_must_be_there_for_this_account_and_its_processor(production: Where) -> None:
    kinds = production.client("ec2").describe_instance_types

    def look(images: list[dict[str, str]], kind: str = "m5.4xlarge") -> Row:
        answers = {"describe_images": {"Images": images}, "describe_instance_types": kinds(InstanceTypes=[kind])}
        return checks.image(told(answers), "ami-1", kind)

    fits = {"State": "available", "Architecture": "x86_64"}
    assert look([fits]).good
    assert not look([fits], "m6g.4xlarge").good
    assert not look([{**fits, "State": "pending"}]).good
    assert look([]).actual == "not there, or not shared"


@pytest.mark.parametrize(("status", "good"), [("AVAILABLE", True), ("PENDING", False)])
def test_a_connection_must_be_shaken_hands_on(status: str, good: bool) -> None:
    answers = {"get_connection": {"Connection": {"ConnectionStatus": status}}}
    assert checks.connection(told(answers), "arn").good is good


@pytest.mark.parametrize(("versions", "good"), [(["6.2", "7.1"], True), (["7.0", "7.10"], False), ([], False)])
def test_redis_must_be_offered_in_the_version_of_the_template(versions: list[str], good: bool) -> None:
    answers = {"describe_cache_engine_versions": {"CacheEngineVersions": [{"EngineVersion": v} for v in versions]}}
    assert checks.redis(told(answers)).good is good


@pytest.mark.parametrize(
    ("phases", "good"),
    [(["BUILD"] * 3, True), (["BUILD", "QUEUED", "QUEUED"], False), (["BUILD", None, "BUILD"], False)],
)
def test_three_builds_at_once_must_all_leave_the_queue(phases: list[str | None], good: bool) -> None:
    """A new account may run one build, whatever its quota is: then no watch runs while a phase is applied."""
    builds = [{"id": f"tap-watch:{number}", "currentPhase": phase} for number, phase in enumerate(phases)]
    answers = {"start_build": {"build": {"id": "tap-watch:1"}}, "batch_get_builds": {"builds": builds}}
    assert checks.start_builds(told(answers), sleep=lambda _: None).good is good


def test_missing_service_linked_roles_are_named_with_their_command(production: Where) -> None:
    assert {row.good for row in checks.service_linked_roles(production)} == {False}
    for name in checks.ROLES:
        production.client("iam").create_role(
            RoleName=f"AWSServiceRoleFor-{name}",
            Path=f"/aws-service-role/{name}.amazonaws.com/",
            AssumeRolePolicyDocument="{}",
        )
    assert [row.good for row in checks.service_linked_roles(production)] == [True]


def test_bootstrap_wants_version_and_trust(production: Where) -> None:
    assert [row.actual for row in checks.bootstrap(production, TOOLING)] == ["not bootstrapped"]
    production.client("ssm").put_parameter(Name="/cdk-bootstrap/hnb659fds/version", Value="30", Type="String")
    trust = {"Statement": [{"Principal": {"AWS": f"arn:aws:iam::{TOOLING}:root"}}]}
    production.client("iam").create_role(
        RoleName=f"cdk-hnb659fds-deploy-role-{PRODUCTION}-{REGION}", AssumeRolePolicyDocument=json.dumps(trust)
    )
    assert [row.good for row in checks.bootstrap(production, TOOLING)] == [True, True]
    assert [row.good for row in checks.bootstrap(production, "999999999999")] == [True, False]


def test_a_name_that_a_failed_creation_left_is_found(production: Where) -> None:
    assert checks.free_names(production, "tap-primary").good
    production.client("dynamodb").create_table(
        TableName="tenants",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    row = checks.free_names(production, "tap-primary")
    assert (row.actual, row.good) == ("tenants", False)
    assert "The first deployment failed" in row.do


def test_what_cannot_be_asked_is_a_line_of_its_own_and_stops_nothing(production: Where) -> None:
    def refused() -> Row:
        production.client("ssm").get_parameter(Name="/absent")
        raise AssertionError("unreachable")

    (row,) = answers([Question("a thing", refused)])
    assert (row.what, row.actual, row.good) == ("a thing", "GetParameter: ParameterNotFound", None)


def test_the_table_has_first_what_wants_something() -> None:
    rows = [Row("a", "1", "1", True, ""), Row("b", "0", "1", False, "do it"), Row("c", "?", "1", None, "look")]
    lines = table(rows).splitlines()
    assert [line.split()[:2] for line in lines[1:]] == [["NO", "b"], ["?", "c"], ["ok", "a"]]
    assert lines[1].endswith("do it")


def test_every_question_of_the_issue_is_asked() -> None:
    environment = load_environment({**moved(TOOLING, PRODUCTION), "table_replicas": True})
    where = Where(None, REGION)
    what = " | ".join(each.what for each in questions(environment, where, where))
    for each in (
        "vCPU", "Elastic IPs", "NAT", "DB instances", "cache nodes", "CodeBuild", "certificate", "image", "connection",
        "service-linked", "Aurora in us-west-2", "Redis", "Cost Explorer", "bootstrap in eu-west-1", "DynamoDB",
        "Parameter Store", "names of tap-primary", "termination protection", "tables' key",
    ):  # fmt: skip
        assert each in what


def test_the_command_shows_one_table_and_refuses_what_is_missing(
    account: EmulatedAccount, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment = moved(TOOLING, PRODUCTION)
    (tmp_path / "cdk.json").write_text(json.dumps({"context": {"environment": environment}}))
    monkeypatch.setenv("PRODUCTION_PROFILE", "production")

    def sessions(profile: str | None) -> Any:
        return Within(account.session(PRODUCTION if profile else TOOLING, REGION))

    assert main([], project=tmp_path, sessions=sessions) == 2
    shown = capsys.readouterr().out
    assert "ok  credentials of tooling" in shown
    assert f"NO  bootstrap of {PRODUCTION} in eu-west-1" in shown
    assert not list(account.calls.mutating())


def test_the_example_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    environment = moved("111111111111", "222222222222")
    (tmp_path / "cdk.json").write_text(json.dumps({"context": {"environment": environment}}))
    assert main([], project=tmp_path) == 2
    assert "example accounts" in capsys.readouterr().err
