"""An override of the freeze lets a commit deploy, unless the deployment would replace or delete data."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cloudformation.assembly import Stack
from domain.errors import AssemblyRefused
from emulator.account import EmulatedAccount
from emulator.services.cloudformation import deploy
from optimizer.ports.aws import Aws
from optimizer.reconcile.freeze_check import FreezeReport, freeze_check
from optimizer.reconcile.harmless_changes import losses
from optimizer.reconcile.stack_change_set import read_change

TOOLING, PRODUCTION, REGION = "111111111111", "222222222222", "us-east-1"


def table(name: str = "orders", **more: Any) -> dict[str, Any]:
    properties = {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "Replicas": [{"Region": REGION}],
    }
    return {"Type": "AWS::DynamoDB::GlobalTable", "Properties": properties, "DeletionPolicy": "Retain", **more}


def topic(name: str) -> dict[str, Any]:
    return {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "tap-alarms", "DisplayName": name}}


@pytest.fixture
def account() -> Iterator[EmulatedAccount]:
    start = datetime(2027, 1, 1, tzinfo=UTC)
    with EmulatedAccount(start=start, tooling=TOOLING, production=PRODUCTION) as account:
        yield account


def template(**resources: Any) -> dict[str, Any]:
    return {"Resources": resources, "Metadata": {"tap:sizing-revision": 1}}


def assembly(folder: Path, wanted: dict[str, Any]) -> Path:
    """An assembly that holds one production stack, as synthesis writes it."""
    inner = folder / "assembly-Production"
    inner.mkdir(parents=True)
    (inner / "primary.json").write_text(json.dumps(wanted))
    stack = {
        "type": "aws:cloudformation:stack",
        "environment": f"aws://{PRODUCTION}/{REGION}",
        "properties": {"templateFile": "primary.json", "stackName": "tap-primary", "tags": {}},
    }
    (inner / "manifest.json").write_text(json.dumps({"artifacts": {"Primary": stack}}))
    nested = {
        "type": "cdk:cloud-assembly",
        "properties": {"directoryName": "assembly-Production", "displayName": "tap/Production"},
    }
    (folder / "manifest.json").write_text(json.dumps({"artifacts": {"assembly-Production": nested}}))
    return folder


def check(account: EmulatedAccount, folder: Path, wanted: dict[str, Any], override: str | None) -> FreezeReport:
    account.clock.sleep(3600)
    with account.acting("build"):
        return freeze_check(
            assembly(folder, wanted),
            tooling=Aws(account.session(TOOLING, REGION), TOOLING, REGION, account.clock),
            production=Aws(account.session(PRODUCTION, REGION), PRODUCTION, REGION, account.clock),
            plan_under_way=True,
            record_revision=1,
            override=override,
        )


def bring(account: EmulatedAccount, wanted: dict[str, Any]) -> None:
    deploy(account, Stack("tap-primary", PRODUCTION, REGION, "", wanted, {"tap:governed": "true"}))


def test_an_override_lets_a_harmless_change_pass(account: EmulatedAccount, tmp_path: Path) -> None:
    bring(account, template(Orders=table(), Alarms=topic("old")))
    report = check(account, tmp_path, template(Orders=table(), Alarms=topic("new")), "a fix")
    assert report.changed == ("tap-primary",)
    asked = [each.parameters["ChangeSetName"] for each in account.calls.of("cloudformation", "CreateChangeSet")]
    assert asked == ["tap-reconcile-foreseen"]
    assert [each.operation for each in account.calls.of("cloudformation", "ExecuteChangeSet")] == []


@pytest.mark.parametrize("wanted", [template(Orders=table("renamed")), template(Alarms=topic("old"))])
def test_no_override_lets_data_be_replaced_or_deleted(
    account: EmulatedAccount, tmp_path: Path, wanted: dict[str, Any]
) -> None:
    bring(account, template(Orders=table(DeletionPolicy="Delete"), Alarms=topic("old")))
    with pytest.raises(AssemblyRefused, match=r"(?s)no override lifts that.*Orders"):
        check(account, tmp_path, wanted, "a fix")


def test_without_an_override_nothing_is_asked(account: EmulatedAccount, tmp_path: Path) -> None:
    bring(account, template(Orders=table()))
    with pytest.raises(AssemblyRefused, match="would disturb the window"):
        check(account, tmp_path, template(Orders=table("renamed")), None)
    assert not list(account.calls.of("cloudformation", "CreateChangeSet"))


def change(action: str, kind: str, **more: Any) -> Any:
    return read_change({"ResourceChange": {"Action": action, "LogicalResourceId": "X", "ResourceType": kind, **more}})


@pytest.mark.parametrize(
    ("told", "lost"),
    [
        (change("Modify", "AWS::ElastiCache::ReplicationGroup", Replacement="True"), True),
        (change("Modify", "AWS::RDS::DBInstance", Replacement="Conditional"), True),
        (change("Dynamic", "AWS::RDS::DBCluster", Replacement="True"), True),
        (change("Remove", "AWS::DynamoDB::GlobalTable", PolicyAction="Delete"), True),
        (change("Remove", "AWS::DynamoDB::GlobalTable"), True),
        (change("Remove", "AWS::DynamoDB::GlobalTable", PolicyAction="Retain"), False),
        (change("Modify", "AWS::RDS::DBCluster", Replacement="False"), False),
        (change("Modify", "AWS::EC2::SecurityGroup", Replacement="True"), False),
        (change("Add", "AWS::RDS::DBInstance"), False),
    ],
)
def test_what_holds_data_is_not_replaced_or_deleted(told: Any, lost: bool) -> None:
    assert bool(losses([told])) is lost
