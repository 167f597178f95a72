"""Principals that the write block binds, call by call, as IAM evaluates it; and the duration of the block."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from domain.errors import LeaseLost, MoveFailed
from emulator.core.policy_evaluation import denies
from optimizer.consolidate.switches import SPREADING, Deadline, block_writes, is_blocked, writes_blocked
from tests.consolidate.platform import Platform, lived

TABLE = "arn:aws:dynamodb:us-east-1:222222222222:table/users"
US, APPLICATION = "arn:aws:iam::222222222222:role/tap-act", "arn:aws:iam::222222222222:role/fleet"
# Every permission that changes items (Service Authorization Reference, Amazon DynamoDB); a transaction needs these.
CHANGES = ("BatchWriteItem", "DeleteItem", "PartiQLDelete", "PartiQLInsert", "PartiQLUpdate", "PutItem", "UpdateItem")
READS = ("BatchGetItem", "ConditionCheckItem", "GetItem", "PartiQLSelect", "Query", "Scan")


def policy_of(platform: Platform) -> str:
    deadline = Deadline(platform.clock, timedelta(minutes=3), "late")
    block_writes(platform.aws, ["users"], deadline)
    policies: Any = platform.aws.dynamodb._model.policies
    return str(policies[TABLE])


@pytest.mark.parametrize(
    "caller", [APPLICATION, "arn:aws:iam::222222222222:root", "arn:aws:iam::333333333333:role/else"]
)
@pytest.mark.parametrize("name", CHANGES)
def test_every_change_is_denied_to_everybody_but_the_optimizer(caller: str, name: str) -> None:
    with lived(10, 0) as platform:
        policy = policy_of(platform)
        assert denies(policy, f"dynamodb:{name}", TABLE, caller)
        assert not denies(policy, f"dynamodb:{name}", TABLE, US)


@pytest.mark.parametrize("name", READS)
def test_reads_go_on(name: str) -> None:
    with lived(10, 0) as platform:
        assert not denies(policy_of(platform), f"dynamodb:{name}", TABLE, APPLICATION)


def test_what_stands_in_a_tables_policy_already_stays() -> None:
    with lived(10, 0) as platform:
        other = {"Sid": "Theirs", "Effect": "Deny", "Principal": "*", "Action": "dynamodb:Scan", "Resource": TABLE}
        platform.aws.dynamodb.put_resource_policy(
            ResourceArn=TABLE, Policy=json.dumps({"Version": "2012-10-17", "Statement": [other]})
        )
        assert other in json.loads(policy_of(platform))["Statement"]


def test_it_is_in_force_only_once_it_is_shown_and_had_time_to_spread() -> None:
    with lived(10, 0) as platform:
        shown_after, put, show = 7, platform.aws.dynamodb.put_resource_policy, platform.aws.dynamodb.get_resource_policy
        aws = platform.aws
        asked: list[int] = []

        def get_resource_policy(**asked_for: Any) -> Any:
            """Like after PutResourcePolicy: the policy before is shown for a while."""
            asked.append(1)
            if 1 < len(asked) < shown_after:
                raise aws.dynamodb.exceptions.PolicyNotFoundException(
                    {"Error": {"Code": "PolicyNotFoundException"}}, "GetResourcePolicy"
                )
            return show(**asked_for)

        aws.dynamodb.get_resource_policy, aws.dynamodb.put_resource_policy = get_resource_policy, put
        began = platform.clock.now()
        block_writes(aws, ["users"], Deadline(platform.clock, timedelta(minutes=3), "late"))
        assert len(asked) >= shown_after
        assert platform.clock.now() - began >= SPREADING


def test_a_clock_that_is_set_back_does_not_prolong_it() -> None:
    with lived(10, 0) as platform:
        deadline = Deadline(platform.clock, timedelta(minutes=3), "late")
        with pytest.raises(MoveFailed, match="late"):  # noqa: PT012 -- whichever look it is
            for _ in range(10):
                platform.clock.sleep(60)
                deadline.check()
                platform.clock.step(-60)  # type: ignore[attr-defined]
                deadline.check()


@pytest.mark.parametrize(("error", "stays"), [(LeaseLost("taken"), True), (MoveFailed("late"), False)])
def test_who_lost_the_lease_leaves_it_to_the_next_and_who_fails_lifts_it(error: Exception, stays: bool) -> None:
    with lived(10, 0) as platform:
        with pytest.raises(type(error)), writes_blocked(platform.aws, ["users"]):
            raise error
        assert is_blocked(platform.aws, "users") is stays
