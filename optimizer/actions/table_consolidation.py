"""Merge `tenants` and `users` into one table.

Saves no list price by itself, since on-demand tables are billed by use; it saves a table to run, to
back up and to alarm on, and makes a tenant with its users one query. Risks every item of two tables.
Undone, while the sources still stand, by copying back what was written since and turning the pointer.

`audit_logs` stays alone: DynamoDB's guidance is as few tables as possible, except for high-volume
time series and data with very different access patterns ("Best practices for managing relational
data"). The other two can share a table because their keys cannot meet (docs/access-patterns.md).

Infrastructure alone cannot consolidate: the application has to read the table's name from its pointer
each time, and says that it does by the parameter `/tap/application/follows-pointers`. Without that
declaration, and as long as this version does not carry the copying out, the decision is KEEP.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from optimizer.action import Action, Before, Move, Order, Permission
from optimizer.aws import Aws
from optimizer.decide.decision import Criterion, Decision, Json, Measured, Projection, brief, decide_by, guard
from optimizer.decide.policy import Policy
from optimizer.observe.inventory import Governed, Kind
from optimizer.observe.metrics import Measurements, Query
from optimizer.observe.tables import consumed, is_settled, read_table, replica_regions, stream_view
from optimizer.phase import Phase
from stages.sizing import Sizing

if TYPE_CHECKING:
    from types_boto3_dynamodb.type_defs import TableDescriptionTypeDef

ID = "table_consolidation"
GUIDE = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide"
REFERENCE = "https://docs.aws.amazon.com/service-authorization/latest/reference"
SOURCES = ("tenants", "users")
DECLARATION = "/tap/application/follows-pointers"
CARRIED_OUT = False  # whether this version copies, follows, verifies and turns the pointer


@dataclass(frozen=True)
class Evidence:
    """One table as a candidate, and the two that would merge. Peaks: units per second, both together."""

    table: str
    name: str
    before: Before
    unsettled: tuple[str, ...]
    peak_writes: float | None
    peak_reads: float | None
    follows_pointers: bool


def queries(table: Governed) -> tuple[Query, ...]:
    """What both sources consume, at 5 minutes: hours would hide the peaks that one partition must carry."""
    if table.name not in SOURCES:
        return ()
    return tuple(consumed(name, table.region, units) for name in SOURCES for units in ("Write", "Read"))


def collect(aws: Aws, table: Governed, measured: Measurements) -> Evidence:
    shown = _shown(aws) if table.name in SOURCES else {}
    return Evidence(
        table=table.arn,
        name=table.name,
        before=describe(aws, table),
        unsettled=tuple(name for name, each in shown.items() if not is_settled(each)),
        peak_writes=_peak(table, "Write", measured),
        peak_reads=_peak(table, "Read", measured),
        follows_pointers=_declared(aws),
    )


def decide(evidence: Evidence, policy: Policy) -> Decision:
    """Whether the two support being one; each thing they must have in common is a criterion."""
    limits, tables = policy.consolidation, evidence.before["tables"]

    def over(
        name: str, observed: Measured, *, unit: str = "", page: str = "bp-general-nosql-design", **limit: Measured
    ) -> Criterion:
        lifted = policy.is_lifted(ID, name)
        return guard(name, observed, unit=unit, source=f"{GUIDE}/{page}.html", lifted=lifted, **limit)

    def alike(name: str, key: str) -> Criterion:
        values = [each[key] for each in tables.values()]
        return over(f"same {name}", all(value == values[0] for value in values) if values else None, equals=True)

    indexes = sum(len(each["indexes"]) for each in tables.values()) if tables else None
    criteria = (
        brief("one of the tables that belong together", evidence.name in SOURCES, equals=True),
        over("both tables are there", len(tables) if tables else None, equals=len(SOURCES)),
        over("tables that are being changed", ", ".join(evidence.unsettled) or "none", equals="none"),
        alike("key schema", "keys"),
        alike("key of encryption", "encryption"),
        alike("point-in-time recovery", "recovery"),
        alike("table class", "class"),
        alike("deletion protection", "protected"),
        alike("Regions", "replicas"),
        alike("expiry attribute", "expiry"),
        over("indexes of both", indexes, page="ServiceQuotas", at_most=limits.indexes),
        over(
            "peak writes of both, as if on one partition",
            evidence.peak_writes,
            unit="a second",
            page="bp-partition-key-design",
            at_most=limits.writes_per_second,
        ),
        over(
            "peak reads of both, as if on one partition",
            evidence.peak_reads,
            unit="a second",
            page="bp-partition-key-design",
            at_most=limits.reads_per_second,
        ),
        over("the application declares that it follows the pointer", evidence.follows_pointers, equals=True),
        guard("this version carries the consolidation out", CARRIED_OUT, equals=True),
    )
    return decide_by(
        ID,
        evidence.table,
        criteria,
        before=evidence.before,
        target={"sources": list(SOURCES)},
        projected=(Projection("tables", 3, 2, ""),),
        undo="what was written since is copied back, then the pointer turned back; the sources stay meanwhile",
    )


def describe(aws: Aws, table: Governed) -> Before:
    """What both sources must have in common; nothing for a table that is none of them."""
    shown = _shown(aws) if table.name in SOURCES else {}
    return {"tables": {name: _described(aws, name, each) for name, each in shown.items()}}


def moves(_table: Governed, _before: Before, _decision: Decision) -> list[Move]:
    """None: a decision to apply cannot come about in this version."""
    return []


def resize(sizing: Sizing, _decision: Decision) -> Sizing:
    """The sizing as it is: nothing is consolidated in this version."""
    return sizing


def _shown(aws: Aws) -> dict[str, TableDescriptionTypeDef]:
    found = {}
    for name in SOURCES:
        try:
            found[name] = read_table(aws, name)
        except aws.dynamodb.exceptions.ResourceNotFoundException:
            continue  # a criterion counts the tables
    return found


def _described(aws: Aws, name: str, table: TableDescriptionTypeDef) -> Mapping[str, Json]:
    backups = aws.dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    recovery = backups.get("PointInTimeRecoveryDescription", {})
    lifetime = aws.dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    types = {each["AttributeName"]: each["AttributeType"] for each in table["AttributeDefinitions"]}
    return {
        "keys": [{**key, "AttributeType": types[key["AttributeName"]]} for key in table["KeySchema"]],
        "indexes": sorted(each["IndexName"] for each in table.get("GlobalSecondaryIndexes", [])),
        "encryption": table.get("SSEDescription", {}).get("KMSMasterKeyArn"),
        "recovery": recovery.get("PointInTimeRecoveryStatus"),
        "recovery_days": recovery.get("RecoveryPeriodInDays"),
        "class": table.get("TableClassSummary", {}).get("TableClass", "STANDARD"),
        "protected": table.get("DeletionProtectionEnabled", False),
        "replicas": replica_regions(table, aws.region),
        "expiry": lifetime.get("AttributeName"),
        "stream": stream_view(table),
    }


def _peak(table: Governed, units: str, measured: Measurements) -> float | None:
    """The busiest five minutes of both tables together, per second: no partition can carry more than all do."""
    asked = [query for query in queries(table) if query.name == f"Consumed{units}CapacityUnits"]
    found = [measured.of(query, "Sum") for query in asked]
    if not found or not all(len(series) for series in found):
        return None
    at, place = np.unique(np.concatenate([series.at for series in found]), return_inverse=True)
    totals = np.bincount(place, np.concatenate([series.values for series in found]), len(at))
    return float(totals.max() / asked[0].period)


def _declared(aws: Aws) -> bool:
    try:
        shown = aws.ssm.get_parameter(Name=DECLARATION)
    except aws.ssm.exceptions.ParameterNotFound:
        return False
    return shown["Parameter"].get("Value", "").strip().casefold() == "true"


TABLES = ("arn:{partition}:dynamodb:{region}:{account}:table/*",)
PARAMETER = (f"arn:{{partition}}:ssm:{{region}}:{{account}}:parameter{DECLARATION}",)

ACTION = Action(
    id=ID,
    phase=Phase.NON_CRITICAL,
    title="Consolidate tables",
    kind=Kind.TABLE,
    queries=queries,
    collect=collect,
    decide=decide,
    describe=describe,
    moves=moves,
    resize=resize,
    permissions=(
        Permission("dynamodb:DescribeTable", TABLES, source=f"{REFERENCE}/list_amazondynamodb.html"),
        Permission("dynamodb:DescribeContinuousBackups", TABLES, source=f"{REFERENCE}/list_amazondynamodb.html"),
        Permission("dynamodb:DescribeTimeToLive", TABLES, source=f"{REFERENCE}/list_amazondynamodb.html"),
        Permission("ssm:GetParameter", PARAMETER, source=f"{REFERENCE}/list_awssystemsmanager.html"),
    ),
    order=Order(conflicts=("gsi_removal", "stream_disable")),
)
