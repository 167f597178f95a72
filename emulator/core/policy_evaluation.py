"""IAM's decision on one request, by the policies in force: identity-based, permissions boundary, resource-based.

Pure. IAM User Guide, "Policy evaluation logic": an explicit deny in any policy wins and binds every principal; a
boundary has to allow what an identity-based policy allows; across accounts both sides have to allow; in one account a
resource-based policy that names the principal is enough by itself.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html

Condition operators follow "IAM JSON policy elements: Condition operators": without the key a positive operator does
not hold and a negated one does. An unknown operator raises NotImplementedError, so that no policy is evaluated
incompletely.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

READS = ("dynamodb:Query", "dynamodb:Scan")
NO_RESOURCE_POLICY = "because no resource-based policy"
NEGATED = {"StringNotEquals", "StringNotEqualsIgnoreCase", "StringNotLike", "ArnNotEquals", "ArnNotLike"}

Keys = Callable[[str], "Sequence[str] | None"]
"""The values of a condition key, by its name in lower case; None when the request does not have the key."""


def no_keys(_name: str) -> None:
    """A request without any condition key."""


@dataclass(frozen=True)
class Allowed:
    """The request is allowed."""


@dataclass(frozen=True)
class Denied:
    """The request is denied. `reason` is the part of AWS's message after the resource."""

    reason: str


Decision = Allowed | Denied


@dataclass(frozen=True)
class Statement:
    """One statement of a policy. `principals` is empty in an identity-based policy."""

    allows: bool
    actions: tuple[str, ...]
    not_actions: tuple[str, ...]
    resources: tuple[str, ...]
    not_resources: tuple[str, ...]
    principals: tuple[str, ...]
    condition: tuple[tuple[str, str, tuple[str, ...]], ...]

    def is_about(self, action: str) -> bool:
        """Whether it names the action. Action names are case-insensitive."""
        if self.not_actions:
            return not any(_glob(each, action, ignore_case=True) for each in self.not_actions)
        return any(_glob(each, action, ignore_case=True) for each in self.actions)

    def is_on(self, resource: str) -> bool:
        """Whether it names the resource. A trust policy has no Resource element: its resource is the role itself."""
        if self.not_resources:
            return not any(_glob(each, resource) for each in self.not_resources)
        return not self.resources or any(_glob(each, resource) for each in self.resources)

    def holds(self, keys: Keys) -> bool:
        """Whether all its conditions hold."""
        return all(_holds(operator, keys(key), wanted) for operator, key, wanted in self.condition)


Policies = Iterable[Sequence[Statement]]


@dataclass(frozen=True)
class AccessRequest:
    """One request: the caller's ARN (a role's, also for its sessions), the action, the resource, the owning account."""

    principal: str
    action: str
    resource: str
    owner: str
    keys: Keys = no_keys


def evaluate(
    policies: Policies,
    boundary: Sequence[Statement] | None,
    request: AccessRequest,
    resource_policy: Sequence[Statement] = (),
) -> Decision:
    """The decision. `boundary` None: the principal has none. Raises NotImplementedError for an unknown operator."""
    identity = [each for policy in policies for each in policy]
    on_resource = [each for each in resource_policy if _names(each.principals, request.principal)]
    for where, statements in (
        ("an identity-based policy", identity),
        ("a permissions boundary", boundary or ()),
        ("a resource-based policy", on_resource),
    ):
        if _any(statements, request, allows=False):
            return Denied(f"with an explicit deny in {where}")
    action = request.action
    if boundary is not None and not _any(boundary, request, allows=True):
        return Denied(f"because no permissions boundary allows the {action} action")
    by_identity, one_account = _any(identity, request, allows=True), account_of(request.principal) == request.owner
    # Naming the account leaves the decision to the account's own policies.
    outright = [each for each in on_resource if _names(each.principals, request.principal, account=False)]
    if not by_identity and not (one_account and _any(outright, request, allows=True)):
        return Denied(f"because no identity-based policy allows the {action} action")
    if not one_account and not _any(on_resource, request, allows=True):
        return Denied(f"{NO_RESOURCE_POLICY} allows the {action} action")
    return Allowed()


@lru_cache(maxsize=512)
def statements(policy: str) -> tuple[Statement, ...]:
    """The statements of a policy's text. Raises ValueError for text that is not a policy."""
    try:
        found = json.loads(policy)["Statement"]
    except (KeyError, TypeError) as error:
        raise ValueError("a policy has a Statement") from error
    return tuple(_statement(each) for each in ([found] if isinstance(found, Mapping) else found))


def denies(policy: str | None, action: str, resource: str, caller: str = "") -> bool:
    """Whether a table's policy denies this action on this ARN: to everybody, or to the caller with this ARN."""
    if policy is None:
        return False
    keys = _principal_alone(caller)
    return any(
        each.is_about(action) and each.is_on(resource) and (each.holds(keys) if caller else not each.condition)
        for each in statements(policy)
        if not each.allows and (_names(each.principals, role_of(caller)) if caller else "*" in each.principals)
    )


def role_of(arn: str) -> str:
    """The role of a session's ARN; any other ARN unchanged. A session counts as its role (aws:PrincipalArn)."""
    if ":assumed-role/" not in arn:
        return arn
    account, session = arn.removeprefix("arn:aws:sts::").split(":assumed-role/", 1)
    return f"arn:aws:iam::{account}:role/{session.split('/', 1)[0]}"


def account_of(arn: str) -> str:
    """The account in an ARN; empty if the ARN has none."""
    parts = arn.split(":", 5)
    return parts[4] if len(parts) == 6 else ""


def _any(found: Iterable[Statement], request: AccessRequest, *, allows: bool) -> bool:
    return any(
        each.allows == allows
        and each.is_about(request.action)
        and each.is_on(request.resource)
        and each.holds(request.keys)
        for each in found
    )


def _names(principals: Sequence[str], caller: str, *, account: bool = True) -> bool:
    """Whether the caller is among the principals: itself or, with `account`, its account."""
    if "*" in principals or caller in principals:
        return True
    owner = account_of(caller)
    return account and any(each in (owner, f"arn:aws:iam::{owner}:root") for each in principals)


def _principal_alone(caller: str) -> Keys:
    return lambda name: [role_of(caller)] if name == "aws:principalarn" else None


def _statement(given: Mapping[str, Any]) -> Statement:
    principal = given.get("Principal", {})
    named = principal if isinstance(principal, Mapping) else {"AWS": principal}
    for unknown in ("NotPrincipal", "${"):  # policy variables
        if unknown in json.dumps(given):
            raise NotImplementedError(f"{unknown} is not evaluated here: {given}")
    return Statement(
        allows=given["Effect"] == "Allow",
        actions=_listed(given.get("Action", [])),
        not_actions=_listed(given.get("NotAction", [])),
        resources=_listed(given.get("Resource", [])),
        not_resources=_listed(given.get("NotResource", [])),
        principals=tuple(each for kind in named.values() for each in _listed(kind)),
        condition=tuple(
            (operator, key.lower(), _listed(wanted))
            for operator, keys in given.get("Condition", {}).items()
            for key, wanted in keys.items()
        ),
    )


def _holds(operator: str, have: Sequence[str] | None, wanted: Sequence[str]) -> bool:
    """Whether one condition holds; `have` are the request's values of its key."""
    quantifier, _, name = operator.rpartition(":")
    if name == "Null":
        return (have is None) == (wanted[0].lower() == "true")
    if_exists, name = name.endswith("IfExists"), name.removesuffix("IfExists")
    negated = name in NEGATED
    compare = _compare(name.replace("Not", "", 1) if negated else name)
    if have is None:
        # "ForAllValues also returns true if there are no context keys in the request" (multivalued context keys).
        return if_exists or negated or quantifier == "ForAllValues"
    each_holds = [any(compare(want, value) for want in wanted) != negated for value in have]
    return any(each_holds) if quantifier == "ForAnyValue" else all(each_holds)


def _compare(name: str) -> Callable[[str, str], bool]:
    found = _COMPARISONS.get(name)
    if found is None:
        raise NotImplementedError(f"the condition operator {name} is not evaluated here")
    return found


def _arn_like(pattern: str, arn: str) -> bool:
    """Whether an ARN matches a pattern: each of the six parts is compared separately."""
    wanted, parts = pattern.split(":", 5), arn.split(":", 5)
    return len(wanted) == len(parts) and all(_glob(*pair) for pair in zip(wanted, parts, strict=True))


def _glob(pattern: str, value: str, *, ignore_case: bool = False) -> bool:
    """Whether a value matches: `*` stands for any characters, `?` for one."""
    if "*" not in pattern and "?" not in pattern:
        return pattern.lower() == value.lower() if ignore_case else pattern == value
    return _compiled(pattern, ignore_case).fullmatch(value) is not None


@cache
def _compiled(pattern: str, ignore_case: bool) -> re.Pattern[str]:
    text = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.compile(text, re.IGNORECASE | re.DOTALL if ignore_case else re.DOTALL)


_COMPARISONS: Mapping[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda want, have: want == have,
    "StringEqualsIgnoreCase": lambda want, have: want.lower() == have.lower(),
    "StringLike": _glob,
    "ArnEquals": _arn_like,
    "ArnLike": _arn_like,
    "Bool": lambda want, have: want.lower() == have.lower(),
}


def _listed(value: str | Sequence[str]) -> tuple[str, ...]:
    return (str(value),) if not isinstance(value, list | tuple) else tuple(map(str, value))
