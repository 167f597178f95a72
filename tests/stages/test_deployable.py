"""Properties that let the templates deploy without surprises: order, tags, retention, nothing to publish."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest

from cloudformation.creation_graph import own_name, protected
from domain.environment import load_environment
from domain.sizing import Sizing
from stages.production import ProductionStage
from tests.stages.foundation import Foundation

pytestmark = pytest.mark.xdist_group("foundation")  # one synthesis for all of them

GOVERNED = (
    "AWS::AutoScaling::AutoScalingGroup",
    "AWS::DynamoDB::GlobalTable",
    "AWS::ElastiCache::ReplicationGroup",
    "AWS::ElasticLoadBalancingV2::LoadBalancer",
    "AWS::RDS::DBCluster",
    "AWS::RDS::DBInstance",
    "AWS::RDS::GlobalCluster",
)
REMOVABLE = (
    *(type for type in GOVERNED if "LoadBalancer" not in type),
    "AWS::EC2::LaunchTemplate",
    "AWS::KMS::Key",
    "AWS::Logs::LogGroup",
    "AWS::S3::Bucket",
    "AWS::SecretsManager::Secret",
)


def tags(properties: Mapping[str, Any]) -> dict[str, str]:
    found = properties.get("Tags") or [t for r in properties.get("Replicas", []) for t in r.get("Tags", [])]
    return {tag["Key"]: tag["Value"] for tag in found}


@pytest.mark.parametrize("type", GOVERNED)
def test_the_optimizer_finds_what_it_governs(foundation: Foundation, type: str) -> None:
    found = [tags(r["Properties"]) for _, _, r in foundation.every() if r["Type"] == type]
    assert found
    assert all(t["tap:governed"] == "true" and t["tap:part"] for t in found)


@pytest.mark.parametrize("type", REMOVABLE)
def test_what_an_action_may_remove_or_replace_is_kept(foundation: Foundation, type: str) -> None:
    found = [r for _, _, r in foundation.every() if r["Type"] == type]
    assert found
    assert {r.get("DeletionPolicy") for r in found} <= {"Retain", "RetainExceptOnCreate"}
    assert {r.get("UpdateReplacePolicy") for r in found} == {"Retain"}


def test_a_failed_creation_keeps_no_name_that_nothing_protects(foundation: Foundation) -> None:
    """The second try would find the name taken. Keys and buckets have generated names, and are kept."""
    kept = [
        (stack, id)
        for stack, id, r in foundation.every()
        if r.get("DeletionPolicy") in ("Retain", "RetainExceptOnCreate")
    ]
    assert kept
    for stack, id in kept:
        template = foundation.templates[stack]
        body = template["Resources"][id]
        frees = own_name(template, id) is not None and not protected(body)
        assert (id, body["DeletionPolicy"]) == (id, "RetainExceptOnCreate" if frees else "Retain")


def test_nothing_has_to_be_published(foundation: Foundation) -> None:
    types = {r["Type"] for _, _, r in foundation.every()}
    assert not [type for type in types if type.startswith("Custom::") or "CustomResource" in type]
    assert "AWS::Serverless::Application" not in types
    assert not any("Transform" in template for template in foundation.templates.values())
    code = [r["Properties"]["Code"] for _, _, r in foundation.every() if r["Type"] == "AWS::Lambda::Function"]
    assert all(list(c) == ["ZipFile"] for c in code)


def security_groups(properties: Mapping[str, Any]) -> Any:
    inside = properties.get("LaunchTemplateData", properties)
    names = ("SecurityGroupIds", "SecurityGroups", "VpcSecurityGroupIds")
    return next((inside[name] for name in names if name in inside), None)


def test_nothing_is_in_a_default_security_group(foundation: Foundation) -> None:
    """It lets everything out (docs/adr/0007), and in only traffic of groups that it names."""
    in_a_vpc = (
        "AWS::EC2::LaunchTemplate",
        "AWS::ElastiCache::ReplicationGroup",
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        "AWS::RDS::DBCluster",
    )
    found = [(id, security_groups(r["Properties"])) for _, id, r in foundation.every() if r["Type"] in in_a_vpc]
    assert len(found) >= len(in_a_vpc)
    assert not [id for id, groups in found if not groups or "DefaultSecurityGroup" in json.dumps(groups)]
    others = {
        r["Type"] for _, _, r in foundation.every() if "VpcConfig" in r["Properties"] or "VPCConfig" in r["Properties"]
    }
    assert others == set(), "these are in a network too"


def test_no_stack_holds_another_fast(foundation: Foundation) -> None:
    """An export in use cannot be removed, and its stack is deployed before the one that uses it."""
    for name, template in foundation.templates.items():
        assert "Fn::ImportValue" not in json.dumps(template), name
        assert not any("Export" in output for output in template.get("Outputs", {}).values()), name


def test_stacks_go_in_order(context: Mapping[str, Any], tmp_path: Path) -> None:
    app = cdk.App(context=dict(context), outdir=str(tmp_path), builtin_cloud_formation_validation=False)
    environment = load_environment({**context["environment"], "table_replicas": True})
    stage = ProductionStage(app, "Production", environment=environment, sizing=Sizing.AS_DESIGNED, revision=0)
    depends = {
        stack.stack_name: {other.stack_name for other in stack.dependencies}
        for stack in (*stage.table_keys, stage.primary, *stage.replicas)
    }
    assert depends["tap-primary"] == set()
    assert depends["tap-keys-2"] == depends["tap-keys-3"] == {"tap-primary"}
    assert depends["tap-replica-2"] == {"tap-primary"}
    assert depends["tap-replica-3"] == {"tap-primary", "tap-replica-2"}
    assert all(stack.termination_protection for stack in (stage.primary, *stage.replicas))


def test_no_stack_that_the_optimizer_changes_takes_a_value_from_another(synthesize: Callable[..., Foundation]) -> None:
    """A drift-aware change set of an unchanged stack shows such a property as changed (docs/adr/0021)."""
    for variant in (synthesize(), synthesize(table_replicas=True)):
        for name in ("tap-primary", "tap-replica-2", "tap-replica-3"):
            assert "Fn::GetStackOutput" not in json.dumps(variant.templates[name]), name
