"""A changed Sizing changes what it names in the templates, and nothing else."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from stages.sizing import Sizing
from tests.stages.foundation import Foundation, group, instances, launch, redis, tables

pytestmark = pytest.mark.xdist_group("foundation")  # one synthesis for all of them

DESIGNED = Sizing.AS_DESIGNED


def changed(**parts: Mapping[str, Any]) -> Sizing:
    """The design with some fields of some parts replaced."""
    return DESIGNED.model_copy(
        update={part: getattr(DESIGNED, part).model_copy(update=fields) for part, fields in parts.items()}
    )


def differences(before: Foundation, after: Foundation) -> set[str]:
    """`stack/type.property` of everything that differs; `stack/type +` or `-` for a resource come or gone."""
    found = set()
    for stack in before.templates:
        old, new = (f.templates[stack]["Resources"] for f in (before, after))
        for id in old.keys() | new.keys():
            if id not in old or id not in new:
                found.add(f"{stack}/{(old.get(id) or new[id])['Type']} {'-' if id in old else '+'}")
                continue
            left, right = old[id].get("Properties", {}), new[id].get("Properties", {})
            found |= {
                f"{stack}/{old[id]['Type']}.{name}"
                for name in left.keys() | right.keys()
                if left.get(name) != right.get(name)
            }
    return found


FLEET = {"instance_type": "m5.2xlarge", "minimum": 6, "desired": 8, "maximum": 15, "scale_in": True}
READER_GONE = {"instances": DESIGNED.aurora.instances[:2]}
INDEX_GONE = DESIGNED.model_copy(
    update={
        "tables": {
            **DESIGNED.tables,
            "tenants": DESIGNED.tables["tenants"].model_copy(update={"indexes": ("by-domain",), "stream": False}),
        }
    }
)


@pytest.mark.parametrize(
    ("sizing", "expected"),
    [
        (DESIGNED, set()),
        (
            changed(fleet=FLEET),
            {
                "tap-primary/AWS::EC2::LaunchTemplate.LaunchTemplateData",
                "tap-primary/AWS::AutoScaling::AutoScalingGroup.MinSize",
                "tap-primary/AWS::AutoScaling::AutoScalingGroup.MaxSize",
                "tap-primary/AWS::AutoScaling::AutoScalingGroup.DesiredCapacity",
                "tap-primary/AWS::AutoScaling::ScalingPolicy.TargetTrackingConfiguration",
            },
        ),
        (changed(aurora={"backup_retention_days": 14}), {"tap-primary/AWS::RDS::DBCluster.BackupRetentionPeriod"}),
        (changed(aurora=READER_GONE), {"tap-primary/AWS::RDS::DBInstance -"}),
        (
            changed(cache={"node_type": "cache.r6g.xlarge"}),
            {"tap-primary/AWS::ElastiCache::ReplicationGroup.CacheNodeType"},
        ),
        (
            INDEX_GONE,
            {
                "tap-primary/AWS::DynamoDB::GlobalTable.AttributeDefinitions",
                "tap-primary/AWS::DynamoDB::GlobalTable.GlobalSecondaryIndexes",
                "tap-primary/AWS::DynamoDB::GlobalTable.Replicas",
                "tap-primary/AWS::DynamoDB::GlobalTable.StreamSpecification",
                "tap-primary/AWS::IAM::Policy.PolicyDocument",  # the fleet may query what is there
            },
        ),
    ],
    ids=["as designed", "smaller fleet", "fewer backups", "a reader less", "smaller nodes", "fewer indexes, no stream"],
)
def test_what_a_sizing_changes(
    foundation: Foundation, synthesize: Callable[..., Foundation], sizing: Sizing, expected: set[str]
) -> None:
    assert differences(foundation, synthesize(sizing)) == expected


def test_the_whole_target(synthesize: Callable[..., Foundation]) -> None:
    small = synthesize(
        changed(
            fleet=FLEET,
            cache={"node_type": "cache.r6g.xlarge", "shards": ("0001", "0002"), "replicas_per_shard": 1},
            aurora={
                "instances": (
                    DESIGNED.aurora.instances[1].model_copy(update={"instance_class": "db.r6g.xlarge"}),
                    DESIGNED.aurora.instances[0],
                ),
                "secondaries": (3,),
            },
        )
    )
    assert [group(small)[k] for k in ("MinSize", "DesiredCapacity", "MaxSize")] == ["6", "8", "15"]
    assert launch(small)["InstanceType"] == "m5.2xlarge"
    assert [redis(small)[k] for k in ("NumNodeGroups", "ReplicasPerNodeGroup")] == [2, 1]
    assert {id: p["DBInstanceClass"] for id, p in instances(small).items()} == {
        "tap-database-2": "db.r6g.xlarge",
        "tap-database-1": "db.r6g.4xlarge",
    }
    assert not small.all("AWS::RDS::DBCluster", "tap-replica-2")
    assert small.all("AWS::RDS::DBCluster", "tap-replica-3")
    assert small.all("AWS::KMS::Key", "tap-replica-2"), "final snapshots need the Region's key"
    assert small.all("AWS::EC2::VPC", "tap-replica-2"), "coming back needs the Region's network"


def test_the_revision_is_stamped_in_every_template(synthesize: Callable[..., Foundation]) -> None:
    stamped = synthesize(revision=7)
    assert {s: t["Metadata"]["tap:sizing-revision"] for s, t in stamped.templates.items()} == dict.fromkeys(
        ["tap-keys", "tap-primary", "tap-replica-2", "tap-replica-3"], 7
    )


def test_table_replicas_have_their_key_first(synthesize: Callable[..., Foundation]) -> None:
    replicated = synthesize(table_replicas=True)
    assert {"tap-keys-2", "tap-keys-3"} <= replicated.templates.keys()
    for table in tables(replicated).values():
        keys = {r["Region"]: json.dumps(r["SSESpecification"]) for r in table["Replicas"]}
        assert set(keys) == {"us-east-1", "us-west-2", "eu-west-1"}
        assert "kms:us-west-2:222222222222:key/" in keys["us-west-2"]
    source = replicated.props("AWS::KMS::ReplicaKey", "tap-keys-2")["PrimaryKeyArn"]["Fn::GetStackOutput"]
    assert source["OutputName"] in replicated.templates["tap-keys"]["Outputs"]


def test_a_replicated_table_keeps_its_stream(synthesize: Callable[..., Foundation]) -> None:
    replicated = synthesize(INDEX_GONE, table_replicas=True)
    assert "StreamSpecification" in tables(replicated)["tenants"]


def test_differences_sees_a_change(foundation: Foundation) -> None:
    """The comparison above can fail."""
    edited = Foundation(copy.deepcopy(dict(foundation.templates)))
    redis(edited)["Port"] = 1  # type: ignore[index]
    assert differences(foundation, edited) == {"tap-primary/AWS::ElastiCache::ReplicationGroup.Port"}
