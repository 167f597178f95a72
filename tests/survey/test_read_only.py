"""A session that reads alone: a profile of a role works, and nothing that changes an account is sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from emulator.account import EmulatedAccount
from optimizer.survey.read_only import NotReadOnly, read_only

REGION, PRODUCTION = "us-east-1", "222222222222"
TRUST = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{PRODUCTION}:root"}, "Action": "sts:AssumeRole"}


@pytest.fixture
def account() -> Iterator[EmulatedAccount]:
    start = datetime(2027, 3, 1, 8, tzinfo=UTC)
    with EmulatedAccount(start=start, tooling="111111111111", production=PRODUCTION) as made:
        iam = made.client("iam", PRODUCTION, REGION)
        iam.create_role(RoleName="reader", AssumeRolePolicyDocument=json.dumps({"Statement": [TRUST]}))
        yield made


def test_a_profile_of_a_role_gets_its_credentials_anew_each_time(account: EmulatedAccount) -> None:
    session = account.botocore_session(account.credentials.of_user(PRODUCTION), REGION)
    asked = read_only(session)
    sts = session.create_client("sts")
    role = f"arn:aws:iam::{PRODUCTION}:role/reader"
    keys = {sts.assume_role(RoleArn=role, RoleSessionName="me")["Credentials"]["AccessKeyId"] for _ in range(2)}
    assert len(keys) == 2, "credentials that ran out are no answer"
    assert asked.requests.total() == 0


def test_what_changes_an_account_is_not_sent(account: EmulatedAccount) -> None:
    session = account.botocore_session(account.credentials.of_user(PRODUCTION), REGION)
    read_only(session)
    before = len(account.calls)
    with pytest.raises(NotReadOnly, match="was not sent"):
        session.create_client("iam").delete_role(RoleName="reader")
    assert len(account.calls) == before
