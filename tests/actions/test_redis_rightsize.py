"""Decisions to make Redis smaller: the brief's thresholds first, then the fit of the data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from domain.sizing import Sizing
from emulator.account import EmulatedAccount
from optimizer.action import When
from optimizer.actions.redis_rightsize import ACTION, GIB, Evidence
from optimizer.decide.policy import Policy
from optimizer.model.decision import Choice, Origin, Verdict
from optimizer.model.resource import Governed, Kind
from optimizer.observe.metrics import Query
from optimizer.ports.aws import Aws
from tests.actions.made_measurements import Made

SHARDS = ("0001", "0002", "0003", "0004")
BEFORE = {"node_type": "cache.r6g.4xlarge", "shards": dict.fromkeys(SHARDS, 2)}
TARGET = {"node_type": "cache.r6g.xlarge", "shards": dict.fromkeys(SHARDS[:2], 1)}
ARN = "arn:aws:elasticache:us-east-1:222222222222:replicationgroup:tap-cache"
EVIDENCE = Evidence(
    group=ARN,
    before=BEFORE,
    cpu_p95=4.0,
    memory_max=9.0,
    commands_p95=2_300.0,
    engine_cpu_p95=3.0,
    shard_bytes=dict.fromkeys(SHARDS, 6.0 * GIB),
    growth=1.0,
    connections_max=130.0,
    evictions=0.0,
    coverage=100.0,
    scale_downs=("cache.r6g.large", "cache.r6g.xlarge"),
    obstacles=(),
    network_gbps_p95=0.02,
)
GROUP = Governed(Kind.CACHE, "tap-cache", ARN, "us-east-1", {}, {"nodes": {"tap-cache-0001-001": "0001"}})


def of(total_gib: float) -> dict[str, float]:
    return dict.fromkeys(SHARDS, total_gib / 4 * GIB)


@pytest.mark.parametrize(
    ("name", "change", "choice"),
    [
        ("quiet", {}, Choice.APPLY),
        ("CPU just below the brief's limit", {"cpu_p95": 29.9}, Choice.APPLY),
        ("CPU at the brief's limit", {"cpu_p95": 30.0}, Choice.KEEP),
        ("memory at the brief's limit", {"memory_max": 50.0}, Choice.KEEP),
        ("commands at the brief's limit", {"commands_p95": 10_000.0}, Choice.KEEP),
        # 39.5 GiB can be used on 2 x xlarge, 80 % of it are 31.6
        ("31.5 GiB fit", {"shard_bytes": of(31.5)}, Choice.APPLY),
        ("31.7 GiB do not", {"shard_bytes": of(31.7)}, Choice.KEEP),
        ("45 % of memory passes the brief and does not fit", {"memory_max": 45.0, "shard_bytes": of(142)}, Choice.KEEP),
        ("29 GiB that grow by a tenth do not fit", {"shard_bytes": of(29), "growth": 1.1}, Choice.KEEP),
        (
            "an uneven shard does not fit on one node",
            {"shard_bytes": {**of(20), "0001": 13 * GIB}},  # 28 in all, but 26 on the fullest of two
            Choice.KEEP,
        ),
        # 12 nodes to 4: the engine's one thread does three times as much
        ("engine CPU times 3 is just 60", {"engine_cpu_p95": 20.0}, Choice.APPLY),
        ("engine CPU times 3 is above", {"engine_cpu_p95": 20.1}, Choice.KEEP),
        ("connections times 3 are above 60 % of 65,000", {"connections_max": 13_100.0}, Choice.KEEP),
        ("0.25 Gbps of a node, times 3: 60 % of 1.25", {"network_gbps_p95": 0.25}, Choice.APPLY),
        ("0.26 Gbps of a node", {"network_gbps_p95": 0.26}, Choice.KEEP),
        ("no network metric", {"network_gbps_p95": None}, Choice.APPLY),
        (
            "8 shards without replicas to 2: each takes over the writes of 4",
            {
                "before": {**BEFORE, "shards": {f"{n:04}": 0 for n in range(1, 9)}},
                "shard_bytes": {f"{n:04}": GIB for n in range(1, 9)},
                "engine_cpu_p95": 15.1,
            },
            Choice.KEEP,
        ),
        ("it evicts already", {"evictions": 1.0}, Choice.KEEP),
        ("ElastiCache does not allow the type", {"scale_downs": ("cache.r6g.large",)}, Choice.KEEP),
        ("gaps in the metrics", {"coverage": 94.0}, Choice.KEEP),
        ("it is so already", {"before": TARGET}, Choice.KEEP),
        ("scaled by something else", {"obstacles": ("Application Auto Scaling",)}, Choice.KEEP),
        ("no memory metric", {"memory_max": None}, Choice.NO_DATA),
        ("one shard without data", {"shard_bytes": {**of(20), "0003": None}}, Choice.NO_DATA),
        ("no growth to be told", {"growth": None}, Choice.NO_DATA),
        ("no evictions metric", {"evictions": None}, Choice.NO_DATA),
        ("an unknown node type", {"before": {**BEFORE, "node_type": "cache.x9.huge"}}, Choice.NO_DATA),
    ],
)
def test_decision(name: str, change: dict[str, Any], choice: Choice) -> None:
    decision = ACTION.decide(replace(EVIDENCE, **change), Policy())
    assert decision.choice is choice, decision.reason


def test_nothing_measured_is_no_data() -> None:
    empty = replace(
        EVIDENCE,
        cpu_p95=None,
        memory_max=None,
        commands_p95=None,
        engine_cpu_p95=None,
        shard_bytes={},
        growth=None,
        connections_max=None,
        evictions=None,
    )
    assert ACTION.decide(empty, Policy()).choice is Choice.NO_DATA


def test_the_briefs_thresholds_pass_where_the_guard_says_no() -> None:
    """The trap of the literal rule: below 50 % of 317 GiB is four times the capacity of 2 x xlarge."""
    decision = ACTION.decide(replace(EVIDENCE, memory_max=45.0, shard_bytes=of(142)), Policy())
    verdicts = {c.name: (c.origin, c.verdict) for c in decision.criteria}
    assert verdicts["memory of the fullest node"] == (Origin.BRIEF, Verdict.PASS)
    assert verdicts["data with its growth"] == (Origin.GUARD, Verdict.FAIL)
    assert verdicts["free on the kept shards, of what the others hold"] == (Origin.GUARD, Verdict.FAIL)
    assert "142 GiB (limit: at most 31.6 GiB)" in decision.reason


def test_what_resharding_needs_is_one_and_a_half_times_what_goes() -> None:
    usable = 113_609_865_216 * 0.75

    def verdict(percent: float) -> Verdict:
        held = dict.fromkeys(SHARDS, usable * percent / 100)
        decision = ACTION.decide(replace(EVIDENCE, shard_bytes=held), Policy())
        return next(c.verdict for c in decision.criteria if c.name.startswith("free on the kept"))

    assert (verdict(40.0), verdict(40.1)) == (Verdict.PASS, Verdict.FAIL)


def test_where_no_shard_goes_nothing_is_asked_of_resharding() -> None:
    """Only too large nodes: 'free for each byte that goes' would be free over nothing."""
    two = {"0001": 6.0 * GIB, "0002": 6.0 * GIB}
    before = {"node_type": "cache.r6g.4xlarge", "shards": {"0001": 2, "0002": 2}}
    decision = ACTION.decide(replace(EVIDENCE, before=before, shard_bytes=two), Policy())
    assert decision.choice is Choice.APPLY, decision.reason
    assert not [each.name for each in decision.criteria if each.name.startswith("free on the kept")]
    light = dict.fromkeys(SHARDS, 0.0)
    assert ACTION.decide(replace(EVIDENCE, shard_bytes=light), Policy()).choice is Choice.APPLY


def test_a_guard_is_lifted_by_name_alone() -> None:
    policy = Policy(lifted=frozenset({"redis_rightsize/evictions"}))
    assert ACTION.decide(replace(EVIDENCE, evictions=3.0), policy).choice is Choice.APPLY
    assert ACTION.decide(replace(EVIDENCE, evictions=3.0, memory_max=60.0), policy).choice is Choice.KEEP


def test_moves_are_those_that_differ_and_can_all_be_undone() -> None:
    decision = ACTION.decide(EVIDENCE, Policy())
    assert [move.name for move in ACTION.moves(GROUP, BEFORE, decision)] == [
        "snapshot",
        "shards",
        "node-type",
        "replicas",
    ]
    resharded = {"node_type": "cache.r6g.xlarge", "shards": dict.fromkeys(SHARDS[:2], 2)}
    assert [move.name for move in ACTION.moves(GROUP, resharded, decision)] == ["snapshot", "replicas"]
    assert {move.when for move in ACTION.moves(GROUP, BEFORE, decision)} == {When.APPLY}


def test_the_snapshot_is_named_by_the_state_it_was_taken_of() -> None:
    names = [ACTION.decide(replace(EVIDENCE, before=b), Policy()).target["snapshot"] for b in (BEFORE, BEFORE, TARGET)]
    assert names[0] == names[1] != names[2]


def test_acceptance_writes_the_target_into_the_sizing() -> None:
    sizing = ACTION.resize(Sizing.AS_DESIGNED, ACTION.decide(EVIDENCE, Policy()))
    assert sizing.cache == Policy().cache.target
    assert sizing.aurora == Sizing.AS_DESIGNED.aurora


def test_two_of_the_shards_that_are_there_are_kept_whatever_their_ids() -> None:
    ids = ("0001", "0003", "0005", "0006")
    before = {"node_type": "cache.r6g.4xlarge", "shards": dict.fromkeys(ids, 2)}
    evidence = replace(EVIDENCE, before=before, shard_bytes=dict.fromkeys(ids, 6.0 * GIB))
    decision = ACTION.decide(evidence, Policy())
    assert decision.choice is Choice.APPLY, decision.reason
    assert decision.target["shards"] == ["0001", "0003"]
    assert [move.name for move in ACTION.moves(GROUP, before, decision)][1] == "shards"


NODES = {f"tap-cache-{shard}-{node:03}": shard for shard in SHARDS for node in (1, 2, 3)}
CACHE = Governed(Kind.CACHE, "tap-cache", ARN, "us-east-1", {}, {"nodes": NODES})
QUIET = {"BytesUsedForCache": 6.0 * GIB, "DatabaseMemoryUsagePercentage": 9.0, "CPUUtilization": 4.0} | {
    "EngineCPUUtilization": 3.0
}


@pytest.fixture
def cache(account: EmulatedAccount, aws: Aws) -> Governed:
    """4 shards of a primary and two replicas each."""
    aws.elasticache.create_replication_group(
        ReplicationGroupId="tap-cache",
        ReplicationGroupDescription="cache",
        Engine="redis",
        CacheNodeType="cache.r6g.4xlarge",
        NumNodeGroups=4,
        ReplicasPerNodeGroup=2,
        AutomaticFailoverEnabled=True,
    )
    account.clock.sleep(7200)
    return CACHE


def collected(aws: Aws, cache: Governed, rate: Callable[[str, float], float | None]) -> Evidence:
    """A load of one metric per second on the first node, by days ago; the others are idle."""

    def value(query: Query, _statistic: str, ago: float) -> float | None:
        if query.name in QUIET:
            return QUIET[query.name]
        a_second = rate(query.name, ago)
        if a_second is None:
            return None
        return a_second * query.period if dict(query.dimensions)["CacheClusterId"].endswith("0001-001") else 0.0

    found = ACTION.collect(aws, cache, Made(aws.clock.now(), value))
    assert isinstance(found, Evidence)
    return found


@pytest.mark.parametrize(
    ("rates", "found"),
    [
        ({"GetTypeCmds": 50, "SetTypeCmds": 50}, 100),
        ({"GetTypeCmds": 50, "SetTypeCmds": 50, "PubSubBasedCmds": 12_000, "EvalBasedCmds": 8_000}, 20_100),
        ({"PubSubBasedCmds": 4_000, "ClusterBasedCmds": 10, "NonKeyTypeCmds": 4_500}, 4_500),  # the same ones twice
        ({"NonKeyTypeCmds": 100, "PubSubBasedCmds": 4_000}, 4_000),
        ({"GetTypeCmds": 6_000, "HashBasedCmds": 6_000, "StringBasedCmds": 6_000}, 6_000),  # families of that type
        ({"JsonBasedCmds": 3_000, "JsonBasedGetCmds": 3_000}, 3_000),
    ],
)
def test_every_command_counts_once(aws: Aws, cache: Governed, rates: dict[str, float], found: float) -> None:
    evidence = collected(aws, cache, lambda name, _: rates.get(name, 0.0))
    assert evidence.commands_p95 == pytest.approx(found)


def test_a_family_that_is_not_published_has_no_commands_and_a_type_has_no_data(aws: Aws, cache: Governed) -> None:
    two = collected(aws, cache, lambda name, _: 50.0 if name in ("GetTypeCmds", "SetTypeCmds") else None)
    assert two.commands_p95 == pytest.approx(100)
    assert collected(aws, cache, lambda name, _: None if name == "SetTypeCmds" else 50.0).commands_p95 is None


def test_shards_that_went_yesterday_show_in_the_newest_day(aws: Aws, cache: Governed) -> None:
    """8 shards until yesterday: half as many commands on each of the four that are measured over 60 days."""
    evidence = collected(aws, cache, lambda name, ago: (4_000 if ago > 1 else 8_000) if name == "GetTypeCmds" else 0.0)
    assert evidence.commands_p95 == pytest.approx(8_000)


def test_the_network_is_that_of_the_busier_direction(aws: Aws, cache: Governed) -> None:
    moved = {"NetworkBytesIn": 10e6, "NetworkBytesOut": 40e6}
    assert collected(aws, cache, lambda name, _: moved.get(name, 0.0)).network_gbps_p95 == pytest.approx(0.32)
    silent = collected(aws, cache, lambda name, _: None if name in moved else 0.0)
    assert silent.network_gbps_p95 is None
    assert ACTION.decide(replace(EVIDENCE, network_gbps_p95=None), Policy()).unmeasured == ("network of the nodes",)
