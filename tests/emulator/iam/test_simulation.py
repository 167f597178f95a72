"""IAM's simulation of a role's policies and boundary, and the account allows no more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from emulator.account import EmulatedAccount

HOME, THERE, REGION = "111111111111", "222222222222", "us-east-1"
ROLE = f"arn:aws:iam::{THERE}:role/reader"


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(*actions: str) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": "*"}


@pytest.fixture
def account() -> Iterator[EmulatedAccount]:
    """An account with a role that may list and delete tables, under a boundary that lets it list."""
    start = datetime(2027, 3, 1, tzinfo=UTC)
    with EmulatedAccount(start=start, tooling=HOME, production=THERE) as made:
        iam = made.client("iam", THERE, REGION)
        boundary = iam.create_policy(PolicyName="b", PolicyDocument=document(allow("dynamodb:List*")))["Policy"]["Arn"]
        trust = document({"Effect": "Allow", "Principal": {"AWS": HOME}, "Action": "sts:AssumeRole"})
        iam.create_role(RoleName="reader", AssumeRolePolicyDocument=trust, PermissionsBoundary=boundary)
        policy = document(allow("dynamodb:ListTables", "dynamodb:DeleteTable"))
        iam.put_role_policy(RoleName="reader", PolicyName="p", PolicyDocument=policy)
        yield made


def test_a_simulation_evaluates_policy_and_boundary(account: EmulatedAccount) -> None:
    answer = account.client("iam", THERE, REGION).simulate_principal_policy(
        PolicySourceArn=ROLE, ActionNames=["dynamodb:ListTables", "dynamodb:DeleteTable", "s3:GetObject"]
    )
    told = {each["EvalActionName"]: each["EvalDecision"] for each in answer["EvaluationResults"]}
    denied = "implicitDeny"
    assert told == {"dynamodb:ListTables": "allowed", "dynamodb:DeleteTable": denied, "s3:GetObject": denied}


def test_a_session_of_the_role_gets_what_the_simulation_tells(account: EmulatedAccount) -> None:
    sts = account.client("sts", HOME, REGION)
    given = sts.assume_role(RoleArn=ROLE, RoleSessionName="session")["Credentials"]
    key = account.credentials.find(given["AccessKeyId"])
    assert key is not None
    dynamodb = account.session_of(key, REGION).client("dynamodb")
    assert dynamodb.list_tables()["TableNames"] == []
    with pytest.raises(ClientError) as refused:
        dynamodb.delete_table(TableName="t")
    error = refused.value.response["Error"]
    assert error["Code"] == "AccessDeniedException"
    assert error["Message"].endswith("because no permissions boundary allows the dynamodb:DeleteTable action")


def test_a_change_of_its_policies_is_in_force_at_the_next_call(account: EmulatedAccount) -> None:
    iam = account.client("iam", THERE, REGION)
    asked = {"PolicySourceArn": ROLE, "ActionNames": ["dynamodb:ListTables"]}
    assert iam.simulate_principal_policy(**asked)["EvaluationResults"][0]["EvalDecision"] == "allowed"
    deny = {"Effect": "Deny", "Action": "*", "Resource": "*"}
    iam.put_role_policy(RoleName="reader", PolicyName="q", PolicyDocument=document(deny))
    assert iam.simulate_principal_policy(**asked)["EvaluationResults"][0]["EvalDecision"] == "explicitDeny"


def test_whom_the_trust_does_not_name_gets_no_session(account: EmulatedAccount) -> None:
    iam = account.client("iam", THERE, REGION)
    trust = document({"Effect": "Allow", "Principal": {"AWS": "333333333333"}, "Action": "sts:AssumeRole"})
    iam.update_assume_role_policy(RoleName="reader", PolicyDocument=trust)
    with pytest.raises(ClientError, match="AccessDenied"):
        account.client("sts", HOME, REGION).assume_role(RoleArn=ROLE, RoleSessionName="session")
