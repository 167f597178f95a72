"""The plan's lock: a lease with an owner, an end, and a fencing number that only ever rises.

Every journal write carries the number and is refused when somebody else has raised it since: an
owner that slept through its lease's end is stopped at its next write, before its next call to AWS.
Each write also renews the lease. (Pattern: "Building distributed locks with the DynamoDB Lock
Client", AWS Database Blog, plus fencing tokens.)
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from types import TracebackType
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from domain.errors import LeaseLost
from optimizer.ports.aws import Aws, failed_conditions

if TYPE_CHECKING:
    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

LEASE_KEY = {"pk": {"S": "lease"}, "sk": {"S": "lease"}}
DURATION = timedelta(minutes=5)
PATIENCE = timedelta(minutes=11)  # two whole leases: one to end, one for a neighbour who was quicker


class Purpose(Enum):
    """Why the lease is held. A rollback may take it from any other purpose, never from a rollback."""

    ANALYZE = "analyze"
    APPROVE = "approve"
    APPLY = "apply"
    WATCH = "watch"
    ACCEPT = "accept"
    RECONCILE = "reconcile"
    FREEZE = "freeze"
    MEASURE = "measure"
    ROLLBACK = "rollback"


@dataclass(frozen=True)
class LeaseHolder:
    """The last holder of the lease, its purpose, and its end (UTC). `ends` is None when it was given back."""

    owner: str
    purpose: str
    ends: datetime | None

    @property
    def renewed(self) -> datetime | None:
        """When the holder last showed that it lives."""
        return self.ends - DURATION if self.ends else None


def read_holder(aws: Aws, table: str) -> LeaseHolder | None:
    """The holder of the lease, also of one that has run out; None when it was never taken."""
    item = _current(aws, table)
    if not item:
        return None
    ends = float(item["expires"]["N"])
    until = datetime.fromtimestamp(ends, UTC) if ends else None
    return LeaseHolder(item["owner"]["S"].rsplit(" ", 1)[0], item["purpose"]["S"], until)


@dataclass
class Lease:
    """The right to write. Made by `Held`; `write` is the only way to change the journal."""

    aws: Aws
    table: str
    owner: str
    fence: int
    renewed: float
    wrote: Callable[[], None] = lambda: None

    def write(self, *items: TransactWriteItemTypeDef) -> None:
        """Write all items or none, if the lease is still ours; renews it.

        Raises LeaseLost when it is not, and lets a failed condition of an item through as botocore's
        TransactionCanceledException.
        """
        if items:
            self.wrote()
        now = self.aws.clock.now().timestamp()
        renewal: TransactWriteItemTypeDef = {
            "Update": {
                "TableName": self.table,
                "Key": LEASE_KEY,
                "UpdateExpression": "SET expires = :expires",
                "ConditionExpression": "fence = :fence",
                "ExpressionAttributeValues": {
                    ":expires": {"N": str(now + DURATION.total_seconds())},
                    ":fence": {"N": str(self.fence)},
                },
            }
        }
        try:
            self.aws.dynamodb.transact_write_items(TransactItems=[renewal, *items])
        except ClientError as error:
            if failed_conditions(error)[:1] == ["ConditionalCheckFailed"]:
                raise LeaseLost(
                    f"The plan's lock was taken over while {self.owner} held it: this run stops before its next change."
                ) from error
            raise
        self.renewed = now

    def keep(self) -> None:
        """Renew while waiting; raises LeaseLost. Cheap: writes only when a third of the lease has gone."""
        if self.aws.clock.now().timestamp() - self.renewed > DURATION.total_seconds() / 3:
            self.write()

    def hold(self) -> None:
        """Be sure that it is still ours, right before a call to AWS that must be nobody else's; raises LeaseLost."""
        self.write()

    def release(self) -> None:
        """Give the lease back at once. One that was taken over already is simply left."""
        try:
            self.aws.dynamodb.update_item(
                TableName=self.table,
                Key=LEASE_KEY,
                UpdateExpression="SET expires = :zero",
                ConditionExpression="fence = :fence",
                ExpressionAttributeValues={":zero": {"N": "0"}, ":fence": {"N": str(self.fence)}},
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise


class Held:
    """Hold the lease in a `with` block, waiting for it if need be.

    Raises LeaseLost when it does not come free in time. It is given back on success and on errors
    alike; only a crash leaves it to run out by itself.
    """

    def __init__(
        self,
        aws: Aws,
        table: str,
        purpose: Purpose,
        who: str,
        patience: timedelta = PATIENCE,
        *,
        wrote: Callable[[], None] = lambda: None,
    ) -> None:
        self._aws, self._table, self._purpose, self._patience, self._wrote = aws, table, purpose, patience, wrote
        self._owner = f"{purpose.value} {who} {secrets.token_hex(4)}"

    def __enter__(self) -> Lease:
        clock = self._aws.clock
        deadline = clock.now() + self._patience
        while not isinstance(lease := _acquire(self._aws, self._table, self._purpose, self._owner), Lease):
            if clock.now() >= deadline:
                holder = lease.get("owner", {}).get("S", "somebody")
                raise LeaseLost(f"The plan's lock is held by {holder}. Wait for it to finish, then run this again.")
            clock.sleep(15)
        lease.wrote = self._wrote
        self._lease = lease
        return lease

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None or issubclass(kind, Exception):
            self._lease.release()


def _acquire(aws: Aws, table: str, purpose: Purpose, owner: str) -> Lease | Mapping[str, Any]:
    """The lease; else the item of whoever holds it, which comes with DynamoDB's refusal."""
    now = aws.clock.now().timestamp()
    free = "attribute_not_exists(pk) OR expires < :now"
    if purpose is Purpose.ROLLBACK:
        free += " OR purpose <> :purpose"
    try:
        answer = aws.dynamodb.update_item(
            TableName=table,
            Key=LEASE_KEY,
            UpdateExpression="SET #owner = :owner, purpose = :purpose, expires = :expires ADD fence :one",
            ConditionExpression=free,
            ExpressionAttributeNames={"#owner": "owner"},
            ExpressionAttributeValues={
                ":owner": {"S": owner},
                ":purpose": {"S": purpose.value},
                ":now": {"N": str(now)},
                ":expires": {"N": str(now + DURATION.total_seconds())},
                ":one": {"N": "1"},
            },
            ReturnValues="ALL_NEW",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
        item: Mapping[str, Any] = answer["Attributes"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        refusal: Mapping[str, Any] = error.response  # with the item, which botocore's types do not know
        item = refusal.get("Item") or _current(aws, table)
        # botocore repeats a call whose answer was lost: then the lease is ours already.
        if item.get("owner", {}).get("S") != owner:
            return item
    return Lease(aws, table, owner, int(item["fence"]["N"]), now)


def _current(aws: Aws, table: str) -> Mapping[str, Any]:
    return aws.dynamodb.get_item(TableName=table, Key=LEASE_KEY, ConsistentRead=True).get("Item", {})
