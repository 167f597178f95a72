"""The emulated account of a test that needs no other one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from emulator.account import EmulatedAccount

START = datetime(2027, 3, 1, 8, tzinfo=UTC)


@pytest.fixture
def account() -> Iterator[EmulatedAccount]:
    with EmulatedAccount(start=START, tooling="111111111111", production="222222222222") as made:
        yield made
