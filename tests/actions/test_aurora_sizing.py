"""Size-down decisions for Aurora's writer, readers and secondaries, as tables; and their entries in the sizing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from domain.sizing import Sizing
from optimizer.action import When
from optimizer.actions import aurora_presence, aurora_readers, aurora_writer, registry
from optimizer.decide.policy import Policy, PresencePolicy
from optimizer.model.decision import Choice
from optimizer.model.phase import Phase
from optimizer.model.resource import Governed, Kind
from optimizer.resources.database.cluster import Member

LARGE, SMALL = "db.r6g.4xlarge", "db.r6g.xlarge"
ARN = "arn:aws:rds:us-east-1:222222222222:cluster:tap-database"
CLUSTER = Governed(Kind.DATABASE, "tap-database", ARN, "us-east-1", {})
INSTANCES = {
    f"tap-database-{number}": {"class": LARGE, "tier": tier, "zone": f"us-east-1{zone}"}
    for number, tier, zone in ((1, 1, "a"), (2, 1, "b"), (3, 2, "c"))
}

WRITER = aurora_writer.Evidence(
    cluster=ARN,
    before={"writer": "tap-database-1", "instances": INSTANCES},
    primary=True,
    next_writer="tap-database-2",
    writer_cpu_p95=8.0,
    reader_cpu_p95=6.0,
    connections_max=400.0,
    freeable_gib=30.0,
    swap_growth_mib=0.0,
    coverage=100.0,
    obstacles=(),
    network_gbps_p95=0.1,
)


@pytest.mark.parametrize(
    ("name", "change", "choice"),
    [
        ("quiet", {}, Choice.APPLY),
        ("0.75 Gbps: 60 % of 1.25", {"network_gbps_p95": 0.75}, Choice.APPLY),
        ("0.76 Gbps", {"network_gbps_p95": 0.76}, Choice.KEEP),
        ("no network metric", {"network_gbps_p95": None}, Choice.APPLY),
        ("16 to 4 vCPU: 15 % become 60", {"writer_cpu_p95": 15.0}, Choice.APPLY),
        ("15.1 % become more", {"writer_cpu_p95": 15.1}, Choice.KEEP),
        ("a reader as large as the old writer will be", {"reader_cpu_p95": 15.1}, Choice.KEEP),
        ("60 % of 3,479 connections", {"connections_max": 2087.0}, Choice.APPLY),
        ("more than 60 %", {"connections_max": 2088.0}, Choice.KEEP),
        ("hardly any memory was free", {"freeable_gib": 6.0}, Choice.KEEP),
        ("swap grows", {"swap_growth_mib": 65.0}, Choice.KEEP),
        ("no reader in another zone", {"next_writer": None}, Choice.KEEP),
        ("another instance is promoted first", {"next_writer": "tap-database-3"}, Choice.APPLY),
        (
            "tier 0 is taken",
            {
                "before": {
                    "writer": "tap-database-1",
                    "instances": {**INSTANCES, "tap-database-3": {"class": LARGE, "tier": 0, "zone": "us-east-1c"}},
                }
            },
            Choice.KEEP,
        ),
        ("another change is pending", {"obstacles": ("tap-database-1 has other changes pending",)}, Choice.KEEP),
        ("a secondary cluster", {"primary": False}, Choice.KEEP),
        ("gaps in the metrics", {"coverage": 94.9}, Choice.KEEP),
        ("small already", {"before": {"writer": "w", "instances": {"w": {"class": SMALL, "tier": 0}}}}, Choice.KEEP),
        (
            "an unknown class",
            {"before": {"writer": "w", "instances": {"w": {"class": "db.x", "tier": 1}}}},
            Choice.NO_DATA,
        ),
        ("no CPU metric", {"writer_cpu_p95": None}, Choice.NO_DATA),
        ("no reader's CPU metric", {"reader_cpu_p95": None}, Choice.NO_DATA),
        ("no connections metric", {"connections_max": None}, Choice.NO_DATA),
        ("no swap metric", {"swap_growth_mib": None}, Choice.NO_DATA),
        ("no memory metric", {"freeable_gib": None}, Choice.NO_DATA),
    ],
)
def test_writer(name: str, change: dict[str, Any], choice: Choice) -> None:
    decision = aurora_writer.ACTION.decide(replace(WRITER, **change), Policy())
    assert decision.choice is choice, decision.reason


def test_the_writer_is_changed_by_way_of_a_reader_in_a_tier_of_its_own() -> None:
    decision = aurora_writer.ACTION.decide(WRITER, Policy())
    moves = aurora_writer.ACTION.moves(CLUSTER, decision.before, decision)
    assert [move.name for move in moves] == ["class tap-database-2", "failover", "class tap-database-1"]
    assert {move.when for move in moves} == {When.APPLY}
    sizing = aurora_writer.ACTION.resize(Sizing.AS_DESIGNED, decision)
    assert [(each.instance_class, each.promotion_tier) for each in sizing.aurora.instances] == [
        (SMALL, 1),
        (SMALL, 0),
        (LARGE, 2),
    ]


def members(*rows: tuple[int, str, int, str, bool]) -> tuple[Member, ...]:
    return tuple(
        Member(f"tap-database-{number}", kind, tier, f"us-east-1{zone}", writes)
        for number, kind, tier, zone, writes in rows
    )


READERS = aurora_readers.Evidence(
    cluster=ARN,
    before={"instances": {name: {"DBInstanceIdentifier": name} for name in INSTANCES}},
    primary=True,
    members=members((1, LARGE, 1, "a", True), (2, LARGE, 1, "b", False), (3, LARGE, 2, "c", False)),
    lag_p99_ms=36.0,
    reads_of_writes_p95=12.9,
    cpu_p95=6.0,
    summed_cpu_p95=12.0,
    connections_max=100.0,
    summed_connections_max=200.0,
    coverage=100.0,
    autoscaled_to=0,
    custom=(),
)
SMALLER = members((1, LARGE, 1, "a", True), (2, SMALL, 1, "b", False), (3, LARGE, 2, "c", False))
# Between the writer's moves, as a run that crashed there finds them.
TRIED = members((1, LARGE, 1, "a", True), (2, SMALL, 0, "b", False), (3, LARGE, 2, "c", False))
FAILED_OVER = members((1, LARGE, 1, "a", False), (2, SMALL, 0, "b", True), (3, LARGE, 2, "c", False))
CHANGED = members((1, SMALL, 1, "a", False), (2, SMALL, 0, "b", True), (3, LARGE, 2, "c", False))


@pytest.mark.parametrize(
    ("name", "change", "choice"),
    [
        ("quiet", {}, Choice.APPLY),
        ("lag at the brief's limit", {"lag_p99_ms": 100.0}, Choice.KEEP),
        ("reads just below a fifth of writes", {"reads_of_writes_p95": 19.9}, Choice.APPLY),
        ("reads are a fifth of writes", {"reads_of_writes_p95": 20.0}, Choice.KEEP),
        ("two at 6.25 % are 50 % of an xlarge", {"summed_cpu_p95": 12.5}, Choice.APPLY),
        ("two at 6.3 % are more", {"summed_cpu_p95": 12.6}, Choice.KEEP),
        ("their connections do not fit on one", {"summed_connections_max": 2_100.0}, Choice.KEEP),
        ("one reader only", {"members": READERS.members[:2]}, Choice.KEEP),
        ("all in one zone", {"members": tuple(replace(m, zone="a") for m in READERS.members)}, Choice.KEEP),
        ("the one that stays is smaller", {"members": SMALLER}, Choice.KEEP),
        ("replica scaling keeps two", {"autoscaled_to": 2}, Choice.KEEP),
        ("a custom endpoint", {"custom": ("reports",)}, Choice.KEEP),
        ("a secondary cluster", {"primary": False}, Choice.KEEP),
        ("gaps in the metrics", {"coverage": 50.0}, Choice.KEEP),
        ("no lag metric", {"lag_p99_ms": None}, Choice.NO_DATA),
        ("no reads metric, or no writes at all", {"reads_of_writes_p95": None}, Choice.NO_DATA),
        ("no CPU metric", {"summed_cpu_p95": None}, Choice.NO_DATA),
        ("the next writer is on its way", {"members": TRIED}, Choice.APPLY),
        ("the cluster has failed over", {"members": FAILED_OVER}, Choice.APPLY),
        ("both are changed", {"members": CHANGED}, Choice.APPLY),
    ],
)  # fmt: skip
def test_readers(name: str, change: dict[str, Any], choice: Choice) -> None:
    decision = aurora_readers.ACTION.decide(replace(READERS, **change), Policy())
    assert decision.choice is choice, decision.reason


@pytest.mark.parametrize("now", [READERS.members, TRIED, FAILED_OVER, CHANGED])
def test_it_is_the_same_reader_that_leaves_wherever_the_writers_action_stands(now: tuple[Member, ...]) -> None:
    decision = aurora_readers.ACTION.decide(replace(READERS, members=now), Policy())
    assert decision.target["leaves"] == {"tap-database-3": {"class": LARGE, "tier": 2}}
    sizing = aurora_readers.ACTION.resize(Sizing.AS_DESIGNED, decision)
    assert [each.id for each in sizing.aurora.instances] == ["tap-database-1", "tap-database-2"]


PRESENCE = aurora_presence.Evidence(
    database="arn:aws:rds::222222222222:global-cluster:tap-global",
    before={
        "secondaries": {
            f"arn:aws:rds:{region}:222222222222:cluster:tap-database-region{n}": {
                f"tap-database-region{n}-1": {"created": {}, "class": LARGE, "tier": 1}
            }
            for n, region in ((2, "us-west-2"), (3, "eu-west-1"))
        }
    },
    connections_max=0.0,
    lag_p99_ms=180.0,
    writer_cpu_p95=7.0,
    coverage=100.0,
    forwarding=(),
    stays_monthly=70.0,
    obstacles=(),
)


@pytest.mark.parametrize(
    ("name", "change", "choice"),
    [
        ("idle", {}, Choice.APPLY),
        ("one connection in 60 days", {"connections_max": 1.0}, Choice.KEEP),
        ("it does not keep up", {"lag_p99_ms": 1001.0}, Choice.KEEP),
        ("it forwards writes", {"forwarding": ("tap-database-region2",)}, Choice.KEEP),
        ("a switchover is under way", {"obstacles": ("a switchover of it is pending",)}, Choice.KEEP),
        ("the design's load: what protects it stays", {"writer_cpu_p95": 45.0}, Choice.KEEP),
        ("the load was not measured", {"writer_cpu_p95": None}, Choice.NO_DATA),
        ("no secondary", {"before": {"secondaries": {}}}, Choice.KEEP),
        ("gaps in the metrics", {"coverage": 94.0}, Choice.KEEP),
        ("no connections metric", {"connections_max": None}, Choice.NO_DATA),
        ("no lag metric", {"lag_p99_ms": None}, Choice.NO_DATA),
    ],
)
def test_presence(name: str, change: dict[str, Any], choice: Choice) -> None:
    decision = aurora_presence.ACTION.decide(replace(PRESENCE, **change), Policy())
    assert decision.choice is choice, decision.reason


def test_losing_recovery_is_the_policys_choice() -> None:
    kept = Policy(presence=PresencePolicy(recovery_loss_accepted=False))
    assert aurora_presence.ACTION.decide(PRESENCE, kept).choice is Choice.KEEP


def test_secondaries_are_headless_in_the_window_and_removed_at_acceptance() -> None:
    decision = aurora_presence.ACTION.decide(PRESENCE, Policy())
    database = Governed(Kind.GLOBAL_DATABASE, "tap-global", PRESENCE.database, "us-east-1", {})
    moves = aurora_presence.ACTION.moves(database, decision.before, decision)
    assert [(move.when, move.name.split()[0]) for move in moves] == [
        (When.APPLY, "headless"),
        (When.APPLY, "headless"),
        *[(When.ACCEPT, name) for name in ("close", "detach", "unprotect", "delete")] * 2,
    ]
    assert aurora_presence.ACTION.resize(Sizing.AS_DESIGNED, decision).aurora.secondaries == ()


def test_recovery_and_what_the_regions_cost_on_are_projected() -> None:
    projected = {each.name: each for each in aurora_presence.ACTION.decide(PRESENCE, Policy()).projected}
    (rpo,) = [each for name, each in projected.items() if "RPO" in name]
    assert (rpo.today, rpo.after) == (0.18, None)
    assert any("RTO" in name for name in projected)
    assert projected["network and keys of their Regions"].after == 70.0


def test_presence_comes_before_the_writer_and_the_writer_before_the_readers() -> None:
    order = [action.id for action in registry() if action.phase is Phase.DATABASE]
    assert order.index("aurora_presence") < order.index("aurora_writer") < order.index("aurora_readers")
