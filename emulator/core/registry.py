"""Operations that moto lacks, as strict as AWS: every module here answers some operations of one service.

An operation is a function under `@emulates`, which names the rule that it follows and the page of the
rule; the rules together are the table in the documentation. An emulated operation takes precedence over
moto's; it can call moto by `call.forward()` and change the answer, or return None to leave the answer to moto.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emulator.core.call_record import Call
    from emulator.core.port import Account

Answer = Mapping[str, Any]
Operation = Callable[["Account", "Call"], Answer | None]  # None: moto answers, from its present state


@dataclass(frozen=True)
class Emulated:
    """One operation of the overlay: its rule, the page that documents it, and the day on which AWS last kept it."""

    service: str
    operation: str
    answer: Operation
    rule: str
    source: str
    seen: date | None = None

    @property
    def known_from(self) -> str:
        """Confidence in the rule: read in AWS's documentation, or also seen in a real account."""
        return "documented only" if self.seen is None else f"seen on AWS, {self.seen}"


_OPERATIONS: dict[tuple[str, str], Emulated] = {}


def emulates(
    service: str, operation: str, *, rule: str, source: str, seen: date | None = None
) -> Callable[[Operation], Operation]:
    """Register the decorated function as the answer of one operation, by boto3's service name.

    `rule` is a sentence about AWS's behavior that moto does not have; `source` is the page that documents it;
    `seen` is the day on which `make parity` last saw a real account behave so.
    Raises TypeError when two functions claim the same operation.
    """

    def register(answer: Operation) -> Operation:
        if (service, operation) in _OPERATIONS:
            raise TypeError(f"{service}:{operation} is emulated twice")
        _OPERATIONS[service, operation] = Emulated(service, operation, answer, rule, source, seen)
        return answer

    return register


@cache
def operations() -> Mapping[tuple[str, str], Emulated]:
    """All operations of all services, by service and operation."""
    import emulator.services

    for module in pkgutil.walk_packages(emulator.services.__path__, "emulator.services."):
        importlib.import_module(module.name)
    return _OPERATIONS


def rule_table() -> str:
    """The rules as a Markdown table, by service and operation."""
    rows = [
        f"| {each.service} | {each.operation} | {each.rule} | {each.source} |"
        for _, each in sorted(operations().items())
    ]
    return "\n".join(["| Service | Operation | As AWS does | Source |", "|---|---|---|---|", *rows]) + "\n"
