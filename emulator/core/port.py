"""What services may use of the account."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

from domain.clock import Clock

T = TypeVar("T")


class Account(Protocol):
    """What the loader needs of the emulated account: the rehearsal's own hands in it."""

    @property
    def clock(self) -> Clock:
        """The account's time."""

    def client(self, service: str, account: str, region: str) -> Any:
        """A boto3 client that reaches the emulated account."""

    def part(self, kind: type[T]) -> T:
        """The account's one `kind()`."""
