"""The emulated account over HTTP, on the loopback interface: AWS for processes that may really be killed.

/                             AWS's own protocols, for AWS_ENDPOINT_URL
GET  /rehearsal/clock         {"now": "2027-03-01T08:00:00+00:00"}
POST /rehearsal/clock         {"sleep": 30}: moves the time and answers the new one; 400 for another body
GET  /rehearsal/environment?verb=apply    the variables and the access key of the job that runs the verb
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from threading import Thread
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from emulator.account import EmulatedAccount
from emulator.services.sts.api import DrivenByHand

LOOPBACK = "127.0.0.1"  # an emulated account checks no signature: nobody else may reach it
ACTOR = "exec"
_LONGEST = 366 * 86_400  # the longest move of time in one request, in seconds

Environments = Callable[[str], Mapping[str, str]]
"""The variables of the job that runs a verb."""


class QuietHandler(MotoRequestHandler):  # type: ignore[misc]  # moto publishes no types
    """A request handler that logs nothing about successful requests."""

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Log nothing: a verb makes hundreds of calls."""


class Served:
    """The WSGI application: one request at a time, each at the account's time."""

    def __init__(self, account: EmulatedAccount, environments: Environments) -> None:
        self._account = account
        account.part(DrivenByHand).on = True
        self._environments = environments
        self._moto = DomainDispatcherApplication(create_backend_app)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        request = Request(environ)
        if request.path.startswith("/rehearsal/"):
            return self._own(request)(environ, start_response)
        if request.content_length:
            # Read before the lock is taken: a client that dies while it sends must not keep the account locked.
            environ["wsgi.input"] = io.BytesIO(request.get_data(cache=False))
        try:
            with self._account.moment(), self._account.acting(ACTOR):
                return list(self._moto(environ, start_response))
        except NotImplementedError as missing:
            return Response(str(missing), status=501)(environ, start_response)

    def _own(self, request: Request) -> Response:
        match request.method, request.path:
            case "GET", "/rehearsal/clock":
                return self._now()
            case "POST", "/rehearsal/clock":
                return self._sleep(request.get_data())
            case "GET", "/rehearsal/environment":
                return self._environment(request.args.get("verb", ""))
        return Response(f"{request.method} {request.path}: not here; see emulator/http_server.py\n", status=404)

    def _sleep(self, body: bytes) -> Response:
        """Move the time forward; 400 for a body without a number of seconds from 0 on."""
        try:
            seconds = json.loads(body)["sleep"]
        except (ValueError, KeyError, TypeError):
            seconds = None
        known = isinstance(seconds, int | float) and not isinstance(seconds, bool) and math.isfinite(seconds)
        if not known or not 0 <= seconds <= _LONGEST:
            text = f'The body must be {{"sleep": SECONDS}}, a number from 0 to {_LONGEST:,} (a year).\n'
            return Response(text, status=400)
        self._account.clock.sleep(float(seconds))
        return self._now()

    def _now(self) -> Response:
        return Response(json.dumps({"now": self._account.clock.now().isoformat()}), content_type="application/json")

    def _environment(self, verb: str) -> Response:
        environ = dict(self._environments(verb))
        key = self._account.key_of(environ)
        told = {"environ": environ, "key": {"id": key.id, "secret": key.secret}}
        return Response(json.dumps({**told, "account": key.account}), content_type="application/json")


@contextmanager
def serving(account: EmulatedAccount, port: int, environments: Environments) -> Iterator[int]:
    """Serve the account inside the block; yields the port, a free one for 0. Raises OSError when the port is taken."""
    server = make_server(LOOPBACK, port, Served(account, environments), threaded=True, request_handler=QuietHandler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
