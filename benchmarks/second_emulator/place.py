"""The second emulator: ministack, which we did not write, in its own process and environment, on loopback.

It pins another botocore than the project does, so it lives in `.second` (made by `make second`, from hashes alone).
"""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3

from benchmarks.parity.asking import Sandbox

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".second" / "bin" / "python"
ACCOUNT, REGION = "222222222222", "us-east-1"
STARTED_WITHIN = 60.0  # seconds


class Pointed(boto3.Session):
    """A session whose clients all call one address. An access key of twelve digits is an account there."""

    def __init__(self, address: str) -> None:
        super().__init__(aws_access_key_id=ACCOUNT, aws_secret_access_key="none", region_name=REGION)
        self._address = address

    def client(self, *names: Any, **options: Any) -> Any:
        return super().client(*names, **{**options, "endpoint_url": self._address})


@dataclass
class Ahead:
    """A clock for waits of hours: it sleeps a moment, and moves ahead by the rest."""

    ahead: timedelta = field(default_factory=timedelta)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def sleep(self, seconds: float) -> None:
        moment = min(seconds, 0.01)
        time.sleep(moment)
        self.ahead += timedelta(seconds=seconds - moment)


@contextmanager
def second_emulator() -> Iterator[Sandbox]:
    """An emulator that just started, empty; it is always stopped. Raises RuntimeError if it does not answer."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environ = {**os.environ, "BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "LOG_LEVEL": "ERROR"}
    with subprocess.Popen([PYTHON, "-m", "ministack"], env=environ, stdout=subprocess.DEVNULL) as process:
        try:
            _until_it_listens(port, process)
            clock = Ahead()
            yield Sandbox(Pointed(f"http://127.0.0.1:{port}"), REGION, "second", clock.sleep, clock.now)
        finally:
            process.terminate()


def _until_it_listens(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + STARTED_WITHIN
    while time.monotonic() < until and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise RuntimeError(f"ministack does not listen after {STARTED_WITHIN:.0f} s (exit {process.poll()})")


def version() -> str:
    """The version of ministack that is installed."""
    told = "import importlib.metadata as m; print(m.version('ministack'))"
    return subprocess.run([PYTHON, "-c", told], check=True, capture_output=True, text=True).stdout.strip()


def installed() -> bool:
    """Whether `make second` made its environment here."""
    return PYTHON.exists()
