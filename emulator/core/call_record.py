"""The account's own record of the calls made to it: the source of the rehearsal's figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

REHEARSAL = "rehearsal"  # the actor of every call that the rehearsal itself makes

_READING = (
    "AssumeRole",
    "BatchGet",
    "Check",
    "Decrypt",
    "Describe",
    "Estimate",
    "Filter",
    "Get",
    "Head",
    "List",
    "Lookup",
    "Poll",
    "Query",
    "Scan",
    "Search",
    "Select",
    "Test",
    "TransactGet",
    "Validate",
    "View",
)

# Operations that move data and change no configuration: the inventory need not be read again after them.
_DATA = frozenset(
    {
        ("cloudwatch", "PutMetricData"),
        ("dynamodb", "BatchWriteItem"),
        ("dynamodb", "DeleteItem"),
        ("dynamodb", "PutItem"),
        ("dynamodb", "TransactWriteItems"),
        ("dynamodb", "UpdateItem"),
        ("s3", "DeleteObject"),
        ("s3", "PutObject"),
    }
)


def is_mutating(operation: str) -> bool:
    """Whether an operation changes anything, by its verb; an unknown verb counts as changing."""
    return not operation.startswith(_READING)


@dataclass
class Call:
    """One call of one operation, as the account received it.

    `number` counts the calls of everybody but the rehearsal, from 1; it is 0 for the rehearsal's own.
    `parameters` is the request in botocore's input shape (timestamps aware). `error` is AWS's code.
    `forward` runs moto's own operation, with these or other parameters; only an overlay operation calls it,
    during the call.
    """

    number: int
    at: datetime
    account: str
    region: str
    service: str
    operation: str
    actor: str
    access_key: str
    read_parameters: Callable[[], Mapping[str, Any]] = field(repr=False)
    forward: Callable[..., dict[str, Any]] = field(repr=False)
    error: str | None = None
    _parameters: Mapping[str, Any] | None = field(default=None, repr=False)

    @property
    def parameters(self) -> Mapping[str, Any]:
        if self._parameters is None:
            self._parameters = self.read_parameters()
        return self._parameters

    def close(self) -> None:
        """End the call: keep its parameters, release the connection that it came by."""
        self._parameters = self.parameters
        self.read_parameters = dict
        self.forward = _too_late

    @property
    def mutating(self) -> bool:
        return is_mutating(self.operation)

    @property
    def reconfigures(self) -> bool:
        """Whether it changed the account's configuration, not only its data."""
        return self.mutating and (self.service, self.operation) not in _DATA


def _too_late(*_: object) -> dict[str, Any]:
    raise RuntimeError("the call has ended: only an overlay operation asks for moto's answer, and only while it runs")


class CallRecord:
    """The calls of every actor but the rehearsal, in order; and the number of the rehearsal's calls."""

    def __init__(self) -> None:
        self._calls: list[Call] = []
        self.by_rehearsal = 0

    def next_number(self) -> int:
        return len(self._calls) + 1

    def add(self, call: Call) -> None:
        if call.actor == REHEARSAL:
            self.by_rehearsal += 1
        else:
            self._calls.append(call)

    def __iter__(self) -> Iterator[Call]:
        return iter(self._calls)

    def __len__(self) -> int:
        return len(self._calls)

    def __getitem__(self, index: int) -> Call:
        return self._calls[index]

    def of(self, service: str, operation: str | None = None) -> list[Call]:
        """The calls of one service, or of one of its operations."""
        return [c for c in self._calls if c.service == service and operation in (None, c.operation)]

    def mutating(self) -> list[Call]:
        """The calls that changed something or tried to."""
        return [call for call in self._calls if call.mutating]
