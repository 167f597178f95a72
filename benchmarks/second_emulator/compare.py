"""The same scripts in the emulated account and in the second emulator."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime

from benchmarks.parity.asking import Answers, Sandbox
from benchmarks.second_emulator.place import ACCOUNT, REGION, second_emulator
from benchmarks.second_emulator.scripts import RUN
from emulator.account import EmulatedAccount

START = datetime(2027, 3, 1, 8, tzinfo=UTC)


@contextmanager
def emulated() -> Iterator[tuple[EmulatedAccount, Sandbox]]:
    """A new emulated account, under the same tests as the second emulator."""
    with EmulatedAccount(start=START, tooling="111111111111", production=ACCOUNT) as account:
        clock = account.clock
        yield account, Sandbox(account.session(ACCOUNT, REGION), REGION, "second", clock.sleep, clock.now)


def ours(names: Iterable[str] = tuple(RUN)) -> dict[str, Answers]:
    """The emulated account's answers, each script in a new one."""
    found = {}
    for name in names:
        with emulated() as (_, sandbox):
            found[name] = RUN[name].ask(sandbox)
    return found


def both() -> dict[str, Mapping[str, Answers]]:
    """Both emulators' answers. Raises RuntimeError if the second one does not start."""
    mine = ours()
    with second_emulator() as sandbox:
        return {name: {"emulated": mine[name], "second": script.ask(sandbox)} for name, script in RUN.items()}
