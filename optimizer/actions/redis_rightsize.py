"""Right-size the Redis replication group: fewer shards, smaller nodes, then fewer replicas.

Saves most of the ElastiCache spend: 12 x cache.r6g.4xlarge to 4 x cache.r6g.xlarge. Risks data that does
not fit: 317 GiB that can be used become 39, so half full today, as the brief allows, would be four times
too much; and load on one engine thread per node, since reads per node triple. What is there, with its
growth, is computed against what will be there, in all and shard by shard, before anything is proposed.

A snapshot comes first, then shards (online, slot by slot), then the node type, then replicas; never 0.
Undone in reverse: replicas, type and shards come up again online, in an hour or more, and the snapshot is
deleted. Keys that were evicted meanwhile do not come back by themselves. An item over 256 MB cannot
change its shard, and no metric tells of one: resharding then ends with a shard left over, and the move
fails with what ElastiCache told. After acceptance the snapshot stays until a person deletes it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from domain.names import CACHE_NAME
from domain.sizing import CacheSizing, Sizing
from optimizer.action import Action, Before, Bills, Move, Order, Permission, permissions
from optimizer.decide.arithmetic import times
from optimizer.decide.policy import CachePolicy, Policy
from optimizer.model.decision import ChangeCost, Criterion, Decision, Measured, Projection, brief, decide_by, guard
from optimizer.model.fingerprint import fingerprint
from optimizer.model.phase import Phase
from optimizer.model.resource import Governed, Kind, name_in
from optimizer.observe.metrics import Measurements, Query, Series
from optimizer.observe.series import (
    growth,
    highest,
    highest_p95,
    highest_p95_or_lately,
    larger,
    p95_or_lately,
    rate_p95,
    together,
    total,
)
from optimizer.ports.aws import Aws
from optimizer.resources.cache.moves import change, take_snapshot
from optimizer.resources.cache.obstacles import obstacles
from optimizer.resources.cache.replication_group import ReplicationGroup, shards_of, variant_of
from optimizer.resources.capacities import CACHE_NODES, MAXCLIENTS
from optimizer.resources.registry import is_sized

ID = "redis_rightsize"
GUIDE = "https://docs.aws.amazon.com/AmazonElastiCache/latest/dg"
GIB = 1024**3

_STATISTICS: Mapping[str, tuple[str, ...]] = {
    "CPUUtilization": ("Average",),
    "DatabaseMemoryUsagePercentage": ("Maximum",),
    "GetTypeCmds": ("Sum",),
    "SetTypeCmds": ("Sum",),
    "EngineCPUUtilization": ("Maximum",),
    "BytesUsedForCache": ("Maximum",),
    "CurrConnections": ("Maximum",),
    "Evictions": ("Sum",),
}
# Commands that are of neither type, each by its family (ElastiCache User Guide, "Metrics for Valkey and Redis OSS").
# What acts on no key is told twice: as a whole, and of it what publishes or asks for the cluster.
_FAMILIES = ("EvalBasedCmds", "JsonBasedCmds")
_KEYLESS, _KEYLESS_FAMILIES = "NonKeyTypeCmds", ("PubSubBasedCmds", "ClusterBasedCmds")
_NETWORK = ("NetworkBytesIn", "NetworkBytesOut")
# These are published where there is something to tell, or decide nothing by being absent.
_MORE: Mapping[str, tuple[str, ...]] = dict.fromkeys((*_FAMILIES, _KEYLESS, *_KEYLESS_FAMILIES, *_NETWORK), ("Sum",))


@dataclass(frozen=True)
class Evidence:
    """60 days of one replication group in cluster mode, and what could spoil a change.

    Percentages are of the busiest or fullest node; those that become work are its p95 over the period or over the
    newest day, since no metric tells how many nodes there were. Commands are those of all types and families,
    none twice. `shard_bytes` is the highest of each shard by id;
    `growth` how many times more was kept in the last week than in the first. `obstacles` are in words.
    """

    group: str
    before: Before
    cpu_p95: float | None
    memory_max: float | None
    commands_p95: float | None  # a second, all nodes together
    engine_cpu_p95: float | None
    shard_bytes: Mapping[str, float | None]
    growth: float | None
    connections_max: float | None
    evictions: float | None
    coverage: float
    scale_downs: tuple[str, ...]
    obstacles: tuple[str, ...]
    network_gbps_p95: float | None = None  # of the busiest node, its busier direction


def queries(group: Governed) -> tuple[Query, ...]:
    """Hour by hour, with the highest of each hour where a peak could hide in it."""
    return tuple(query for node in group.attributes.get("nodes", {}) for query in _of_node(group, node).values())


def collect(aws: Aws, group: Governed, measured: Measurements) -> Evidence:
    described = ReplicationGroup(group.name).description(aws)
    nodes: Mapping[str, str] = group.attributes["nodes"]
    series = {
        name: [measured.of(_of_node(group, n)[name], statistics[0]) for n in nodes]
        for name, statistics in {**_STATISTICS, **_MORE}.items()
    }
    shards: dict[str, list[Series]] = {}
    for (_, shard), each in zip(nodes.items(), series["BytesUsedForCache"], strict=True):
        shards.setdefault(shard, []).append(each)
    covered = (measured.coverage(_of_node(group, n)[name], _STATISTICS[name][0]) for n in nodes for name in _STATISTICS)
    allowed = aws.elasticache.list_allowed_node_type_modifications(ReplicationGroupId=group.name)
    return Evidence(
        group=group.arn,
        before=describe(aws, group),
        cpu_p95=highest_p95(series["CPUUtilization"]),
        memory_max=highest(series["DatabaseMemoryUsagePercentage"]),
        commands_p95=_commands_p95(series),
        engine_cpu_p95=highest_p95_or_lately(series["EngineCPUUtilization"]),
        shard_bytes={shard: highest(usage) for shard, usage in sorted(shards.items())},
        growth=growth(series["BytesUsedForCache"]),
        connections_max=highest(series["CurrConnections"]),
        evictions=total(series["Evictions"]),
        coverage=min(covered, default=0.0),
        scale_downs=tuple(sorted(allowed.get("ScaleDownModifications", []))),
        obstacles=tuple(obstacles(aws, described)),
        network_gbps_p95=_network_gbps_p95(series),
    )


def _commands_p95(series: Mapping[str, Sequence[Series]]) -> float | None:
    """A second, all nodes together: p95 over the period or over its newest day. None without the two types."""
    types = [*series["GetTypeCmds"], *series["SetTypeCmds"]]
    if rate_p95(types) is None:
        return None
    keyless = larger(
        together(series[_KEYLESS]), together([each for name in _KEYLESS_FAMILIES for each in series[name]])
    )
    of_neither = [each for name in _FAMILIES for each in series[name]]
    commands = p95_or_lately(together([*types, *of_neither, keyless]))
    return times(commands, 1 / types[0].period)


def _network_gbps_p95(series: Mapping[str, Sequence[Series]]) -> float | None:
    """The 95th percentile of the busiest node's busier direction, in Gbit/s; None where none is published."""
    rates = [p95 for name in _NETWORK for each in series[name] if (p95 := p95_or_lately(each)) is not None]
    return max(rates) * 8 / 1e9 / series[_NETWORK[0]][0].period if rates else None


def decide(evidence: Evidence, policy: Policy) -> Decision:
    """The brief's three thresholds, then whether it fits."""
    limits, before = policy.cache, evidence.before
    shards: Mapping[str, int] = before["shards"]  # replicas by shard
    nodes = len(shards) + sum(shards.values())
    nodes_after = len(limits.target.shards) * (1 + limits.target.replicas_per_shard)
    fewer_nodes = nodes / nodes_after
    # Reads are spread over all nodes, writes over the shards: a node takes over no less than the worse of the two.
    taken_over = max(fewer_nodes, len(shards) / len(limits.target.shards))
    engine_after = times(evidence.engine_cpu_p95, taken_over)
    node = CACHE_NODES.get(limits.target.node_type)
    network_after = times(evidence.network_gbps_p95, taken_over * 100 / node.baseline_gbps if node else None)
    connections_after = times(evidence.connections_max, fewer_nodes * 100 / MAXCLIENTS)

    def over(name: str, observed: Measured, unit: str = "", source: str = "", **limit: Any) -> Criterion:
        return guard(name, observed, unit=unit, source=source, lifted=policy.is_lifted(ID, name), **limit)

    criteria = (
        brief("p95 CPU of the busiest node", evidence.cpu_p95, unit="%", below=limits.cpu),
        brief("memory of the fullest node", evidence.memory_max, unit="%", below=limits.memory),
        brief("commands a second", evidence.commands_p95, unit="/s", below=limits.commands_per_second),
        over("hours with metrics", evidence.coverage, "%", at_least=limits.coverage),
        over("already as the target", _is_target(before, limits.target), equals=False),
        over("shards kept of the target's", len(_kept(shards, limits.target)), equals=len(limits.target.shards)),
        *_fits(evidence, limits, over),
        over("p95 engine CPU after", engine_after, "%", at_most=limits.engine_cpu_after),
        over("connections of maxclients after", connections_after, "%", at_most=limits.connections_after),
        *(
            ()
            if network_after is None
            else (over("p95 network of the baseline after", network_after, "%", at_most=limits.network_after),)
        ),
        over("evictions", evidence.evictions, at_most=0.0),
        over("node type allowed by ElastiCache", _allowed(evidence, limits), equals=True),
        over("obstacles to a change", "; ".join(evidence.obstacles) or "none", equals="none"),
    )
    projected = (
        Projection("nodes", nodes, nodes_after, ""),
        Projection("memory used", evidence.memory_max, _fill_after(evidence, limits), "%"),
        Projection("p95 engine CPU", evidence.engine_cpu_p95, engine_after, "%"),
    )
    kept = {"shards": list(_kept(shards, limits.target)), "snapshot": _snapshot_name(evidence)}
    target = {**limits.target.model_dump(mode="json"), **kept}
    return decide_by(
        ID,
        evidence.group,
        criteria,
        before=before,
        target=target,
        projected=projected,
        costs=(_snapshot_cost(evidence),),
        undo="replicas, node type and shards come up again online, in an hour or more; evicted keys are gone",
        unmeasured=("network of the nodes",) if network_after is None else (),
    )


def _snapshot_cost(evidence: Evidence) -> ChangeCost:
    """The snapshot holds what the shards hold, and stays until a person deletes it."""
    sizes = list(evidence.shard_bytes.values())
    whole = None if None in sizes else round(sum(each or 0.0 for each in sizes) / 1024**3, 3)
    region = evidence.group.split(":")[3]
    return ChangeCost("snapshot, until it is deleted", "cache", "ElastiCache backup", region, whole, monthly=True)


def _fits(evidence: Evidence, limits: CachePolicy, over: Callable[..., Criterion]) -> Iterator[Criterion]:
    """Bytes against bytes: today's shards with their growth, in what the target can use."""
    source = f"{GUIDE}/best-practices-online-resharding.html"
    node, today = CACHE_NODES.get(limits.target.node_type), CACHE_NODES.get(str(evidence.before["node_type"]))
    room = node.usable(limits.reserved_memory) * limits.fill_after / 100 / GIB if node else 0.0
    count = len(limits.target.shards)
    total, fullest = _after(evidence, count)
    yield over("data with its growth", times(total, 1 / GIB), "GiB", at_most=round(room * count, 1))
    yield over("fullest shard after", times(fullest, 1 / GIB), "GiB", at_most=round(room, 1))
    usable = today.usable(limits.reserved_memory) if today else None
    if not _removed(evidence, limits):
        return
    yield over(
        "free on the kept shards, of what the others hold",
        _free_over_removed(evidence, limits, usable),
        source=source,
        at_least=limits.free_over_removed,
    )


def describe(aws: Aws, group: Governed) -> Before:
    """Node type and replicas by shard: what the decision rests on and undo restores."""
    described = ReplicationGroup(group.name).description(aws)
    replicas = {shard: len(nodes) - 1 for shard, nodes in shards_of(described).items()}
    return {"node_type": described.get("CacheNodeType"), "shards": replicas}  # unknown while the group is deleted


def moves(group: Governed, before: Before, decision: Decision) -> list[Move]:
    """Snapshot, shards, node type, replicas: each only where it differs."""
    target = CacheSizing.model_validate({k: v for k, v in decision.target.items() if k != "snapshot"})
    redis, shards = ReplicationGroup(group.name), before["shards"]
    there, wanted = sorted(shards), sorted(target.shards)
    old, new = str(before["node_type"]), target.node_type
    # AWS gives new shards the fewest replicas there are, and here all have as many.
    replicas, fewer = max(shards.values()), target.replicas_per_shard
    ordered = [take_snapshot(redis, str(decision.target["snapshot"]), group)]
    if len(there) != len(wanted):
        summary, hours = f"{len(there)} shards to {len(wanted)}, online", timedelta(hours=7)  # a job has eight
        ordered.append(change(redis, "shards", summary, redis.has_shards, redis.reshard, there, wanted, hours))
    if old != new:
        summary, hours = f"{old} to {new}", timedelta(hours=6)
        ordered.append(change(redis, "node-type", summary, redis.has_type, redis.change_type, old, new, hours))
    if replicas > fewer:
        summary, hours = f"{replicas} replicas a shard to {fewer}", timedelta(hours=3)
        reached, ask = redis.has_replicas, redis.set_replicas
        ordered.append(change(redis, "replicas", summary, reached, ask, replicas, fewer, hours))
    return ordered


def resize(sizing: Sizing, decision: Decision) -> Sizing:
    if name_in(decision.resource) != CACHE_NAME:
        return sizing  # it speaks of one, and this is another
    kept = {name: value for name, value in decision.target.items() if name != "snapshot"}
    return sizing.model_copy(update={"cache": CacheSizing.model_validate(kept)})


def bills(group: Governed, decision: Decision) -> Bills:
    before, target, variant = decision.before, decision.target, variant_of(group.attributes.get("engine", ""))
    counted = Counter[tuple[str, str]]()
    counted[group.region, before["node_type"] + variant] -= len(before["shards"]) + sum(before["shards"].values())
    counted[group.region, target["node_type"] + variant] += len(target["shards"]) * (1 + target["replicas_per_shard"])
    return {item: Decimal(count) for item, count in counted.items()}


def _of_node(group: Governed, node: str) -> dict[str, Query]:
    dimensions = (("CacheClusterId", node),)
    return {
        name: Query("AWS/ElastiCache", name, dimensions, statistics, region=group.region)
        for name, statistics in {**_STATISTICS, **_MORE}.items()
    }


def _after(evidence: Evidence, shards: int) -> tuple[float | None, float | None]:
    """Bytes in all, and on the fullest of so many shards when slots stay as uneven as they are."""
    sizes = list(evidence.shard_bytes.values())
    known = [each for each in sizes if each is not None]
    if not known or len(known) < len(sizes) or evidence.growth is None:
        return None, None
    total = sum(known) * evidence.growth
    skew = max(known) / (sum(known) / len(known)) if sum(known) else 1.0
    return total, total / shards * skew


def _fill_after(evidence: Evidence, limits: CachePolicy) -> float | None:
    node = CACHE_NODES.get(limits.target.node_type)
    _, fullest = _after(evidence, len(limits.target.shards))
    return times(fullest, 100 / node.usable(limits.reserved_memory)) if node else None


def _free_over_removed(evidence: Evidence, limits: CachePolicy, usable: float | None) -> float | None:
    held = {shard: size for shard, size in evidence.shard_bytes.items() if size is not None}
    if usable is None or not held or len(held) < len(evidence.shard_bytes) or _removed(evidence, limits) - held.keys():
        return None
    removed = sum(held[shard] for shard in _removed(evidence, limits))
    free = sum(
        usable - size for shard, size in held.items() if shard in _kept(evidence.before["shards"], limits.target)
    )
    return free / max(removed, 1.0)  # a byte, where they hold none


def _removed(evidence: Evidence, limits: CachePolicy) -> set[str]:
    """The shards that go."""
    return set(evidence.before["shards"]) - set(_kept(evidence.before["shards"], limits.target))


def _kept(shards: Mapping[str, int], target: CacheSizing) -> tuple[str, ...]:
    """As many shards as the target has, by AWS's own ids: those that the target names, then others that are there.

    After a resharding ids have gaps, and AWS refuses ids that were computed.
    """
    there = sorted(shards, key=lambda shard: (shard not in target.shards, shard))
    return tuple(sorted(there[: len(target.shards)]))


def _is_target(before: Before, target: CacheSizing) -> bool:
    replicas = set(before["shards"].values())
    same = before["node_type"] == target.node_type and len(before["shards"]) == len(target.shards)
    return same and replicas == {target.replicas_per_shard}


def _allowed(evidence: Evidence, limits: CachePolicy) -> bool:
    return limits.target.node_type in (*evidence.scale_downs, evidence.before["node_type"])


def _snapshot_name(evidence: Evidence) -> str:
    """The same for the same state: a second run finds what the first one made."""
    name = evidence.group.rsplit(":", 1)[-1]
    return f"{name}-before-rightsize-{fingerprint([evidence.group, evidence.before], 8)}"


_REFERENCE = "https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticache.html"
_SCALING = "https://docs.aws.amazon.com/service-authorization/latest/reference/list_applicationautoscaling.html"
_GROUPS = "arn:{partition}:elasticache:{region}:{account}:replicationgroup:tap-*"
_SNAPSHOTS = "arn:{partition}:elasticache:{region}:{account}:snapshot:tap-*-before-rightsize-*"
_NODES = "arn:{partition}:elasticache:{region}:{account}:cluster:tap-*"


ACTION = Action(
    id=ID,
    phase=Phase.COMPUTE,
    title="Right-size Redis",
    kind=Kind.CACHE,
    queries=queries,
    collect=collect,
    decide=decide,
    describe=describe,
    moves=moves,
    resize=resize,
    bills=bills,
    sized=is_sized,
    permissions=(
        *permissions(
            "elasticache:DescribeReplicationGroups",
            "elasticache:DescribeCacheClusters",
            "elasticache:DescribeEvents",
            "elasticache:DescribeSnapshots",
            "elasticache:ListAllowedNodeTypeModifications",
            source=_REFERENCE,
        ),
        Permission("application-autoscaling:DescribeScalableTargets", source=_SCALING),
        Permission("elasticache:CreateSnapshot", (_GROUPS, _SNAPSHOTS), writes=True, source=_REFERENCE),
        Permission("elasticache:DeleteSnapshot", (_SNAPSHOTS,), writes=True, source=_REFERENCE),
        Permission("elasticache:ModifyReplicationGroup", (_GROUPS, _NODES), writes=True, source=_REFERENCE),
        *permissions(
            "elasticache:ModifyReplicationGroupShardConfiguration",
            "elasticache:DecreaseReplicaCount",
            "elasticache:IncreaseReplicaCount",
            resources=(_GROUPS,),
            writes=True,
            source=_REFERENCE,
        ),
    ),
    order=Order(after=("fleet_rightsize",)),
)
