"""Merge `tenants` and `users` into one table.

Saves no list price by itself, since on-demand tables are billed by use; it saves a table to run, to
back up and to alarm on, and makes a tenant with its users one query. Risks every item of two tables.
Undone, throughout the window and without losing a write: writes are denied for a moment, the sources are made
equal to what the merged table holds then, and the pointers are turned back.

`audit_logs` stays alone: DynamoDB's guidance is as few tables as possible, except for high-volume
time series and data with very different access patterns ("Best practices for managing relational
data"). The other two can share a table because their keys cannot meet (docs/access-patterns.md).

Infrastructure alone cannot consolidate: the application has to follow the pointers, and says that it does
by the parameter `/tap/application/follows-pointers` (docs/application.md). Without that declaration the
decision is KEEP. It takes the place of removing indexes and disabling streams on its sources: only indexes
that are needed reach the merged table, by the criteria of gsi_removal.

Both tables get the same decision. The first carries its backup alone; the moves of both are the last one's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from random import Random

from domain.indexes import MERGED, SOURCES, merged_indexes
from domain.sizing import Sizing
from optimizer.action import Action, Before, Conditions, Move, NoNotes, Notes, Order, permissions
from optimizer.actions import gsi_removal, stream_disable
from optimizer.consolidate.merge import Merge
from optimizer.consolidate.moves import LEAD, Work, moves_of, recover, tend
from optimizer.consolidate.switches import DECLARATION, POINTER, follows_pointers, read_pointers
from optimizer.consolidate.target import find_target
from optimizer.costs import merge_bill
from optimizer.costs.copy_engine import ONE_PROCESS, CopyEngine, CopyLoad, EngineChoice, choose_engine
from optimizer.costs.merge_bill import MORE, read_use
from optimizer.costs.merged_layout import LayoutUse, copy_costs, monthly_costs, recurring
from optimizer.decide.policy import Policy
from optimizer.model.decision import (
    ChangeCost,
    Choice,
    Criterion,
    Decision,
    Json,
    Measured,
    Projection,
    brief,
    decide_by,
    guard,
)
from optimizer.model.phase import Phase
from optimizer.model.resource import Governed, Kind
from optimizer.observe.inventory import owner_of
from optimizer.observe.metrics import Measurements, Query
from optimizer.observe.series import peak_rate
from optimizer.ports.aws import Aws
from optimizer.resources.registry import is_sized
from optimizer.resources.tables.backup import back_up
from optimizer.resources.tables.beyond_items import beyond_items
from optimizer.resources.tables.kinds import touched_table
from optimizer.resources.tables.stream import BOTH_IMAGES
from optimizer.resources.tables.table import ALL, consumed, design, is_settled, sibling, tables_there

ID = "table_consolidation"
LOG = "audit_logs"
ALONE = "is a high-volume log that no query reads together with another table"
APART = "no access pattern reads it together with another table"
BELONGS = "queries read the table together with another one, and it is no high-volume log"
GUIDE = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide"
REFERENCE = "https://docs.aws.amazon.com/service-authorization/latest/reference"
HOUR = timedelta(hours=1)


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
    size: int | None = None  # of both, in bytes, and their items: as DescribeTable counts them
    items: int = 0
    region: str = "us-east-1"
    owners: tuple[str, ...] = ()  # why either is not ours to change
    readers: tuple[str, ...] = ()  # of either stream
    reads: float | None = 0.0  # GetRecords calls on either stream, by anybody
    beyond: tuple[str, ...] = ()  # what either has that the merged table would lack
    tags: tuple[Mapping[str, str], ...] = ()  # of both, without those of AWS and of CloudFormation
    indexes: Mapping[str, gsi_removal.Evidence] = field(default_factory=dict)
    uses: tuple[LayoutUse, ...] = ()  # of both
    at: str = ""


def queries(table: Governed) -> tuple[Query, ...]:
    """Consumed capacity of both sources, at 5 minutes: hours would hide the peaks that one partition must carry."""
    if table.name not in SOURCES:
        return ()
    return tuple(consumed(name, table.region, units) for name in SOURCES for units in ("Write", "Read"))


def collect(aws: Aws, table: Governed, measured: Measurements) -> Evidence:
    described = tables_there(aws, SOURCES) if table.name in SOURCES else {}
    declared = table.name in SOURCES and follows_pointers(aws)
    both = [sibling(table, name) for name in described]
    indexes = {each.name: gsi_removal.collect(aws, each, measured) for each in both} if declared else {}
    return Evidence(
        table=table.arn,
        name=table.name,
        before=describe(aws, table),
        unsettled=tuple(name for name, each in described.items() if not is_settled(each)),
        peak_writes=_peak(table, "Write", measured),
        peak_reads=_peak(table, "Read", measured),
        follows_pointers=declared,
        size=sum(each.get("TableSizeBytes", 0) for each in described.values()) if described else None,
        items=sum(each.get("ItemCount", 0) for each in described.values()),
        region=table.region,
        owners=tuple(f"{each.name}: {why}" for each in both if (why := owner_of(aws, each))),
        readers=tuple(name for each in both for name in stream_disable.readers(aws, each)) if declared else (),
        reads=_reads(aws, both, measured) if declared else None,
        beyond=tuple(line for each in both for line in beyond_items(aws, each.name)) if declared else (),
        tags=tuple(_tags(aws, each) for each in both),
        indexes=indexes,
        uses=tuple(
            read_use(aws, each, table.region, indexes[name].indexes, measured) for name, each in described.items()
        )
        if declared
        else (),
        at=f"{aws.clock.now():%Y%m%dT%H%M%SZ}",
    )


def decide(evidence: Evidence, policy: Policy) -> Decision:
    """Whether the two support being one; each thing they must have in common is a criterion."""
    belongs = brief(BELONGS, evidence.name in SOURCES, equals=True, source=f"{GUIDE}/bp-relational-modeling.html")
    if evidence.name not in SOURCES:
        alone = decide_by(ID, evidence.table, (belongs,), before=evidence.before, target={})
        return replace(alone, reason=f"{LOG} {ALONE}" if evidence.name == LOG else APART)
    limits, tables = policy.consolidation, evidence.before["tables"]
    unused = _unused(evidence, policy)
    kept = _kept(evidence, unused)

    chosen = _chosen(evidence, policy, kept)
    bill = merge_bill.merge_bill(evidence.uses, kept, evidence.region)
    hours = round(chosen.takes / HOUR, 1) if chosen else None
    pause = round(chosen.pause.total_seconds()) if chosen else None

    def over(
        name: str, observed: Measured, *, unit: str = "", page: str = "bp-general-nosql-design", **limit: Measured
    ) -> Criterion:
        lifted = policy.is_lifted(ID, name)
        return guard(name, observed, unit=unit, source=f"{GUIDE}/{page}.html", lifted=lifted, **limit)

    def alike(name: str, key: str) -> Criterion:
        values = [each[key] for each in tables.values()]
        return over(f"same {name}", all(value == values[0] for value in values) if values else None, equals=True)

    def peak(what: str, observed: float | None, most: float) -> Criterion:
        name, page = f"peak {what} of both, as if on one partition", "bp-partition-key-design"
        return over(name, observed, unit="a second", page=page, at_most=most)

    indexes = sum(len(each["indexes"]) for each in tables.values()) if tables else None
    criteria = (
        belongs,
        over("both tables are there", len(tables) if tables else None, equals=len(SOURCES)),
        over("tables that are being changed", ", ".join(evidence.unsettled) or "none", equals="none"),
        alike("key schema", "keys"),
        over("keys that are no strings", _not_strings(tables), equals="none"),
        alike("key of encryption", "encryption"),
        alike("point-in-time recovery", "recovery"),
        alike("days of recovery", "recovery_days"),
        alike("table class", "class"),
        alike("deletion protection", "protected"),
        over("replicas in other Regions", sum(len(each["replicas"]) for each in tables.values()), at_most=0),
        alike("expiry attribute", "expiry"),
        over("indexes of both", indexes, page="ServiceQuotas", at_most=limits.indexes),
        over("owners of either", "; ".join(evidence.owners) or "none", equals="none"),
        over("streams that lack an image", _partial(tables), page="Streams", equals="none"),
        over("readers of either stream", ", ".join(evidence.readers) or "none", page="Streams", equals="none"),
        over("GetRecords calls on either stream", evidence.reads, page="Streams", at_most=0),
        over("what the merged table would lack", "; ".join(evidence.beyond) or "none", equals="none"),
        over("tags that differ", _differing(evidence.tags), equals="none"),
        over("the merged table is there already", evidence.before["merged"], equals=False),
        over("pointers turned elsewhere", _turned(evidence), equals="none"),
        over("copied by", chosen.copied_by if chosen else None, equals=ONE_PROCESS),
        peak("writes", evidence.peak_writes, limits.writes_per_second),
        peak("reads", evidence.peak_reads, limits.reads_per_second),
        over(MORE, bill.expected.share, unit="%", page="CapacityUnitCalculations", at_most=limits.recurring_share),
        over("the application declares that it follows the pointer", evidence.follows_pointers, equals=True),
    )
    return decide_by(
        ID,
        evidence.table,
        criteria,
        before=evidence.before,
        target={
            "sources": list(SOURCES),
            # A list is what must all be wanted still when the phase begins: an index that is needed by then vetoes.
            "dropped": [f"{name}/{index}" for name, indexes in unused.items() for index in indexes],
            "layout": {"kept": list(kept)},
            "engine": chosen.engine.value if chosen else None,
            "units_per_second": policy.copying.units_per_second,
            "run": evidence.at,
        },
        projected=(
            Projection("tables that the application uses", 3, 2, ""),
            Projection("indexes of what becomes one table", indexes, len(merged_indexes(kept)), ""),
            Projection("hours of copying and comparing", None, hours, "h"),
            Projection("seconds that writes are refused while the pointers are turned", 0, pause, "s"),
            *bill.projections,
        ),
        undo=f"throughout the window, without losing a write: writes are refused for about {pause} s, the sources "
        "are made equal to what the merged table holds then, and the pointers are turned back. After it, only by a "
        "person",
        costs=_costs(evidence, kept),
        unmeasured=(bill.bound,) if evidence.uses else (),
    )


def veto(aws: Aws, approved: Decision, evidence: Evidence, policy: Policy) -> str | None:
    """Why it is left out after all, by a sample of items: the plan knew DescribeTable's counts alone."""
    limit = None if policy.is_lifted(ID, MORE) else policy.consolidation.recurring_share
    return merge_bill.refusal(aws, evidence.uses, approved, limit, Random(evidence.at))  # noqa: S311 -- a sample


def describe(aws: Aws, table: Governed) -> Before:
    """The design that both sources must share, and the pointers of the application; nothing for any other table."""
    if table.name not in SOURCES:
        return {"tables": {}, "pointers": {}, "merged": False}
    return {
        "tables": {name: design(aws, each) for name, each in tables_there(aws, SOURCES).items()},
        "pointers": read_pointers(aws, Merge(())),
        "merged": find_target(aws, Merge(())) is not None,
    }


def moves(table: Governed, before: Before, decision: Decision, notes: Notes = NoNotes()) -> list[Move]:  # noqa: B008 -- holds nothing
    """Back up; then copy, deny writes, compare, turn the pointers; at acceptance stop carrying writes back."""
    own = back_up(table.name, decision.target["run"])
    if table.name != LEAD:
        return [own]
    return [own, *moves_of(Work(table, before, decision, notes))]


def resize(sizing: Sizing, decision: Decision) -> Sizing:
    """The merged table beside its sources, which stay as they are."""
    if not decision.resource.endswith(f"/{LEAD}"):
        return sizing
    stream = decision.target["engine"] != CopyEngine.WHOLE.value
    return sizing.consolidated(decision.target["layout"]["kept"], stream=stream)


def _unused(evidence: Evidence, policy: Policy) -> Mapping[str, tuple[str, ...]]:
    """By table, the indexes that gsi_removal would remove, by its own criteria."""
    unused = {}
    for name in evidence.before["tables"]:
        removal = gsi_removal.decide(evidence.indexes[name], policy) if name in evidence.indexes else None
        unused[name] = tuple(removal.target["remove"]) if removal and removal.choice is Choice.APPLY else ()
    return unused


def _kept(evidence: Evidence, unused: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The indexes that go to the merged table."""
    tables = evidence.before["tables"]
    return tuple(index for name, table in tables.items() for index in table["indexes"] if index not in unused[name])


def _costs(evidence: Evidence, kept: Sequence[str]) -> tuple[ChangeCost, ...]:
    """Costs once and from then on, shown with the table whose change carries them out."""
    if evidence.name != LEAD or evidence.size is None:
        return ()
    monthly = monthly_costs(recurring(evidence.uses, kept), evidence.region) if evidence.uses else ()
    return (*copy_costs(evidence.size, evidence.items, kept, evidence.region), *monthly)


def _reads(aws: Aws, tables: Sequence[Governed], measured: Measurements) -> float | None:
    """GetRecords calls on the streams of all, as stream_disable counts them; None when one was not measured."""
    calls = [stream_disable.collect(aws, each, measured).reads for each in tables]
    return None if None in calls else sum(each for each in calls if each is not None)


def _tags(aws: Aws, table: Governed) -> Mapping[str, str]:
    tags = touched_table(aws, table.arn).read()
    return {key: value for key, value in tags.items() if not key.startswith("aws:")}


def _differing(tags: Sequence[Mapping[str, str]]) -> str:
    """The keys of tags that not all have, or not with the same value: what one of them is found or billed by."""
    keys = {key for each in tags for key in each if len({other.get(key) for other in tags}) > 1}
    return ", ".join(sorted(keys)) or "none"


def _not_strings(tables: Mapping[str, Json]) -> str:
    """The keys of either table of another type: the mapping puts the entity in front of a text."""
    keys = [(name, key) for name, each in tables.items() for key in each["keys"] if key["AttributeType"] != "S"]
    return ", ".join(f"{key['AttributeName']} of {name}: {key['AttributeType']}" for name, key in keys) or "none"


def _partial(tables: Mapping[str, Json]) -> str:
    """The streams that are on and do not show both images: others may rely on what they show."""
    return ", ".join(name for name, each in tables.items() if each["stream"] not in (None, BOTH_IMAGES)) or "none"


def _turned(evidence: Evidence) -> str:
    """The pointers of both that are missing or name another table."""
    pointers = evidence.before["pointers"]
    return ", ".join(f"{name}: {pointers.get(name)}" for name in SOURCES if pointers.get(name) != name) or "none"


def _chosen(evidence: Evidence, policy: Policy, kept: tuple[str, ...]) -> EngineChoice | None:
    """Which engine would copy so much."""
    if evidence.size is None:
        return None
    load = CopyLoad(evidence.size, evidence.items, len(merged_indexes(kept)))
    return choose_engine(load, policy.copying, evidence.region, policy.calendar.applying)


def _peak(table: Governed, units: str, measured: Measurements) -> float | None:
    """The busiest five minutes of both tables together, per second: no partition can carry more than all do."""
    wanted = [query for query in queries(table) if query.name == f"Consumed{units}CapacityUnits"]
    return peak_rate([measured.of(query, "Sum") for query in wanted])


OURS = tuple(f"arn:{{partition}}:dynamodb:{{region}}:{{account}}:table/{name}" for name in (*SOURCES, MERGED))
STREAMS = tuple(f"{table}/stream/*" for table in OURS)
PARAMETER = "arn:{partition}:ssm:{region}:{account}:parameter"
POINTERS = tuple(f"{PARAMETER}{POINTER}{name}" for name in SOURCES)
KEYS = ("arn:{partition}:kms:{region}:{account}:key/*",)
# An ARN holds the id of a key, which no deployment chooses: its alias names it.
BY_DYNAMODB: Conditions = {
    "StringLike": {"kms:ViaService": "dynamodb.*.amazonaws.com"},
    "ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/tap/tables"},
}
DYNAMODB = partial(permissions, source=f"{REFERENCE}/list_amazondynamodb.html")
SSM = partial(permissions, source=f"{REFERENCE}/list_awssystemsmanager.html")
# A table is encrypted by the key of its sources, on behalf of the caller that makes it and writes to it.
KMS = partial(
    permissions,
    resources=KEYS,
    dependent=True,
    conditions=BY_DYNAMODB,
    source=f"{GUIDE}/encryption.usagenotes.html",
)
# fmt: off
DESCRIBED = (
    "dynamodb:DescribeTable", "dynamodb:DescribeContinuousBackups", "dynamodb:DescribeKinesisStreamingDestination",
    "dynamodb:DescribeTimeToLive",
)
WRITTEN = (
    "dynamodb:BatchWriteItem", "dynamodb:CreateBackup", "dynamodb:DeleteItem", "dynamodb:DeleteResourcePolicy",
    "dynamodb:PutItem", "dynamodb:PutResourcePolicy", "dynamodb:UpdateTable",
)
ON_TARGET = (
    "dynamodb:CreateTable", "dynamodb:DeleteTable", "dynamodb:TagResource", "dynamodb:UpdateContinuousBackups",
    "dynamodb:UpdateTimeToLive",
)
STREAM_READ = ("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator")
KEY_GIVEN = (
    "kms:CreateGrant", "kms:Encrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom", "kms:ReEncryptTo",
)
# fmt: on

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
    sized=is_sized,
    permissions=(
        *DYNAMODB(*DESCRIBED, resources=ALL),
        *SSM("ssm:GetParameter", resources=(f"{PARAMETER}{DECLARATION}", *POINTERS)),
        *SSM("ssm:GetParameters", "ssm:ListTagsForResource", resources=POINTERS),  # the latter: whose a pointer is
        *SSM("ssm:PutParameter", resources=POINTERS, writes=True),
        *DYNAMODB("dynamodb:GetResourcePolicy", "dynamodb:ListTagsOfResource", resources=OURS),
        *DYNAMODB("dynamodb:BatchGetItem", "dynamodb:Scan", resources=OURS, items=True),
        *DYNAMODB(*WRITTEN, resources=OURS, writes=True),
        *DYNAMODB(*ON_TARGET, resources=OURS[-1:], writes=True),
        *DYNAMODB(*STREAM_READ, resources=STREAMS, items=True),
        *DYNAMODB("dynamodb:ListBackups"),  # takes no resource
        *KMS("kms:Decrypt", "kms:DescribeKey", items=True),
        *KMS(*KEY_GIVEN, writes=True),
        # Removing the indexes that are not needed asks for what gsi_removal and stream_disable ask.
        *(each for other in (gsi_removal, stream_disable) for each in other.ACTION.permissions if not each.writes),
    ),
    veto=veto,
    keeps_notes=True,
    tends=lambda table: table.name == LEAD,
    tend=tend,
    recover=recover,
    order=Order(conflicts=("gsi_removal", "stream_disable")),
)
