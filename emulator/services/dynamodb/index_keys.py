"""Key values of a secondary index: of the defined type, not empty and not too long, or absent.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.OnlineOps.ViolationDetection.html: once an index
exists, a write that violates its keys is refused as a whole. The words are AWS's own, as tests against the service have
recorded them: mhart/dynalite on GitHub, test/batchWriteItem.js and test/updateItem.js.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from moto.dynamodb.models import dynamodb_backends

from emulator.core.call_record import Call
from emulator.core.errors import AwsError

LONGEST = {"HASH": 2048, "RANGE": 1024}  # bytes (Developer Guide, "Quotas in Amazon DynamoDB")
ASSIGNED = re.compile(r"(#?[\w.]+)\s*=\s*(:\w+)")


def refuse_index_keys(call: Call) -> None:
    """Raises AwsError if an item that the call puts, or a value that it sets, is no valid key of an index."""
    for name, item in _written(call.parameters):
        table = dynamodb_backends[call.account][call.region].tables.get(name.rsplit("/", 1)[-1])
        if table is None:
            continue  # moto refuses it
        types = {each["AttributeName"]: each["AttributeType"] for each in table.attr}
        for index in table.global_indexes:
            for key in index.schema:
                if (value := item.get(key["AttributeName"])) is not None:
                    _check(index.name, key, types[key["AttributeName"]], value)


def _check(index: str, key: Mapping[str, str], expected: str, value: Mapping[str, Any]) -> None:
    ((kind, held),) = value.items()
    name = key["AttributeName"]
    if kind != expected:
        raise AwsError(
            "ValidationException",
            f"One or more parameter values were invalid: Type mismatch for Index Key {name} Expected: {expected} "
            f"Actual: {kind} IndexName: {index}",
        )
    size = len(held.encode()) if isinstance(held, str) else len(held)
    if not size:
        raise AwsError(
            "ValidationException",
            "One or more parameter values are not valid. A value specified for a secondary index key is not supported. "
            f"The AttributeValue for a key attribute cannot contain an empty string value. IndexName: {index}, "
            f"IndexKey: {name}",
        )
    if kind != "N" and size > (longest := LONGEST[key["KeyType"]]):
        raise AwsError(
            "ValidationException",
            f"One or more parameter values were invalid: Size of {name} has exceeded the maximum size limit of "
            f"{longest} bytes",
        )


def _written(asked: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Items that a call puts, and attributes that its update expressions set, by table."""
    if "RequestItems" in asked:
        for name, requests in asked["RequestItems"].items():
            yield from ((name, each["PutRequest"]["Item"]) for each in requests if "PutRequest" in each)
    for write in asked.get("TransactItems", ({"": asked},)):
        ((_, operation),) = write.items()
        if "Item" in operation:
            yield operation["TableName"], operation["Item"]
        elif "UpdateExpression" in operation:
            yield operation["TableName"], _set(operation)


def _set(operation: Mapping[str, Any]) -> dict[str, Any]:
    names, values = operation.get("ExpressionAttributeNames", {}), operation.get("ExpressionAttributeValues", {})
    assigned = ASSIGNED.findall(operation["UpdateExpression"])
    return {names.get(name, name): values[value] for name, value in assigned if value in values}
