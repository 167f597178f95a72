"""Change sets as CloudFormation makes and executes them: three ways compared, and harmful ones really harm."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloudformation.assembly import Stack
from emulator.account import EmulatedAccount
from emulator.services.cloudformation import deploy

PRODUCTION = "222222222222"
BUCKET = "cdk-hnb659fds-assets-222222222222-us-east-1"
Json = dict[str, Any]


def table(*indexes: str, name: str = "orders", **more: Any) -> Json:
    keys = [{"AttributeName": each, "AttributeType": "S"} for each in ("pk", *indexes)]
    properties = {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": keys,
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "GlobalSecondaryIndexes": [
            {
                "IndexName": each,
                "KeySchema": [{"AttributeName": each, "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
            for each in indexes
        ],
        "Replicas": [{"Region": "us-east-1"}],
    }
    return {"Type": "AWS::DynamoDB::GlobalTable", "DeletionPolicy": "Retain", "Properties": properties, **more}


def alarm(threshold: int) -> Json:
    properties = {
        "AlarmName": "tap-late",
        "ComparisonOperator": "GreaterThanThreshold",
        "EvaluationPeriods": 1,
        "MetricName": "Latency",
        "Namespace": "Tap",
        "Period": 60,
        "Statistic": "Sum",
        "Threshold": threshold,
    }
    return {"Type": "AWS::CloudWatch::Alarm", "Properties": properties}


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
    return {"Type": "AWS::ElastiCache::ReplicationGroup", "DeletionPolicy": "Retain", "Properties": properties}


def template(resources: Json, **parts: Any) -> Json:
    return {"Resources": resources, **parts}


class Stacks:
    """One stack in a fresh account, and an ordinary client."""

    def __init__(self, account: EmulatedAccount) -> None:
        self.account = account
        self.cloudformation = account.client("cloudformation", PRODUCTION, "us-east-1")
        self.dynamodb = account.client("dynamodb", PRODUCTION, "us-east-1")

    def deploy(self, resources: Json, **parts: Any) -> None:
        deploy(self.account, Stack("tap", PRODUCTION, "us-east-1", "", template(resources, **parts), {}, BUCKET))

    def propose(self, wanted: Json, *, aware: bool = True, name: str = "tap-reconcile-1", **more: Any) -> Json:
        mode = {"DeploymentMode": "REVERT_DRIFT"} if aware else {}
        body = {} if "TemplateURL" in more else {"TemplateBody": json.dumps(wanted)}
        self.cloudformation.create_change_set(
            StackName="tap", ChangeSetName=name, ImportExistingResources=True, **mode, **body, **more
        )
        self.account.clock.sleep(60)
        return self.described(name)

    def described(self, name: str = "tap-reconcile-1", **more: Any) -> Json:
        shown: Json = self.cloudformation.describe_change_set(
            StackName="tap", ChangeSetName=name, IncludePropertyValues=True, **more
        )
        return shown

    def changes(self, wanted: Json, **more: Any) -> dict[str, Json]:
        shown = self.propose(wanted, **more)["Changes"]
        return {each["ResourceChange"]["LogicalResourceId"]: each["ResourceChange"] for each in shown}

    def execute(self) -> Json:
        self.cloudformation.execute_change_set(StackName="tap", ChangeSetName="tap-reconcile-1")
        self.account.clock.sleep(300)
        return self.stack()

    def stack(self) -> Json:
        (shown,) = self.cloudformation.describe_stacks(StackName="tap")["Stacks"]
        return dict(shown)

    def indexes(self, name: str = "orders") -> list[str]:
        shown = self.dynamodb.describe_table(TableName=name)["Table"]
        return [each["IndexName"] for each in shown.get("GlobalSecondaryIndexes", [])]

    def drop(self, *indexes: str) -> None:
        for each in indexes:
            change = {"Delete": {"IndexName": each}}
            self.dynamodb.update_table(TableName="orders", GlobalSecondaryIndexUpdates=[change])
            self.account.clock.sleep(3600)


@pytest.fixture
def stacks() -> Iterator[Stacks]:
    start = datetime(2027, 1, 1, tzinfo=UTC)
    with EmulatedAccount(start=start, tooling="111111111111", production=PRODUCTION) as account:
        yield Stacks(account)


def refused(call: Callable[[], object], code: str) -> str:
    with pytest.raises(ClientError) as raised:
        call()
    assert raised.value.response["Error"]["Code"] == code
    return raised.value.response["Error"]["Message"]


def test_what_equals_reality_is_synced_and_touches_nothing(stacks: Stacks) -> None:
    stacks.deploy({"Orders": table("one", "two", "six")})
    stacks.drop("two", "six")
    wanted = template({"Orders": table("one")})
    change = stacks.changes(wanted)["Orders"]
    assert (change["Action"], change["ResourceDriftStatus"]) == ("SyncWithActual", "MODIFIED")
    assert stacks.execute()["StackStatus"] == "UPDATE_COMPLETE"
    assert stacks.indexes() == ["one"]
    assert stacks.cloudformation.get_template(StackName="tap")["TemplateBody"] == wanted
    refused(stacks.described, "ChangeSetNotFound")  # a successful execution takes the stack's change sets along


def test_without_the_actual_state_several_indexes_fail_and_roll_back(stacks: Stacks) -> None:
    """Also when they are gone in reality: templates are compared with templates."""
    stacks.deploy({"Orders": table("one", "two", "six")})
    stacks.drop("two", "six")
    change = stacks.changes(template({"Orders": table("one")}), aware=False)["Orders"]
    assert (change["Action"], change["Replacement"]) == ("Modify", "False")
    assert "ResourceDriftStatus" not in change
    assert stacks.execute()["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    (event,) = stacks.cloudformation.describe_stack_events(StackName="tap")["StackEvents"]
    assert "Cannot perform more than one GSI creation or deletion" in event["ResourceStatusReason"]
    assert stacks.described()["ExecutionStatus"] == "EXECUTE_FAILED"


def test_an_index_that_the_template_still_has_would_be_made_again(stacks: Stacks) -> None:
    """Why indexes are not taken out of the template one at a time."""
    stacks.deploy({"Orders": table("one", "two", "six")})
    stacks.drop("two", "six")
    change = stacks.changes(template({"Orders": table("one", "two")}))["Orders"]
    assert change["Action"] == "Modify"
    assert change["Details"][0]["Target"]["BeforeValueFrom"] == "ACTUAL_STATE"
    stacks.execute()
    assert stacks.indexes() == ["one", "two"]


def test_the_old_template_undoes_what_was_changed_since(stacks: Stacks) -> None:
    stacks.deploy({"Orders": table("one", "two")})
    stacks.drop("two")
    assert stacks.changes(template({"Orders": table("one", "two")}))["Orders"]["Action"] == "Modify"
    stacks.execute()
    assert stacks.indexes() == ["one", "two"]


def test_what_cannot_be_read_is_compared_with_the_deployment_before(stacks: Stacks) -> None:
    stacks.deploy({"Cache": cache(4)})
    elasticache = stacks.account.client("elasticache", PRODUCTION, "us-east-1")
    elasticache.modify_replication_group_shard_configuration(
        ReplicationGroupId="tap-cache", NodeGroupCount=2, ApplyImmediately=True, NodeGroupsToRemove=["0003", "0004"]
    )
    stacks.account.clock.sleep(7200)
    change = stacks.changes(template({"Cache": cache(2)}))["Cache"]
    (detail,) = change["Details"]
    assert (detail["Target"]["Name"], detail["Target"]["BeforeValueFrom"]) == (
        "NumNodeGroups",
        "PREVIOUS_DEPLOYMENT_STATE",
    )
    assert (detail["Target"]["BeforeValue"], detail["Target"]["AfterValue"]) == ("4", "2")


def test_retained_resources_stay_others_go_and_existing_ones_are_imported(stacks: Stacks) -> None:
    stacks.deploy({"Orders": table("one"), "Late": alarm(1)})
    gone = stacks.changes(template({"Topic": {"Type": "AWS::SNS::Topic"}}))
    assert {id: (each["Action"], each.get("PolicyAction")) for id, each in gone.items()} == {
        "Topic": ("Add", None),
        "Orders": ("Remove", "Retain"),
        "Late": ("Remove", "Delete"),
    }
    stacks.execute()
    cloudwatch = stacks.account.client("cloudwatch", PRODUCTION, "us-east-1")
    assert (stacks.indexes(), cloudwatch.describe_alarms()["MetricAlarms"]) == (["one"], [])
    back = stacks.changes(template({"Topic": {"Type": "AWS::SNS::Topic"}, "Orders": table("one")}))
    assert (back["Orders"]["Action"], back["Orders"]["PhysicalResourceId"]) == ("Import", "orders")
    assert stacks.execute()["StackStatus"] == "UPDATE_COMPLETE"


@pytest.mark.parametrize(
    "policy", [{"DeletionPolicy": "Delete"}, {"Properties": {"TableName": {"Ref": "AWS::Region"}}}]
)
def test_only_retained_resources_of_a_static_name_are_imported(stacks: Stacks, policy: Json) -> None:
    stacks.dynamodb.create_table(
        TableName="orders",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
    )
    stacks.deploy({"Late": alarm(1)})
    wanted = template({"Late": alarm(1), "Orders": {**table(), **policy}})
    assert stacks.changes(wanted)["Orders"]["Action"] == "Add"


def test_a_resource_that_is_gone_is_told_as_deleted(stacks: Stacks) -> None:
    stacks.deploy({"Orders": table("one")})
    stacks.dynamodb.delete_table(TableName="orders")
    stacks.account.clock.sleep(3600)
    assert stacks.changes(template({"Orders": table("one")}))["Orders"]["ResourceDriftStatus"] == "DELETED"


def test_metadata_alone_is_no_change(stacks: Stacks) -> None:
    stacks.deploy({"Late": alarm(1)}, Metadata={"tap:sizing-revision": 0})
    shown = stacks.propose(template({"Late": alarm(1)}, Metadata={"tap:sizing-revision": 1}))
    assert (shown["Status"], shown["ExecutionStatus"]) == ("FAILED", "UNAVAILABLE")
    assert shown["StatusReason"].startswith("The submitted information didn't contain changes.")
    stacks.deploy({"Late": alarm(1)}, Metadata={"tap:sizing-revision": 1})
    assert stacks.cloudformation.get_template(StackName="tap")["TemplateBody"]["Metadata"] == {"tap:sizing-revision": 0}


def test_a_template_that_is_too_long_comes_by_url(stacks: Stacks) -> None:
    stacks.deploy({"Late": alarm(1)})
    wanted = template({"Late": alarm(2)}, Description="x" * 51_200)
    refused(lambda: stacks.propose(wanted), "ValidationError")
    url = f"https://{BUCKET}.s3.us-east-1.amazonaws.com/tap-reconcile/t.json"
    assert "S3 error" in refused(lambda: stacks.propose(wanted, TemplateURL=url), "ValidationError")
    s3 = stacks.account.client("s3", PRODUCTION, "us-east-1")
    s3.put_object(Bucket=BUCKET, Key="tap-reconcile/t.json", Body=json.dumps(wanted).encode())
    assert stacks.changes(wanted, TemplateURL=url)["Late"]["Action"] == "Modify"


def test_it_is_made_in_a_while_its_name_is_taken_and_changes_come_in_pages(stacks: Stacks) -> None:
    many: Json = {f"Queue{number}": {"Type": "AWS::SQS::Queue"} for number in range(60)}
    stacks.deploy({"Late": alarm(1)})
    body = json.dumps(template({"Late": alarm(1), **many}))
    asked = {"StackName": "tap", "ChangeSetName": "tap-reconcile-1", "TemplateBody": body, "ClientToken": "t"}
    first = stacks.cloudformation.create_change_set(**asked)["Id"]
    assert stacks.described()["Status"] == "CREATE_IN_PROGRESS"
    refused(
        lambda: stacks.cloudformation.delete_change_set(StackName="tap", ChangeSetName=first), "InvalidChangeSetStatus"
    )
    assert stacks.cloudformation.create_change_set(**asked)["Id"] == first  # the same token: the same request
    refused(lambda: stacks.cloudformation.create_change_set(**{**asked, "ClientToken": "u"}), "AlreadyExistsException")
    stacks.account.clock.sleep(60)
    pages = stacks.cloudformation.get_paginator("describe_change_set").paginate(
        StackName="tap", ChangeSetName="tap-reconcile-1"
    )
    assert [len(page["Changes"]) for page in pages] == [25, 25, 10]
    stacks.cloudformation.delete_change_set(StackName="tap", ChangeSetName="tap-reconcile-1")
    stacks.cloudformation.delete_change_set(StackName="tap", ChangeSetName="tap-reconcile-1")  # gone already: no error
    refused(stacks.described, "ChangeSetNotFound")


def test_a_stack_that_moved_on_makes_it_obsolete_and_one_that_is_busy_takes_none(stacks: Stacks) -> None:
    stacks.deploy({"Late": alarm(1)})
    stacks.propose(template({"Late": alarm(2)}))
    stacks.propose(template({"Late": alarm(3)}), name="other")
    stacks.cloudformation.execute_change_set(StackName="tap", ChangeSetName="other")
    assert stacks.stack()["StackStatus"] == "UPDATE_IN_PROGRESS"
    assert "can not be updated" in refused(lambda: stacks.propose(template({"Late": alarm(4)})), "ValidationError")
    stacks.account.clock.sleep(300)
    stacks.propose(template({"Late": alarm(5)}))
    stacks.deploy({"Late": alarm(6)})
    refused(
        lambda: stacks.cloudformation.execute_change_set(StackName="tap", ChangeSetName="tap-reconcile-1"),
        "InvalidChangeSetStatus",
    )


def test_identities_want_a_capability(stacks: Stacks) -> None:
    stacks.deploy({"Late": alarm(1)})
    wanted = template({"Late": alarm(1), "Role": {"Type": "AWS::IAM::Role"}})
    refused(lambda: stacks.propose(wanted), "InsufficientCapabilitiesException")
    assert stacks.changes(wanted, Capabilities=["CAPABILITY_NAMED_IAM"])["Role"]["Action"] == "Add"
