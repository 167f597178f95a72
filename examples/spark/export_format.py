"""An exported item, one line of JSON, and the same item in wire form.

DynamoDB exports and imports lines of `{"Item": {...}}`, with binaries in base64 where the wire form holds bytes.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Collection
from typing import Any

from domain.item_size import Item, Value
from optimizer.consolidate.mapping import Entity, merged


def read_line(line: str) -> Item:
    """The item of one line."""
    item = json.loads(line)["Item"]
    return {name: _with_binaries(b64decode, value) for name, value in item.items()}


def write_line(item: Item) -> str:
    """One line, without its end."""
    plain = {name: _with_binaries(lambda held: b64encode(held).decode(), value) for name, value in item.items()}
    return json.dumps({"Item": plain}, ensure_ascii=False, separators=(",", ":"))


def merged_line(entity: Entity, kept: Collection[str], line: str) -> str:
    """The line of an export of `entity` as the merged table imports it. Raises ItemRefused."""
    return write_line(merged(entity, read_line(line), kept))


def _with_binaries(change: Callable[[Any], Any], value: Value) -> Value:
    ((kind, held),) = value.items()
    match kind:
        case "B":
            return {kind: change(held)}
        case "BS":
            return {kind: [change(each) for each in held]}
        case "L":
            return {kind: [_with_binaries(change, each) for each in held]}
        case "M":
            return {kind: {name: _with_binaries(change, each) for name, each in held.items()}}
    return value
