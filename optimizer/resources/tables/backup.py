"""The move that backs a table up, before anything is changed."""

from __future__ import annotations

from typing import Any

from optimizer.action import Move, When
from optimizer.ports.aws import Aws


def back_up(table: str, run: str) -> Move:
    """A backup on demand; it stays until a person deletes it."""
    name = f"tap-{table}-{run}"

    def begin(aws: Aws) -> None:
        """A second call, as when an answer was lost, makes another one of the same name."""
        aws.dynamodb.create_backup(TableName=table, BackupName=name)

    return Move(
        name="back-up",
        when=When.APPLY,
        summary=f"back up {table}",
        is_done=lambda aws: _is_backed_up(aws, table, name),
        do=begin,
        undo=lambda _aws: None,
        is_undone=lambda _aws: True,
    )


def _is_backed_up(aws: Aws, table: str, name: str) -> bool:
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
