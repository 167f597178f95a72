"""DynamoDB tables as they really are, in the shape of their templates, and the pointers that name one."""

from __future__ import annotations

from collections.abc import Mapping

from optimizer.ports.aws import Aws
from optimizer.resources.actual_state import Actual, Comparable, Observed, same


def _table(observed: Observed, name: str) -> Actual | None:
    dynamodb, region = observed.aws.dynamodb, observed.aws.region
    try:
        table = dynamodb.describe_table(TableName=name)["Table"]
    except dynamodb.exceptions.ResourceNotFoundException:
        return None
    backups = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    lifetime = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    tags = dynamodb.list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"]
    recovery = backups.get("PointInTimeRecoveryDescription", {})
    encryption = table.get("SSEDescription", {})
    stream = table.get("StreamSpecification", {})
    indexes = table.get("GlobalSecondaryIndexes", [])
    here = {
        "Region": region,
        "DeletionProtectionEnabled": table.get("DeletionProtectionEnabled", False),
        "TableClass": table.get("TableClassSummary", {}).get("TableClass", "STANDARD"),
        "PointInTimeRecoverySpecification": {
            "PointInTimeRecoveryEnabled": recovery.get("PointInTimeRecoveryStatus") == "ENABLED",
            **same(recovery, "RecoveryPeriodInDays"),
        },
        "SSESpecification": {"KMSMasterKeyId": encryption.get("KMSMasterKeyArn")},
        "GlobalSecondaryIndexes": [{"IndexName": each["IndexName"]} for each in indexes],
        "Tags": tags,
    }
    elsewhere = [{"Region": replica["RegionName"]} for replica in table.get("Replicas", [])]
    return {
        **same(table, "TableName", "AttributeDefinitions", "KeySchema"),
        "BillingMode": table.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED"),
        "GlobalSecondaryIndexes": [same(each, "IndexName", "KeySchema", "Projection") for each in indexes],
        "StreamSpecification": same(stream, "StreamViewType") if stream.get("StreamEnabled") else None,
        "SSESpecification": {
            "SSEEnabled": encryption.get("Status") in ("ENABLED", "ENABLING", "UPDATING"),
            "SSEType": encryption.get("SSEType"),
        },
        "TimeToLiveSpecification": {
            "Enabled": lifetime.get("TimeToLiveStatus") in ("ENABLED", "ENABLING"),
            **same(lifetime, "AttributeName"),
        },
        "Replicas": [here, *(each for each in elsewhere if each["Region"] != region)],
    }


def _table_arn(aws: Aws, name: str) -> str:
    return aws.dynamodb.describe_table(TableName=name)["Table"]["TableArn"]


def _stream_arn(aws: Aws, name: str) -> str:
    return aws.dynamodb.describe_table(TableName=name)["Table"]["LatestStreamArn"]


def _pointer(observed: Observed, name: str) -> Actual | None:
    """A parameter that the application follows; the optimizer turns those of tables that it merged."""
    ssm = observed.aws.ssm
    try:
        return same(ssm.get_parameter(Name=name)["Parameter"], "Name", "Type", "Value")
    except ssm.exceptions.ParameterNotFound:
        return None


COMPARED: Mapping[str, Comparable] = {
    "AWS::DynamoDB::GlobalTable": Comparable(
        "TableName",
        _table,
        unless_declared={"StreamSpecification": None, "GlobalSecondaryIndexes": []},
        attributes={"Arn": _table_arn, "StreamArn": _stream_arn},
    ),
    "AWS::SSM::Parameter": Comparable("Name", _pointer),
}
