"""A served account, used from another process: its clock, its credentials, its job environment."""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from random import Random
from typing import Any
from unittest.mock import patch

import typer

from domain.errors import UsageError
from emulator.core.botocore_waits import simulated_waits
from emulator.core.credentials import AccessKey, botocore_session
from optimizer.ports.sessions import World

LOOPBACK = "127.0.0.1"
PATIENCE = 300  # real seconds; two simulated days run all of their events


class HttpClock:
    """The served account's clock."""

    def __init__(self, port: int) -> None:
        self._port = port

    def now(self) -> datetime:
        return datetime.fromisoformat(ask(self._port, "GET", "/rehearsal/clock")["now"])

    def sleep(self, seconds: float) -> None:
        ask(self._port, "POST", "/rehearsal/clock", {"sleep": seconds})


def ask(port: int, method: str, path: str, body: object = None) -> Any:
    """One answer of the served account's own addresses. Raises UsageError if nothing listens on the port."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=PATIENCE)
    try:
        connection.request(method, path, json.dumps(body) if body is not None else None)
        answer = connection.getresponse()
        text = answer.read().decode()
    except (OSError, http.client.HTTPException) as error:
        raise UsageError(
            f"No account is served on port {port} ({error}). "
            f"Start one: python -m optimizer rehearse serve --port {port}."
        ) from error
    finally:
        connection.close()
    if answer.status != http.HTTPStatus.OK:
        raise UsageError(f"Port {port} serves no emulated account: {method} {path} gave {answer.status}.")
    return json.loads(text)


def advance(port: int, hours: float) -> int:
    """Let simulated hours pass, and print the account's new time."""
    clock = HttpClock(port)
    clock.sleep(hours * 3600)
    typer.echo(f"The account on port {port} is at {clock.now():%a %d %b %Y %H:%M} UTC.")
    return 0


@contextmanager
def remote_world(port: int, verb: str) -> Iterator[World]:
    """The world of the job that runs `verb`, from the served account. Inside, botocore waits on its clock."""
    environment = ask(port, "GET", f"/rehearsal/environment?verb={verb}")
    key = AccessKey(environment["key"]["id"], environment["key"]["secret"], environment["account"])
    environ, clock = environment["environ"], HttpClock(port)
    endpoint = {"AWS_ENDPOINT_URL": f"http://{LOOPBACK}:{port}"}  # botocore reads it only from the environment
    jitter = Random(0).random  # noqa: S311 -- repeatable on purpose
    with patch.dict(os.environ, endpoint), simulated_waits(clock, jitter):
        yield World(
            clock=clock,
            environ=environ,
            open_session=lambda: botocore_session(key, environ["AWS_REGION"], endpoint=True),
        )


def execute(port: int, argv: Sequence[str]) -> int:
    """Run one verb of the optimizer against the served account; returns its exit code."""
    from optimizer.cli.verbs import main  # the command line mounts this package's commands

    argv = argv[1:] if argv[:1] == ["--"] else argv  # the separator before the verb
    if not argv:
        raise UsageError("rehearse exec: name the verb after --, as in `rehearse exec 5000 -- status`.")
    with remote_world(port, argv[0]) as world:
        typer.echo(f"against the account on port {port}, at {world.clock.now():%a %d %b %Y %H:%M} UTC", err=True)
        return main(list(argv), world=world)
