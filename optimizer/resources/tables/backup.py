"""A backup on demand of a table, by its name."""

from __future__ import annotations

from typing import Any

from optimizer.ports.aws import Aws


def back_up(aws: Aws, table: str, name: str) -> None:
    """Begin the backup; a second call, as when an answer was lost, makes another one of the same name."""
    aws.dynamodb.create_backup(TableName=table, BackupName=name)


def is_backed_up(aws: Aws, table: str, name: str) -> bool:
    """Whether a backup of that name is there to be restored."""
    request: dict[str, Any] = {"TableName": table, "BackupType": "USER"}
    while True:
        page = aws.dynamodb.list_backups(**request)
        for each in page.get("BackupSummaries", []):
            if each["BackupName"] == name and each["BackupStatus"] == "AVAILABLE":
                return True
        if "LastEvaluatedBackupArn" not in page:
            return False
        request["ExclusiveStartBackupArn"] = page["LastEvaluatedBackupArn"]
