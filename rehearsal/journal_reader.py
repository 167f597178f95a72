"""An independent reader of the journal: items of a DynamoDB table, without the optimizer's own reader."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from domain.sizing import SizingRecord


@dataclass(frozen=True)
class JournalReader:
    """Reads the journal through a DynamoDB client of the rehearsal."""

    dynamodb: Any
    table: str

    def head(self) -> Mapping[str, str] | None:
        """The current plan's hash and state; None before the first analysis."""
        item = self._item("plan", "current")
        return None if item is None else {"hash": item["hash"]["S"], "state": item["state"]["S"]}

    def plan(self) -> dict[str, Any] | None:
        """The current plan's document."""
        head = self.head()
        if head is None:
            return None
        item = self._item(f"plan#{head['hash']}", "plan")
        assert item is not None, "the plan's document is written with its head"
        document: dict[str, Any] = json.loads(zlib.decompress(bytes(item["document"]["B"])))["plan"]
        return document

    def phase(self, number: int) -> dict[str, Any]:
        """The record of one phase of the current plan; a waiting phase if there is no record."""
        head = self.head()
        item = self._item(f"plan#{head['hash']}", f"phase#{number}") if head else None
        record: dict[str, Any] = json.loads(item["record"]["S"]) if item else {"state": "waiting"}
        return record

    def window_end(self, stage: str) -> datetime | None:
        """The end of the window of a stage such as `Phase2`; None if it has none."""
        end = self.phase(int(stage.removeprefix("Phase"))).get("window_end")
        return datetime.fromisoformat(end) if end else None

    def is_moving(self) -> bool:
        """Whether a phase is half done: a job is working on it, or died."""
        states = {self.phase(number)["state"] for number in (1, 2, 3)} if self.head() else set()
        return bool(states & {"applying", "accepting", "rolling_back"})

    def is_rolled_back(self, stage: str) -> bool:
        """Whether the phase of a stage such as `Phase2` was rolled back."""
        return stage.startswith("Phase") and self.phase(int(stage.removeprefix("Phase")))["state"] == "rolled_back"

    def first_event(self, words: str) -> datetime | None:
        """Time of the first event of the current plan whose text begins with these words; None if there is none."""
        head = self.head()
        pages = self.dynamodb.get_paginator("query").paginate(
            TableName=self.table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
            ExpressionAttributeValues={":pk": {"S": f"plan#{head['hash'] if head else ''}"}, ":sk": {"S": "event#"}},
        )
        events = (item for page in pages for item in page["Items"])
        return next((datetime.fromisoformat(e["at"]["S"]) for e in events if e["text"]["S"].startswith(words)), None)

    def sizing(self) -> SizingRecord | None:
        """The sizing record; None if nothing was ever accepted."""
        item = self._item("sizing", "current")
        return None if item is None else SizingRecord.model_validate_json(item["record"]["S"])

    def _item(self, pk: str, sk: str) -> Mapping[str, Any] | None:
        answer = self.dynamodb.get_item(
            TableName=self.table, Key={"pk": {"S": pk}, "sk": {"S": sk}}, ConsistentRead=True
        )
        item: Mapping[str, Any] | None = answer.get("Item")
        return item
