"""Two AWS accounts, emulated in this process: moto underneath, the overlay on top, one clock, one lock."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime
from random import Random
from threading import RLock
from types import TracebackType
from typing import Any, Self, TypeVar, cast
from uuid import UUID

import boto3
import botocore.session
import time_machine
from botocore import xform_name
from botocore.exceptions import ClientError
from moto.backends import get_backend
from moto.core import DEFAULT_ACCOUNT_ID
from moto.moto_api._internal import mock_random

from emulator.core import registry as overlay
from emulator.core.botocore_waits import simulated_waits
from emulator.core.call_record import REHEARSAL, Call, CallRecord
from emulator.core.clock import SimulatedClock
from emulator.core.credentials import KEY_ID, AccessKey, Credentials, botocore_session
from emulator.core.direct_calls import direct_clients
from emulator.core.errors import AwsError
from emulator.core.faults import ANSWERS, UNAVAILABLE, Crash, Faults
from emulator.core.moto_patches import Wire, WireRequest, attached
from emulator.core.response_shapes import check
from emulator.services.iam.authorization import Authorization
from emulator.workload.workload import Sources

__all__ = ["Crash", "EmulatedAccount"]

T = TypeVar("T")


class EmulatedAccount:
    """The tooling account and the production account. Active inside its `with` block; one at a time.

    `seed` makes moto's identifiers, the faults and botocore's retry waits repeatable. `crash_at` and
    `fault_rate` concern the calls of every actor but the rehearsal (see `acting`). Its sessions' clients
    call it directly, without HTTP, unless `wire` is true or faults are to happen on the connection.
    """

    def __init__(
        self,
        *,
        start: datetime,
        tooling: str,
        production: str,
        seed: int = 0,
        crash_at: int | None = None,
        fault_rate: float = 0.0,
        wire: bool = False,
    ) -> None:
        self.tooling = tooling
        self.production = production
        self.lock = RLock()
        self.clock = SimulatedClock(start, self.lock, self._run_event)
        self.calls = CallRecord()
        self.faults = Faults(crash_at, fault_rate, seed)
        self.credentials = Credentials(tooling, (production,), seed)
        self._random = Random(seed)  # noqa: S311 -- repeatable on purpose
        self._seed = seed
        self._actor = REHEARSAL
        self._depth = 0  # calls under way: the account itself makes those inside a call or an event
        self._bare = 0  # calls that bypass the overlay: an overlay operation calls moto
        self._travelling = 0
        self._callbacks: list[Callable[[datetime], None]] = []
        self._parts: dict[type, Any] = {}
        self._clients: dict[tuple[str, str, str], Any] = {}
        self._shape_clients = None if wire or fault_rate else direct_clients(self)
        self._sessions: dict[tuple[str, str], boto3.Session] = {}
        self._active = ExitStack()

    def __enter__(self) -> Self:
        overlay.operations()
        self._active.enter_context(attached(self))
        # At a life's first EC2 call over HTTP, and at the process's first one without, moto asks a backend of this
        # account for
        # its addresses: creating its default VPC then would take identifiers from the seed.
        get_backend("ec2")[DEFAULT_ACCOUNT_ID]["us-east-1"]
        mock_random.seed(self._seed)
        self._active.enter_context(simulated_waits(self.clock, self._random.random))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._active.close()

    # For the walker, the loader and the workload.

    def schedule(self, at: datetime, what: Callable[[], object]) -> None:
        """Schedule a later change that AWS makes by itself. `what` returns False when it had nothing to change."""
        self.clock.schedule(at, what)

    def on_change(self, callback: Callable[[datetime], None]) -> None:
        """Call `callback(now)` after every call that changed the configuration and every scheduled event.

        Calls that only move data (items, objects, datapoints) do not count. Calls that the callback itself
        makes belong to the rehearsal and trigger no callback.
        """
        self._callbacks.append(callback)

    @contextmanager
    def acting(self, actor: str) -> Iterator[None]:
        """The calls inside are recorded under this actor: the job's name, such as `Phase2.Apply`."""
        before, self._actor = self._actor, actor
        try:
            yield
        finally:
            self._actor = before

    def key_of(self, environ: Mapping[str, str]) -> AccessKey:
        """The access key in a job's variables; without one, that of the tooling account's user."""
        key = self.credentials.find(environ.get(KEY_ID, ""))
        return key or self.credentials.of_user(self.tooling)

    def session(self, account: str, region: str) -> boto3.Session:
        """A session in either account, for the rehearsal itself."""
        return self.session_of(self.credentials.of_user(account), region)

    def session_of(self, key: AccessKey, region: str) -> boto3.Session:
        """The session for an access key; made once and reused."""
        if (key.id, region) not in self._sessions:
            self._sessions[key.id, region] = boto3.Session(botocore_session=self.botocore_session(key, region))
        return self._sessions[key.id, region]

    def botocore_session(self, key: AccessKey, region: str) -> botocore.session.Session:
        """A new botocore session for an access key: each job opens its own."""
        return botocore_session(key, region, shape_clients=self._shape_clients)

    def client(self, service: str, account: str, region: str) -> Any:
        """A client in either account, for the rehearsal itself; made once and reused."""
        key = (service, account, region)
        if key not in self._clients:
            self._clients[key] = self.session(account, region).client(cast("Any", service))
        return self._clients[key]

    def part(self, kind: type[T]) -> T:
        """The account's one `kind()`: an overlay module stores there what moto has no place for."""
        if kind not in self._parts:
            self._parts[kind] = kind()
        return cast("T", self._parts[kind])

    @contextmanager
    def moment(self) -> Iterator[None]:
        """Hold the lock and set the whole process to the account's time, for everything that touches moto."""
        with self.lock:
            if self._travelling:
                yield
                return
            self._travelling += 1
            try:
                with time_machine.travel(self.clock.now(), tick=False):
                    yield
            finally:
                self._travelling -= 1

    # For the overlay and the seam.

    def identifier(self) -> str:
        """A UUID of the form that AWS gives to resources; the same seed gives the same ones."""
        return str(UUID(int=self._random.getrandbits(128), version=4))

    def caller_arn(self, call: Call) -> str:
        """ARN of the caller that signed the call: a user, or a session of a role."""
        return self.credentials.arn_of(call.access_key)

    def entering(self) -> Any:
        return self.moment()

    def account_of(self, access_key: str) -> str:
        return self.credentials.account_of(access_key)

    def handle(self, request: WireRequest) -> Wire:
        """Answer one call: from the overlay if it has the operation, else from moto."""
        with self.moment():
            if self._bare:
                return request.original()
            inner = self._depth > 0
            actor = REHEARSAL if inner else self._actor
            call = Call(
                number=0 if actor == REHEARSAL else self.calls.next_number(),
                at=self.clock.now(),
                account=request.account,
                region=request.region,
                service=request.service,
                operation=request.operation,
                actor=actor,
                access_key=request.access_key,
                read_parameters=request.parameters,
                forward=lambda parameters=None: self._forward(request, parameters),
            )
            self._depth += 1
            try:
                return self._land(call, request)
            finally:
                self._depth -= 1
                if not inner:
                    call.close()
                if call.reconfigures and call.error is None and not inner:
                    self._changed()

    def _land(self, call: Call, request: WireRequest) -> Wire:
        """Carry out the call, with any fault that hits it, and record it."""
        self.calls.add(call)
        if call.actor == REHEARSAL:
            return self._answer(call, request)
        wires: list[Wire] = []
        try:
            fault = self.faults.around(call.number, lambda: wires.append(self._answer(call, request)))
        except BaseException as error:
            call.error = call.error or type(error).__name__
            raise
        if fault is None:
            return wires[0]
        code, message, status = ANSWERS[fault]
        call.error = call.error or code
        return request.serialize_error(AwsError(code, message, status))

    def _answer(self, call: Call, request: WireRequest) -> Wire:
        emulated = overlay.operations().get((call.service, call.operation))
        try:
            self._refuse_expired(request.access_key)
            self._refuse_failing(call)
            self.part(Authorization).refuse(self, call)
            answer = self.faults.instead(self, call)
            if answer is None and emulated is not None:
                answer = emulated.answer(self, call)
        except AwsError as error:
            call.error = error.code
            return request.serialize_error(error)
        if answer is None:
            wire = request.original()
            if wire[0] >= 400:
                call.error = _error_code(request, wire)
            return wire
        check(f"{call.service}:{call.operation}", request.output_shape, answer)
        return request.serialize(answer)

    def _refuse_failing(self, call: Call) -> None:
        """Refuse calls of the jobs to a service whose control plane fails in production."""
        workload = self.part(Sources).workload
        if workload is None or call.actor == REHEARSAL or call.account != self.production:
            return
        if workload.fails(call.service, self.clock.now()):
            raise AwsError(*UNAVAILABLE)

    def _refuse_expired(self, access_key: str) -> None:
        key = self.credentials.find(access_key)
        if key is not None and key.expires is not None and key.expires <= self.clock.now():
            raise AwsError("ExpiredToken", "The security token included in the request is expired", 403)

    def _forward(self, request: WireRequest, parameters: Mapping[str, Any] | None) -> dict[str, Any]:
        """moto's own answer to the request, unchanged or with other parameters. Raises AwsError."""
        self._bare += 1
        try:
            if parameters is None:
                return request.parse(request.original())
            client = self.client(request.service, request.account, request.region)
            try:
                answer: dict[str, Any] = getattr(client, xform_name(request.operation))(**parameters)
            except ClientError as error:
                details, metadata = error.response["Error"], error.response["ResponseMetadata"]
                raise AwsError(details["Code"], details["Message"], metadata["HTTPStatusCode"]) from error
            answer.pop("ResponseMetadata", None)
            return answer
        finally:
            self._bare -= 1

    def _run_event(self, event: Callable[[], object]) -> None:
        with self.moment():
            self._depth += 1
            try:
                changed = event()
            finally:
                self._depth -= 1
            if changed is not False:
                self._changed()

    def _changed(self) -> None:
        self._depth += 1
        try:
            for callback in self._callbacks:
                callback(self.clock.now())
        finally:
            self._depth -= 1


def _error_code(request: WireRequest, wire: Wire) -> str:
    try:
        request.parse(wire)
    except AwsError as error:
        return error.code
    return str(wire[0])
