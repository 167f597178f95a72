"""Unread streams: every reader counts, and the way back is a new stream."""

from dataclasses import replace
from datetime import timedelta

import pytest
from botocore.stub import Stubber

from domain.sizing import Sizing
from optimizer.actions import stream_disable
from optimizer.actions.stream_disable import Evidence, collect, decide, describe, moves, resize
from optimizer.decide.policy import Policy
from optimizer.model.decision import Choice
from optimizer.observe.metrics import read_metrics
from tests.actions.carrying import carry_out, take_back
from tests.actions.made_tables import described, live, make_table, nothing_measured

UNREAD = Evidence(
    table="arn:aws:dynamodb:us-east-1:222222222222:table/users",
    before={"stream": "NEW_AND_OLD_IMAGES"},
    mappings=(),
    pipes=(),
    pipelines=(),
    replicas=(),
    reads=0.0,
)


@pytest.mark.parametrize(
    ("changes", "expected", "said"),
    [
        ({}, Choice.APPLY, "all 6 criteria hold"),
        ({"mappings": ("indexer (Disabled)",)}, Choice.KEEP, "indexer (Disabled)"),
        ({"pipes": ("audit (STOPPED)",)}, Choice.KEEP, "audit (STOPPED)"),
        ({"pipelines": ("search",)}, Choice.KEEP, "search"),
        ({"replicas": ("us-west-2",)}, Choice.KEEP, "us-west-2"),
        ({"reads": 1.0}, Choice.KEEP, "GetRecords"),
        ({"reads": None}, Choice.NO_DATA, "GetRecords calls in 14 days: no data"),
        ({"before": {"stream": None}}, Choice.KEEP, "the stream is on: no"),
    ],
)
def test_every_reader_counts(changes, expected, said):
    decision = decide(replace(UNREAD, **changes), Policy())
    assert decision.choice is expected
    assert said in decision.reason


def test_it_says_that_it_saves_nothing():
    decision = decide(UNREAD, Policy())
    assert "saves nothing" in decision.projected[0].name
    assert decision.projected[0].today == decision.projected[0].after
    assert "new ARN" in decision.undo


def test_the_sizing_says_that_the_stream_is_off():
    sizing = resize(Sizing.AS_DESIGNED, decide(UNREAD, Policy()))
    assert [table.stream for table in sizing.tables.values()] == [True, False, True]


@pytest.fixture
def table(aws):
    return make_table(aws)


def found(aws, table):
    end = aws.clock.now().replace(minute=0)
    return collect(aws, table, read_metrics(aws, stream_disable.queries(table), end - timedelta(days=60), end))


def pipe(aws, table, name="audit", state="RUNNING"):
    stream = aws.dynamodb.describe_table(TableName=table.name)["Table"]["LatestStreamArn"]
    aws.pipes.create_pipe(
        Name=name,
        RoleArn="arn:aws:iam::222222222222:role/pipe",
        Source=stream,
        Target="arn:aws:sqs:us-east-1:222222222222:audit",
        DesiredState=state,
    )


def test_an_unread_stream(account, aws, table):
    live(account, 15)
    assert found(aws, table).reads == 0.0
    assert decide(found(aws, table), Policy()).choice is Choice.APPLY


def test_thirteen_days_prove_nothing(account, aws, table):
    live(account, 13)
    assert found(aws, table).reads is None


def test_a_pipe_is_found_by_name_and_by_what_it_reads(account, aws, table):
    pipe(aws, table)
    live(account, 15)
    evidence = found(aws, table)
    assert evidence.pipes == ("audit (RUNNING)",)
    assert evidence.reads > 1_000_000


def test_a_stopped_pipe_is_somebodys_intent(account, aws, table):
    pipe(aws, table, state="STOPPED")
    live(account, 15)
    evidence = found(aws, table)
    assert (len(evidence.pipes), evidence.reads) == (1, 0.0)
    assert decide(evidence, Policy()).choice is Choice.KEEP


def test_the_pipe_of_another_table_is_not_ours(account, aws, table):
    pipe(aws, make_table(aws, "users-archive"))
    live(account, 15)
    assert found(aws, table).pipes == ()


def test_an_ingestion_pipeline_is_found_by_the_table_it_names(aws, table):
    body = f"""
version: "2"
search:
  source:
    dynamodb:
      tables: [{{table_arn: "{table.arn}", stream: {{start_position: LATEST}}}}]
  sink: [{{opensearch: {{hosts: ["https://search.example"], aws: {{region: us-east-1}}}}}}]
"""
    aws.osis.create_pipeline(PipelineName="search", MinUnits=1, MaxUnits=1, PipelineConfigurationBody=body)
    evidence = collect(aws, table, nothing_measured(aws.clock.now(), stream_disable.queries(table)))
    assert evidence.pipelines == ("search",)


def test_an_event_source_mapping_counts_also_when_it_is_disabled(aws, table):
    stream = aws.dynamodb.describe_table(TableName="users")["Table"]["LatestStreamArn"]
    iam = aws.session.client("iam")
    role = iam.create_role(RoleName="indexer", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    aws.lambda_.create_function(
        FunctionName="indexer",
        Role=role,
        Code={"ImageUri": "222222222222.dkr.ecr.us-east-1.amazonaws.com/indexer:1"},
        PackageType="Image",
    )
    aws.lambda_.create_event_source_mapping(
        FunctionName="indexer", EventSourceArn=stream, StartingPosition="LATEST", Enabled=False
    )
    evidence = collect(aws, table, nothing_measured(aws.clock.now(), stream_disable.queries(table)))
    assert evidence.mappings == ("indexer (Disabled)",)


FUNCTION = "arn:aws:lambda:us-east-1:222222222222:function:audit-indexer"
UUID = "14e0db71-5d35-4eb5-b481-8945cf9d10c2"


@pytest.mark.parametrize(
    ("mapping", "told"),
    [
        ({"FunctionArn": FUNCTION, "State": "Enabled"}, "audit-indexer (Enabled)"),
        ({"FunctionArn": f"{FUNCTION}:live", "State": "Disabled"}, "audit-indexer:live (Disabled)"),
        ({"FunctionArn": f"{FUNCTION}:12", "State": "Disabled"}, "audit-indexer:12 (Disabled)"),
        ({"FunctionArn": FUNCTION.replace("arn:aws", "arn:aws-us-gov"), "State": "Enabled"}, "audit-indexer (Enabled)"),
        ({"FunctionArn": FUNCTION}, "audit-indexer (state unknown)"),
        ({"UUID": UUID, "State": "Creating"}, f"mapping {UUID} (Creating)"),
    ],
)
def test_a_consumer_is_told_by_its_functions_name(aws, table, mapping, told):
    """EventSourceMappingConfiguration: an ARN may end in an alias or a version, and every member may be missing."""
    with Stubber(aws.lambda_) as stub:
        stub.add_response("list_event_source_mappings", {"EventSourceMappings": [mapping]})
        assert stream_disable.readers(aws, table) == (told,)


def test_disabled_and_back_under_a_new_arn(aws, table):
    arn = aws.dynamodb.describe_table(TableName="users")["Table"]["LatestStreamArn"]
    decision = replace(decide(UNREAD, Policy()), before=describe(aws, table))
    changes = moves(table, decision.before, decision)
    carry_out(changes, aws)
    assert described(aws)["stream"] is None
    for _ in range(2):
        take_back(changes, aws)
        assert describe(aws, table) == decision.before
    assert aws.dynamodb.describe_table(TableName="users")["Table"]["LatestStreamArn"] != arn


def test_a_repeated_call_is_no_error_and_another_refusal_is(aws, table):
    before = describe(aws, table)
    (change,) = moves(table, before, decide(UNREAD, Policy()))
    change.do(aws)
    change.do(aws)  # as when the answer of the first was lost
    with pytest.raises(aws.dynamodb.exceptions.ResourceInUseException):
        change.undo(aws)
