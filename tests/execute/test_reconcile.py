"""Reconcile reports differences; the freeze check accepts the deployed assembly and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cloudformation.assembly import read_assembly
from domain.errors import AssemblyRefused, Differences
from emulator.account import EmulatedAccount
from emulator.services.cloudformation import deploy
from optimizer.ports.aws import Aws
from optimizer.reconcile.compare import compare, difference_table, production_stacks
from optimizer.reconcile.drift import Difference
from optimizer.reconcile.freeze_check import freeze_check

TOOLING, PRODUCTION = "111111111111", "222222222222"


def write_assembly(path: Path, *, title: str = "one", protected: bool = True, revision: int | None = 2) -> Path:
    """A pipeline stack and a production stack with one governed cluster."""
    nested = path / "assembly-Production"
    nested.mkdir(parents=True, exist_ok=True)
    cluster = {
        "Type": "AWS::RDS::GlobalCluster",
        "Properties": {
            "GlobalClusterIdentifier": "tap-global",
            "Engine": "aurora-postgresql",
            "DeletionProtection": protected,
        },
    }
    production = {
        "Resources": {"Global": cluster},
        **({} if revision is None else {"Metadata": {"tap:sizing-revision": revision}}),
    }
    pipeline = {"Description": title, "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}
    (nested / "t.json").write_text(json.dumps(production))
    (path / "t.json").write_text(json.dumps(pipeline))
    (nested / "manifest.json").write_text(json.dumps({"artifacts": {"Primary": _stack("tap-primary", PRODUCTION)}}))
    stage = {
        "type": "cdk:cloud-assembly",
        "properties": {"directoryName": "assembly-Production", "displayName": "tap-pipeline/Production"},
    }
    (path / "manifest.json").write_text(
        json.dumps({"artifacts": {"Production": stage, "Pipeline": _stack("tap-pipeline", TOOLING)}})
    )
    return path


def _stack(name: str, account: str) -> dict[str, Any]:
    return {
        "type": "aws:cloudformation:stack",
        "environment": f"aws://{account}/us-east-1",
        "properties": {"templateFile": "t.json", "stackName": name},
    }


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatedAccount]:
    start = datetime(2027, 1, 1, tzinfo=UTC)
    with EmulatedAccount(start=start, tooling=TOOLING, production=PRODUCTION) as emulated:
        for stack in read_assembly(write_assembly(tmp_path_factory.mktemp("deployed"))).stacks:
            deploy(emulated, stack)
        yield emulated


@pytest.fixture
def tooling(account: EmulatedAccount) -> Aws:
    return Aws(account.session(TOOLING, "us-east-1"), TOOLING, "us-east-1", account.clock)


@pytest.fixture
def production(account: EmulatedAccount) -> Aws:
    return Aws(account.session(PRODUCTION, "us-east-1"), PRODUCTION, "us-east-1", account.clock)


def test_agreement_is_reported_with_what_was_compared(tmp_path: Path, production: Aws) -> None:
    report = compare(production_stacks(write_assembly(tmp_path), 2), production)
    assert report.differences == ()
    assert report.compared >= 3


def test_a_difference_is_raised_with_a_table(tmp_path: Path, production: Aws) -> None:
    with pytest.raises(Differences) as raised:
        compare(production_stacks(write_assembly(tmp_path, protected=False), 2), production)
    assert raised.value.exit_code == 5
    assert "tap-primary/tap-global  DeletionProtection  false  true" in str(raised.value)


def test_the_table_is_aligned_and_keeps_long_values_short() -> None:
    found = [
        Difference("s", "L", "fleet", "MinSize", "6", 12),
        Difference("s", "L", "users", "Indexes", "x" * 99, None),
    ]
    assert difference_table(found).splitlines() == [
        "resource  property  code                                                          account",
        "s/fleet   MinSize   6                                                             12",
        f"s/users   Indexes   {'x' * 57}...  null",
    ]


@pytest.mark.parametrize(
    ("assembly", "plan_under_way", "override", "changed"),
    [
        ({}, True, None, ()),
        ({"title": "two", "protected": False}, True, "hotfix 42", ("tap-pipeline", "tap-primary")),
        ({"title": "two"}, True, "hotfix 42", ("tap-pipeline",)),
        ({"revision": 3}, True, None, ()),  # Metadata alone is nothing that CloudFormation would deploy
        ({"protected": False}, False, None, None),  # nothing is frozen: before the first deployment it cannot look
    ],
)
def test_the_freeze_lets_pass(
    tmp_path: Path,
    tooling: Aws,
    production: Aws,
    assembly: dict[str, Any],
    plan_under_way: bool,
    override: str | None,
    changed: tuple[str, ...] | None,
) -> None:
    report = freeze_check(
        write_assembly(tmp_path, **assembly),
        tooling=tooling,
        production=production,
        plan_under_way=plan_under_way,
        record_revision=2,
        override=override,
    )
    assert (report.changed, report.override) == (changed, override)


@pytest.mark.parametrize(
    ("assembly", "plan_under_way", "record", "override", "message"),
    [
        ({"title": "two"}, True, 2, None, "a plan is under way, and tap-pipeline would change"),
        ({"protected": False}, True, 2, None, "tap-primary would change"),
        ({}, False, 3, None, "sizing revision 2, the record is at 3"),
        ({}, False, 3, "hotfix 42", "sizing revision 2, the record is at 3"),
        ({"revision": None}, False, 0, None, "carries no sizing revision"),
    ],
)
def test_the_freeze_refuses(
    tmp_path: Path,
    tooling: Aws,
    production: Aws,
    assembly: dict[str, Any],
    plan_under_way: bool,
    record: int,
    override: str | None,
    message: str,
) -> None:
    with pytest.raises(AssemblyRefused, match=message):
        freeze_check(
            write_assembly(tmp_path, **assembly),
            tooling=tooling,
            production=production,
            plan_under_way=plan_under_way,
            record_revision=record,
            override=override,
        )


def test_a_stack_that_is_not_deployed_yet_counts_as_different(tmp_path: Path, tooling: Aws, production: Aws) -> None:
    elsewhere = production.at("eu-west-1")
    path = write_assembly(tmp_path)
    manifest = path / "assembly-Production" / "manifest.json"
    manifest.write_text(manifest.read_text().replace("us-east-1", "eu-west-1"))
    with pytest.raises(AssemblyRefused, match="tap-primary would change"):
        freeze_check(path, tooling=tooling, production=elsewhere, plan_under_way=True, record_revision=2, override=None)
