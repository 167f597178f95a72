"""Deployed templates follow the account: nothing that holds data or serves is touched, whatever crashes or differs."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

import pytest

from cloudformation.assembly import Stack
from domain.errors import MoveFailed, ReconcileRefused, Stopped
from domain.names import is_reconciled
from emulator.account import Crash, EmulatedAccount
from emulator.services.cloudformation import deploy
from emulator.services.cloudformation.stacks import StackEvents
from optimizer.ports.aws import Aws
from optimizer.reconcile import bring_templates as agreement
from optimizer.reconcile import harmless_changes as judging
from optimizer.reconcile.bring_templates import TemplateUpdate
from optimizer.reconcile.stack_change_set import StackChanges
from pipeline import roles

PRODUCTION, REGION = "222222222222", "us-east-1"
BUCKET = "cdk-hnb659fds-assets-222222222222-us-east-1"
Json = dict[str, Any]


def table(*indexes: str) -> Json:
    properties = {
        "TableName": "orders",
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": each, "AttributeType": "S"} for each in ("pk", *indexes)],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "GlobalSecondaryIndexes": [
            {
                "IndexName": each,
                "KeySchema": [{"AttributeName": each, "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
            for each in indexes
        ],
        "Replicas": [{"Region": REGION}],
    }
    return {"Type": "AWS::DynamoDB::GlobalTable", "DeletionPolicy": "Retain", "Properties": properties}


def cache(shards: int) -> Json:
    properties = {
        "ReplicationGroupId": "tap-cache",
        "ReplicationGroupDescription": "cache",
        "Engine": "redis",
        "CacheNodeType": "cache.r6g.xlarge",
        "NumNodeGroups": shards,
        "ReplicasPerNodeGroup": 1,
        "AutomaticFailoverEnabled": True,
    }
    kept = {"DeletionPolicy": "RetainExceptOnCreate", "UpdatePolicy": {"UseOnlineResharding": True}}
    return {"Type": "AWS::ElastiCache::ReplicationGroup", "Properties": properties, **kept}


def pointer(logical_id: str) -> Json:
    value = {"Fn::GetAtt": [logical_id, "ConfigurationEndPoint.Address"]}
    return {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "/tap/cache", "Type": "String", "Value": value}}


PARAMETER = {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "/tap/role", "Type": "String", "Value": "tap-act"}}
BEFORE = {"Orders": table("one", "two", "six"), "Cache": cache(4), "Pointer": pointer("Cache")}
AFTER = {"Orders": table("one"), "Cache": cache(2), "Pointer": pointer("Cache")}


def stack(resources: Json, **parts: Any) -> Stack:
    template = {"Resources": copy.deepcopy(resources), **parts}
    return Stack("tap-primary", PRODUCTION, REGION, "Production", template, {}, BUCKET)


class Platform:
    """One deployed stack, and an optimizer that took indexes and shards away."""

    def __init__(self, account: EmulatedAccount) -> None:
        self.account = account
        self.aws = Aws(account.session(PRODUCTION, REGION), PRODUCTION, REGION, account.clock)
        self.notes: list[str] = []
        self.allowed: Callable[[], None] = lambda: None
        deploy(account, stack(BEFORE))
        for each in ("two", "six"):
            change = {"Delete": {"IndexName": each}}
            self.aws.dynamodb.update_table(TableName="orders", GlobalSecondaryIndexUpdates=[change])  # type: ignore[list-item]
            account.clock.sleep(3600)
        self.aws.elasticache.modify_replication_group_shard_configuration(
            ReplicationGroupId="tap-cache", NodeGroupCount=2, ApplyImmediately=True, NodeGroupsToRemove=["0003", "0004"]
        )
        account.clock.sleep(7200)
        self.there = self.actual()

    def actual(self) -> Json:
        """State that must never change: the table's indexes, the cache's shards, the pointer."""
        shown = self.aws.dynamodb.describe_table(TableName="orders")["Table"]
        (group,) = self.aws.elasticache.describe_replication_groups()["ReplicationGroups"]
        return {
            "indexes": [each["IndexName"] for each in shown["GlobalSecondaryIndexes"]],
            "shards": [each["NodeGroupId"] for each in group["NodeGroups"]],
            "pointer": self.aws.ssm.get_parameter(Name="/tap/cache")["Parameter"]["Value"],
        }

    def bring(self, *stacks: Stack) -> bool:
        with self.account.acting("reconcile"):
            made = TemplateUpdate(self.aws, lambda: self.allowed(), lambda: None, self.notes.append)
            return made.bring(stacks or (stack(AFTER),))

    def deployed(self) -> Any:
        return self.changes().deployed()

    def changes(self, wanted: Stack | None = None) -> StackChanges:
        return StackChanges(self.aws, wanted or stack(AFTER), lambda: None)

    def left_over(self) -> list[str]:
        asked = [
            each.parameters["ChangeSetName"] for each in self.account.calls.of("cloudformation", "CreateChangeSet")
        ]
        return [name for name in dict.fromkeys(asked) if self.changes()._status(name) is not None]


@contextmanager
def platform(**faults: Any) -> Iterator[Platform]:
    start = datetime(2027, 1, 1, tzinfo=UTC)
    with EmulatedAccount(start=start, tooling="111111111111", production=PRODUCTION, **faults) as account:
        yield Platform(account)


@pytest.fixture
def deployed() -> Iterator[Platform]:
    with platform() as made:
        yield made


def test_several_indexes_and_shards_less_are_in_the_template_and_nothing_was_touched(deployed: Platform) -> None:
    assert deployed.bring() is True
    assert deployed.deployed() == stack(AFTER).template
    assert deployed.actual() == deployed.there
    assert not [each for each in deployed.account.calls.mutating() if each.service != "cloudformation"]
    assert deployed.left_over() == []
    assert "CloudFormation cannot read all of tap-cache: it leaves and is imported as it is" in deployed.notes[0]
    assert deployed.bring() is False  # there is nothing left to do
    assert deploy(deployed.account, stack(AFTER)).updated == ()  # nor for the next deployment


def test_a_stack_that_only_the_pipeline_may_change_is_named_and_not_asked(deployed: Platform) -> None:
    before, after = (
        Stack("tap-roles", PRODUCTION, REGION, "Production", {"Resources": {name: PARAMETER}}, {}, BUCKET)
        for name in ("Before", "After")
    )
    deploy(deployed.account, before)
    assert deployed.bring(stack(AFTER), after) is True
    assert deployed.deployed() == stack(AFTER).template
    proposed = [each.parameters["StackName"] for each in deployed.account.calls.of("cloudformation", "CreateChangeSet")]
    assert set(proposed) == {"tap-primary"}
    told = f"tap-roles in {REGION} has another template than the code's. Reconcile may not change it"
    assert deployed.notes[0].startswith(told)
    assert "the pipeline's stage Production deploys it" in deployed.notes[0]
    assert deployed.bring(stack(AFTER), after) is False  # nor does it hold what is next


def test_reconcile_asks_for_the_stacks_that_its_role_may_change_and_for_no_other() -> None:
    (created,) = [each for each in roles.AGREE if each.action == "cloudformation:CreateChangeSet"]
    for name in ("tap-primary", "tap-replica-2", "tap-roles", "tap-keys-2", "tap-pipeline", "foreign"):
        arn = f"arn:{{partition}}:cloudformation:{{region}}:{{account}}:stack/{name}/id"
        assert is_reconciled(name) is any(fnmatchcase(arn, pattern) for pattern in created.resources), name


def test_metadata_alone_is_left_as_it_is(deployed: Platform) -> None:
    deployed.bring()
    assert deployed.bring(stack(AFTER, Metadata={"tap:sizing-revision": 9})) is False


def test_a_template_too_long_for_the_call_goes_through_the_bucket(deployed: Platform) -> None:
    long = stack(AFTER, Description="x", Mappings={"M": {"a": {"b": "x" * 60_000}}})
    assert deployed.bring(long) is True
    assert deployed.deployed() == long.template
    (first, *_) = deployed.account.calls.of("cloudformation", "CreateChangeSet")
    assert first.parameters["TemplateURL"].startswith(f"https://{BUCKET}.s3.us-east-1.amazonaws.com/tap-reconcile/")


def test_a_template_too_long_without_a_bucket_is_refused(deployed: Platform) -> None:
    long = stack(AFTER, Mappings={"M": {"a": {"b": "x" * 60_000}}})
    with pytest.raises(ReconcileRefused, match="names no bucket"):
        deployed.bring(Stack(long.name, long.account, long.region, long.stage, long.template, {}))


def harmful() -> Stack:
    """An index that the account does not have, beside parts that agree."""
    return stack({**AFTER, "Orders": table("one", "two")})


def test_a_harmful_change_set_is_refused_with_the_reason_and_thrown_away(deployed: Platform) -> None:
    with pytest.raises(ReconcileRefused, match=r"Orders \(AWS::DynamoDB::GlobalTable, orders\): it would be changed"):
        deployed.bring(harmful())
    assert deployed.actual() == deployed.there
    assert deployed.left_over() == []
    assert "was refused" in deployed.notes[-1]
    assert not deployed.account.calls.of("cloudformation", "ExecuteChangeSet")


def test_with_the_judge_switched_off_the_account_really_changes(
    deployed: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agreement, "refusals", lambda *_: ())
    deployed.bring(harmful())
    assert deployed.actual()["indexes"] == ["one", "two"]
    assert judging.refusals is not agreement.refusals


@pytest.mark.parametrize("status", ["UPDATE_ROLLBACK_FAILED", "UPDATE_FAILED", "IMPORT_ROLLBACK_FAILED"])
def test_a_stuck_stack_is_left_to_a_person(deployed: Platform, status: str) -> None:
    place = deployed.changes().stack
    events = deployed.account.part(StackEvents)
    events.force(place.account, place.region, place.name, status, "the table could not be brought back")
    with pytest.raises(ReconcileRefused, match=f"is {status}: the table could not"):
        deployed.bring()
    assert not deployed.account.calls.of("cloudformation", "CreateChangeSet")


def test_a_stack_that_was_never_deployed_is_refused(deployed: Platform) -> None:
    other = Stack("tap-other", PRODUCTION, REGION, "Production", stack(AFTER).template, {})
    with pytest.raises(ReconcileRefused, match="tap-other is not deployed"):
        deployed.bring(other)


def test_an_update_under_way_is_waited_for(deployed: Platform) -> None:
    changes = deployed.changes(stack(BEFORE, Outputs={"One": {"Value": "1"}}))
    with deployed.account.acting("somebody"):
        changes._client.create_change_set(
            StackName="tap-primary",
            ChangeSetName="theirs",
            TemplateBody=changes._template(changes.stack.template)["TemplateBody"],
        )
        deployed.account.clock.sleep(60)
        changes._client.execute_change_set(StackName="tap-primary", ChangeSetName="theirs")
    assert deployed.bring() is True
    assert deployed.actual() == deployed.there


def test_a_failed_execution_says_why(deployed: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agreement, "refusals", lambda *_: ())
    several = stack({**AFTER, "Orders": table("one", "two", "six")})
    with pytest.raises(MoveFailed, match=r"UPDATE_ROLLBACK_COMPLETE: .*more than one GSI creation"):
        deployed.bring(several)


@pytest.mark.parametrize("at", ["it leaves and is imported as it is", "its template is the code's"])
def test_each_change_set_on_the_way_is_judged(deployed: Platform, at: str) -> None:
    """A person adds an index between two of them: the next would delete it, and is refused."""
    aws, notes = deployed.aws, deployed.notes

    def note(text: str) -> None:
        notes.append(text)
        if text.endswith(at) and len(deployed.actual()["indexes"]) == 1:
            key = [{"AttributeName": "two", "KeyType": "HASH"}]
            made = {"IndexName": "two", "KeySchema": key, "Projection": {"ProjectionType": "ALL"}}
            with deployed.account.acting("somebody"):
                aws.dynamodb.update_table(
                    TableName="orders",
                    AttributeDefinitions=[{"AttributeName": "two", "AttributeType": "S"}],
                    GlobalSecondaryIndexUpdates=[{"Create": made}],  # type: ignore[list-item]
                )
                deployed.account.clock.sleep(7200)

    with pytest.raises(ReconcileRefused, match="Orders"):
        TemplateUpdate(aws, lambda: None, lambda: None, note).bring((stack(AFTER),))
    assert deployed.actual()["indexes"] == ["one", "two"]


def test_the_kill_switch_is_asked_before_each_execution(deployed: Platform) -> None:
    asked: list[int] = []

    def stopped() -> None:
        asked.append(1)
        if len(asked) == 2:
            raise Stopped("stop")

    deployed.allowed = stopped
    with pytest.raises(Stopped):
        deployed.bring()
    assert len(deployed.account.calls.of("cloudformation", "ExecuteChangeSet")) == 1
    assert "Cache" not in deployed.deployed()["Resources"]  # between leaving and import
    deployed.allowed = lambda: None
    assert deployed.bring() is True
    assert deployed.deployed() == stack(AFTER).template
    assert deployed.actual() == deployed.there


@pytest.mark.slow
def test_a_crash_around_any_change_is_carried_on_by_the_next_run() -> None:
    with platform() as unharmed:
        unharmed.bring()
        changing = {each.number for each in unharmed.account.calls.mutating() if each.number}
    assert len(changing) > 5
    for number in sorted(changing | {each + 1 for each in changing}):
        with platform(crash_at=number) as made:
            with pytest.raises(Crash):
                made.bring()
            made.account.clock.sleep(60)
            made.bring()
            assert made.deployed() == stack(AFTER).template, f"crashed at call {number}"
            assert made.actual() == made.there, f"crashed at call {number}"
            assert made.left_over() == [], f"crashed at call {number}"


def test_reconcile_may_what_it_calls_and_calls_what_it_may(deployed: Platform) -> None:
    """Reading a template from the bucket and a parameter of it is CloudFormation's doing: no call of ours shows it."""
    with pytest.raises(ReconcileRefused):
        deployed.bring(harmful())
    deployed.bring(stack(AFTER, Mappings={"M": {"a": {"b": "x" * 60_000}}}))
    monitored = {f"{each.service}:{each.operation}" for each in deployed.account.calls if each.number}
    may = {each.action for each in (*roles.OBSERVE, *roles.COMPARE, *roles.AGREE)}
    assert monitored <= may
    unseen = {"s3:GetObject", "ssm:GetParameters", "cloudformation:DescribeStackEvents"}
    assert {each.action for each in roles.AGREE} - monitored == unseen


def test_a_table_that_the_optimizer_made_is_imported_along(deployed: Platform) -> None:
    merged = copy.deepcopy(table("one"))
    merged["Properties"]["TableName"] = "merged"
    deployed.aws.dynamodb.create_table(
        TableName="merged",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=merged["Properties"]["AttributeDefinitions"],
        KeySchema=merged["Properties"]["KeySchema"],
        GlobalSecondaryIndexes=merged["Properties"]["GlobalSecondaryIndexes"],
    )
    deployed.account.clock.sleep(3600)
    wanted = stack({**AFTER, "Merged": merged})
    deployed.bring(wanted)
    assert deployed.deployed() == wanted.template
    assert not [each for each in deployed.account.calls.mutating() if each.service == "dynamodb" and each.number]
