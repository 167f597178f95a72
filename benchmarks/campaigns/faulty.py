"""Accounts in trouble: how calls of jobs fail, do a part, show the past, or meet a service that is down."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from botocore.exceptions import ClientError

from emulator.account import EmulatedAccount
from emulator.core import registry as overlay
from emulator.core.call_record import Call
from emulator.core.errors import AwsError
from emulator.core.faults import Fault, Faults
from emulator.core.port import Account
from emulator.core.registry import Answer

JOBS = ("apply", "accept", "reconcile", "rollback")
DOWN = ("dynamodb", "sts", "ssm", "autoscaling")  # what the small world's verbs ask
OUTAGE = timedelta(hours=3)
# DescribeTable and its like are eventually consistent (API Reference, "DescribeTable"); no bound is stated.
LAGS = timedelta(seconds=5)
EVENTUAL = ("DescribeTable", "DescribeContinuousBackups", "ListTagsOfResource", "GetParameter")


class Failing(Faults):
    """Calls of jobs fail at a rate, in one of some ways."""

    def __init__(self, account: EmulatedAccount, rate: float, kinds: tuple[Fault | str, ...], seed: int) -> None:
        super().__init__(None, 0.0, 0)
        self._account, self._share, self._kinds, self._chance = account, rate, kinds, Random(seed)

    def around(self, number: int, land: Callable[[], object]) -> Fault | None:
        call = self._account.calls[number - 1]
        if call.actor not in JOBS or self._chance.random() >= self._share:
            land()
            return None
        kind = self._chance.choice(self._kinds)
        if isinstance(kind, str):
            call.error = kind
            raise ClientError({"Error": {"Code": kind, "Message": "made up by the campaign"}}, call.operation)
        if kind.landed:
            land()
        return {Fault.RESET_BEFORE: Fault.UNAVAILABLE, Fault.RESET_AFTER: Fault.LOST_ANSWER}.get(kind, kind)


class Down(Faults):
    """One service is down for three hours."""

    def __init__(self, account: EmulatedAccount, service: str) -> None:
        super().__init__(None, 0.0, 0)
        self._account, self._service = account, service
        began: datetime = account.part(_Outage).began or account.clock.now()
        account.part(_Outage).began = began
        self._until = began + OUTAGE

    def around(self, number: int, land: Callable[[], object]) -> Fault | None:
        call = self._account.calls[number - 1]
        if call.service == self._service and self._account.clock.now() < self._until:
            return Fault.UNAVAILABLE
        land()
        return None


@dataclass
class _Outage:
    """The begin of the account's one outage, which outlives the faults of one verb."""

    began: datetime | None = None


class Partial(Faults):
    """A batch does its first half, a page ends after one item, a transaction meets another one."""

    def __init__(self, rate: float, seed: int) -> None:
        super().__init__(None, 0.0, 0)
        self._share, self._chance = rate, Random(seed)

    def instead(self, _account: Account, call: Call) -> Answer | None:
        if call.actor not in JOBS or self._chance.random() >= self._share:
            return None
        asked = call.parameters
        if call.operation in ("BatchWriteItem", "BatchGetItem"):
            return _half(call, asked["RequestItems"])
        if call.operation in ("Query", "Scan"):
            return call.forward({**asked, "Limit": 1})
        if call.operation == "TransactWriteItems":
            reasons = ", ".join(["TransactionConflict"] + ["None"] * (len(asked["TransactItems"]) - 1))
            raise AwsError(
                "TransactionCanceledException",
                f"Transaction cancelled, please refer cancellation reasons for specific reasons [{reasons}]",
            )
        return None


def _half(call: Call, items: Mapping[str, Any]) -> Answer:
    reads = call.operation == "BatchGetItem"
    first, rest = {}, {}
    for table, held in items.items():
        all_of_it = held["Keys"] if reads else held
        half = (len(all_of_it) + 1) // 2
        first[table] = {**held, "Keys": all_of_it[:half]} if reads else all_of_it[:half]
        if all_of_it[half:]:
            rest[table] = {**held, "Keys": all_of_it[half:]} if reads else all_of_it[half:]
    answer = call.forward({**call.parameters, "RequestItems": first})
    return {**answer, "UnprocessedKeys" if reads else "UnprocessedItems": rest}


@dataclass
class _Shown:
    """Earlier answers of eventually consistent reads, each with its time."""

    answers: dict[str, list[tuple[datetime, Answer]]] = field(default_factory=dict)


class Stale(Faults):
    """Eventually consistent reads return data that is up to five seconds old."""

    def __init__(self, rate: float, seed: int) -> None:
        super().__init__(None, 0.0, 0)
        self._share, self._chance = rate, Random(seed)

    def instead(self, account: Account, call: Call) -> Answer | None:
        reads = call.operation in ("GetItem", "Query", "Scan") and not call.parameters.get("ConsistentRead")
        if call.actor not in JOBS or not (reads or call.operation in EVENTUAL):
            return None
        emulated = overlay.operations().get((call.service, call.operation))
        answer = (emulated.answer(account, call) if emulated else None) or call.forward()
        shown = account.part(_Shown).answers.setdefault(f"{call.account} {call.operation} {call.parameters}", [])
        before = [old for at, old in shown if account.clock.now() - at <= LAGS]
        shown.append((account.clock.now(), answer))
        return self._chance.choice(before) if before and self._chance.random() < self._share else answer
