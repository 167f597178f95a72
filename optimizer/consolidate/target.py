"""The merged table: made beside its sources and like them, removed again when the phase is rolled back."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from domain.errors import MoveFailed
from domain.indexes import merged_indexes
from optimizer.consolidate.mapping import table_shape
from optimizer.consolidate.merge import Merge
from optimizer.ports.aws import Aws
from optimizer.resources.tables.table import is_settled, tables_there

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

POLL = 5.0  # seconds
PATIENCE = 1_800.0
BUSY = ("CREATING", "UPDATING")


def create_target(aws: Aws, merge: Merge, like: Mapping[str, Any], tags: Mapping[str, str]) -> None:
    """Make the table without a stream: that begins when the copying has ended. Finds itself done, part by part.

    Raises MoveFailed for a table that is there already, as one that was imported, and cannot be made like its sources.
    """
    if find_target(aws, merge) is None:
        _create(aws, merge, like, tags)
    table = _until(aws, lambda: _settled(aws, merge), f"{merge.target} is not ACTIVE")
    if wrong := _unlike(merge, like, table):
        raise MoveFailed(
            f"{merge.target} is there already, and not as its sources are: {', '.join(wrong)}. "
            "Somebody else made it so: delete it when nobody needs it, or import it anew; then run this again."
        )
    if table.get("DeletionProtectionEnabled", False) is not like["protected"]:
        _protect(aws, merge, on=like["protected"])
    if like["recovery"] == "ENABLED" and not _recoverable(aws, merge):
        recoverable = partial(_make_recoverable, aws, merge, like["recovery_days"])
        _until(aws, recoverable, f"{merge.target} could not be made recoverable")


def is_made(aws: Aws, merge: Merge, like: Mapping[str, Any]) -> bool:
    """Whether it is there, and as its sources are; it does not matter who made it."""
    table = _settled(aws, merge)
    return (
        table is not None
        and not _unlike(merge, like, table)
        and table.get("DeletionProtectionEnabled", False) is like["protected"]
        and _recoverable(aws, merge) is (like["recovery"] == "ENABLED")
    )


def expire(aws: Aws, merge: Merge, attribute: str | None) -> None:
    """Let items expire by this attribute; by none, leave it as it is."""
    if not is_expiring(aws, merge, attribute):
        aws.dynamodb.update_time_to_live(
            TableName=merge.target, TimeToLiveSpecification={"Enabled": True, "AttributeName": str(attribute)}
        )


def is_expiring(aws: Aws, merge: Merge, attribute: str | None) -> bool:
    """Whether items expire by this attribute, as far as any do."""
    if attribute is None:
        return True
    described = aws.dynamodb.describe_time_to_live(TableName=merge.target)["TimeToLiveDescription"]
    return described.get("AttributeName") == attribute


def delete_target(aws: Aws, merge: Merge) -> None:
    """Remove the table. One with point-in-time recovery leaves a backup of its own, kept for 35 days.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/PointInTimeRecovery_Howitworks.html
    A table that is CREATING or UPDATING is not deleted, so that is waited out.
    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DeleteTable.html
    """
    table = find_target(aws, merge)
    if table is None or table["TableStatus"] == "DELETING":
        return
    if _when_not_busy(aws, merge).get("DeletionProtectionEnabled"):
        _protect(aws, merge, on=False)
    with suppress(aws.dynamodb.exceptions.ResourceNotFoundException):  # botocore repeats a call whose answer was lost
        aws.dynamodb.delete_table(TableName=merge.target)


def find_target(aws: Aws, merge: Merge) -> Any:
    """The table as DescribeTable shows it; None when there is none."""
    return tables_there(aws, [merge.target]).get(merge.target)


def _create(aws: Aws, merge: Merge, like: Mapping[str, Any], tags: Mapping[str, str]) -> None:
    encryption = {"SSESpecification": {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": like["encryption"]}}
    with suppress(aws.dynamodb.exceptions.ResourceInUseException):  # botocore repeats a call whose answer was lost
        aws.dynamodb.create_table(
            **table_shape(merge.target, merged_indexes(merge.kept)),
            TableName=merge.target,
            BillingMode="PAY_PER_REQUEST",
            TableClass=like["class"],
            DeletionProtectionEnabled=like["protected"],
            Tags=[{"Key": key, "Value": value} for key, value in sorted(tags.items())],
            **(encryption if like["encryption"] else {}),  # type: ignore[arg-type]  # the SSESpecification above
        )


def _protect(aws: Aws, merge: Merge, *, on: bool) -> None:
    """Change the deletion protection. UpdateTable is asynchronous: the table is UPDATING for a moment."""
    with suppress(aws.dynamodb.exceptions.ResourceInUseException):  # botocore repeats a call whose answer was lost
        aws.dynamodb.update_table(TableName=merge.target, DeletionProtectionEnabled=on)
    _when_not_busy(aws, merge)


def _make_recoverable(aws: Aws, merge: Merge, days: int | None) -> bool | None:
    """Enable point-in-time recovery; None as long as AWS has not enabled backups of a table that is new.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateContinuousBackups.html
    """
    wanted = {"PointInTimeRecoveryEnabled": True, **({"RecoveryPeriodInDays": days} if days else {})}
    with suppress(aws.dynamodb.exceptions.ContinuousBackupsUnavailableException):
        aws.dynamodb.update_continuous_backups(
            TableName=merge.target,
            PointInTimeRecoverySpecification=wanted,  # type: ignore[arg-type]  # as above
        )
        return _recoverable(aws, merge) or None
    return None


def _recoverable(aws: Aws, merge: Merge) -> bool:
    described = aws.dynamodb.describe_continuous_backups(TableName=merge.target)["ContinuousBackupsDescription"]
    return described.get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus") == "ENABLED"


def _unlike(merge: Merge, like: Mapping[str, Any], table: Mapping[str, Any]) -> list[str]:
    """Differences from the wanted table that were decided when the table was made."""
    shape = table_shape(merge.target, merged_indexes(merge.kept))
    wanted = {each["IndexName"] for each in shape["GlobalSecondaryIndexes"]}
    indexes = {each["IndexName"] for each in table.get("GlobalSecondaryIndexes", [])}
    as_wanted = {
        "its key schema": table["KeySchema"] == shape["KeySchema"],
        "its indexes": indexes == wanted,
        "its class": table.get("TableClassSummary", {}).get("TableClass", "STANDARD") == like["class"],
        "its key of encryption": table.get("SSEDescription", {}).get("KMSMasterKeyArn") == like["encryption"],
    }
    return [name for name, right in as_wanted.items() if not right]


def _settled(aws: Aws, merge: Merge) -> Any:
    """The table, when it and its indexes are ACTIVE."""
    table = find_target(aws, merge)
    return table if table is not None and is_settled(table) else None


def _when_not_busy(aws: Aws, merge: Merge) -> Any:
    """The table, as soon as it is neither CREATING nor UPDATING; nothing of it when it is gone."""

    def look() -> Any:
        table = find_target(aws, merge) or {"TableStatus": "gone"}
        return None if table["TableStatus"] in BUSY else table

    return _until(aws, look, f"{merge.target} is still being changed")


def _until(aws: Aws, look: Callable[[], Any], failed: str) -> Any:
    """The first answer of `look` that is not empty; raises MoveFailed when there is none for half an hour."""
    deadline = aws.clock.now().timestamp() + PATIENCE
    while (result := look()) is None:
        if aws.clock.now().timestamp() >= deadline:
            raise MoveFailed(f"{failed} after half an hour. Run the same command again.")
        aws.clock.sleep(POLL)
    return result
