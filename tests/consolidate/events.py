"""Events of a platform besides deaths: items that a side refuses, late policies and shards, changed clocks."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

from botocore.exceptions import ClientError

from domain.errors import MoveFailed
from optimizer.consolidate.switches import POINTER
from tests.consolidate.platform import MERGE, Platform

LATE_SHARE, LATE_FOR = 0.005, 60.0  # of the requests, and for how many seconds a policy is not in force for them
OFTEN, POISON = 0.004, 0.02  # of each event, between two calls
MOST = 4  # poisoned items of each table, and steps of the clock: a person who mends has to come to an end


class Events:
    """Lets events happen between the calls of the optimizer, and repairs what a person would have to."""

    def __init__(self, platform: Platform, seed: int) -> None:
        self._platform, self._random = platform, Random(1_000 + seed)
        self._model = platform.aws.streams._answers._model
        self._model.late_share, self._model.late_for = LATE_SHARE, LATE_FOR
        self._bad: list[tuple[str, dict[str, Any]]] = []
        self._poisoned_in: Counter[str] = Counter()
        self.poisoned = self.mended = self._steps = 0
        step = platform.between.step

        def stepped() -> None:
            self.happen()
            step()

        platform.between.step = stepped

    def happen(self) -> None:
        """One of them now and then."""
        if not self._platform.application.busy:
            return
        if self._random.random() < POISON:
            self._poison()
        if self._random.random() < OFTEN:
            for table in self._model.tables.values():
                if table.stream:
                    table.stream.hide_children = self._random.randrange(12)
        if self._random.random() < OFTEN and self._steps < MOST:
            self._steps += 1
            self._model.clock.step(self._random.choice((-90, -20, 20, 90)))

    def mend(self, refusal: MoveFailed) -> None:
        """Delete the named items, as a person does who reads the message. There must be no other reason."""
        if "un the same command again" not in str(refusal):
            raise refusal
        for table, key in self._bad:
            if table in self._model.tables:
                self._model.tables[table].write((key["pk"]["S"], key["sk"]["S"]), None)
        self._bad.clear()
        self.mended += 1

    def _poison(self) -> None:
        """The application writes something that the side it is on takes, and the other refuses."""
        dynamodb = self._platform.application.clients.dynamodb
        key = {"pk": {"S": f"TENANT#{self._random.randrange(9)}"}, "sk": {"S": f"users#BAD#{self.poisoned}"}}
        table = self._model.pointers[POINTER + "users"]
        if self._poisoned_in[table] == MOST:
            return
        if table == MERGE.target:
            bad: Any = self._random.choice(({"NULL": True}, {"S": ""}, {"N": "7"}))
            item = {**key, "email": bad}
            if self._random.random() < 0.3:
                item["sk"] = {"S": f"BAD#{self.poisoned}"}
        else:
            item = {**key, "sk": {"S": f"BAD#{self.poisoned}"}, "blob": {"S": "x" * 409_575}}
        try:
            dynamodb.put_item(TableName=table, Item=item)
        except ClientError:
            return  # denied just now, or refused
        self.poisoned += 1
        self._poisoned_in[table] += 1
        self._bad.append((table, item))
