"""A deny is recognized by its meaning, in any form of the policy, and is removed even after a rewrite."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from optimizer.resources.tables.resource_policy import holds, meaning, names, put_statement, remove_statement

TABLE = "arn:aws-cn:dynamodb:cn-north-1:222222222222:table/users"
ROLE = "arn:aws-cn:iam::222222222222:role/tap-act"
DENY: Mapping[str, Any] = {
    "Sid": "Ours",
    "Effect": "Deny",
    "Principal": "*",
    "Action": ["dynamodb:PutItem", "dynamodb:DeleteItem"],
    "Resource": TABLE,
    "Condition": {"ArnNotEquals": {"aws:PrincipalArn": ROLE}},
}
THEIRS: Mapping[str, Any] = {"Sid": "Theirs", "Effect": "Allow", "Principal": "*", "Action": "*", "Resource": TABLE}


class NotFound(Exception):
    pass


class Policies:
    """DynamoDB with one policy; counts how often it was changed."""

    exceptions = SimpleNamespace(PolicyNotFoundException=NotFound)

    def __init__(self, *statements: Mapping[str, Any]) -> None:
        self.text: str | None = json.dumps({"Version": "2012-10-17", "Statement": statements}) if statements else None
        self.changes = 0

    @property
    def aws(self) -> Any:
        return SimpleNamespace(dynamodb=self)

    def get_resource_policy(self, **_: Any) -> Any:
        if self.text is None:
            raise NotFound
        return {"Policy": self.text, "RevisionId": str(self.changes)}

    def put_resource_policy(self, *, Policy: str, **_: Any) -> None:  # noqa: N803
        self.text, self.changes = Policy, self.changes + 1

    def delete_resource_policy(self, **_: Any) -> None:
        self.text, self.changes = None, self.changes + 1


SAME = [
    pytest.param({"Sid": "Renamed"}, id="Sid"),
    pytest.param({"Action": ["dynamodb:DeleteItem", "dynamodb:PutItem"]}, id="order"),
    pytest.param({"Action": ["DynamoDB:putitem", "dynamodb:DELETEITEM", "dynamodb:PutItem"]}, id="case"),
    pytest.param({"Resource": [TABLE]}, id="list"),
    pytest.param({"Principal": {"AWS": "*"}}, id="principal"),
    pytest.param({"Principal": {"AWS": ["*"]}}, id="principals"),
    pytest.param({"Condition": {"ArnNotEquals": {"aws:principalARN": [ROLE]}}}, id="condition"),
]
OTHER = [
    pytest.param({"Effect": "Allow"}, id="effect"),
    pytest.param({"Action": "dynamodb:PutItem"}, id="fewer actions"),
    pytest.param({"Resource": f"{TABLE}/index/by-email"}, id="resource"),
    pytest.param({"Principal": {"AWS": ROLE}}, id="principal"),
    pytest.param({"Principal": {"Service": "*"}}, id="kind of principal"),
    pytest.param({"Condition": {}}, id="no condition"),
    pytest.param({"Condition": {"ArnNotEquals": {"aws:PrincipalArn": ROLE.upper()}}}, id="case of a value"),
    pytest.param({"Condition": {"ArnEquals": {"aws:PrincipalArn": ROLE}}}, id="operator"),
]


@pytest.mark.parametrize("change", SAME)
def test_a_statement_that_means_the_same_is_held(change: dict[str, Any]) -> None:
    assert meaning({**DENY, **change}) == meaning(DENY)
    assert holds(Policies(THEIRS, {**DENY, **change}).aws, TABLE, DENY)


@pytest.mark.parametrize("change", OTHER)
def test_one_that_means_something_else_is_not(change: dict[str, Any]) -> None:
    assert not holds(Policies({**DENY, **change}).aws, TABLE, DENY)


@pytest.mark.parametrize("change", SAME)
def test_what_means_the_same_is_not_put_again(change: dict[str, Any]) -> None:
    policies = Policies({**DENY, **change})
    for _ in range(2):
        put_statement(policies.aws, TABLE, DENY)
    assert policies.changes == (1 if "Sid" in change else 0)  # without our own Sid nobody would take it out again
    assert names(policies.aws, TABLE, "Ours")


@pytest.mark.parametrize("change", OTHER)
def test_what_means_something_else_is_replaced(change: dict[str, Any]) -> None:
    policies = Policies(THEIRS, {**DENY, **change})
    put_statement(policies.aws, TABLE, DENY)
    assert holds(policies.aws, TABLE, DENY)
    assert json.loads(str(policies.text))["Statement"] == [THEIRS, DENY]


@pytest.mark.parametrize("change", [each for each in SAME if each.id != "Sid"])
def test_rewritten_by_somebody_it_is_still_taken_out(change: dict[str, Any]) -> None:
    original = Policies(THEIRS).text
    rewritten = {**THEIRS, "Action": ["*"]}  # as whoever rewrote the whole policy left the others
    policies = Policies(rewritten, {**DENY, **change})
    remove_statement(policies.aws, TABLE, "Ours", original)
    assert policies.text == original


def test_what_others_changed_meanwhile_stays() -> None:
    policies = Policies({**THEIRS, "Action": "dynamodb:GetItem"}, DENY)
    remove_statement(policies.aws, TABLE, "Ours", Policies(THEIRS).text)
    assert json.loads(str(policies.text))["Statement"] == [{**THEIRS, "Action": "dynamodb:GetItem"}]
