"""A changed Sizing changes its own resources in the templates, and nothing else."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from domain.indexes import INDEXES, MERGED, merged_indexes
from domain.sizing import Sizing
from optimizer.consolidate.mapping import table_shape
from tests.stages.foundation import Foundation, alarms, group, instances, launch, redis, tables

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
                "tap-primary/AWS::CloudWatch::Alarm.Threshold",  # of healthy hosts: half the fleet's minimum
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
        (
            DESIGNED.consolidated(("by-domain", "by-role")),
            {"tap-primary/AWS::DynamoDB::GlobalTable +", "tap-primary/AWS::SSM::Parameter.Value"},
        ),
    ],
    ids=[
        "as designed",
        "smaller fleet",
        "fewer backups",
        "a reader less",
        "smaller nodes",
        "fewer indexes, no stream",
        "tables merged",
    ],
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


def test_the_merged_table_is_declared_as_the_optimizer_makes_it(synthesize: Callable[..., Foundation]) -> None:
    """A deployment imports it by its name: the declaration must match the actual table."""
    kept = ("by-domain", "by-role", "by-invitation")
    consolidated = synthesize(DESIGNED.consolidated(kept))
    declared, users = (tables(consolidated)[name] for name in (MERGED, "users"))
    shape = table_shape(MERGED, merged_indexes(kept))
    assert {name: declared[name] for name in ("KeySchema", "GlobalSecondaryIndexes")} == {
        name: shape[name] for name in ("KeySchema", "GlobalSecondaryIndexes")
    }
    assert sorted(map(str, declared["AttributeDefinitions"])) == sorted(map(str, shape["AttributeDefinitions"]))
    same = ("BillingMode", "SSESpecification", "StreamSpecification")
    assert {name: declared[name] for name in same} == {name: users[name] for name in same}
    (here,), (there,) = declared["Replicas"], users["Replicas"]
    assert {k: v for k, v in here.items() if k != "GlobalSecondaryIndexes"} == {
        k: v for k, v in there.items() if k != "GlobalSecondaryIndexes"
    }
    assert [each["IndexName"] for each in shape["GlobalSecondaryIndexes"]] == list(kept)


def test_sources_of_a_merged_table_stay_and_are_retained(synthesize: Callable[..., Foundation]) -> None:
    consolidated = synthesize(DESIGNED.consolidated(("by-domain",)))
    assert set(tables(consolidated)) == {*DESIGNED.tables, MERGED}
    for resource in consolidated.all("AWS::DynamoDB::GlobalTable"):
        assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_pointers_name_the_merged_table_once_it_is_there(
    foundation: Foundation, synthesize: Callable[..., Foundation]
) -> None:
    consolidated = synthesize(DESIGNED.consolidated(("by-domain",)))
    assert pointers(consolidated) == {
        **pointers(foundation),
        "/tap/tables/tenants": MERGED,
        "/tap/tables/users": MERGED,
    }


def pointers(f: Foundation) -> dict[str, Any]:
    return {r["Properties"]["Name"]: r["Properties"]["Value"] for r in f.all("AWS::SSM::Parameter")}


def test_the_application_may_use_the_merged_table_before_it_is_there(foundation: Foundation) -> None:
    """The pointer is turned with no deployment in between."""
    (policy,) = (p for p in foundation.all("AWS::IAM::Policy") if "ReadAndWriteItems" in json.dumps(p["Properties"]))
    allowed = json.dumps(policy["Properties"]["PolicyDocument"])
    assert f"table/{MERGED}" in allowed
    assert all(f"table/{MERGED}/index/{index}" in allowed for index in INDEXES[MERGED])
    assert f"tap-throttles-{MERGED}" in alarms(foundation)


def test_the_revision_is_stamped_in_every_template(synthesize: Callable[..., Foundation]) -> None:
    stamped = synthesize(revision=7)
    assert {s: t["Metadata"]["tap:sizing-revision"] for s, t in stamped.templates.items()} == dict.fromkeys(
        ["tap-primary", "tap-replica-2", "tap-replica-3"], 7
    )


def test_table_replicas_have_their_key_first(synthesize: Callable[..., Foundation]) -> None:
    replicated = synthesize(table_replicas=True)
    assert {"tap-keys-2", "tap-keys-3"} <= replicated.templates.keys()
    for table in tables(replicated).values():
        keys = {r["Region"]: json.dumps(r["SSESpecification"]) for r in table["Replicas"]}
        assert set(keys) == {"us-east-1", "us-west-2", "eu-west-1"}
        assert "kms:us-west-2:222222222222:key/" in keys["us-west-2"]
    source = replicated.props("AWS::KMS::ReplicaKey", "tap-keys-2")["PrimaryKeyArn"]["Fn::GetStackOutput"]
    assert source["OutputName"] in replicated.templates["tap-primary"]["Outputs"]


def test_the_key_can_be_replicated_a_release_before_the_tables(synthesize: Callable[..., Foundation]) -> None:
    keys = synthesize(table_replicas="keys")
    assert {"tap-keys-2", "tap-keys-3"} <= keys.templates.keys()
    assert all([replica["Region"] for replica in table["Replicas"]] == ["us-east-1"] for table in tables(keys).values())


def test_a_replicated_table_keeps_its_stream(synthesize: Callable[..., Foundation]) -> None:
    replicated = synthesize(INDEX_GONE, table_replicas=True)
    assert "StreamSpecification" in tables(replicated)["tenants"]


def test_differences_sees_a_change(foundation: Foundation) -> None:
    """The comparison above can fail."""
    edited = Foundation(copy.deepcopy(dict(foundation.templates)))
    redis(edited)["Port"] = 1  # type: ignore[index]
    assert differences(foundation, edited) == {"tap-primary/AWS::ElastiCache::ReplicationGroup.Port"}
