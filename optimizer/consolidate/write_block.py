"""The fence: for the seconds of a cutover nobody but the optimizer writes to the tables that are left.

An explicit deny in a table's resource-based policy binds every principal; a condition leaves out the
role that follows the changes. The application is refused at once, reads its pointer again and tries
anew. Reads go on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from domain.errors import LeaseLost, MoveFailed, OptimizerError
from optimizer.ports.aws import Aws
from optimizer.resources.tables.resource_policy import holds, names, put_statement, remove_statement

SID = "TapWritesGoElsewhere"
# Transactions need the permission of each write in them (Developer Guide, "Using IAM with DynamoDB transactions").
WRITES = tuple(
    f"dynamodb:{name}"
    for name in (
        "BatchWriteItem",
        "DeleteItem",
        "PartiQLDelete",
        "PartiQLInsert",
        "PartiQLUpdate",
        "PutItem",
        "UpdateItem",
    )
)
POLL = 1.0  # seconds
PATIENCE = 120.0
# Reading the policy shows it when it is stored; the data plane has it a moment later.
SPREADING = 5.0


@contextmanager
def fenced(aws: Aws, tables: Sequence[str]) -> Iterator[None]:
    """Deny writes, and keep that; when the block fails, let them through again.

    Not when the plan's lock was lost, whose new owner decides, and not by a process that has died: the
    next run finds the fence and goes on.
    """
    try:
        raise_fence(aws, tables)
        yield
    except LeaseLost:
        raise
    except (OptimizerError, ClientError, BotoCoreError):
        lift_fence(aws, tables)
        raise


def raise_fence(aws: Aws, tables: Sequence[str]) -> None:
    """Deny writes to these tables; returns when that is in force."""
    for table in tables:
        put_statement(aws, _arn(aws, table), _statement(aws, table))
    _wait(aws, tables, raised=True)


def lift_fence(aws: Aws, tables: Sequence[str]) -> None:
    """Let them be written again; returns when that is in force."""
    for table in tables:
        remove_statement(aws, _arn(aws, table), SID, None)
    _wait(aws, tables, raised=False)


def is_fenced(aws: Aws, table: str) -> bool:
    """Whether any fence of ours stands."""
    return names(aws, _arn(aws, table), SID)


def principal(caller: str) -> str:
    """The role behind a session of it, as `aws:PrincipalArn` has it; users are their own."""
    if ":assumed-role/" not in caller:
        return caller
    prefix, session = caller.split(":assumed-role/", 1)
    return f"{prefix.replace(':sts:', ':iam:')}:role/{session.split('/', 1)[0]}"


def _statement(aws: Aws, table: str) -> dict[str, Any]:
    me = principal(aws.sts.get_caller_identity()["Arn"])
    return {
        "Sid": SID,
        "Effect": "Deny",
        "Principal": "*",
        "Action": list(WRITES),
        "Resource": _arn(aws, table),
        "Condition": {"ArnNotEquals": {"aws:PrincipalArn": me}},
    }


def _wait(aws: Aws, tables: Sequence[str], *, raised: bool) -> None:
    deadline = aws.clock.now().timestamp() + PATIENCE
    for table in tables:
        while (holds(aws, _arn(aws, table), _statement(aws, table)) if raised else is_fenced(aws, table)) is not raised:
            if aws.clock.now().timestamp() >= deadline:
                raise MoveFailed(
                    f"{table}: its resource policy did not change within {PATIENCE:.0f} s. Run this again."
                )
            aws.clock.sleep(POLL)
    aws.clock.sleep(SPREADING)


def _arn(aws: Aws, table: str) -> str:
    return f"arn:aws:dynamodb:{aws.region}:{aws.account}:table/{table}"
