"""A session that only reads: it refuses to send what the printed policy does not allow, and sends equal calls once.

The calls by which a profile gets its credentials pass: a profile of a role, or of a single sign-on, is the usual one.

A survey looks at one moment, so that two equal calls have one answer; refusals are remembered as well.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import botocore.session
from botocore.exceptions import ClientError

from domain.errors import Refused
from optimizer.survey.permissions import action_of, allowed

DENIED = (
    "AccessDenied",
    "AccessDeniedException",
    "AuthorizationError",
    "UnauthorizedOperation",
    "OptInRequired",
    "SubscriptionRequiredException",
)
# What a profile itself asks for credentials with, before any question of ours and again when they run out: these calls
# give a session, change nothing, and are never remembered.
SIGNING_IN = frozenset(
    {
        ("sts", "AssumeRole"),
        ("sts", "AssumeRoleWithWebIdentity"),
        ("sso", "GetRoleCredentials"),
        ("sso-oidc", "CreateToken"),
        ("signin", "CreateOAuth2Token"),
    }
)
_LARGE = ("GetMetricData",)  # answers that nobody asks for twice and that would be held for nothing


class NotReadOnly(Refused):
    """A call that no survey may make."""


def is_denied(error: ClientError) -> bool:
    """Whether AWS says that the caller may not, or that the account does not have the service."""
    return error.response["Error"]["Code"] in DENIED


@dataclass
class CallCount:
    """The calls of a survey: requests by IAM action, denials by action and Region, and metrics that are billed."""

    requests: Counter[str] = field(default_factory=Counter)
    denied: dict[tuple[str, str], str] = field(default_factory=dict)
    metrics: int = 0
    _answers: dict[str, Any] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def known(self, key: str) -> Any:
        """The answer to an equal question; raises the refusal that it had."""
        answer = self._answers.get(key)
        if isinstance(answer, ClientError):
            raise answer
        return answer

    def count(self, action: str, parameters: Mapping[str, Any]) -> None:
        with self._lock:
            self.requests[action] += 1
            if "NextToken" not in parameters:  # a further page asks for nothing new
                self.metrics += len({str(each["MetricStat"]["Metric"]) for each in _queries(parameters)})

    def denials(self) -> Iterator[str]:
        """In words, what AWS denied."""
        for (action, region), code in sorted(self.denied.items()):
            yield f"{action} in {region} was denied ({code}): what it would tell is left out"

    def keep(self, key: str, answer: Any) -> None:
        self._answers[key] = answer


def _queries(parameters: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    queries: Sequence[Mapping[str, Any]] = parameters.get("MetricDataQueries", ())
    return queries


def read_only(session: botocore.session.Session) -> CallCount:
    """Make every client of this session read only; what they ask is noted in the answer."""
    requests = CallCount()

    class ReadOnlyClient:
        def _make_api_call(self: Any, operation: str, parameters: Mapping[str, Any]) -> Any:
            service, region = self.meta.service_model.service_name, self.meta.region_name
            if (service, operation) in SIGNING_IN:
                return super()._make_api_call(operation, parameters)  # type: ignore[misc]
            action = action_of(service, operation)
            if action not in allowed():
                raise NotReadOnly(f"{action} is not in the policy of a survey, and was not sent.")
            key = json.dumps([service, region, operation, parameters], sort_keys=True, default=str)
            if (known := requests.known(key)) is not None:
                return known
            requests.count(action, parameters)
            try:
                answer = super()._make_api_call(operation, parameters)  # type: ignore[misc]
            except ClientError as error:
                if is_denied(error):
                    requests.denied[action, region] = error.response["Error"]["Code"]
                    requests.keep(key, error)
                raise
            if operation not in _LARGE:
                requests.keep(key, answer)
            return answer

    def add(**made: Any) -> None:
        made["base_classes"].insert(0, ReadOnlyClient)

    session.register("creating-client-class", add)
    return requests
