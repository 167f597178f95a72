"""Clients whose calls reach the emulated account without HTTP: parameters in, Python values out.

A client keeps everything that its caller sees: its methods, botocore's changes to parameters and their
validation, retries, ClientError, paginators and waiters. Between client and service there is no endpoint,
no signature, no HTTP, no XML. moto's own operations get the parameters as moto would have read them;
botocore's parser reads errors, and answers that moto has only as text.
S3 and other services with REST protocols are called over HTTP.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any, Protocol

from botocore.exceptions import ParamValidationError
from botocore.serialize import create_serializer
from botocore.validate import ParamValidator
from moto import backends
from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.base_backend import BackendDict
from moto.core.responses import ActionContext, ActionResult, BaseResponse
from moto.elbv2.responses import ELBV2Response
from moto.utilities.utils import get_partition

from emulator.core.answer_values import Answers, received, unaware, unix_seconds
from emulator.core.moto_patches import Wire, WireRequest
from emulator.core.service_fronts import FRONTS

CONTENT_TYPES = {
    "json": "application/x-amz-json-1.0",
    "query": "application/x-www-form-urlencoded",
    "ec2": "application/x-www-form-urlencoded",
}
"""The protocols of direct calls, with the header by which moto recognizes each."""


class Values(dict[str, Any]):
    """An answer's body as values instead of text."""


@dataclass(frozen=True)
class Caller:
    """The caller, its account and Region. `raw_timestamps`: the client keeps timestamps as sent."""

    access_key: str
    account: str
    region: str
    protocol: str
    raw_timestamps: bool = False


class DirectRequest(WireRequest):
    """One call whose input is parameters, not text."""

    def __init__(self, service: str, operation: str, asked: Mapping[str, Any], caller: Caller) -> None:
        self.service, self.operation = service, operation
        self.account, self.region, self.access_key = caller.account, caller.region, caller.access_key
        self._asked = asked
        self._caller = caller
        self._read: dict[str, Any] | None = None

    def parameters(self) -> Mapping[str, Any]:
        if self._read is None:
            self._read = received(self._model().input_shape, self._asked, self._caller.protocol)
        return self._read

    def original(self) -> Wire:
        return self._answer_of(self._moto_response(), _CALL_ACTION)

    def parse(self, wire: Wire) -> dict[str, Any]:
        return dict(wire[2]) if isinstance(wire[2], Values) else super().parse(wire)

    def serialize(self, answer: Mapping[str, Any]) -> Wire:
        return 200, {}, self.values(answer, {})

    def values(self, result: object, transformers: Mapping[str, Callable[[Any], Any]]) -> Values:
        """An operation's result as the client shows it."""
        caller = self._caller
        key = (self.service, self.operation, caller.protocol, caller.raw_timestamps, *transformers.items())
        if key not in _ANSWERS:
            timestamp = unix_seconds if caller.raw_timestamps else None
            _ANSWERS[key] = Answers(self._model(), caller.protocol, transformers, timestamp)
        return Values(_ANSWERS[key].read(result))

    def _protocol(self) -> str:
        return self._caller.protocol

    def _headers(self) -> Mapping[str, Any]:
        return {}

    def _moto_response(self) -> BaseResponse:
        """moto's object for one request, in the state after its `setup_class`."""
        response = _response_class(self.service)()
        asked = self.parameters()
        response.region, response.partition = self.region, get_partition(self.region)
        response.current_account, response.access_key = self.account, self.access_key
        response.is_werkzeug_request, response.method, response.path, response.uri_match = False, "POST", "/", {}
        response.uri = f"https://{self.service}.{self.region}.amazonaws.com/"
        response.headers, response.response_headers = {"Content-Type": CONTENT_TYPES[self._caller.protocol]}, {}
        text = {name: [each] for name, each in asked.items() if isinstance(each, str)}
        response.querystring = response.data = {"Action": [self.operation], **text}
        if response.automated_parameter_parsing:
            response.params = response.body = unaware(asked, response.PROTOCOL_PARSER_MAP_TYPE)
        else:
            self._serialize_request(response)
        response.serialized = partial(self._values_of, response)
        return response

    def _serialize_request(self, response: BaseResponse) -> None:
        """The request's text, for operations of moto that read the text themselves."""
        request = create_serializer(self._caller.protocol, include_validation=False).serialize_to_request(
            self._asked, self._model()
        )
        if self._caller.protocol == "json":
            response.body = request["body"].decode()
        else:
            response.querystring.update({name: [str(each)] for name, each in request["body"].items()})

    def _values_of(self, response: BaseResponse, result: ActionResult) -> Wire:
        if isinstance(result.result, Exception):
            error: Wire = BaseResponse.serialized(response, result)
            return error
        transformers = response.RESPONSE_KEY_PATH_TO_TRANSFORMER
        serializer = partial(_Serializer, self, transformers)
        answer: Wire = result.execute_result(
            ActionContext(self._model().service_model, self._model(), serializer, response)
        )
        return answer


@dataclass
class _Serializer:
    """Replaces the serializer that moto expects, and makes values."""

    request: DirectRequest
    transformers: Mapping[str, Callable[[Any], Any]]
    operation_model: Any
    pretty_print: Any
    value_picker: Any

    def serialize(self, result: object) -> Mapping[str, Any]:
        return {"status_code": 200, "headers": {}, "body": self.request.values(result, self.transformers)}


_CALL_ACTION = BaseResponse.call_action
_ANSWERS: dict[tuple[Any, ...], Answers] = {}


@cache
def _response_class(service: str) -> type[BaseResponse]:
    """moto's class for a service's requests. Raises NotImplementedError when it has none, or several."""
    if service in FRONTS:
        front: type[BaseResponse] = FRONTS[service].response
        return front
    if service == "elbv2":
        balancing: type[BaseResponse] = ELBV2Response  # its address is also that of the older service
        return balancing
    backend = backends.get_backend(service)
    found = {getattr(dispatch, "__self__", None) for dispatch in _any_backend(backend).urls.values()}
    classes: list[type[BaseResponse]] = [
        each for each in found if isinstance(each, type) and issubclass(each, BaseResponse)
    ]
    if len(classes) != 1:
        raise NotImplementedError(f"{service}: moto answers it in no one place: let its calls go by the wire.")
    return classes[0]


def _any_backend(regions: BackendDict) -> Any:
    of_account = regions[DEFAULT_ACCOUNT_ID]
    return of_account["us-east-1" if "us-east-1" in of_account else "aws"]


class CallHandler(Protocol):
    """The part of the account that a direct client uses."""

    def handle(self, request: WireRequest) -> Wire: ...
    def account_of(self, access_key: str) -> str: ...


def direct_clients(account: CallHandler) -> Callable[..., None]:
    """A handler of botocore's `creating-client-class`: clients made in its session call `account`."""

    class DirectClient:
        def _make_api_call(self: Any, operation_name: str, api_params: Mapping[str, Any]) -> Any:
            if self.meta.service_model.resolved_protocol not in CONTENT_TYPES:
                return super()._make_api_call(operation_name, api_params)  # type: ignore[misc]
            return _call(account, self, self.meta.service_model.operation_model(operation_name), api_params)

    def add(base_classes: list[type], **_: object) -> None:
        base_classes.insert(0, DirectClient)

    return add


def _call(account: CallHandler, client: Any, operation: Any, asked: Mapping[str, Any]) -> dict[str, Any]:
    """The same as `BaseClient._make_api_call`, but without HTTP."""
    events, service_id = client.meta.events, client.meta.service_model.service_id.hyphenize()
    context = {"client_region": client.meta.region_name, "client_config": client.meta.config}
    asked = client._emit_api_params(asked, operation, context)  # noqa: SLF001 -- as the client itself does
    if operation.input_shape is not None:
        problems = _VALIDATOR.validate(asked, operation.input_shape)
        if problems.has_errors():
            raise ParamValidationError(report=problems.generate_report())
    attempts = 0
    while True:
        attempts += 1
        http, parsed = _attempt(account, client, operation, asked)
        if http.status_code < HTTPStatus.MULTIPLE_CHOICES or not _retries(
            client, operation, context, attempts, (http, parsed)
        ):
            break
    parsed["ResponseMetadata"]["RetryAttempts"] = attempts - 1
    events.emit(
        f"after-call.{service_id}.{operation.name}", http_response=http, parsed=parsed, model=operation, context=context
    )
    if http.status_code < HTTPStatus.MULTIPLE_CHOICES:
        return parsed
    code = context.get("error_code_override") or parsed.get("Error", {}).get("Code")
    raise client.exceptions.from_code(code)(parsed, operation.name)


def _attempt(account: CallHandler, client: Any, operation: Any, asked: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    request = DirectRequest(client.meta.service_model.service_name, operation.name, asked, _caller(account, client))
    status, headers, body = account.handle(request)
    http = SimpleNamespace(status_code=status, headers=headers, content=b"")
    if isinstance(body, Values):
        parsed: dict[str, Any] = dict(body)
    else:
        parsed = _read_text(client, operation, status, headers, body)
    parsed["ResponseMetadata"] = {"RequestId": "", "HTTPStatusCode": status, "HTTPHeaders": {}}
    return http, parsed


def _read_text(
    client: Any, operation: Any, status: int, headers: Mapping[str, Any], body: str | bytes
) -> dict[str, Any]:
    endpoint = client._endpoint  # noqa: SLF001 -- it knows how the client reads answers
    text = body.encode() if isinstance(body, str) else body
    response = {
        "status_code": status,
        "headers": {name.lower(): str(value) for name, value in headers.items()},
        "body": text,
        "context": {"operation_name": operation.name},
    }
    parser = endpoint._response_parser_factory.create_parser(client.meta.service_model.resolved_protocol)  # noqa: SLF001
    parsed: dict[str, Any] = parser.parse(response, operation.output_shape)
    if status >= HTTPStatus.MULTIPLE_CHOICES:
        endpoint._add_modeled_error_fields(response, parsed, operation, parser)  # noqa: SLF001
    return parsed


def _retries(client: Any, operation: Any, context: dict[str, Any], attempts: int, response: object) -> bool:
    """Whether botocore retries; waits for the time that it sets."""
    context.setdefault("retries", {})["attempt"] = attempts
    return bool(
        client._endpoint._needs_retry(attempts, operation, {"context": context}, response)  # noqa: SLF001
    )


def _caller(account: CallHandler, client: Any) -> Caller:
    key = client._request_signer._credentials.get_frozen_credentials().access_key  # noqa: SLF001 -- it may refresh itself
    callers: dict[str, Caller] = vars(client).setdefault("_callers", {})
    if key not in callers:
        read_as = client._endpoint._response_parser_factory._defaults.get("timestamp_parser")  # noqa: SLF001
        callers[key] = Caller(
            access_key=key,
            account=account.account_of(key),
            region=_region(client),
            protocol=client.meta.service_model.resolved_protocol,
            raw_timestamps=read_as is not None,
        )
    return callers[key]


def _region(client: Any) -> str:
    """The Region as moto reads it: from an address, else from the signature."""
    found = BaseResponse.region_regex.search(client.meta.endpoint_url)
    return str(found[1] if found else client._request_signer.region_name)  # noqa: SLF001


_VALIDATOR = ParamValidator()
