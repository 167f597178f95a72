"""Amazon DynamoDB: creation and deletion of tables, which take time, and backups, which are enabled later.

Tables that the rehearsal itself makes, such as the foundation's, exist at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from moto.dynamodb.models import dynamodb_backends

from emulator.core.call_record import REHEARSAL
from emulator.core.errors import AwsError
from emulator.core.registry import Answer, emulates
from emulator.services.dynamodb.tables_api import API, TableChanges, find_table, table_description

if TYPE_CHECKING:
    from emulator.core.call_record import Call
    from emulator.core.port import Account
    from emulator.services.dynamodb.tables_api import Key

CREATES = timedelta(seconds=20)
DELETES = timedelta(seconds=30)
ENABLES_BACKUPS = timedelta(seconds=45)  # after the call that created the table


@dataclass
class Backups:
    """The tables whose backups are being enabled."""

    unavailable: set[Key] = field(default_factory=set)


@emulates(
    "dynamodb",
    "CreateTable",
    rule="The table is CREATING for a while, and its backups are enabled some time after it became ACTIVE.",
    source=f"{API}/API_CreateTable.html",
)
def create_table(account: Account, call: Call) -> Answer | None:
    if call.actor == REHEARSAL:
        return None
    call.forward()
    key, table = find_table(call, call.parameters["TableName"])
    states, unavailable = account.part(TableChanges).states, account.part(Backups).unavailable
    states[key] = "CREATING"
    unavailable.add(key)
    now = account.clock.now()
    account.schedule(now + CREATES, lambda: states.pop(key, None))
    account.schedule(now + ENABLES_BACKUPS, lambda: unavailable.discard(key))
    return {"TableDescription": table_description(account, key, table)}


@emulates(
    "dynamodb",
    "DeleteTable",
    rule="A table that is CREATING or UPDATING is in use; a deleted table is DELETING for a while, without an error. "
    "Its resource policy goes with it.",
    source=f"{API}/API_DeleteTable.html",
)
def delete_table(account: Account, call: Call) -> Answer | None:
    key, table = find_table(call, call.parameters["TableName"])
    changes = account.part(TableChanges)
    state = changes.state_of(key)
    if state in ("CREATING", "UPDATING"):
        raise AwsError(
            "ResourceInUseException", f"Attempt to change a resource which is still in use: Table is {state}: {key[2]}"
        )
    if call.actor == REHEARSAL or table.deletion_protection_enabled:
        return None
    if state != "DELETING":
        backend = dynamodb_backends[call.account][call.region]

        def end() -> None:
            changes.states.pop(key, None)
            backend.delete_table(key[2])
            backend.resource_policies.pop(table.table_arn, None)

        changes.states[key] = "DELETING"
        account.schedule(account.clock.now() + DELETES, end)
    return {"TableDescription": table_description(account, key, table)}


@emulates(
    "dynamodb",
    "UpdateContinuousBackups",
    rule="Refused while the backups of a new table are still being enabled.",
    source=f"{API}/API_UpdateContinuousBackups.html",
)
def update_continuous_backups(account: Account, call: Call) -> None:
    key, _ = find_table(call, call.parameters["TableName"])
    _refuse_unavailable(account, key)


@emulates(
    "dynamodb",
    "CreateBackup",
    rule="A table that is CREATING or DELETING is in use; refused while the backups of a new table are being enabled.",
    source=f"{API}/API_CreateBackup.html",
)
def create_backup(account: Account, call: Call) -> None:
    key, _ = find_table(call, call.parameters["TableName"])
    if (state := account.part(TableChanges).state_of(key)) in ("CREATING", "DELETING"):
        raise AwsError("TableInUseException", f"Table is being {'created' if state == 'CREATING' else 'deleted'}")
    _refuse_unavailable(account, key)


def _refuse_unavailable(account: Account, key: Key) -> None:
    if key in account.part(Backups).unavailable:
        raise AwsError(
            "ContinuousBackupsUnavailableException",
            f"Backups are being enabled for the table: {key[2]}. Please retry later",
        )
