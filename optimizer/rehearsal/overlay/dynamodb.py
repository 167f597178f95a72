"""DynamoDB: transactions at the cost of what they touch. moto copies whole tables for each item."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from moto.dynamodb import models
from moto.dynamodb.comparisons import get_filter_expression

from optimizer.rehearsal.overlay import Answer, emulates

if TYPE_CHECKING:
    from optimizer.rehearsal.account import EmulatedAccount
    from optimizer.rehearsal.calls import Call


@emulates(
    "dynamodb",
    "TransactWriteItems",
    rule="A transaction whose conditions all hold is written at once; one that fails changes nothing",
    source="https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html",
)
def transact_write_items(_account: EmulatedAccount, call: Call) -> Answer | None:
    """moto's backup of the tables is only needed when a condition fails: then moto answers as it stands."""
    backend = models.dynamodb_backends[call.account][call.region]
    if not all(_holds(backend, item) for item in call.parameters["TransactItems"]):
        return None
    with _tables_not_copied():
        return call.forward()


def _holds(backend: Any, item: Mapping[str, Mapping[str, Any]]) -> bool:
    ((kind, operation),) = item.items()
    condition = operation.get("ConditionExpression")
    if condition is None:
        return True
    table = backend.tables.get(operation["TableName"])
    if table is None:
        return False
    names = [table.hash_key_attr, *([table.range_key_attr] if table.range_key_attr else [])]
    holder = operation["Item"] if kind == "Put" else operation["Key"]
    current = backend.get_item(operation["TableName"], {name: holder[name] for name in names})
    parsed = get_filter_expression(
        condition, operation.get("ExpressionAttributeNames"), operation.get("ExpressionAttributeValues")
    )
    return bool(parsed.expr(current))


class _Copying:
    """The copy module as moto sees it, but for tables, which stay themselves."""

    copy = staticmethod(copy.copy)

    @staticmethod
    def deepcopy(value: Any, *rest: Any) -> Any:
        return value if isinstance(value, models.Table) else copy.deepcopy(value, *rest)


@contextmanager
def _tables_not_copied() -> Iterator[None]:
    with patch.object(models, "copy", _Copying):
        yield
