"""The rules that no other file of this folder shows, one test each."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from emulator.account import EmulatedAccount

REGION = "us-east-1"


@pytest.fixture
def account() -> Iterator[EmulatedAccount]:
    start = datetime(2027, 3, 1, 8, tzinfo=UTC)
    with EmulatedAccount(start=start, tooling="111111111111", production="222222222222") as account:
        yield account


def client(account: EmulatedAccount, service: str) -> Any:
    return account.client(service, account.production, REGION)


@pytest.fixture
def autoscaling(account: EmulatedAccount) -> Any:
    """With the group `fleet` of one instance, which takes its time to come into service."""
    ec2, made = client(account, "ec2"), client(account, "autoscaling")
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    ec2.create_launch_template(
        LaunchTemplateName="fleet", LaunchTemplateData={"ImageId": "ami-12345678", "InstanceType": "m5.large"}
    )
    made.create_auto_scaling_group(
        AutoScalingGroupName="fleet",
        LaunchTemplate={"LaunchTemplateName": "fleet", "Version": "1"},
        MinSize=0,
        DesiredCapacity=1,
        MaxSize=2,
        VPCZoneIdentifier=subnet,
    )
    account.clock.sleep(3600)
    return made


def test_a_scaling_policy_needs_its_group_and_its_target_and_is_replaced_by_name(autoscaling: Any) -> None:
    def put(group: str, **target: Any) -> None:
        autoscaling.put_scaling_policy(
            AutoScalingGroupName=group, PolicyName="cpu", PolicyType="TargetTrackingScaling", **target
        )

    def tracking(value: float) -> dict[str, Any]:
        metric = {"PredefinedMetricType": "ASGAverageCPUUtilization"}
        return {"TargetTrackingConfiguration": {"PredefinedMetricSpecification": metric, "TargetValue": value}}

    with pytest.raises(ClientError, match="TargetTrackingConfiguration is required"):
        put("fleet")
    with pytest.raises(ClientError, match="ValidationError"):
        put("another", **tracking(50.0))
    for value in (50.0, 60.0):
        put("fleet", **tracking(value))
    (policy,) = autoscaling.describe_policies(AutoScalingGroupName="fleet")["ScalingPolicies"]
    assert policy["TargetTrackingConfiguration"]["TargetValue"] == 60.0


def test_policies_of_every_kind_are_shown_with_whether_they_are_enabled(autoscaling: Any) -> None:
    step = [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 2}]
    for name, more in (("on", {}), ("off", {"Enabled": False})):
        autoscaling.put_scaling_policy(
            AutoScalingGroupName="fleet",
            PolicyName=name,
            PolicyType="StepScaling",
            AdjustmentType="ChangeInCapacity",
            StepAdjustments=step,
            **more,
        )
    shown = autoscaling.describe_policies(AutoScalingGroupName="fleet")["ScalingPolicies"]
    assert [(each["PolicyName"], each["Enabled"]) for each in shown] == [("on", True), ("off", False)]
    assert not {"TargetTrackingConfiguration", "PredictiveScalingConfiguration"} & {
        key for each in shown for key in each
    }


def test_without_names_all_group_metrics_are_enabled(autoscaling: Any) -> None:
    def enabled() -> set[str]:
        (group,) = autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"]
        return {each["Metric"] for each in group.get("EnabledMetrics", [])}

    assert enabled() == set()
    autoscaling.enable_metrics_collection(AutoScalingGroupName="fleet", Granularity="1Minute", Metrics=["GroupMinSize"])
    assert enabled() == {"GroupMinSize"}
    autoscaling.enable_metrics_collection(AutoScalingGroupName="fleet", Granularity="1Minute")
    assert "GroupInServiceInstances" in enabled()


def test_a_transaction_is_written_as_a_whole_or_not_at_all(account: EmulatedAccount) -> None:
    dynamodb = client(account, "dynamodb")
    dynamodb.create_table(
        TableName="journal",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )

    def write(*keys: str) -> None:
        puts = [
            {
                "Put": {
                    "TableName": "journal",
                    "Item": {"pk": {"S": key}},
                    "ConditionExpression": "attribute_not_exists(pk)",
                }
            }
            for key in keys
        ]
        dynamodb.transact_write_items(TransactItems=puts)

    def written() -> set[str]:
        return {item["pk"]["S"] for item in dynamodb.scan(TableName="journal")["Items"]}

    write("a", "b")
    assert written() == {"a", "b"}
    with pytest.raises(ClientError, match="ConditionalCheckFailed"):
        write("c", "b")
    assert written() == {"a", "b"}


def test_a_tag_is_taken_off_a_global_cluster(account: EmulatedAccount) -> None:
    rds = client(account, "rds")
    made = rds.create_global_cluster(
        GlobalClusterIdentifier="global",
        Engine="aurora-postgresql",
        Tags=[{"Key": "kept", "Value": "1"}, {"Key": "gone", "Value": "2"}],
    )["GlobalCluster"]
    rds.remove_tags_from_resource(ResourceName=made["GlobalClusterArn"], TagKeys=["gone"])
    left = rds.list_tags_for_resource(ResourceName=made["GlobalClusterArn"])["TagList"]
    assert left == [{"Key": "kept", "Value": "1"}]


def test_a_cache_has_no_scaling_targets(account: EmulatedAccount) -> None:
    found = client(account, "application-autoscaling").describe_scalable_targets(ServiceNamespace="elasticache")
    assert found["ScalableTargets"] == []


def test_the_caller_is_the_role_session(account: EmulatedAccount) -> None:
    role = f"arn:aws:iam::{account.production}:role/tap-act"
    keys = client(account, "sts").assume_role(RoleArn=role, RoleSessionName="apply")["Credentials"]
    session = account.session(account.production, REGION)
    caller = session.client(
        "sts",
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    ).get_caller_identity()
    assert caller["Account"] == account.production
    assert caller["Arn"] == f"arn:aws:sts::{account.production}:assumed-role/tap-act/apply"


def test_a_parameter_s_history_tells_who_put_each_version(account: EmulatedAccount) -> None:
    ssm = client(account, "ssm")
    for value in ("go", "stop"):
        ssm.put_parameter(Name="/tap/switch", Type="String", Value=value, Overwrite=True)
    first, second = ssm.get_parameter_history(Name="/tap/switch")["Parameters"]
    assert (first["Value"], second["Value"], second["Version"]) == ("go", "stop", 2)
    assert first["LastModifiedUser"] == second["LastModifiedUser"] == account_user(account)


def account_user(account: EmulatedAccount) -> str:
    return str(client(account, "sts").get_caller_identity()["Arn"])


def test_a_table_has_no_kinesis_destination_unless_one_was_made(account: EmulatedAccount) -> None:
    dynamodb = account.client("dynamodb", account.production, "us-east-1")
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        dynamodb.describe_kinesis_streaming_destination(TableName="absent")
    dynamodb.create_table(
        TableName="plain",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    assert dynamodb.describe_kinesis_streaming_destination(TableName="plain")["KinesisDataStreamDestinations"] == []


def test_higher_throughput_of_parameters_is_off_and_another_setting_is_not_found(account: EmulatedAccount) -> None:
    ssm = account.client("ssm", account.production, "us-east-1")
    setting = ssm.get_service_setting(SettingId="/ssm/parameter-store/high-throughput-enabled")["ServiceSetting"]
    assert (setting["SettingValue"], setting["Status"]) == ("false", "Default")
    with pytest.raises(ClientError, match="ServiceSettingNotFound"):
        ssm.get_service_setting(SettingId="/ssm/another")
