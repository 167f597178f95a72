"""IAM's decision on one request: each rule of the evaluation logic and of the condition operators in a line."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from emulator.core.policy_evaluation import AccessRequest, Allowed, Denied, evaluate, statements

ROLE = "arn:aws:iam::222222222222:role/tap-act"
TABLE = "arn:aws:dynamodb:us-east-1:222222222222:table/users"
Policy = Sequence[Any]


def statement(effect: str = "Allow", action: Any = "dynamodb:Query", resource: Any = "*", **more: Any) -> Any:
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


def read(*found: Any) -> Policy:
    return statements(json.dumps({"Statement": list(found)}))


def request(
    action: str = "dynamodb:Query", owner: str = "222222222222", keys: Mapping[str, list[str]] | None = None
) -> AccessRequest:
    return AccessRequest(ROLE, action, TABLE, owner, (keys or {}).get)


ALLOW, DENY = read(statement()), read(statement("Deny"))
NAMED = read(statement(Principal={"AWS": ROLE}))
ACCOUNT = read(statement(Principal={"AWS": "arn:aws:iam::222222222222:root"}))
OTHERS = read(statement(Principal={"AWS": "arn:aws:iam::333333333333:root"}))
FORBIDDEN = read(statement("Deny", Principal="*"))
IDENTITY = "because no identity-based policy allows the dynamodb:Query action"
BOUNDARY = "because no permissions boundary allows the dynamodb:Query action"
RESOURCE = "because no resource-based policy allows the dynamodb:Query action"


@pytest.mark.parametrize(
    ("identity", "boundary", "on_resource", "owner", "reason"),
    [
        (ALLOW, None, (), "222222222222", None),
        ((), None, (), "222222222222", IDENTITY),
        (ALLOW, ALLOW, (), "222222222222", None),
        (ALLOW, (), (), "222222222222", BOUNDARY),
        ((), ALLOW, (), "222222222222", IDENTITY),  # a boundary grants nothing
        ([*ALLOW, *DENY], None, (), "222222222222", "with an explicit deny in an identity-based policy"),
        (ALLOW, [*ALLOW, *DENY], (), "222222222222", "with an explicit deny in a permissions boundary"),
        (ALLOW, None, FORBIDDEN, "222222222222", "with an explicit deny in a resource-based policy"),
        ((), None, NAMED, "222222222222", None),  # in one account either side is enough
        ((), None, ACCOUNT, "222222222222", IDENTITY),  # naming the account leaves it to the account's policies
        ((), (), NAMED, "222222222222", BOUNDARY),  # and binds a role that is named
        (ALLOW, None, (), "333333333333", RESOURCE),  # across accounts both have to allow
        (ALLOW, None, ACCOUNT, "333333333333", None),
        (ALLOW, None, OTHERS, "333333333333", RESOURCE),
        ((), None, NAMED, "333333333333", IDENTITY),
    ],
)
def test_the_decision(
    identity: Policy, boundary: Policy | None, on_resource: Policy, owner: str, reason: str | None
) -> None:
    expected = Denied(reason) if reason else Allowed()
    assert evaluate((identity,), boundary, request(owner=owner), on_resource) == expected


@pytest.mark.parametrize(
    ("action", "resource", "allowed"),
    [
        ("dynamodb:query", "*", True),  # names of actions know no case
        ("dynamodb:Q*", TABLE, True),
        ("dynamodb:Quer?", TABLE, True),
        ("dynamodb:*Item", TABLE, False),
        ("*", TABLE.replace("users", "user"), False),
        ("*", TABLE.replace("users", "USERS"), False),  # names of resources do
        ("*", f"{TABLE}/index/*", False),
        ("*", TABLE.replace("us-east-1", "*").replace("users", "u*"), True),
    ],
)
def test_what_a_statement_is_about(action: str, resource: str, allowed: bool) -> None:
    found = evaluate((read(statement("Allow", action, resource)),), None, request())
    assert isinstance(found, Allowed) == allowed


@pytest.mark.parametrize(("named", "denied"), [("dynamodb:Query", False), ("dynamodb:Scan", True)])
def test_a_statement_about_everything_but(named: str, denied: bool) -> None:
    but = {"Effect": "Deny", "NotAction": named, "NotResource": "arn:aws:s3:::*"}
    assert isinstance(evaluate((ALLOW, read(but)), None, request()), Denied) == denied


@pytest.mark.parametrize(
    ("operator", "wanted", "have", "holds"),
    [
        ("StringEquals", "a", ["a"], True),
        ("StringEquals", ["b", "a"], ["a"], True),
        ("StringEquals", "a", ["A"], False),
        ("StringEqualsIgnoreCase", "a", ["A"], True),
        ("StringEquals", "a", None, False),
        ("StringEqualsIfExists", "a", None, True),
        ("StringEqualsIfExists", "a", ["b"], False),
        ("StringNotEquals", "a", ["b"], True),
        ("StringNotEquals", ["a", "b"], ["b"], False),
        ("StringNotEquals", "a", None, True),  # a negated operator holds without the key
        ("StringLike", "tap-reconcile-*", ["tap-reconcile-1"], True),
        ("StringNotLike", "tap-*", ["tap-1"], False),
        ("ArnLike", "arn:aws:iam::*:role/tap-*", [ROLE], True),
        ("ArnEquals", "arn:aws:iam::*:role/tap-*", [ROLE], True),  # the two are the same
        ("ArnLike", "arn:aws:*:role/tap-act", [ROLE], False),  # each part of an ARN by itself
        ("ArnNotEquals", ROLE, [ROLE], False),
        ("Null", "true", None, True),
        ("Null", "true", ["a"], False),
        ("Null", "false", ["a"], True),
        ("Bool", "true", ["true"], True),
        ("Bool", "true", ["false"], False),
        ("Bool", "true", None, False),
        ("ForAllValues:StringEquals", ["a", "b"], ["a"], True),
        ("ForAllValues:StringEquals", ["a", "b"], ["a", "c"], False),
        ("ForAllValues:StringEquals", "a", None, True),  # also without the key
        ("ForAnyValue:StringEquals", "a", ["a", "c"], True),
        ("ForAnyValue:StringEquals", "a", ["b"], False),
        ("ForAnyValue:StringEquals", "a", None, False),
    ],
)
def test_a_condition(operator: str, wanted: Any, have: list[str] | None, holds: bool) -> None:
    policy = read(statement(Condition={operator: {"aws:Key": wanted}}))
    keys = {} if have is None else {"aws:key": have}  # names of keys know no case
    assert isinstance(evaluate((policy,), None, request(keys=keys)), Allowed) == holds


@pytest.mark.parametrize(
    "not_understood",
    [
        statement(Condition={"NumericLessThan": {"aws:key": "5"}}),
        statement(resource="arn:aws:s3:::${aws:PrincipalTag/team}"),
        {**statement(), "NotPrincipal": {"AWS": ROLE}},
    ],
)
def test_what_is_not_understood_is_said_and_allows_nothing(not_understood: Any) -> None:
    with pytest.raises(NotImplementedError):
        evaluate((read(not_understood),), None, request(keys={"aws:key": ["1"]}))
