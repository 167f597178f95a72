"""The part of the account that its services may use."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from emulator.core.clock import SimulatedClock

if TYPE_CHECKING:
    import boto3

    from emulator.core.call_record import Call, CallRecord
    from emulator.core.credentials import Credentials

T = TypeVar("T")


class Account(Protocol):
    """The emulated accounts, as a service sees them. `emulator.account.EmulatedAccount` is the one implementation."""

    tooling: str
    production: str
    clock: SimulatedClock
    calls: CallRecord
    credentials: Credentials

    def client(self, service: str, account: str, region: str) -> Any:
        """A boto3 client that reaches the emulated account; made once and reused."""

    def session(self, account: str, region: str) -> boto3.Session:
        """A session of the account's own user."""

    def part(self, kind: type[T]) -> T:
        """The account's one `kind()`, in which a service stores its state."""

    def schedule(self, at: datetime, what: Callable[[], object]) -> None:
        """Run `what` at that time. `what` returns False when it had nothing to change."""

    def on_change(self, callback: Callable[[datetime], None]) -> None:
        """Call `callback(now)` after each change of the configuration."""

    def identifier(self) -> str:
        """A UUID; the same seed gives the same ones."""

    def caller_arn(self, call: Call) -> str:
        """ARN of the caller that signed the call: a user, or a session of a role."""
