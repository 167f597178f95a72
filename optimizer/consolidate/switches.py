"""The two switches of a turn: the write block, and the pointers that the application follows.

The write block: for the seconds of a turn nobody but the optimizer writes to the tables that are left. An explicit
deny in a table's resource-based policy binds every principal; a condition leaves out the role that makes both sides
equal. The application is refused at once, reads its pointer again and tries anew. Reads go on.

The pointers: which table each entity is in. Parameter Store keeps the versions before, so that what was turned can
be seen, and by whom. It knows no condition on a write, so a pointer is turned by single attempts, and right before
each the plan's lease is held: no attempt of a run that lost the lease can begin. One that was under way lands
within the lease's length; the run that took over looks again after that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from domain.clock import Clock
from domain.errors import LeaseLost, MoveFailed
from optimizer.consolidate.merge import Merge
from optimizer.model.resource import Tags, Touched
from optimizer.ports.aws import Aws
from optimizer.resources.tables.resource_policy import holds, names, put_statement, remove_statement
from optimizer.resources.tags import flat

SID = "TapWritesGoElsewhere"
# A batch and a transaction need the permission of each write in them (Developer Guide, "Using IAM with DynamoDB
# transactions"); BatchWriteItem has one of its own as well.
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
POLL = 1.0  # seconds between two looks at a policy
PATIENCE = timedelta(minutes=2)  # until a changed policy is shown
# "It takes some time to apply the policy to all requests" (API Reference, GetResourcePolicy). AWS states no bound:
# a minute is our assumption, and what comes later still is looked for after the pointers are turned.
SPREADING = timedelta(minutes=1)
OPENING = timedelta(seconds=5)  # until a deny that was taken away is gone for most
PAUSE = timedelta(minutes=3)  # the longest that writes may be denied before the pointers turn

POINTER = "/tap/tables/"
POINTER_AGE = timedelta(minutes=1)  # how long the application may remember one
DECLARATION = "/tap/application/follows-pointers"  # docs/application.md
ATTEMPTS = 12  # at turning the pointers, so many seconds apart
BETWEEN_ATTEMPTS = 5.0
FOR_GOOD = ("AccessDeniedException", "ParameterNotFound", "ValidationException", "UnsupportedParameterType")


class Deadline:
    """A limit on the time that passes from now on. A clock that is set back does not extend it by that much."""

    def __init__(self, clock: Clock, limit: timedelta, late: str) -> None:
        self._clock, self._limit, self._late = clock, limit, late
        self._spent, self._last = timedelta(0), clock.now()

    def check(self) -> None:
        """Raises MoveFailed once the time is over."""
        now = self._clock.now()
        self._spent += max(now - self._last, timedelta(0))
        self._last = now
        if self._spent > self._limit:
            raise MoveFailed(self._late)


@contextmanager
def writes_blocked(aws: Aws, tables: Sequence[str]) -> Iterator[Deadline]:
    """Deny writes to these tables, and keep that; whatever fails in the block, bugs included, lifts it at once.

    Yields the deadline of all that is done behind it. Two exceptions: the plan's lock was lost, whose new owner
    decides; and a process that has died, whose successor finds the block and goes on.
    """
    deadline = Deadline(
        aws.clock,
        PAUSE,
        f"Writes to {' and '.join(tables)} were denied for {PAUSE} without coming to an end; they are let through "
        "again. Nothing was turned; run the same command again.",
    )
    try:
        block_writes(aws, tables, deadline)
        yield deadline
    except LeaseLost:
        raise
    except (Exception, KeyboardInterrupt):
        let_writes_through(aws, tables)
        raise


def block_writes(aws: Aws, tables: Sequence[str], deadline: Deadline) -> None:
    """Deny writes to these tables; returns when that is in force for all requests, as far as can be known."""
    for table in tables:
        put_statement(aws, _arn(aws, table), _statement(aws, table))
        deadline.check()
    for table in tables:
        while not holds(aws, _arn(aws, table), _statement(aws, table)):
            deadline.check()
            aws.clock.sleep(POLL)
    aws.clock.sleep(SPREADING.total_seconds())  # not by the clock, which may be set


def let_writes_through(aws: Aws, tables: Sequence[str]) -> None:
    """Let them be written again; returns when that is in force for most requests."""
    for table in tables:
        remove_statement(aws, _arn(aws, table), SID, None)
    shown = Deadline(
        aws.clock, PATIENCE, f"{', '.join(tables)}: the policy did not change in {PATIENCE}. Run this again."
    )
    while any(is_blocked(aws, table) for table in tables):
        shown.check()
        aws.clock.sleep(POLL)
    aws.clock.sleep(OPENING.total_seconds())


def is_blocked(aws: Aws, table: str) -> bool:
    """Whether any write block of ours stands."""
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


def _arn(aws: Aws, table: str) -> str:
    return f"arn:{aws.partition}:dynamodb:{aws.region}:{aws.account}:table/{table}"


def follows_pointers(aws: Aws) -> bool:
    """Whether the application declares that it follows them."""
    try:
        declaration = aws.ssm.get_parameter(Name=DECLARATION)
    except aws.ssm.exceptions.ParameterNotFound:
        return False
    return declaration["Parameter"].get("Value", "").strip().casefold() == "true"


def read_pointers(aws: Aws, merge: Merge) -> dict[str, str]:
    """The table that each source's pointer points to now; a pointer that is missing is left out."""
    parameters = aws.ssm.get_parameters(Names=[POINTER + each for each in merge.sources])["Parameters"]
    return {each["Name"].removeprefix(POINTER): each["Value"] for each in parameters}


def touched_pointers(aws: Aws, merge: Merge) -> Iterator[Touched]:
    """The parameters that are turned: a tenant could own one."""

    def tags(name: str) -> Tags:
        try:
            return flat(aws.ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=name)["TagList"])
        except aws.ssm.exceptions.InvalidResourceId:  # SSM's word for a parameter that is not there
            return {}

    for name in (POINTER + each for each in merge.sources):
        yield Touched(name, partial(tags, name))


def to_target(merge: Merge) -> dict[str, str]:
    """Every pointer at the merged table."""
    return dict.fromkeys(map(str, merge.sources), merge.target)


def to_sources(merge: Merge) -> dict[str, str]:
    """Every pointer at its own source."""
    return {str(each): str(each) for each in merge.sources}


def turn_pointers(aws: Aws, merge: Merge, wanted: Mapping[str, str], hold: Callable[[], object]) -> None:
    """Point each to its table; `hold` raises LeaseLost, and is called right before each attempt. Raises MoveFailed."""
    reason = ""
    for _ in range(ATTEMPTS):
        pointers = read_pointers(aws, merge)
        wrong = [name for name, table in wanted.items() if pointers.get(name) != table]
        if not wrong:
            return
        for name in wrong:
            hold()
            try:
                aws.ssm_once.put_parameter(Name=POINTER + name, Value=wanted[name], Overwrite=True)
            except (ClientError, BotoCoreError) as error:  # one whose answer was lost may have landed: look again
                reason = str(error)
                if isinstance(error, ClientError) and error.response["Error"]["Code"] in FOR_GOOD:
                    raise
                aws.clock.sleep(BETWEEN_ATTEMPTS)
    raise MoveFailed(
        f"The pointers {', '.join(POINTER + name for name in wrong)} could not be turned in {ATTEMPTS} attempts: "
        f"{reason}. Run the same command again."
    )
