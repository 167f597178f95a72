"""Answers as AWS may give them: without optional members, with foreign resources, in pages; by botocore's own shapes.

The emulated account answers; what it answers is changed on its way to the reader.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import boto3
import botocore.session
from botocore.exceptions import UnknownServiceError
from botocore.model import OperationModel, Shape

Json = dict[str, Any]
Read = tuple[str, str, str]  # an operation, a structure in its answer, and a member of it that was read
Change = Callable[[OperationModel, Json, Json], None]  # operation, request, answer
SECOND = "second page"


class RecordedStructure(dict[str, Any]):
    """A structure that records which of its optional members are read."""

    def __init__(self, held: Mapping[str, Any], shape: Any, operation: str, reads: set[Read]) -> None:
        super().__init__(held)
        self._shape, self._operation, self._reads = shape, operation, reads

    def _note(self, name: object) -> None:
        if name in self._shape.members and name not in self._shape.required_members:
            self._reads.add((self._operation, self._shape.name, str(name)))

    def __getitem__(self, name: str) -> Any:
        self._note(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self._note(name)
        return super().get(name, default)

    def __contains__(self, name: object) -> bool:
        self._note(name)
        return super().__contains__(name)


@dataclass
class ChangedAnswers:
    """Answers to a session's clients, with one change at a time. Clients have to be made after `of`."""

    change: Change | None = None
    operations: set[str] = field(default_factory=set)  # that were called
    _requests: dict[str, Json] = field(default_factory=dict)

    @classmethod
    def of(cls, session: boto3.Session) -> ChangedAnswers:
        made = cls()
        session.events.register("before-parameter-build", made._asked)
        session.events.register("after-call", made._answered)
        return made

    @contextmanager
    def by(self, change: Change) -> Iterator[None]:
        self.change, self.operations = change, set()
        try:
            yield
        finally:
            self.change = None

    def _asked(self, params: Json, model: OperationModel, **_: Any) -> None:
        self._requests[operation(model)] = dict(params)
        if self.change is not None and (pages := _pages(model)) and params.get(pages[0]) == SECOND:
            del params[pages[0]]

    def _answered(self, parsed: Json, model: OperationModel, **_: Any) -> None:
        self.operations.add(operation(model))
        if self.change is not None and "Error" not in parsed:
            self.change(model, self._requests.get(operation(model), {}), parsed)


def operation(model: OperationModel) -> str:
    return f"{model.service_model.service_name}.{model.name}"


def recorded(reads: set[Read]) -> Change:
    """Nothing is changed, and every optional member that is read is noted."""

    def change(model: OperationModel, _request: Json, answer: Json) -> None:
        for name, shape in _members(model):
            if name in answer:
                answer[name] = _recorded(answer[name], shape, operation(model), reads)

    return change


def without(read: Read) -> Change:
    """One optional member is absent wherever its structure is."""
    where, structure, member = read

    def change(model: OperationModel, _request: Json, answer: Json) -> None:
        if operation(model) == where:
            for name, shape in _members(model):
                for each in _structures(answer.get(name), shape):
                    if each[0] == structure:
                        each[1].pop(member, None)
            if structure == model.output_shape.name:  # type: ignore[union-attr]
                answer.pop(member, None)

    return change


def with_foreign(states: Mapping[str, str]) -> Change:
    """Adds another owner's resource to each list, of which AWS shows only identity and state."""

    def change(model: OperationModel, request: Json, answer: Json) -> None:
        for name, shape in _members(model):
            listed = answer.get(name)
            if shape.type_name != "list" or not listed or not isinstance(listed[0], dict) or request.keys() - OPEN:
                continue
            answer[name] = [foreign(listed[0], shape.member, states), *listed]  # type: ignore[attr-defined]

    return change


def foreign(like: Json, shape: Any, states: Mapping[str, str]) -> Json:
    """A resource with its required members, its identity, and its state; without parts and tags."""
    kept = {}
    for name, value in like.items():
        if name in states:
            kept[name] = states[name]
        elif name in IDENTIFYING or name in shape.required_members:
            kept[name] = "-".join((value, "foreign")) if isinstance(value, str) and name in IDENTIFYING else value
    return deepcopy(kept)


IDENTIFYING = {
    *("AutoScalingGroupName", "AutoScalingGroupARN", "PolicyName", "AlarmName", "MetricName", "Namespace", "Key"),
    *("ResourceId", "ResourceARN", "ResourceArn", "InstanceId", "InstanceType", "ReservationId", "NatGatewayId"),
    *("LaunchTemplateId", "VersionNumber", "IndexName", "TableName", "ARN", "CacheClusterId", "ReplicationGroupId"),
    *("TargetGroupArn", "LoadBalancerArn", "DBClusterIdentifier", "DBClusterArn", "DBInstanceIdentifier"),
    *("DBInstanceArn", "GlobalClusterIdentifier", "GlobalClusterArn", "Id", "Name", "Arn", "EndpointType"),
}
# What a request may hold and still ask for everything there is.
OPEN = {"AlarmTypes", "MaxRecords", "MaxResults", "PageSize"}
# Asked for by name, AWS answers in one page (GetResources with ResourceARNList; DescribeLaunchTemplateVersions).
NAMED = {"ResourceARNList", "TargetGroupArns", "Versions"}


def in_pages(first: Callable[[int], int]) -> Change:
    """Every list comes in two pages, with `first(count)` items in the first."""

    def change(model: OperationModel, request: Json, answer: Json) -> None:
        pages = _pages(model)
        if pages is None or NAMED & request.keys():
            return
        asked, told, key = pages
        listed = answer.get(key)
        if not isinstance(listed, list) or len(listed) < 2:
            return
        place = first(len(listed))
        if request.get(asked) == SECOND:
            answer[key] = listed[place:]
        else:
            answer[key], answer[told] = listed[:place], SECOND

    return change


@cache
def _pages(model: OperationModel) -> tuple[str, str, str] | None:
    """The token in the request, the one in the answer, and the list; None for operations without pages."""
    try:
        models = botocore.session.get_session().get_paginator_model(model.service_model.service_name)
        config = models.get_paginator(model.name)
    except (UnknownServiceError, ValueError):
        return None
    key = config["result_key"]
    if not isinstance(config["input_token"], str) or not isinstance(key, str):
        return None
    return config["input_token"], config["output_token"], key


def _members(model: OperationModel) -> Iterator[tuple[str, Shape]]:
    if model.output_shape is not None:
        yield from model.output_shape.members.items()


def _recorded(value: Any, shape: Any, where: str, reads: set[Read]) -> Any:
    match shape.type_name, value:
        case "structure", dict():
            held = {
                k: _recorded(v, shape.members[k], where, reads) if k in shape.members else v for k, v in value.items()
            }
            return RecordedStructure(held, shape, where, reads)
        case "list", list():
            return [_recorded(each, shape.member, where, reads) for each in value]
        case "map", dict():
            return {k: _recorded(v, shape.value, where, reads) for k, v in value.items()}
    return value


def _structures(value: Any, shape: Any) -> Iterator[tuple[str, Json]]:
    match shape.type_name, value:
        case "structure", dict():
            yield shape.name, value
            for name, held in list(value.items()):
                if name in shape.members:
                    yield from _structures(held, shape.members[name])
        case "list", list():
            for each in value:
                yield from _structures(each, shape.member)
        case "map", dict():
            for each in value.values():
                yield from _structures(each, shape.value)
