"""Questions that AWS and the emulated account answer alike, in short words."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

TAG = {"Key": "tap:parity", "Value": "delete me"}
ONCE = Config(retries={"total_max_attempts": 1})  # shows AWS's own answers, without botocore's retries
Answers = dict[str, str | int | bool | None]


@dataclass(frozen=True)
class Sandbox:
    """An account under test, and its time."""

    session: boto3.Session
    region: str
    suffix: str
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def client(self, service: str) -> Any:
        return self.session.client(service, region_name=self.region, config=ONCE)  # type: ignore[call-overload]

    def until(self, reached: Callable[[], bool], seconds: int = 1_800) -> int | None:
        """Whole seconds until the condition holds, checked every few seconds; None if it never does."""
        began = self.now()
        while not reached():
            if self.now() - began > timedelta(seconds=seconds):
                return None
            self.sleep(3)
        return round((self.now() - began).total_seconds())


@dataclass(frozen=True)
class Script:
    """`documented`: AWS's documented answers; `operations`: those whose rules rest on them; `cost` of one run.

    One that is `on_request` costs more than cents or minutes, and runs only when it is named.
    """

    title: str
    source: str
    operations: tuple[str, ...]
    cost: str
    documented: Mapping[str, str | int | bool | None]
    ask: Callable[[Sandbox], Answers]
    on_request: bool = False


def refused(call: Callable[[], object]) -> str:
    """AWS's error code; `accepted` if the call succeeded."""
    try:
        call()
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "accepted"
