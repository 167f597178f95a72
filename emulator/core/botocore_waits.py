"""botocore's own waits, in simulated time: retries, waiters, and the expiry of role credentials."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import botocore.credentials
import botocore.endpoint
import botocore.waiter
from botocore.retries.standard import ExponentialBackoff

from domain.clock import Clock


@contextmanager
def simulated_waits(clock: Clock, jitter: Callable[[], float]) -> Iterator[None]:
    """Inside, botocore waits on `clock`; `jitter` gives each retry's share of the longest wait, 0 to 1."""
    simulated = SimpleNamespace(**{**vars(time), "sleep": clock.sleep})
    delay = ExponentialBackoff.delay_amount

    def delay_amount(backoff: ExponentialBackoff, context: Any) -> float:
        vars(backoff)["_random"] = jitter  # the same seed gives the same waits
        return float(delay(backoff, context))

    with ExitStack() as patches:
        for target, name, value in (
            (botocore.endpoint, "time", simulated),
            (botocore.waiter, "time", simulated),
            (botocore.credentials, "_local_now", clock.now),
            (ExponentialBackoff, "delay_amount", delay_amount),
        ):
            patches.enter_context(patch.object(target, name, value))
        yield
