"""Crashes and faults at any call, which a job must survive."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from random import Random
from typing import TYPE_CHECKING

from botocore.exceptions import ConnectionClosedError

if TYPE_CHECKING:
    from emulator.core.call_record import Call
    from emulator.core.port import Account
    from emulator.core.registry import Answer


class Crash(BaseException):
    """The job's process died. A BaseException, so that no code of the job catches it and continues."""


class Fault(Enum):
    """One call's failure: refused before it landed, or landed with its answer lost."""

    THROTTLED = "throttled"
    UNAVAILABLE = "unavailable before the call landed"
    RESET_BEFORE = "connection reset before the call landed"
    LOST_ANSWER = "server error after the call landed"
    RESET_AFTER = "connection reset after the call landed"

    @property
    def landed(self) -> bool:
        return self in (Fault.LOST_ANSWER, Fault.RESET_AFTER)


class Faults:
    """The faults of each call. The same seed gives the same faults at the same calls.

    `crash_at` is the number of the call at which the process dies, once: an odd call has landed
    and its answer is lost, an even one never landed. `rate` is the share of the other calls that fail.
    """

    def __init__(self, crash_at: int | None, rate: float, seed: int) -> None:
        if not 0.0 <= rate < 1.0:
            raise ValueError(f"a fault rate of {rate} is not a share from 0 up to, not including, 1")
        self._crash_at = crash_at
        self._rate = rate
        self._random = Random(seed)  # noqa: S311 -- repeatable on purpose
        self.injected: list[tuple[int, Fault]] = []

    def around(self, number: int, land: Callable[[], object]) -> Fault | None:
        """Land the call numbered `number` unless it fails before; returns the fault to answer with, if any.

        Raises Crash at the chosen call, ConnectionClosedError for a reset.
        """
        if number == self._crash_at:
            self._crash_at = None
            if number % 2:
                land()
            raise Crash(f"the job died at call {number}, {'after' if number % 2 else 'before'} it landed")
        fault = self._draw(number)
        if fault is None or fault.landed:
            land()
        if fault in (Fault.RESET_BEFORE, Fault.RESET_AFTER):
            raise ConnectionClosedError(endpoint_url="the emulated account")
        return fault

    def instead(self, _account: Account, _call: Call) -> Answer | None:
        """An answer that AWS may give in place of the usual one, as a part of a batch; None for the usual answer."""
        return None

    def _draw(self, number: int) -> Fault | None:
        if not self._rate or self._random.random() >= self._rate:
            return None
        fault = self._random.choice(list(Fault))
        self.injected.append((number, fault))
        return fault


THROTTLING = ("ThrottlingException", "Rate exceeded", 400)
UNAVAILABLE = ("ServiceUnavailable", "Service is unavailable. Please try again shortly.", 503)
INTERNAL = ("InternalFailure", "The request processing has failed because of an unknown error.", 500)

ANSWERS = {Fault.THROTTLED: THROTTLING, Fault.UNAVAILABLE: UNAVAILABLE, Fault.LOST_ANSWER: INTERNAL}
