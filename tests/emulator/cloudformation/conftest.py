"""An emulated account to deploy small hand-made stacks into."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from cloudformation.assembly import Stack
from emulator.account import EmulatedAccount

PRODUCTION = "222222222222"


class Emulated:
    """The account, and a short way to write stacks for it."""

    def __init__(self, account: EmulatedAccount) -> None:
        self.account = account

    def stack(self, resources: dict[str, Any], *, name: str, region: str = "us-east-1", **template: Any) -> Stack:
        tags = {"tap:governed": "true"}
        return Stack(name, PRODUCTION, region, "Production", {"Resources": resources, **template}, tags)

    def client(self, service: str, region: str = "us-east-1") -> Any:
        return self.account.client(service, PRODUCTION, region)


@pytest.fixture(scope="module")
def emulated() -> Iterator[Emulated]:
    start = datetime(2027, 1, 1, tzinfo=UTC)
    with EmulatedAccount(start=start, tooling="111111111111", production=PRODUCTION) as account:
        yield Emulated(account)
