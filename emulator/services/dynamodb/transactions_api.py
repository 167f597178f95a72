"""DynamoDB transactions without moto's copies of whole tables for each item."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from moto.dynamodb import models
from moto.dynamodb.comparisons import get_filter_expression

from emulator.core.errors import AwsError
from emulator.core.registry import Answer, emulates
from emulator.services.dynamodb.index_keys import refuse_index_keys
from emulator.services.dynamodb.policies_api import refuse_denied_by

if TYPE_CHECKING:
    from emulator.core.call_record import Call
    from emulator.core.port import Account

# The permission of each write in a transaction (Developer Guide, "Using IAM with DynamoDB transactions").
ACTIONS = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}


@emulates(
    "dynamodb",
    "TransactWriteItems",
    rule="A transaction whose conditions all hold is written at once; one that fails changes nothing, and names the "
    "failed conditions; each write in it needs its own permission",
    source="https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html",
)
def transact_write_items(account: Account, call: Call) -> Answer | None:
    """Write without moto's backup of the tables: only a failed condition needs it, and conditions are checked first."""
    backend = models.dynamodb_backends[call.account][call.region]
    items = call.parameters["TransactItems"]
    if backend.resource_policies:
        for item in items:
            ((kind, operation),) = item.items()
            refuse_denied_by(account, call, f"dynamodb:{ACTIONS[kind]}", operation["TableName"])
    refuse_index_keys(call)
    held = [_holds(backend, item) for item in items]
    if not all(held):
        raise TransactionCanceled(held)
    with _as_was_seen():
        return call.forward()


class TransactionCanceled(AwsError):
    """The outcome of each item's condition, in the order of the request."""

    def __init__(self, held: Sequence[bool]) -> None:
        codes = ["None" if each else "ConditionalCheckFailed" for each in held]
        super().__init__(
            "TransactionCanceledException",
            f"Transaction cancelled, please refer cancellation reasons for specific reasons [{', '.join(codes)}]",
        )
        told = {"None": {}, "ConditionalCheckFailed": {"Message": "The conditional request failed"}}
        self.CancellationReasons = [{"Code": code, **told[code]} for code in codes]


def _holds(backend: Any, item: Mapping[str, Mapping[str, Any]]) -> bool:
    ((kind, operation),) = item.items()
    condition = operation.get("ConditionExpression")
    if condition is None:
        return True
    table = backend.tables.get(operation["TableName"])
    if table is None:
        return False
    keys = [table.hash_key_attr, *([table.range_key_attr] if table.range_key_attr else [])]
    holder = operation["Item"] if kind == "Put" else operation["Key"]
    current = backend.get_item(operation["TableName"], {name: holder[name] for name in keys})
    names, values = operation.get("ExpressionAttributeNames"), operation.get("ExpressionAttributeValues")
    plain = names is None and values is None
    parsed = _parsed(condition) if plain else get_filter_expression(condition, names, values)
    return bool(parsed.expr(current))


@cache
def _parsed(condition: str) -> Any:
    """A parsed condition without names and values: the same for every item of a copy."""
    return get_filter_expression(condition, None, None)


class _Copying:
    """The copy module as moto sees it, except that tables are not copied."""

    copy = staticmethod(copy.copy)

    @staticmethod
    def deepcopy(value: Any, *rest: Any) -> Any:
        return value if isinstance(value, models.Table) else copy.deepcopy(value, *rest)


class _Held:
    """A condition that is known to hold: moto would parse and check it again."""

    @staticmethod
    def expr(_item: object) -> bool:
        return True


def _held(*_condition: object) -> type[_Held]:
    return _Held


@contextmanager
def _as_was_seen() -> Iterator[None]:
    """Inside, moto copies no tables and evaluates no conditions: all of them are known to hold."""
    with (
        patch.object(models, "copy", _Copying),
        patch.object(models, "get_filter_expression", _held),
        patch.object(models.table, "get_filter_expression", _held),
    ):
        yield
