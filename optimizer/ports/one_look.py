"""One look at an account: what is read twice in it is asked for once.

For stretches of a verb that only read, as describing all resources of a plan. Whoever changes something, or waits for
something to change, takes another look. What guards a change, as whose a resource is by now, takes one of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from optimizer.ports.aws import Aws

READS = ("describe_", "list_", "get_")
DATA = ("get_item", "batch_get_item", "transact_get_items", "query", "scan", "get_metric_data", "get_pipeline_state")
CLIENTS = frozenset(
    name
    for name, each in vars(Aws).items()
    if isinstance(each, cached_property) and name not in ("partition", "metrics")
)


def one_look(aws: Aws) -> Aws:
    """The same account, credentials and clients, for as long as nothing is changed and nobody waits."""
    return _Look(aws, {})


class _Look(Aws):
    """An account whose clients remember what was read."""

    def __init__(self, aws: Aws, answers: dict[object, Any]) -> None:
        super().__init__(aws.session, aws.account, aws.region, aws.clock)
        vars(self).update(_aws=aws, _answers=answers, _clients={})

    def at(self, region: str) -> Aws:
        """The same look at another Region."""
        if region == self.region:
            return self
        return self.elsewhere.setdefault(region, _Look(vars(self)["_aws"].at(region), vars(self)["_answers"]))

    def __getattribute__(self, name: str) -> Any:
        if name not in CLIENTS:
            return super().__getattribute__(name)
        kept = vars(self)
        if name not in kept["_clients"]:
            kept["_clients"][name] = _Client(getattr(kept["_aws"], name), (name, self.region), kept["_answers"])
        return kept["_clients"][name]


class _Client:
    """A client that answers a read which was made before with the same parameters; any other call forgets them all."""

    def __init__(self, client: Any, place: tuple[str, str], answers: dict[object, Any]) -> None:
        self._client, self._place, self._answers = client, place, answers

    def __getattr__(self, name: str) -> Any:
        if name == "get_paginator":
            return self._paginator
        attribute = getattr(self._client, name)
        if name not in self._client.meta.method_to_api_mapping or name in DATA:
            return attribute
        return self._read(name, attribute) if name.startswith(READS) else self._call(attribute)

    def _paginator(self, name: str) -> Any:
        pages = self._client.get_paginator(name)
        pages._method = getattr(self, name)  # noqa: SLF001 -- what botocore's paginators call for a page
        return pages

    def _read(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def read(**parameters: Any) -> Any:
            key = (self._place, name, repr(sorted(parameters.items())))
            if key not in self._answers:
                self._answers[key] = call(**parameters)
            return _copied(self._answers[key])

        return read

    def _call(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def made(**parameters: Any) -> Any:
            self._answers.clear()
            return call(**parameters)

        return made


def _copied(answer: Any) -> Any:
    """A copy of an answer: only its dictionaries and lists can be changed by whoever reads it."""
    if isinstance(answer, dict):
        return {name: _copied(each) for name, each in answer.items()}
    return [_copied(each) for each in answer] if isinstance(answer, list) else answer
