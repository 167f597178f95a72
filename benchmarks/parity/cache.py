"""Changes of a small Redis in cluster mode, in the default VPC."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from botocore.exceptions import ClientError

from benchmarks.parity.asking import TAG, Answers, Sandbox, refused

SMALL, OTHER = "cache.t4g.micro", "cache.t4g.small"
LONGEST = 5_400  # seconds of one change


def ask_cache(sandbox: Sandbox) -> Answers:
    with _group(sandbox) as (client, name, arn):

        def begin(operation: str, **parameters: Any) -> str:
            return refused(lambda: getattr(client, operation)(ReplicationGroupId=name, **parameters))

        def settled() -> bool:
            return sandbox.until(lambda: _shown(client, name)["Status"] == "available", LONGEST) is not None

        before = _shape(client, name)
        later = begin("decrease_replica_count", NewReplicaCount=0, ApplyImmediately=False)
        resized = begin("modify_replication_group", CacheNodeType=OTHER, ApplyImmediately=True)
        sandbox.until(lambda: _shown(client, name)["Status"] == "modifying", 300)
        meanwhile = begin("modify_replication_group", CacheNodeType=SMALL, ApplyImmediately=True)
        tags = refused(lambda: client.list_tags_for_resource(ResourceName=arn))
        settled()
        shard = _shown(client, name)["NodeGroups"][1]["NodeGroupId"]
        merged = begin(
            "modify_replication_group_shard_configuration",
            NodeGroupCount=1,
            NodeGroupsToRemove=[shard],
            ApplyImmediately=True,
        )
        sandbox.until(lambda: _shown(client, name)["Status"] != "available", 300)
        settled()
        return {
            "shards, nodes and types before": before,
            "fewer replicas, but later": later,
            "another node type": resized,
            "a change meanwhile": meanwhile,
            "its tags meanwhile": tags,
            "one shard less": merged,
            "shards, nodes and types afterwards": _shape(client, name),
        }


@contextmanager
def _group(sandbox: Sandbox) -> Iterator[tuple[Any, str, str]]:
    """Two shards of two small nodes: the client, and the group's name and ARN."""
    client, name = sandbox.client("elasticache"), f"tap-parity-{sandbox.suffix}"
    made = client.create_replication_group(
        ReplicationGroupId=name,
        ReplicationGroupDescription="made by make parity",
        Engine="redis",
        EngineVersion="7.1",
        CacheParameterGroupName="default.redis7.cluster.on",
        CacheNodeType=SMALL,
        NumNodeGroups=2,
        ReplicasPerNodeGroup=1,
        AutomaticFailoverEnabled=True,
        MultiAZEnabled=True,
        Tags=[TAG],
    )["ReplicationGroup"]
    try:
        sandbox.until(lambda: _shown(client, name)["Status"] == "available", LONGEST)
        yield client, name, made["ARN"]
    finally:
        sandbox.until(lambda: _shown(client, name)["Status"] in ("available", "create-failed"), LONGEST)
        with suppress(ClientError):  # AWS took it away itself
            client.delete_replication_group(ReplicationGroupId=name, RetainPrimaryCluster=False)


def _shown(client: Any, name: str) -> Any:
    return client.describe_replication_groups(ReplicationGroupId=name)["ReplicationGroups"][0]


def _shape(client: Any, name: str) -> str:
    shown = _shown(client, name)
    nodes = sum(len(each["NodeGroupMembers"]) for each in shown["NodeGroups"])
    return f"{len(shown['NodeGroups'])}, {nodes}, {shown['CacheNodeType']}"
