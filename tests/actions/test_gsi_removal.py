"""Unused indexes: their distinction from used ones, their removal and their return."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from domain.errors import MoveFailed
from domain.sizing import Sizing
from emulator.workload.spec import IndexJob
from optimizer.actions.gsi_removal import Evidence, IndexUse, collect, decide, describe, moves, resize
from optimizer.decide.policy import Policy
from optimizer.model.decision import Choice, Verdict
from optimizer.resources.tables import resource_policy as table_policy
from optimizer.resources.tables.index_moves import SID, denial
from tests.actions.carrying import carry_out, take_back
from tests.actions.made_tables import described, live, make_table, nothing_measured

UNUSED = IndexUse(weekly_queries=(0.0,) * 9, age_days=61.0, monthly_writes=30_000.0)
USED = replace(UNUSED, weekly_queries=(140_000.0,) * 9)
BEFORE = {"indexes": {"a": {}, "b": {}}, "on_demand": True, "replicas": [], "policies": {}}
TABLE = "arn:aws:dynamodb:us-east-1:222222222222:table/users"


def evidence(**changes):
    made = Evidence(TABLE, BEFORE, settled=True, policy_bytes=400, indexes={"a": UNUSED, "b": USED})
    return replace(made, **changes)


def weeks(*reads, rest=0.0):
    return replace(UNUSED, weekly_queries=(*reads, *(rest,) * (57 - len(reads))))


@pytest.mark.parametrize(
    ("use", "expected"),
    [
        (UNUSED, Choice.APPLY),
        (weeks(49.0, 49.0, 49.0), Choice.APPLY),  # at most, in each week
        (weeks(50.0), Choice.KEEP),  # 50 are not fewer than 50
        (weeks(0, 0, 0, 50.0), Choice.KEEP),  # one week of a month
        (weeks(*[0.0] * 50, 50.0), Choice.KEEP),  # one week of last year
        (weeks(0.0, None), Choice.NO_DATA),  # a week in which nothing was measured proves nothing
        (weeks(*[0.0] * 20, None), Choice.NO_DATA),
        (weeks(None, 90.0), Choice.NO_DATA),
        (replace(UNUSED, weekly_queries=(0.0,) * 7), Choice.NO_DATA),
        (replace(UNUSED, weekly_queries=()), Choice.NO_DATA),
        (replace(UNUSED, age_days=None), Choice.NO_DATA),  # never written: nobody knows since when it is there
        (replace(UNUSED, age_days=55.9), Choice.KEEP),
    ],
)
def test_one_index(use, expected):
    before = {**BEFORE, "indexes": {"a": {}}}
    decision = decide(evidence(before=before, indexes={"a": use}), Policy())
    assert decision.choice is expected
    assert decision.target["remove"] == (["a"] if expected is Choice.APPLY else [])


@pytest.mark.parametrize(
    ("changes", "expected", "said"),
    [
        ({"settled": False}, Choice.KEEP, "active: no"),
        ({"before": {**BEFORE, "on_demand": False}}, Choice.KEEP, "capacity on demand"),
        ({"policy_bytes": 20_481}, Choice.KEEP, "resource policy"),
        ({"before": {**BEFORE, "indexes": {}}, "indexes": {}}, Choice.KEEP, "indexes of the table: 0"),
    ],
)
def test_what_concerns_the_whole_table_decides_for_all(changes, expected, said):
    decision = decide(evidence(**changes), Policy())
    assert decision.choice is expected
    assert said in decision.reason


def test_a_kept_index_vetoes_no_other_and_shows_why():
    decision = decide(evidence(), Policy())
    assert (decision.choice, decision.target) == (Choice.APPLY, {"remove": ["a"]})
    assert decision.reason == (
        "a: every criterion holds; b stays: queries in the busiest of 8 weeks, at most: 140,000 (limit: below 50)"
    )
    verdicts = {each.name: each.verdict for each in decision.criteria if each.name.startswith("b: ")}
    assert list(verdicts.values()) == [Verdict.FAIL, Verdict.FAIL, Verdict.PASS]
    assert [each.after for each in decision.projected] == [1, 0.0]


def test_the_brief_is_asked_before_the_guards():
    origins = [each.origin.value for each in decide(evidence(), Policy()).criteria if each.name.startswith("a: ")]
    assert origins == ["brief", "guard", "guard"]


def test_a_guard_is_lifted_by_name_and_the_brief_is_not():
    old_job = evidence(indexes={"a": weeks(*[0.0] * 50, 50.0)})
    name = next(each.name for each in decide(old_job, Policy()).criteria if "400 days" in each.name)
    assert decide(old_job, Policy(lifted=frozenset({f"gsi_removal/{name}"}))).choice is Choice.APPLY
    used = evidence(indexes={"b": USED})
    names = {f"gsi_removal/{each.name}" for each in decide(used, Policy()).criteria}
    assert decide(used, Policy(lifted=frozenset(names))).choice is Choice.KEEP


def test_the_sizing_loses_what_was_removed():
    decision = replace(decide(evidence(), Policy()), target={"remove": ["by-role", "by-invitation"]})
    assert resize(Sizing.AS_DESIGNED, decision).tables["users"].indexes == ("by-email", "by-last-login")
    assert resize(Sizing.AS_DESIGNED, decision).tables["tenants"] == Sizing.AS_DESIGNED.tables["tenants"]


def found(aws, table):
    return collect(aws, table, nothing_measured(aws.clock.now().replace(minute=0), ()))


def test_reads_are_counted_by_week_over_400_days(account, aws):
    table = make_table(aws)
    live(account, 130, jobs=(IndexJob(table="users", index="by-invitation", every_days=90, queries=60),))
    use = found(aws, table).indexes
    assert len(use["by-invitation"].weekly_queries) == 19
    assert [week for week, units in enumerate(use["by-invitation"].weekly_queries) if units == 60.0] == [8, 9]
    assert use["by-invitation"].age_days == pytest.approx(130, abs=0.1)
    assert use["by-email"].weekly_queries[0] > 100_000
    decision = decide(found(aws, table), Policy())
    assert decision.choice is Choice.KEEP
    kept_by = [c.name for c in decision.criteria if c.name.startswith("by-invitation") and c.verdict is Verdict.FAIL]
    assert kept_by == ["by-invitation: queries in the busiest week of 400 days, at most"]


def test_without_metrics_nothing_is_removed(aws):
    decision = decide(found(aws, make_table(aws)), Policy())
    assert decision.choice is Choice.NO_DATA


@pytest.fixture
def applied(account, aws):
    table = make_table(aws)
    live(account, 61)
    decision = decide(found(aws, table), Policy())
    assert decision.target == {"remove": ["by-invitation"]}
    return table, decision, moves(table, decision.before, decision)


def query(aws, index, key):
    return aws.dynamodb.query(
        TableName="users",
        IndexName=index,
        KeyConditionExpression=f"{key} = :x",
        ExpressionAttributeValues={":x": {"S": "x"}},
    )["Count"]


def test_every_way_to_read_an_index_is_denied():
    """Also PartiQL's (Service Authorization Reference, "Actions defined by Amazon DynamoDB")."""
    statement = denial(TABLE, ["a"])
    assert {"dynamodb:PartiQLSelect", "dynamodb:Query", "dynamodb:Scan"} <= set(statement["Action"])
    assert statement["Resource"] == [f"{TABLE}/index/a"]


def test_denied_first_deleted_at_acceptance(aws, applied):
    table, _, (deny, delete, lift) = applied
    carry_out([deny], aws)
    assert query(aws, "by-role", "tenant_role") == 0
    with pytest.raises(Exception, match="explicit deny"):
        query(aws, "by-invitation", "invitation_id")
    assert "by-invitation" in described(aws)["indexes"]
    carry_out([delete, lift], aws)
    assert described(aws)["indexes"] == ["by-email", "by-role"]
    assert table_policy.read_policy(aws, table.arn).text is None


@pytest.mark.parametrize("times", [1, 2])
def test_undo_restores_exactly(aws, applied, times):
    table, decision, (deny, *_) = applied
    carry_out([deny], aws)
    assert describe(aws, table) != decision.before
    for _ in range(times):
        take_back([deny], aws)
    assert describe(aws, table) == decision.before
    assert query(aws, "by-invitation", "invitation_id") == 0


def test_a_policy_of_others_stays_word_for_word(account, aws):
    table = make_table(aws)
    grant = {"Effect": "Allow", "Principal": {"AWS": "222222222222"}, "Action": "dynamodb:GetItem", "Resource": "*"}
    theirs = json.dumps({"Version": "2012-10-17", "Statement": {"Sid": "Theirs", **grant}}, indent=3)
    aws.dynamodb.put_resource_policy(ResourceArn=table.arn, Policy=theirs)
    live(account, 61)
    decision = decide(found(aws, table), Policy())
    deny, *_ = moves(table, decision.before, decision)
    carry_out([deny], aws)
    merged = json.loads(table_policy.read_policy(aws, table.arn).text)
    assert [each["Sid"] for each in merged["Statement"]] == ["Theirs", SID]
    take_back([deny], aws)
    assert table_policy.read_policy(aws, table.arn).text == theirs


def test_what_others_change_meanwhile_stays_too(aws, applied):
    table, _, (deny, *_) = applied
    carry_out([deny], aws)
    aws.clock.sleep(60)
    current = table_policy.read_policy(aws, table.arn)
    theirs = {"Sid": "Late", "Effect": "Deny", "Principal": "*", "Action": "dynamodb:DeleteItem", "Resource": "*"}
    aws.dynamodb.put_resource_policy(ResourceArn=table.arn, Policy=table_policy.with_statement(current.text, theirs))
    aws.clock.sleep(60)
    take_back([deny], aws)
    left = json.loads(table_policy.read_policy(aws, table.arn).text)
    assert left["Statement"] == [theirs]


def test_the_deny_is_put_into_every_replicas_policy_and_lifted_there(account, aws):
    table = make_table(aws)
    aws.dynamodb.update_table(TableName="users", ReplicaUpdates=[{"Create": {"RegionName": "us-west-2"}}])
    live(account, 61)
    decision = decide(found(aws, table), Policy())
    deny, *_ = moves(table, decision.before, decision)
    carry_out([deny], aws)
    there = aws.at("us-west-2")
    replica = table.arn.replace("us-east-1", "us-west-2")
    (statement,) = json.loads(table_policy.read_policy(there, replica).text)["Statement"]
    assert statement["Resource"] == [f"{replica}/index/by-invitation"]
    take_back([deny], aws)
    assert table_policy.read_policy(there, replica).text is None


def test_a_repeated_delete_is_no_error_and_an_unexpected_refusal_is(aws, applied):
    _, _, (_, delete, _) = applied
    delete.do(aws)
    delete.do(aws)
    assert not delete.is_done(aws)
    aws.clock.sleep(timedelta(minutes=5).total_seconds())
    assert delete.is_done(aws)
    delete.do(aws)


def test_a_policy_that_somebody_keeps_changing_is_given_up(aws, applied, monkeypatch):
    _, _, (deny, *_) = applied
    monkeypatch.setattr(table_policy, "read_policy", lambda aws, arn: table_policy.TablePolicy(None, "an old one"))
    with pytest.raises(MoveFailed, match="changed by somebody else"):
        deny.do(aws)
