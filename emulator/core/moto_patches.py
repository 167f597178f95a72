"""All patches of moto, and nothing but patches.

moto's `BaseResponse.call_action` is not a public API, so moto is pinned to an exact version. The
patches are in place only while an account is active.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from copy import copy, deepcopy
from datetime import UTC, datetime
from functools import cache
from types import SimpleNamespace
from typing import Any, Protocol
from unittest.mock import patch
from urllib.parse import parse_qs, urlparse
from xml.sax.saxutils import escape

from botocore.client import ClientCreator
from botocore.parsers import create_parser
from botocore.utils import parse_timestamp
from moto import backend_index, backends, mock_aws, settings
from moto.core import responses, utils
from moto.core.base_backend import AccountSpecificBackend, BackendDict
from moto.core.models import botocore_stubber
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.responses import ActionResult, BaseResponse
from moto.core.serialize import AttributePicker, get_serializer_class
from moto.core.utils import get_service_model, get_value
from moto.dynamodb import responses as dynamodb
from moto.dynamodb.models import table as tables
from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.models.table import Table
from moto.s3 import models as objects
from moto.s3.exceptions import S3ClientError
from moto.s3.responses import ACTION_MAP, S3Response

from emulator.core.answer_values import json_moments
from emulator.core.errors import AwsError
from emulator.core.service_fronts import backend_of, patterns
from emulator.core.service_models import moto_loader, one_model
from emulator.core.stored_bytes import StoredBytes

Wire = tuple[int, dict[str, Any], Any]  # status, headers, body
REQUEST_ID = "x-amzn-requestid"


class Handler(Protocol):
    """The account's interface for the patches."""

    def handle(self, request: WireRequest) -> Wire: ...
    def account_of(self, access_key: str) -> str: ...
    def entering(self) -> Any: ...


class WireRequest:
    """One call as moto received it: its parameters, moto's own answer, and answers in the service's protocol."""

    def __init__(self, response: BaseResponse, original: Callable[[BaseResponse], Wire]) -> None:
        self._response = response
        self._original = original
        self.service: str = response.boto3_service_name
        self.operation: str = response._get_action() or "?"  # noqa: SLF001 -- the seam
        self.account: str = response.current_account
        self.region: str = response.region
        self.access_key: str = response.access_key

    def parameters(self) -> Mapping[str, Any]:
        """The request in botocore's input shape, with aware timestamps."""
        request = self._response.normalized_request
        parser = PROTOCOL_PARSERS[self._protocol()](self._model(), timestamp_parser=_aware)
        parsed: Mapping[str, Any] = parser.parse(
            {
                "method": request.method,
                "values": request.values,
                "headers": request.headers,
                "body": request.data,
                "url_path": request.path,
                "url_params": self._response.uri_match,
            }
        )
        return parsed

    def original(self) -> Wire:
        """moto's own answer. Raises NotImplementedError, naming the operation, if moto does not have it."""
        return self._answer_of(self._response, self._original)

    def _answer_of(self, response: BaseResponse, answer: Callable[[BaseResponse], Wire]) -> Wire:
        try:
            status, headers, body = answer(response)
        except NotImplementedError as error:
            raise NotImplementedError(
                f"{self.service}:{self.operation} is answered neither by the overlay nor by moto ({error}): "
                f"write it in emulator/services/ under @emulates."
            ) from error
        return int(status), headers, body

    def parse(self, wire: Wire) -> dict[str, Any]:
        """The answer as boto3 would show it. Raises AwsError for an error answer."""
        status, headers, body = wire
        parsed: dict[str, Any] = create_parser(self._protocol()).parse(
            {
                "status_code": status,
                "headers": {key.lower(): str(value) for key, value in headers.items()},
                "body": body.encode() if isinstance(body, str) else body,
            },
            self._model().output_shape,
        )
        if status >= 300:
            error = parsed.get("Error", {})
            raise AwsError(error.get("Code", str(status)), error.get("Message", ""), status)
        parsed.pop("ResponseMetadata", None)
        return parsed

    def serialize(self, answer: Mapping[str, Any]) -> Wire:
        """The answer in the service's own protocol."""
        if self.service == "cloudwatch" and self._protocol() == "json":
            # moto's serializer checks each value: a second for a page of 100,800 datapoints.
            headers = {**self._headers(), "Content-Type": "application/x-amz-json-1.0"}
            return 200, headers, json.dumps(answer, default=json_moments)
        return self._serialized(answer)

    def serialize_error(self, error: AwsError) -> Wire:
        """The error in the service's own protocol, with its own status."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # moto warns about errors common to all services, such as ExpiredToken
            _, headers, body = self._serialized(error)
        return error.status, headers, body

    @property
    def output_shape(self) -> Any:
        return self._model().output_shape

    def _model(self) -> Any:
        return get_service_model(self.service).operation_model(self.operation)

    def _protocol(self) -> str:
        return str(self._response.determine_response_protocol(get_service_model(self.service)))

    def _serialized(self, result: object) -> Wire:
        serializer = get_serializer_class(self.service, self._protocol())(operation_model=self._model())
        answer = serializer.serialize(result)
        return answer["status_code"], {**self._headers(), **answer["headers"]}, answer["body"]

    def _headers(self) -> Mapping[str, Any]:
        headers: Mapping[str, Any] = self._response.response_headers
        return headers


class ObjectRequest(WireRequest):
    """One call to S3, which moto answers without `call_action`. Its operation is the IAM action (`ListBucket`)."""

    def __init__(self, response: S3Response, asked: Any, url: str, answer: Callable[[], Any]) -> None:
        self._response = response
        self._answer = answer
        self._bucket = response.parse_bucket_name_from_url(asked, url)
        self._key = response.parse_key_name() if self._bucket else None
        self.service = "s3"
        self.operation = (
            _s3_action(asked.method, "KEY" if self._key else "BUCKET", url) if self._bucket else "ListBuckets"
        )
        self.account = response.current_account
        self.region = response.region
        self.access_key = response.access_key

    def parameters(self) -> Mapping[str, Any]:
        return {"Bucket": self._bucket, "Key": self._key}

    def original(self) -> Wire:
        try:
            answer = self._answer()
        except S3ClientError as error:
            answer = self._response.serialized(ActionResult(error))
        return (200, {}, answer) if isinstance(answer, str | bytes) else answer

    def parse(self, wire: Wire) -> dict[str, Any]:
        """No content, since no caller reads it; raises AwsError for an error answer."""
        status, _, body = wire
        if status >= 300:
            found = re.search("<Code>(.*?)</Code>", body if isinstance(body, str) else body.decode())
            raise AwsError(found[1] if found else str(status), "", status)
        return {}

    def serialize_error(self, error: AwsError) -> Wire:
        return error.status, {}, f"<Error><Code>{error.code}</Code><Message>{escape(error.message)}</Message></Error>"


def _s3_action(method: str, of: str, url: str) -> str:
    actions = ACTION_MAP[of].get(method, {})
    asked = parse_qs(urlparse(url).query, keep_blank_values=True)
    default = actions.get("DEFAULT", f"{method} {of}")
    return next((str(action) for part, action in actions.items() if part in asked), str(default))


@contextmanager
def attached(handler: Handler) -> Iterator[None]:
    """moto's mock, with `handler` around every call."""
    original = BaseResponse.call_action
    process = botocore_stubber.process_request

    def call_action(response: BaseResponse) -> Wire:
        return handler.handle(WireRequest(response, original))

    def s3(original: Callable[[S3Response, Any, str], Any]) -> Callable[[S3Response, Any, str], Wire]:
        def answer(response: S3Response, asked: Any, url: str) -> Wire:
            return handler.handle(ObjectRequest(response, asked, url, lambda: original(response, asked, url)))

        return answer

    def current_account(response: BaseResponse) -> str:
        return handler.account_of(response.get_access_key())

    def process_request(request: Any) -> Wire | None:
        with handler.entering():
            wire: Wire | None = process(request)
        if wire is not None and wire[0] == 404 and wire[2] == "Not yet implemented":
            raise NotImplementedError(f"{request.method} {request.url}: moto has no such service, nor has the overlay.")
        return wire

    with ExitStack() as patches:
        # moto's images are not used here, and reading their list takes longer than a stack.
        patches.enter_context(patch.object(settings, "ec2_load_default_amis", lambda: False))
        patches.enter_context(mock_aws())
        for target, name, value in (
            (backend_index, "backend_url_patterns", [*patterns(), *backend_index.backend_url_patterns]),
            (backends, "get_backend", backend_of(backends.get_backend)),
            (BaseResponse, "call_action", call_action),
            (S3Response, "_bucket_response", s3(S3Response._bucket_response)),  # noqa: SLF001 -- the seam
            (S3Response, "_key_response", s3(S3Response._key_response)),  # noqa: SLF001 -- the seam
            (BaseResponse, "get_current_account", current_account),
            (botocore_stubber, "process_request", process_request),
            # moto lists all methods of the class again at each call: 1 ms and more for EC2.
            (responses, "method_names_from_class", cache(responses.method_names_from_class)),
            # moto reads them again for each account, and keeps every account that it read them for.
            (AccountSpecificBackend, "_generate_regions", lambda _, service: list(_regions_of(service))),
            (BackendDict, "__getitem__", _of_account(BackendDict.__getitem__)),
            # 52 random characters for each answer, which no caller reads.
            (responses, "gen_amzn_requestid_long", lambda headers: headers.update({REQUEST_ID: ""}) or ""),
            (AttributePicker, "__call__", _pick),
            (utils, "create_loader", moto_loader),
            (objects, "tempfile", SimpleNamespace(SpooledTemporaryFile=StoredBytes)),
            (ClientCreator, "_load_service_model", one_model(vars(ClientCreator)["_load_service_model"])),
            (DynamoType, "cast_value", property(_cast(DynamoType.cast_value.fget))),
            (DynamoType, "size", _size(DynamoType.size)),
            (Item, "size", _item_size),
            (Table, "all_items", _all_items),
            (tables, "copy", SimpleNamespace(copy=copy, deepcopy=_copied)),
            (Item, "is_within_segment", _segment(Item.is_within_segment)),
            (dynamodb, "dynamo_to_dict", _values(dynamodb.dynamo_to_dict)),
            (Table, "query", _within_partition(Table.query)),
        ):
            patches.enter_context(patch.object(target, name, value))
        try:
            yield
        finally:
            _forget()


def _forget() -> None:
    """Drop the state of all accounts: a rest would make other identifiers from the same seed the next time.

    While moto resets one service it makes backends of others again: those are dropped as well.
    """
    services = list(BackendDict._instances)  # noqa: SLF001 -- the seam
    BackendDict.reset()
    for service in services:
        service.clear()


def _of_account(made: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    """An account's part of a service: at once where it is there; moto looks through all services first."""
    return lambda service, account: dict.get(service, account) or made(service, account)


@cache
def _regions_of(service: str) -> tuple[str, ...]:
    """The Regions in which moto has a service: all of botocore's."""
    session = AccountSpecificBackend.get_session()
    return tuple(
        region
        for partition in session.get_available_partitions()
        for region in session.get_available_regions(service, partition_name=partition)
    )


def _pick(picker: AttributePicker, context: Any) -> Any:
    """A value's member under the first of its names that exists, as in moto, but the names are looked up only once.

    The names depend on classes and shape; moto looks them up for each value, a fifth of a whole rehearsal's time.
    """
    place = type(picker), context.key, context.shape, type(context.obj)
    names = _NAMES.get(place)
    if names is None:
        names = _NAMES[place] = tuple(dict.fromkeys(picker.get_possible_keys(context)))
    value = next((found for name in names if (found := get_value(context.obj, name, _MISSING)) is not _MISSING), None)
    if picker.response_transformers:
        path = f"{context.key_path}.{context.key}"
        transforms = picker.response_transformers.items()
        value = next((transform(value) for ending, transform in transforms if path.endswith(ending)), value)
    return value


def _cast(cast: Callable[[DynamoType], Any]) -> Callable[[DynamoType], Any]:
    """A value for comparison: a text at once, for which moto first checks six other types."""
    return lambda value: value.value if value.type == "S" else cast(value)


def _size(size: Callable[[DynamoType], int]) -> Callable[[DynamoType], int]:
    """A value's size in bytes: a text's at once. moto counts each item twice at every read."""
    return lambda value: len(value.value.encode()) if value.type == "S" else size(value)


def _item_size(item: Item) -> int:
    return sum(
        len(name.encode()) + (len(value.value.encode()) if value.type == "S" else value.size())
        for name, value in item.attrs.items()
    )


def _all_items(table: Table) -> list[Item]:
    """A table's items in the order of their keys, compared as Python values."""
    if not table.range_key_attr:
        return sorted(table.items.values(), key=lambda item: item.hash_key.cast_value)
    items = [item for partition in table.items.values() for item in partition.values()]
    return sorted(items, key=lambda item: (item.hash_key.cast_value, item.range_key.cast_value))


def _copied(value: Any) -> Any:
    """A copy of a value, except of items: moto copies them, although their answer is made at once."""
    shown = value[0] if type(value) is list and value else value
    return value if type(shown) is Item else deepcopy(value)


def _segment(is_within: Callable[[Item, Any], bool]) -> Callable[[Item, Any], bool]:
    """Whether an item is in a segment of a scan: moto hashes its key again for each segment."""

    def answer(item: Item, segments: Any) -> bool:
        if segments == (None, None):
            return True
        kept = vars(item).setdefault("_segments", {})
        if segments not in kept:
            kept[segments] = is_within(item, segments)
        return bool(kept[segments])

    return answer


def _values(to_dict: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """moto's values as an answer's; a text or a number at once, for which moto first checks four other types."""

    def values(value: Any) -> Any:
        if type(value) is DynamoType and value.type in _SCALARS:
            return {value.type: value.value}
        if isinstance(value, dict):
            return {name: values(each) for name, each in value.items()}
        if type(value) is list:
            return [values(each) for each in value]
        return to_dict(value)

    return values


def _within_partition(query: Callable[..., Any]) -> Callable[..., Any]:
    """A table's query without an index, on the items that its key condition names.

    moto sorts all items of the table first, and counts the bytes of all items of the partition.
    """

    def answer(table: Table, hash_key: DynamoType, *more: Any, **named: Any) -> Any:
        index_name = named.get("index_name", more[6] if len(more) > 6 else None)
        if index_name or not table.range_key_attr:
            return query(table, hash_key, *more, **named)
        items = table.items.get(hash_key, {}).values()
        comparison, wanted = (named.get(name, more[n] if len(more) > n else None) for n, name in enumerate(_RANGE))
        if comparison:
            items = [item for item in items if item.range_key.compare(comparison, wanted)]
        with patch.object(table, "all_items", lambda: list(items)):
            return query(table, hash_key, *more, **named)

    return answer


_NAMES: dict[tuple[Any, ...], tuple[str, ...]] = {}
_MISSING = object()
_RANGE = ("range_comparison", "range_objs")
_SCALARS = frozenset({"S", "N", "BOOL", "NULL"})


def _aware(value: Any) -> datetime:
    moment: datetime = parse_timestamp(value)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
