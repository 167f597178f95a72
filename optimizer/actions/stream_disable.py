"""Disable the stream of a table that nobody reads.

Saves nothing: a stream costs only when it is read. It is hygiene: every change of an item is no
longer kept for a day where somebody could read it. Risks a consumer that was not seen, so consumers
are looked for wherever they can be: Lambda event source mappings (a disabled one is somebody's
intent), EventBridge pipes (a stopped one too), OpenSearch Ingestion pipelines, replicas of a global
table, which run on the stream, and, for programs of one's own, GetRecords itself. A Kinesis data
stream as the table's destination is another thing and stays.

Undone in seconds, not exactly: the stream comes back under a new ARN and label, and the changes of
the time between are not in it (nor are older ones after a day).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from domain.sizing import Sizing
from optimizer.action import Action, Before, Move, Order, Permission, When
from optimizer.decide.policy import Policy, StreamPolicy
from optimizer.model.decision import Criterion, Decision, Measured, Projection, brief, decide_by, guard
from optimizer.model.phase import Phase
from optimizer.model.resource import Governed, Kind
from optimizer.observe.metrics import Measurements, Query, Series
from optimizer.ports.aws import Aws
from optimizer.resources.registry import is_sized
from optimizer.resources.tables.stream import has_stream, set_stream
from optimizer.resources.tables.table import (
    ALL,
    DESIGNED,
    NAMESPACE,
    consumed,
    read_table,
    replica_regions,
    stream_view,
)

if TYPE_CHECKING:
    from types_boto3_lambda.type_defs import EventSourceMappingConfigurationTypeDef

ID = "stream_disable"
GUIDE = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide"
REFERENCE = "https://docs.aws.amazon.com/service-authorization/latest/reference"
UNREAD = StreamPolicy().unread


@dataclass(frozen=True)
class Evidence:
    """One table's stream and everything that may read it, by name.

    `reads` counts GetRecords calls in the last 14 days; None when on one of these days nothing of
    the table was measured, since then no datapoint proves nothing.
    """

    table: str
    before: Before
    mappings: tuple[str, ...]
    pipes: tuple[str, ...]
    pipelines: tuple[str, ...]
    replicas: tuple[str, ...]
    reads: float | None


def queries(table: Governed) -> tuple[Query, ...]:
    """The table's writes: they show on which days it was measured at all."""
    return (consumed(table.name, table.region, "Write"),)


def further(aws: Aws, table: Governed) -> dict[timedelta | None, Sequence[Query]]:
    """Whether anybody calls GetRecords: by the table, and by the stream that is on."""
    return {UNREAD: _get_records(table, _stream(aws, table))}


def _stream(aws: Aws, table: Governed) -> str:
    """The ARN of the table's stream; empty when it is off."""
    described = read_table(aws, table.name)
    return described.get("LatestStreamArn", "") if stream_view(described) else ""


def collect(aws: Aws, table: Governed, measured: Measurements) -> Evidence:
    described, stream = read_table(aws, table.name), _stream(aws, table)
    (writes,) = queries(table)
    return Evidence(
        table=table.arn,
        before=describe(aws, table),
        mappings=_mappings(aws, stream) if stream else (),
        pipes=_pipes(aws, f"{table.arn}/stream/"),
        pipelines=_pipelines(aws, table.arn),
        replicas=tuple(replica_regions(described, table.region)),
        reads=_reads(aws, table, stream, measured.of(writes, "Sum"), measured),
    )


def decide(evidence: Evidence, policy: Policy) -> Decision:
    """The brief asks for Lambda alone; the guards ask for everybody else."""
    days = UNREAD.days

    def over(name: str, observed: Measured, **limit: Any) -> Criterion:
        lifted = policy.is_lifted(ID, name)
        return guard(name, observed, source=f"{GUIDE}/Streams.html", lifted=lifted, **limit)

    criteria = (
        brief("Lambda event source mappings, disabled ones included", _joined(evidence.mappings), equals="none"),
        over("the stream is on", evidence.before["stream"] is not None, equals=True),
        over("EventBridge pipes, stopped ones included", _joined(evidence.pipes), equals="none"),
        over("OpenSearch Ingestion pipelines", _joined(evidence.pipelines), equals="none"),
        over("replicas that run on the stream", _joined(evidence.replicas), equals="none"),
        over(f"GetRecords calls in {days} days", evidence.reads, at_most=0),
    )
    return decide_by(
        ID,
        evidence.table,
        criteria,
        before=evidence.before,
        target={"stream": None},
        projected=(Projection("what the stream costs: it saves nothing, it is hygiene", 0.0, 0.0, "USD a month"),),
        undo="the stream is enabled again in seconds, under a new ARN and label; changes of the time between are lost",
    )


def describe(aws: Aws, table: Governed) -> Before:
    """The stream's view type. Not its ARN: AWS makes a new one whenever a stream is enabled."""
    return {"stream": stream_view(read_table(aws, table.name))}


def moves(table: Governed, before: Before, _decision: Decision) -> list[Move]:
    view = before["stream"]
    return [
        Move(
            name="disable",
            when=When.APPLY,
            summary=f"disable the stream ({view})",
            is_done=lambda aws: has_stream(aws, table.name, None),
            do=lambda aws: set_stream(aws, table.name, None),
            undo=lambda aws: set_stream(aws, table.name, view),
            is_undone=lambda aws: has_stream(aws, table.name, view),
            deadline=timedelta(minutes=15),
            poll=timedelta(seconds=5),
        )
    ]


def resize(sizing: Sizing, decision: Decision) -> Sizing:
    name = decision.resource.rsplit("/", 1)[-1]
    if name not in sizing.tables:
        return sizing
    table = sizing.tables[name].model_copy(update={"stream": False})
    return sizing.model_copy(update={"tables": {**sizing.tables, name: table}})


def readers(aws: Aws, table: Governed) -> tuple[str, ...]:
    """Everything set up to read the table's stream, by name; none without one."""
    stream = _stream(aws, table)
    mappings = _mappings(aws, stream) if stream else ()
    return (*mappings, *_pipes(aws, f"{table.arn}/stream/"), *_pipelines(aws, table.arn))


def _joined(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "none"


def _mappings(aws: Aws, stream: str) -> tuple[str, ...]:
    pages = aws.lambda_.get_paginator("list_event_source_mappings").paginate(EventSourceArn=stream)
    mappings = [each for page in pages for each in page["EventSourceMappings"]]
    return tuple(f"{_function(each)} ({each.get('State', 'state unknown')})" for each in mappings)


def _function(mapping: EventSourceMappingConfigurationTypeDef) -> str:
    """The function's name, with the alias or version that an ARN may end in; the mapping's id where there is none."""
    parts = mapping.get("FunctionArn", "").split(":", 6)
    return parts[6] if len(parts) == 7 else f"mapping {mapping.get('UUID', 'without a name')}"


def _pipes(aws: Aws, source: str) -> tuple[str, ...]:
    pages = aws.pipes.get_paginator("list_pipes").paginate(SourcePrefix=source)
    pipes = [each for page in pages for each in page["Pipes"]]
    return tuple(f"{each.get('Name', each.get('Arn'))} ({each.get('CurrentState', 'state unknown')})" for each in pipes)


def _pipelines(aws: Aws, table: str) -> tuple[str, ...]:
    """Ingestion pipelines that name the table: their definition is free text, and no API searches it."""
    names: list[str] = []
    request: dict[str, Any] = {}
    while True:
        page = aws.osis.list_pipelines(**request)
        for each in page.get("Pipelines", []):
            pipeline = aws.osis.get_pipeline(PipelineName=each["PipelineName"])["Pipeline"]
            if table in pipeline.get("PipelineConfigurationBody", ""):
                names.append(each["PipelineName"])
        if not page.get("NextToken"):
            return tuple(names)
        request["NextToken"] = page["NextToken"]


def _get_records(table: Governed, stream: str) -> tuple[Query, ...]:
    """Under either set of dimensions that the calls may be published under."""
    dimensions = (("TableName", table.name), ("Operation", "GetRecords"))
    places = [dimensions, (*dimensions, ("StreamLabel", stream.rsplit("/", 1)[-1]))] if stream else [dimensions]
    return tuple(
        Query(NAMESPACE, "SuccessfulRequestLatency", each, ("SampleCount",), 3600, table.region) for each in places
    )


def _reads(aws: Aws, table: Governed, stream: str, writes: Series, measured: Measurements) -> float | None:
    """GetRecords calls by anybody."""
    get_records = _get_records(table, stream)
    start, stop = measured.end.timestamp() - UNREAD.total_seconds(), measured.end.timestamp()
    days = {int((stop - at - 1) // 86_400) for at in writes.at[writes.at >= start].tolist()}
    if len(days) < UNREAD.days:
        return None
    read = measured.over(aws, get_records, UNREAD)
    return max(float(read.of(each, "SampleCount").values.sum()) for each in get_records)


PIPELINES = ("arn:{partition}:osis:{region}:{account}:pipeline/*",)

ACTION = Action(
    id=ID,
    phase=Phase.NON_CRITICAL,
    title="Disable unread streams",
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
        Permission("dynamodb:DescribeTable", ALL, source=f"{REFERENCE}/list_amazondynamodb.html"),
        # The three list actions take no resource.
        Permission("lambda:ListEventSourceMappings", source=f"{REFERENCE}/list_awslambda.html"),
        Permission("pipes:ListPipes", source=f"{REFERENCE}/list_amazoneventbridgepipes.html"),
        Permission("osis:ListPipelines", source=f"{REFERENCE}/list_amazonopensearchingestion.html"),
        Permission("osis:GetPipeline", PIPELINES, source=f"{REFERENCE}/list_amazonopensearchingestion.html"),
        Permission("dynamodb:UpdateTable", DESIGNED, writes=True, source=f"{REFERENCE}/list_amazondynamodb.html"),
    ),
    order=Order(after=("gsi_removal", "table_consolidation"), conflicts=("table_consolidation",)),
)
