"""Remove secondary indexes that nobody queries.

Saves the writes and the storage of each: an index is written whenever its table is. Risks a query
that was not seen for 400 days. So the index is first denied to everybody, by the table's resource
policy, while health is watched, and is deleted only at acceptance.

Undone in seconds before acceptance: the deny is lifted and the index, which was written all the
time, is as it was. After acceptance it would have to be created anew from what the journal keeps of
it, and filled: minutes to hours of billed writes.

CloudWatch counts no queries per index. It counts read capacity, and a query that finds nothing still
takes half a unit; and each request that took any is one of the metric's samples. So there were no more
queries than twice the units, and no more than samples: the lower counts, which errs towards keeping.
Weeks slide: any seven days may be the busiest. Zero is never published: no datapoint proves no query
only in a week in which the table itself was measured in half of the hours.

One decision covers one table, since all its denies go into one policy in one update; `remove` in its
target names the indexes. Each index is judged by its own criteria, which bear its name. One that is
kept vetoes no other: it is left out of the target and its criteria say why. What concerns the table
as a whole decides for all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from domain.sizing import Sizing
from optimizer.action import Action, Before, Move, Order, Permission
from optimizer.costs.footprint import WRITES
from optimizer.decide.policy import IndexPolicy, Policy
from optimizer.model.decision import (
    ChangeCost,
    Choice,
    Criterion,
    Decision,
    Measured,
    Projection,
    Verdict,
    brief,
    decide_by,
    guard,
)
from optimizer.model.phase import Phase
from optimizer.model.resource import Governed, Kind
from optimizer.observe.metrics import Measurements, Query
from optimizer.ports.aws import Aws
from optimizer.resources.registry import is_sized
from optimizer.resources.tables.index_moves import delete_index, denial, deny_reads, lift_deny, regions_of
from optimizer.resources.tables.index_use import IndexUse, queries_of, read_use, wanted_of
from optimizer.resources.tables.resource_policy import SIZE_LIMIT, read_policy, with_statement
from optimizer.resources.tables.table import (
    ALL,
    DESIGNED,
    contributor_insights,
    in_region,
    is_settled,
    read_table,
    replica_regions,
    typed,
)

ID = "gsi_removal"
GUIDE = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide"
REFERENCE = "https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html"
LOOK_BACK = IndexPolicy().look_back


@dataclass(frozen=True)
class Evidence:
    """One table with its indexes. `policy_bytes` is the largest its policy becomes in any Region."""

    table: str
    before: Before
    settled: bool
    policy_bytes: int
    indexes: Mapping[str, IndexUse]


def queries(_table: Governed) -> tuple[Query, ...]:
    """None: the look-back covers the shared period, and no metric is read twice."""
    return ()


def further(aws: Aws, table: Governed) -> dict[timedelta | None, Sequence[Query]]:
    """Metrics of what the indexes consumed over the look-back."""
    described = read_table(aws, table.name)
    indexes = sorted(each["IndexName"] for each in described.get("GlobalSecondaryIndexes", []))
    regions = (table.region, *replica_regions(described, table.region))
    return {LOOK_BACK: queries_of(wanted_of(table.name, regions, indexes))}


def collect(aws: Aws, table: Governed, measured: Measurements) -> Evidence:
    """Describe the table, and read what its indexes consumed over the look-back in one go."""
    described = read_table(aws, table.name)
    before = describe(aws, table)
    regions = regions_of(table, before)
    arns = {region: in_region(table.arn, region) for region in regions}
    texts = [with_statement(before["policies"][region], denial(arns[region], before["indexes"])) for region in regions]
    return Evidence(
        table=table.arn,
        before=before,
        settled=is_settled(described),
        policy_bytes=max(len(text.encode()) for text in texts),
        indexes=read_use(
            aws, table.name, regions, sorted(before["indexes"]), measured.end - LOOK_BACK, measured.end, measured
        ),
    )


def decide(evidence: Evidence, policy: Policy) -> Decision:
    """Each index by its own criteria, after those that concern the whole table."""
    before = evidence.before
    each = {name: _criteria(name, use, policy) for name, use in evidence.indexes.items()}
    alone = {name: decide_by(ID, evidence.table, criteria, before={}, target={}) for name, criteria in each.items()}
    remove = [name for name in sorted(alone) if alone[name].choice is Choice.APPLY]
    whole = (
        _guard(policy, "indexes of the table", len(before["indexes"]), at_least=1),
        _guard(policy, "table and indexes are active", evidence.settled, equals=True),
        _guard(policy, "capacity on demand: no scaling targets to restore", before["on_demand"], equals=True),
        _guard(policy, "resource policy with the deny", evidence.policy_bytes, unit="bytes", at_most=SIZE_LIMIT),
    )
    every = tuple(criterion for criteria in each.values() for criterion in criteria)
    removed = tuple(criterion for name in remove for criterion in each[name])
    writes = sum(evidence.indexes[name].monthly_writes for name in remove)
    decision = decide_by(
        ID,
        evidence.table,
        whole + (removed if remove else every),
        before=before,
        target={"remove": remove},
        projected=(
            Projection("indexes", len(before["indexes"]), len(before["indexes"]) - len(remove), ""),
            Projection("write units of the indexes to remove, a month", writes, 0.0, ""),
        )
        if remove
        else (),
        costs=(_writes_ended(evidence.table, writes),) if remove else (),
        undo="until acceptance the deny is lifted, in seconds; after it an index is created anew and filled: "
        "minutes to hours, and its writes are billed",
    )
    reason = _reason(remove, alone) if decision.choice is Choice.APPLY else decision.reason
    return replace(decision, criteria=whole + every, reason=reason)


def _writes_ended(table: str, monthly: float) -> ChangeCost:
    """Each write of an item that an index holds is billed again for the index (GUIDE/GSI.html)."""
    name = "writes to the indexes that go"
    return ChangeCost(name, "tables", WRITES, table.split(":")[3], -monthly / 1e6, monthly=True)


def describe(aws: Aws, table: Governed) -> Before:
    """Everything an index would be made anew from, and the policies that the deny is merged into.

    Warm throughput is left out: it follows the use of the table and says nothing of its design.
    """
    described = read_table(aws, table.name)
    replicas = replica_regions(described, table.region)
    insights = contributor_insights(aws, table.name)
    return {
        "indexes": {
            each["IndexName"]: {
                "keys": typed(described, each["KeySchema"]),
                "projection": each["Projection"].get("ProjectionType"),
                "copies": sorted(each["Projection"].get("NonKeyAttributes", [])),
                "maximum": dict(each.get("OnDemandThroughput", {})),
                "contributor_insights": insights.get(each["IndexName"], "DISABLED"),
            }
            for each in described.get("GlobalSecondaryIndexes", [])
        },
        "on_demand": described.get("BillingModeSummary", {}).get("BillingMode") == "PAY_PER_REQUEST",
        "replicas": replicas,
        "policies": {
            region: read_policy(aws.at(region), in_region(table.arn, region)).text
            for region in (table.region, *replicas)
        },
    }


def moves(table: Governed, before: Before, decision: Decision) -> list[Move]:
    """Deny all at once; at acceptance delete one after the other, then lift the deny."""
    remove: Sequence[str] = decision.target["remove"]
    return [
        deny_reads(table, before, remove),
        *(delete_index(table, before, name) for name in remove),
        lift_deny(table, before),
    ]


def resize(sizing: Sizing, decision: Decision) -> Sizing:
    name = decision.resource.rsplit("/", 1)[-1]
    if name not in sizing.tables:
        return sizing
    today = sizing.tables[name]
    kept = tuple(each for each in today.indexes if each not in decision.target["remove"])
    return sizing.model_copy(update={"tables": {**sizing.tables, name: today.model_copy(update={"indexes": kept})}})


def _criteria(name: str, use: IndexUse, policy: Policy) -> tuple[Criterion, ...]:
    limits = policy.indexes
    recent = use.weekly_queries[: limits.weeks]
    whole = recent if len(recent) == limits.weeks else ()
    source = f"{GUIDE}/metrics-dimensions.html"
    return (
        brief(
            f"{name}: queries in the busiest of {limits.weeks} weeks, at most",
            _most_queries(whole),
            source="the brief; no metric counts queries of an index, so the lower of twice the units it consumed and "
            f"the samples of them: {source}",
            below=limits.queries_per_week,
        ),
        _guard(
            policy,
            f"{name}: queries in the busiest week of {LOOK_BACK.days} days, at most",
            _most_queries(use.weekly_queries),
            source=source,
            below=limits.queries_per_week,
        ),
        _guard(policy, f"{name}: age, by its first write", use.age_days, unit="days", at_least=limits.weeks * 7),
    )


def _guard(
    policy: Policy, name: str, observed: Measured, *, unit: str = "", source: str = "", **limit: Any
) -> Criterion:
    lifted = policy.is_lifted(ID, name)
    return guard(name, observed, unit=unit, source=source or f"{GUIDE}/GSI.OnlineOps.html", lifted=lifted, **limit)


def _most_queries(weeks: Sequence[float | None]) -> float | None:
    """The most queries that the busiest of these weeks can have had; None when any of them proves nothing."""
    known = [queries for queries in weeks if queries is not None]
    return max(known) if known and len(known) == len(weeks) else None


def _reason(remove: Sequence[str], alone: Mapping[str, Decision]) -> str:
    """The indexes that go, and of each that stays the first criterion that keeps it."""
    sentences = [f"{', '.join(remove)}: every criterion holds"]
    for name in sorted(set(alone) - set(remove)):
        kept = next(each for each in alone[name].criteria if each.verdict in (Verdict.FAIL, Verdict.NO_DATA))
        sentences.append(f"{name} stays: {kept.sentence().removeprefix(f'{name}: ')}")
    return "; ".join(sentences)


ACTION = Action(
    id=ID,
    phase=Phase.NON_CRITICAL,
    title="Remove unused indexes",
    kind=Kind.TABLE,
    queries=queries,
    collect=collect,
    decide=decide,
    describe=describe,
    moves=moves,
    resize=resize,
    further=further,
    sized=is_sized,
    permissions=(
        Permission("dynamodb:DescribeTable", ALL, source=REFERENCE),
        Permission("dynamodb:GetResourcePolicy", ALL, source=REFERENCE),
        Permission("dynamodb:ListContributorInsights", source=REFERENCE),  # takes no resource
        Permission("dynamodb:PutResourcePolicy", DESIGNED, writes=True, source=REFERENCE),
        Permission("dynamodb:DeleteResourcePolicy", DESIGNED, writes=True, source=REFERENCE),
        Permission("dynamodb:UpdateTable", DESIGNED, writes=True, source=REFERENCE),
    ),
    order=Order(after=("table_consolidation",), conflicts=("table_consolidation",)),
)
