"""The real production templates, loaded whole: nothing differs, until a person edits the account."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import aws_cdk as cdk
import pytest

from cloudformation.assembly import Stack, read_assembly
from domain.environment import Environment, load_environment
from domain.sizing import Sizing
from emulator.account import EmulatedAccount
from emulator.services.cloudformation import deploy
from optimizer.model.resource import Kind
from optimizer.observe.inventory import take_inventory
from optimizer.ports.aws import Aws
from optimizer.reconcile.drift import DriftReport, differences
from pipeline.roles import COMPARE, OBSERVE
from stages.production import ProductionStage
from tests.environments import CONTEXT

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("loaded foundation")]  # one foundation for all of them

ENVIRONMENT: Environment = load_environment(CONTEXT["environment"])
IAM_PREFIX = {"elbv2": "elasticloadbalancing", "resourcegroupstaggingapi": "tag"}
SMALLER_FLEET = Sizing.AS_DESIGNED.model_copy(
    update={
        "fleet": Sizing.AS_DESIGNED.fleet.model_copy(
            update={"instance_type": "m5.2xlarge", "minimum": 6, "desired": 8, "maximum": 15, "scale_in": True}
        )
    }
)


def synthesize(path: Path, sizing: Sizing, revision: int) -> tuple[Stack, ...]:
    app = cdk.App(context=CONTEXT, outdir=str(path), builtin_cloud_formation_validation=False)
    ProductionStage(app, "Production", environment=ENVIRONMENT, sizing=sizing, revision=revision)
    app.synth()
    return read_assembly(path).stage("Production")


@pytest.fixture(scope="module")
def stacks(tmp_path_factory: pytest.TempPathFactory) -> tuple[Stack, ...]:
    return synthesize(tmp_path_factory.mktemp("designed"), Sizing.AS_DESIGNED, 0)


@pytest.fixture(scope="module")
def smaller(tmp_path_factory: pytest.TempPathFactory) -> tuple[Stack, ...]:
    return synthesize(tmp_path_factory.mktemp("smaller"), SMALLER_FLEET, 1)


@pytest.fixture(scope="module")
def account(stacks: tuple[Stack, ...]) -> Iterator[EmulatedAccount]:
    accounts = ENVIRONMENT.accounts
    start = datetime(2027, 1, 1, tzinfo=UTC)
    with EmulatedAccount(start=start, tooling=accounts.tooling, production=accounts.production) as emulated:
        for stack in stacks:
            deploy(emulated, stack)
        emulated.clock.sleep(3600)
        yield emulated


@pytest.fixture(scope="module")
def production(account: EmulatedAccount) -> Aws:
    return Aws(account.session(account.production, "us-east-1"), account.production, "us-east-1", account.clock)


@pytest.fixture(scope="module")
def loaded(stacks: tuple[Stack, ...], production: Aws) -> DriftReport:
    """The comparison right after the load, before any test edits the account."""
    return differences(stacks, production.at)


def test_the_loaded_foundation_agrees_with_its_templates(loaded: DriftReport) -> None:
    assert loaded.differences == ()
    assert loaded.compared > 400


def test_nothing_that_the_sizing_governs_escapes_the_comparison(loaded: DriftReport) -> None:
    governed = {
        "AWS::AutoScaling::AutoScalingGroup": ("MinSize", "MaxSize"),
        "AWS::AutoScaling::ScalingPolicy": ("TargetTrackingConfiguration",),
        "AWS::EC2::LaunchTemplate": ("LaunchTemplateData", "LaunchTemplateData.InstanceType"),
        "AWS::DynamoDB::GlobalTable": ("GlobalSecondaryIndexes", "StreamSpecification"),
        "AWS::ElastiCache::ReplicationGroup": ("CacheNodeType", "NumNodeGroups", "ReplicasPerNodeGroup"),
        "AWS::RDS::DBCluster": ("BackupRetentionPeriod",),
        "AWS::RDS::DBInstance": ("DBInstanceClass", "PromotionTier"),
    }
    escaped = {f"{kind}.{name}" for kind, names in governed.items() for name in names} & set(loaded.not_compared)
    assert escaped == set()


def test_the_roles_that_compare_may_make_every_call_of_it(
    account: EmulatedAccount, stacks: tuple[Stack, ...], production: Aws
) -> None:
    made = len(account.calls)
    with account.acting("reconcile"):
        differences(stacks, production.at)
    calls = {f"{IAM_PREFIX.get(call.service, call.service)}:{call.operation}" for call in list(account.calls)[made:]}
    assert calls
    assert calls <= {permission.action for permission in (*OBSERVE, *COMPARE)}


@pytest.mark.usefixtures("loaded")
def test_every_kind_is_found_governed_in_the_loaded_account(production: Aws) -> None:
    regions = [ENVIRONMENT.primary.name, *(each.name for each in ENVIRONMENT.replicas)]
    inventory = take_inventory(production, regions)
    found = {kind: len(inventory.of(kind)) for kind in Kind}
    assert inventory.excluded == ()
    assert found == {
        Kind.TABLE: 3,
        Kind.FLEET: 1,
        Kind.LOAD_BALANCER: 1,
        Kind.CACHE: 1,
        Kind.DATABASE: 3,
        Kind.DATABASE_INSTANCE: 5,
        Kind.GLOBAL_DATABASE: 1,
    }


@pytest.mark.usefixtures("loaded")
def test_an_edit_of_the_group_by_hand_is_a_difference(stacks: tuple[Stack, ...], production: Aws) -> None:
    production.autoscaling.update_auto_scaling_group(AutoScalingGroupName="tap-fleet", MaxSize=30)
    found = differences(stacks, production.at).differences
    assert [(each.name, each.property, each.declared, each.actual) for each in found] == [
        ("tap-fleet", "MaxSize", "25", 30)
    ]
    production.autoscaling.update_auto_scaling_group(AutoScalingGroupName="tap-fleet", MaxSize=25)


@pytest.mark.usefixtures("loaded")
def test_another_sizing_differs_exactly_where_it_says(smaller: tuple[Stack, ...], production: Aws) -> None:
    found = {(each.name, each.property) for each in differences(smaller, production.at).differences}
    assert {(name if "scalingPolicy" not in name else "policy", path) for name, path in found} == {
        ("tap-fleet", "MinSize"),
        ("tap-fleet", "MaxSize"),
        ("tap-fleet", "LaunchTemplateData.InstanceType"),
        ("policy", "TargetTrackingConfiguration.DisableScaleIn"),
    }


@pytest.mark.usefixtures("loaded")
def test_another_sizing_deploys_and_then_agrees(
    account: EmulatedAccount, smaller: tuple[Stack, ...], production: Aws
) -> None:
    """The next push after an acceptance: it touches the fleet and its alarm alone, and code and account agree."""
    updated = [name for stack in smaller for name in deploy(account, stack).updated]
    account.clock.sleep(3600)
    assert len(updated) == 4  # the launch template, the group, its policy, the alarm on its healthy hosts
    assert differences(smaller, production.at).differences == ()
