"""The merged table: made beside its sources and like them, removed again when the phase is rolled back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from optimizer.aws import Aws
from optimizer.consolidate.layout import table_shape
from optimizer.consolidate.merge import Merge
from optimizer.errors import MoveFailed
from optimizer.observe.tables import is_settled, read_table
from stages.indexes import merged_indexes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

POLL = 5.0  # seconds
PATIENCE = 1_800.0


def create_target(aws: Aws, merge: Merge, like: Mapping[str, Any], tags: Mapping[str, str]) -> None:
    """Make the table without a stream: that begins when the copying has ended. Finds itself done, part by part."""
    if find_target(aws, merge) is None:
        encryption = {"SSESpecification": {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": like["encryption"]}}
        aws.dynamodb.create_table(
            **table_shape(merge.target, merged_indexes(merge.kept)),
            TableName=merge.target,
            BillingMode="PAY_PER_REQUEST",
            TableClass=like["class"],
            DeletionProtectionEnabled=like["protected"],
            Tags=[{"Key": key, "Value": value} for key, value in sorted(tags.items())],
            **(encryption if like["encryption"] else {}),  # type: ignore[arg-type]  # the SSESpecification above
        )
    _until(aws, merge, "become ACTIVE", lambda: (table := find_target(aws, merge)) is not None and is_settled(table))
    if like["recovery"] == "ENABLED" and not _recoverable(aws, merge):
        _make_recoverable(aws, merge, like["recovery_days"])
    if like["expiry"] and _expiry(aws, merge) is None:
        aws.dynamodb.update_time_to_live(
            TableName=merge.target, TimeToLiveSpecification={"Enabled": True, "AttributeName": like["expiry"]}
        )


def is_made(aws: Aws, merge: Merge, like: Mapping[str, Any]) -> bool:
    """Whether it is there, whoever made it, and is as its sources are."""
    table = find_target(aws, merge)
    if table is None or not is_settled(table):
        return False
    found = {
        "keys": [key["AttributeName"] for key in table["KeySchema"]],
        "encryption": table.get("SSEDescription", {}).get("KMSMasterKeyArn"),
        "class": table.get("TableClassSummary", {}).get("TableClass", "STANDARD"),
        "protected": table.get("DeletionProtectionEnabled", False),
        "recovery": "ENABLED" if _recoverable(aws, merge) else "DISABLED",
        "expiry": _expiry(aws, merge),
    }
    wanted = {**like, "keys": [key["AttributeName"] for key in like["keys"]]}
    return all(value == wanted[name] for name, value in found.items())


def delete_target(aws: Aws, merge: Merge) -> None:
    """Remove the table. One with point-in-time recovery leaves a backup of its own, kept for 35 days.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/PointInTimeRecovery_Howitworks.html
    """
    table = find_target(aws, merge)
    if table is None or table["TableStatus"] == "DELETING":
        return
    _until(aws, merge, "take a change", lambda: _is_settled_or_gone(aws, merge))
    if table.get("DeletionProtectionEnabled"):
        aws.dynamodb.update_table(TableName=merge.target, DeletionProtectionEnabled=False)
        _until(aws, merge, "take a change", lambda: _is_settled_or_gone(aws, merge))
    try:
        aws.dynamodb.delete_table(TableName=merge.target)
    except aws.dynamodb.exceptions.ResourceNotFoundException:
        return  # botocore repeats a call whose answer was lost


def find_target(aws: Aws, merge: Merge) -> Any:
    """The table as DescribeTable shows it; None when there is none."""
    try:
        return read_table(aws, merge.target)
    except aws.dynamodb.exceptions.ResourceNotFoundException:
        return None


def _until(aws: Aws, merge: Merge, reached: str, is_reached: Callable[[], bool]) -> None:
    """DynamoDB refuses a change of a table that is being made or changed. Raises MoveFailed after half an hour."""
    deadline = aws.clock.now().timestamp() + PATIENCE
    while not is_reached():
        if aws.clock.now().timestamp() >= deadline:
            raise MoveFailed(f"{merge.target} did not {reached} in half an hour. Run the same command again.")
        aws.clock.sleep(POLL)


def _is_settled_or_gone(aws: Aws, merge: Merge) -> bool:
    table = find_target(aws, merge)
    return table is None or is_settled(table)


def _make_recoverable(aws: Aws, merge: Merge, days: int | None) -> None:
    """For a while after a table was made AWS is still enabling its backups, and refuses.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateContinuousBackups.html
    """

    def asked() -> bool:
        try:
            aws.dynamodb.update_continuous_backups(
                TableName=merge.target,
                PointInTimeRecoverySpecification={
                    "PointInTimeRecoveryEnabled": True,
                    **({"RecoveryPeriodInDays": days} if days else {}),  # type: ignore[typeddict-item]
                },
            )
        except aws.dynamodb.exceptions.ContinuousBackupsUnavailableException:
            return False
        return True

    _until(aws, merge, "let its backups be enabled", asked)


def _recoverable(aws: Aws, merge: Merge) -> bool:
    shown = aws.dynamodb.describe_continuous_backups(TableName=merge.target)["ContinuousBackupsDescription"]
    return shown.get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus") == "ENABLED"


def _expiry(aws: Aws, merge: Merge) -> str | None:
    return aws.dynamodb.describe_time_to_live(TableName=merge.target)["TimeToLiveDescription"].get("AttributeName")
