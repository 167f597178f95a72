"""Calls without a wire: each answer and each error is the one that the wire gives, of the same account."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError, ParamValidationError
from moto.core import botocore_stubber

from emulator.account import EmulatedAccount
from emulator.core.credentials import botocore_session

TOOLING, PRODUCTION, REGION = "111111111111", "222222222222", "us-east-1"
START = datetime(2027, 3, 1, 8, 0, 1, 234567, tzinfo=UTC)
Client = Callable[[str], Any]


@pytest.fixture(scope="module")
def account() -> Iterator[EmulatedAccount]:
    with EmulatedAccount(start=START, tooling=TOOLING, production=PRODUCTION) as account:
        _furnish(lambda service: account.client(service, PRODUCTION, REGION))
        yield account


@pytest.fixture(scope="module")
def direct(account: EmulatedAccount) -> Client:
    return lambda service: account.client(service, PRODUCTION, REGION)


@pytest.fixture(scope="module")
def wired(account: EmulatedAccount) -> Client:
    session = botocore_session(account.credentials.of_user(PRODUCTION), REGION)
    return lambda service: session.create_client(service)


def _furnish(client: Client) -> None:
    """A little of everything, made without a wire."""
    dynamodb, ec2, rds = client("dynamodb"), client("ec2"), client("rds")
    dynamodb.create_table(
        TableName="items",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        Tags=[{"Key": "team", "Value": "platform"}],
    )
    item = {
        "pk": {"S": "a"},
        "deep": {"M": {"l": {"L": [{"N": "1"}, {"BOOL": False}, {"NULL": True}]}}},
        "e": {"L": []},
    }
    dynamodb.put_item(TableName="items", Item={**item, "blob": {"B": b"\x00\xff"}, "set": {"SS": ["x", "y"]}})
    subnets = [each["SubnetId"] for each in ec2.describe_subnets()["Subnets"]][:2]
    ec2.create_launch_template(
        LaunchTemplateName="web", LaunchTemplateData={"ImageId": "ami-1", "InstanceType": "m5.large"}
    )
    client("autoscaling").create_auto_scaling_group(
        AutoScalingGroupName="web",
        MinSize=1,
        MaxSize=3,
        DesiredCapacity=2,
        LaunchTemplate={"LaunchTemplateName": "web", "Version": "1"},
        VPCZoneIdentifier=",".join(subnets),
        Tags=[{"Key": "a", "Value": "", "PropagateAtLaunch": True}],
    )
    client("elbv2").create_load_balancer(Name="web", Subnets=subnets, Tags=[{"Key": "a", "Value": "<&> b"}])
    rds.create_db_cluster(
        DBClusterIdentifier="main", Engine="aurora-postgresql", MasterUsername="u", MasterUserPassword="password1"
    )
    client("ssm").put_parameter(Name="/a", Value="1", Type="String", Tags=[{"Key": "k", "Value": "v"}])
    client("sns").create_topic(Name="told", Tags=[{"Key": "k", "Value": "v"}])
    client("kms").create_key(Description="a key")
    client("cloudwatch").put_metric_data(
        Namespace="Ours", MetricData=[{"MetricName": "n", "Timestamp": START, "Value": 2.5, "Unit": "Count"}]
    )
    client("cloudwatch").put_metric_alarm(
        AlarmName="high",
        Namespace="Ours",
        MetricName="n",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )


M5 = [{"Type": "TERM_MATCH", "Field": "instanceType", "Value": "m5.large"}]
ONCE = "attribute_not_exists(pk)"
SINCE: dict[str, Any] = {"StartTime": START - timedelta(hours=1), "EndTime": START + timedelta(hours=1)}
SUMS: dict[str, Any] = {"Namespace": "Ours", "MetricName": "n", "Period": 300, "Statistics": ["Sum"], **SINCE}
READS: list[tuple[str, str, dict[str, Any]]] = [
    ("autoscaling", "describe_auto_scaling_groups", {}),
    ("autoscaling", "describe_policies", {}),
    ("autoscaling", "describe_tags", {"Filters": [{"Name": "key", "Values": ["a"]}]}),
    ("cloudformation", "describe_stacks", {}),
    ("cloudwatch", "describe_alarms", {"AlarmNames": ["high"]}),
    ("cloudwatch", "get_metric_statistics", SUMS),
    ("dynamodb", "describe_table", {"TableName": "items"}),
    ("dynamodb", "get_item", {"TableName": "items", "Key": {"pk": {"S": "a"}}, "ReturnConsumedCapacity": "TOTAL"}),
    ("dynamodb", "get_item", {"TableName": "items", "Key": {"pk": {"S": "absent"}}}),
    ("dynamodb", "list_tables", {}),
    ("dynamodb", "list_tags_of_resource", {"ResourceArn": f"arn:aws:dynamodb:{REGION}:{PRODUCTION}:table/items"}),
    ("dynamodb", "scan", {"TableName": "items"}),
    ("dynamodb", "describe_continuous_backups", {"TableName": "items"}),
    ("dynamodbstreams", "list_streams", {"TableName": "items"}),
    ("ec2", "describe_instances", {"Filters": [{"Name": "instance-state-name", "Values": ["running"]}]}),
    ("ec2", "describe_launch_template_versions", {"LaunchTemplateName": "web"}),
    ("ec2", "describe_launch_templates", {}),
    ("ec2", "describe_security_groups", {}),
    ("ec2", "describe_subnets", {}),
    ("ec2", "describe_vpcs", {}),
    ("elbv2", "describe_load_balancers", {}),
    ("elbv2", "describe_target_groups", {}),
    ("iam", "list_roles", {}),
    ("kms", "list_keys", {}),
    ("pricing", "get_products", {"ServiceCode": "AmazonEC2", "Filters": M5}),
    ("rds", "describe_db_clusters", {}),
    ("rds", "describe_db_instances", {}),
    ("rds", "describe_global_clusters", {}),
    ("resourcegroupstaggingapi", "get_resources", {}),
    ("sns", "list_topics", {}),
    ("ssm", "get_parameter", {"Name": "/a"}),
    ("ssm", "get_parameters", {"Names": ["/a", "/b"]}),
    ("sts", "get_caller_identity", {}),
]  # fmt: skip


@pytest.mark.parametrize(("service", "method", "asked"), READS, ids=[f"{each[0]}-{each[1]}" for each in READS])
def test_an_answer_is_the_wire_s(
    direct: Client, wired: Client, service: str, method: str, asked: dict[str, Any]
) -> None:
    answer, expected = (getattr(client(service), method)(**asked) for client in (direct, wired))
    assert answer.pop("ResponseMetadata")["HTTPStatusCode"] == expected.pop("ResponseMetadata")["HTTPStatusCode"]
    assert answer == expected


KEY = {"pk": {"S": "a"}}
PUT_ONCE = [{"Put": {"TableName": "items", "Item": KEY, "ConditionExpression": ONCE}}]
FAILING: list[tuple[str, str, dict[str, Any]]] = [
    ("dynamodb", "describe_table", {"TableName": "absent"}),
    ("dynamodb", "put_item", {"TableName": "items", "Item": KEY, "ConditionExpression": ONCE}),
    ("dynamodb", "transact_write_items", {"TransactItems": PUT_ONCE}),
    ("rds", "describe_db_clusters", {"DBClusterIdentifier": "absent"}),
    ("ec2", "describe_launch_template_versions", {"LaunchTemplateName": "absent"}),
    ("autoscaling", "update_auto_scaling_group", {"AutoScalingGroupName": "absent", "MinSize": 1}),
    ("cloudformation", "describe_stacks", {"StackName": "absent"}),
    ("ssm", "get_parameter", {"Name": "/absent"}),
    ("elbv2", "describe_load_balancers", {"Names": ["absent"]}),
    ("cloudwatch", "put_metric_data", {"Namespace": "AWS/EC2", "MetricData": [{"MetricName": "n", "Value": 1.0}]}),
]  # fmt: skip


@pytest.mark.parametrize(("service", "method", "asked"), FAILING, ids=[f"{each[0]}-{each[1]}" for each in FAILING])
def test_an_error_is_the_wire_s(
    direct: Client, wired: Client, service: str, method: str, asked: dict[str, Any]
) -> None:
    errors = []
    for client in (direct(service), wired(service)):
        with pytest.raises(ClientError) as raised:
            getattr(client, method)(**asked)
        response: dict[str, Any] = {**raised.value.response}
        metadata = response.pop("ResponseMetadata")
        errors.append((type(raised.value).__name__, str(raised.value), response, metadata["HTTPStatusCode"]))
    assert errors[0] == errors[1]


def test_parameters_are_validated_as_by_the_wire(direct: Client, wired: Client) -> None:
    for client in (direct("dynamodb"), wired("dynamodb")):
        with pytest.raises(ParamValidationError, match='Missing required parameter in input: "Key"'):
            client.get_item(TableName="items")


def test_no_request_is_made(direct: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(botocore_stubber, "BotocoreStubber", None)
    client = direct("dynamodb")
    client.meta.events.register_last("before-sign", lambda **_: pytest.fail("a call without a wire was signed"))
    client.list_tables()


def test_what_is_asked_is_the_caller_s_and_what_is_answered_too(account: EmulatedAccount, direct: Client) -> None:
    tags = [{"Key": "owner", "Value": "other"}]
    arn = f"arn:aws:dynamodb:{REGION}:{PRODUCTION}:table/items"
    with account.acting("job"):
        direct("dynamodb").tag_resource(ResourceArn=arn, Tags=tags)
    tags[0]["Value"] = "changed later"
    *_, kept = direct("dynamodb").list_tags_of_resource(ResourceArn=arn)["Tags"]
    assert kept == {"Key": "owner", "Value": "other"}
    (call,) = account.calls
    assert call.parameters["Tags"] == [{"Key": "owner", "Value": "other"}]
    kept["Value"] = "changed in the answer"
    *_, again = direct("dynamodb").list_tags_of_resource(ResourceArn=arn)["Tags"]
    assert again == {"Key": "owner", "Value": "other"}


def test_moments_reach_an_operation_aware_and_answers_keep_what_the_protocol_carries(
    account: EmulatedAccount, direct: Client, wired: Client
) -> None:
    with account.acting("job"):
        for client in (direct, wired):
            client("cloudwatch").get_metric_statistics(**SUMS)
    *_, first, second = account.calls
    assert first.parameters == second.parameters
    assert first.parameters["StartTime"].utcoffset() == timedelta()
