"""The moves that remove indexes: all reads of them are denied first; at acceptance they go, one after the other.

A replica has a policy of its own: the deny is put on each, and lifted from each.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from optimizer.action import Before, Move, When
from optimizer.model.resource import Governed
from optimizer.ports.aws import Aws
from optimizer.resources.tables.resource_policy import holds, names, put_statement, remove_statement
from optimizer.resources.tables.table import in_region, is_settled, read_table

if TYPE_CHECKING:
    from types_boto3_dynamodb.type_defs import TableDescriptionTypeDef

SID = "TapDenyUnusedIndexes"
DENIED = ("dynamodb:PartiQLSelect", "dynamodb:Query", "dynamodb:Scan")


def regions_of(table: Governed, before: Before) -> list[str]:
    return [table.region, *before["replicas"]]


def denial(table: str, indexes: Iterable[str]) -> dict[str, Any]:
    """Nobody reads these indexes: an explicit deny binds every principal, the account's root included."""
    return {
        "Sid": SID,
        "Effect": "Deny",
        "Principal": "*",
        "Action": list(DENIED),
        "Resource": [f"{table}/index/{index}" for index in sorted(indexes)],
    }


def deny_reads(table: Governed, before: Before, remove: Sequence[str]) -> Move:
    arns = {region: in_region(table.arn, region) for region in regions_of(table, before)}

    def deny(aws: Aws) -> None:
        for region, arn in arns.items():
            put_statement(aws.at(region), arn, denial(arn, remove))

    return Move(
        name="deny",
        when=When.APPLY,
        summary=f"deny every read of {', '.join(remove)}",
        is_done=lambda aws: all(holds(aws.at(region), arn, denial(arn, remove)) for region, arn in arns.items()),
        do=deny,
        undo=lambda aws: _lift_all(aws, table, before),
        is_undone=lambda aws: not any(names(aws.at(region), arn, SID) for region, arn in arns.items()),
        deadline=timedelta(minutes=15),
        poll=timedelta(seconds=5),
        settle=timedelta(minutes=15),
    )


def lift_deny(table: Governed, before: Before) -> Move:
    arns = {region: in_region(table.arn, region) for region in regions_of(table, before)}
    return Move(
        name="lift-deny",
        when=When.ACCEPT,
        summary=f"lift the deny on indexes of {table.name} that are gone",
        is_done=lambda aws: not any(names(aws.at(region), arn, SID) for region, arn in arns.items()),
        do=lambda aws: _lift_all(aws, table, before),
        deadline=timedelta(minutes=15),
        poll=timedelta(seconds=5),
    )


def _lift_all(aws: Aws, table: Governed, before: Before) -> None:
    for region in regions_of(table, before):
        remove_statement(aws.at(region), in_region(table.arn, region), SID, before["policies"][region])


def delete_index(table: Governed, before: Before, index: str) -> Move:
    def is_gone(aws: Aws) -> bool:
        replicas = [read_table(aws.at(region), table.name) for region in regions_of(table, before)]
        return all(_status(each, index) is None and is_settled(each) for each in replicas)

    def delete(aws: Aws) -> None:
        if _status(read_table(aws, table.name), index) in (None, "DELETING"):
            return
        try:
            aws.dynamodb.update_table(
                TableName=table.name, GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": index}}]
            )
        except ClientError:
            # botocore repeats a call whose answer was lost: then it is refused because it is under way.
            if _status(read_table(aws, table.name), index) not in (None, "DELETING"):
                raise

    return Move(
        name=f"delete-{index}",
        when=When.ACCEPT,
        summary=f"delete index {index} of {table.name}",
        is_done=is_gone,
        do=delete,
        deadline=timedelta(hours=4),
    )


def _status(table: TableDescriptionTypeDef, index: str) -> str | None:
    indexes = table.get("GlobalSecondaryIndexes", [])
    return next((each["IndexStatus"] for each in indexes if each["IndexName"] == index), None)
