"""Evidence of an Aurora cluster: shares by the readers of their period, hours, and every set of dimensions."""

from __future__ import annotations

from dataclasses import replace

import pytest

from emulator.account import EmulatedAccount
from optimizer.actions import aurora_presence, aurora_readers, aurora_writer
from optimizer.decide.policy import Policy
from optimizer.model.decision import Choice
from optimizer.model.resource import Governed, Kind
from optimizer.observe.metrics import Query
from optimizer.ports.aws import Aws
from tests.actions.made_measurements import Made, Value

REGION, OTHER = "us-east-1", "us-west-2"
CLASS = "db.r6g.4xlarge"
QUIET = {
    "CPUUtilization": 4.0,
    "DatabaseConnections": 40.0,
    "AuroraReplicaLag": 20.0,
    "VolumeReadIOPs": 10.0,
    "VolumeWriteIOPs": 100.0,
    "FreeableMemory": 32.0 * 1024**3,
    "SwapUsage": 0.0,
}


def made(aws: Aws, value: Value) -> Made:
    return Made(aws.clock.now().replace(minute=0, second=0, microsecond=0), value)


def quietly(more: Value, readers: int = 2) -> Value:
    """`more` if given, else a quiet cluster with this number of readers."""

    def value(query: Query, statistic: str, ago: float) -> float | None:
        told = more(query, statistic, ago)
        if told is None and statistic == "SampleCount":
            return 5.0 * readers
        return QUIET.get(query.name) if told is None else told

    return value


@pytest.fixture
def cluster(account: EmulatedAccount, aws: Aws) -> Governed:
    """A writer and two readers in three zones."""
    made = aws.rds.create_db_cluster(
        DBClusterIdentifier="tap-database",
        Engine="aurora-postgresql",
        MasterUsername="tap",
        MasterUserPassword="not-a-secret-here",
    )["DBCluster"]
    for number, zone in ((1, "a"), (2, "b"), (3, "c")):
        aws.rds.create_db_instance(
            DBInstanceIdentifier=f"tap-database-{number}",
            DBClusterIdentifier="tap-database",
            DBInstanceClass=CLASS,
            Engine="aurora-postgresql",
            AvailabilityZone=f"{REGION}{zone}",
        )
    account.clock.sleep(86_400)
    return Governed(Kind.DATABASE, "tap-database", made["DBClusterArn"], REGION, {})


def of_readers(query: Query) -> bool:
    return query.name == "CPUUtilization" and ("Role", "READER") in query.dimensions


@pytest.mark.parametrize(
    ("name", "before", "since", "expected"),
    [
        # 4 at 4 % of 16 vCPU each are 64 % of an xlarge; since yesterday two do it at 8 %.
        ("4 readers until yesterday", 4, 1, Choice.KEEP),
        ("4 readers until a month ago", 4, 30, Choice.KEEP),
        ("always 2, at 4 %", 2, 0, Choice.APPLY),
    ],
)
def test_a_share_is_that_of_the_readers_of_its_period(
    aws: Aws, cluster: Governed, name: str, before: int, since: float, expected: Choice
) -> None:
    def value(query: Query, statistic: str, ago: float) -> float | None:
        readers = before if ago > since else 2
        if of_readers(query):
            return 5.0 * readers if statistic == "SampleCount" else 4.0 * before / readers
        return None

    decision = aurora_readers.ACTION.decide(
        aurora_readers.ACTION.collect(aws, cluster, made(aws, quietly(value))), Policy()
    )
    assert decision.choice is expected, (name, decision.reason)


@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        ((), Choice.APPLY),
        ((9, 17), Choice.KEEP),  # reports, two hours a day: 8 % of all hours read more than they write
        ((9,), Choice.APPLY),  # 4 %: p95 is what holds in 95 of 100 hours
    ],
)
def test_reads_are_judged_by_the_hour(aws: Aws, cluster: Governed, hours: tuple[int, ...], expected: Choice) -> None:
    """The mean of 60 days stays below a fifth in all three cases."""

    def value(query: Query, _statistic: str, ago: float) -> float | None:
        return 120.0 if query.name == "VolumeReadIOPs" and int(ago * 24 + 0.5) % 24 in hours else None

    evidence = aurora_readers.ACTION.collect(aws, cluster, made(aws, quietly(value)))
    decision = aurora_readers.ACTION.decide(evidence, Policy())
    assert decision.choice is expected, decision.reason


@pytest.mark.parametrize(("reads", "writes"), [(10.0, 0.0), (None, 100.0), (10.0, None)])
def test_without_writes_there_is_no_share(
    aws: Aws, cluster: Governed, reads: float | None, writes: float | None
) -> None:
    def value(query: Query, statistic: str, _ago: float) -> float | None:
        told = {"VolumeReadIOPs": reads, "VolumeWriteIOPs": writes}
        if query.name in told:
            return told[query.name]
        return quietly(lambda *_: None)(query, statistic, 0.0)

    evidence = aurora_readers.ACTION.collect(aws, cluster, made(aws, value))
    assert evidence.reads_of_writes_p95 is None
    assert aurora_readers.ACTION.decide(replace(evidence, coverage=100.0), Policy()).choice is Choice.NO_DATA


@pytest.mark.parametrize(
    ("name", "share", "expected"),
    [
        ("a writer that was made smaller yesterday", lambda ago: 5.0 if ago > 1 else 20.0, Choice.KEEP),
        ("a quiet day", lambda ago: 5.0 if ago > 1 else 1.0, Choice.APPLY),
    ],
)
def test_a_writers_share_of_another_class_shows_in_the_newest_day(
    aws: Aws, cluster: Governed, name: str, share: object, expected: Choice
) -> None:
    def value(query: Query, statistic: str, ago: float) -> float | None:
        writer = query.name == "CPUUtilization" and ("Role", "WRITER") in query.dimensions
        return share(ago) if writer and statistic == "Average" else None  # type: ignore[operator]

    evidence = aurora_writer.ACTION.collect(aws, cluster, made(aws, quietly(value)))
    decision = aurora_writer.ACTION.decide(evidence, Policy())
    assert decision.choice is expected, (name, decision.reason)
    assert decision.unmeasured == (("network of the writer",) if expected is Choice.APPLY else decision.unmeasured)


def test_memory_that_was_always_free_is_the_least_of_all(aws: Aws, cluster: Governed) -> None:
    """One day on which it was needed counts: 64 of 128 GiB free the other days say nothing of it."""

    def value(query: Query, statistic: str, ago: float) -> float | None:
        if query.name != "FreeableMemory":
            return None
        return (2.0 if 20 <= ago < 21 and statistic == "Minimum" else 64.0) * 1024**3

    evidence = aurora_writer.ACTION.collect(aws, cluster, made(aws, quietly(value)))
    assert evidence.freeable_gib == 2.0
    assert aurora_writer.ACTION.decide(evidence, Policy()).choice is Choice.KEEP


SECONDARY = f"arn:aws:rds:{OTHER}:222222222222:cluster:tap-database-region2"
CLUSTER_SET, SOURCE_SET = ("DBClusterIdentifier", "tap-database-region2"), ("SourceRegion", REGION)


@pytest.mark.parametrize("published", [(CLUSTER_SET,), (SOURCE_SET,), (CLUSTER_SET, SOURCE_SET)])
def test_the_lag_is_asked_for_under_every_set_of_dimensions(published: tuple[tuple[str, str], ...]) -> None:
    database = Governed(
        Kind.GLOBAL_DATABASE,
        "tap",
        "arn:aws:rds::222222222222:global-cluster:tap",
        REGION,
        {},
        {"primary": f"arn:aws:rds:{REGION}:222222222222:cluster:tap-database", "secondaries": (SECONDARY,)},
    )
    lags = [q for q in aurora_presence.queries(database) if q.name == "AuroraGlobalDBReplicationLag"]
    assert {frozenset(each.dimensions) for each in lags} >= {frozenset(published)}
    assert {each.region for each in lags} == {OTHER}


def test_a_lag_that_is_published_under_one_set_alone_is_found_and_decides_no_coverage(
    account: EmulatedAccount, aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Governed(
        Kind.GLOBAL_DATABASE,
        "tap",
        "arn:aws:rds::222222222222:global-cluster:tap",
        REGION,
        {},
        {"primary": f"arn:aws:rds:{REGION}:222222222222:cluster:tap-database", "secondaries": (SECONDARY,)},
    )
    shown = {"Status": "available", "GlobalClusterMembers": []}
    for name in ("forwarding", "obstacles"):
        monkeypatch.setattr(aurora_presence, name, lambda *_: ())
    monkeypatch.setattr(aurora_presence.aurora, "global_cluster", lambda *_: shown)
    monkeypatch.setattr(aurora_presence, "describe", lambda *_: {"secondaries": {SECONDARY: {}}})
    monkeypatch.setattr(aurora_presence, "_stays_monthly", lambda *_: 0.0)

    def value(query: Query, _statistic: str, ago: float) -> float | None:
        if query.name == "AuroraGlobalDBReplicationLag":
            return 180.0 if query.dimensions == (SOURCE_SET,) and ago < 30 else None  # half of the period
        return {"DatabaseConnections": 0.0, "CPUUtilization": 5.0, "VolumeBytesUsed": 1e9}.get(query.name)

    evidence = aurora_presence.ACTION.collect(aws, database, made(aws, value))
    assert (evidence.lag_p99_ms, evidence.coverage) == (180.0, 100.0)
    silent = aurora_presence.ACTION.collect(aws, database, made(aws, lambda query, *_: None))
    assert (silent.lag_p99_ms, silent.coverage) == (None, 0.0)


def test_connections_of_the_secondary_that_is_measured_least_decide_coverage(
    aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    third = SECONDARY.replace(OTHER, "eu-west-1").replace("region2", "region3")
    database = Governed(Kind.GLOBAL_DATABASE, "tap", "arn:aws:rds::2:global-cluster:tap", REGION, {}, {})
    monkeypatch.setattr(aurora_presence.aurora, "global_cluster", lambda *_: {})
    monkeypatch.setattr(aurora_presence, "describe", lambda *_: {"secondaries": {SECONDARY: {}, third: {}}})
    monkeypatch.setattr(aurora_presence, "_stays_monthly", lambda *_: 0.0)
    for name in ("forwarding", "obstacles"):
        monkeypatch.setattr(aurora_presence, name, lambda *_: ())

    def value(query: Query, _statistic: str, ago: float) -> float | None:
        return None if query.region == "eu-west-1" and ago > 30 else 0.0

    assert aurora_presence.ACTION.collect(aws, database, made(aws, value)).coverage == pytest.approx(50.0, abs=0.2)
