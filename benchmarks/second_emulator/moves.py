"""Our own moves, carried out completely in a given account: the same in the emulated one and in the second.

Each is a script like those of the parity kit: it returns short answers by which two accounts can be compared.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from benchmarks.parity.asking import Answers, Sandbox, refused
from benchmarks.parity.tables import table
from optimizer.action import Before, Move
from optimizer.consolidate.switches import POINTER, read_pointers, to_sources, to_target, turn_pointers
from optimizer.model.resource import Governed, Kind
from optimizer.ports.aws import Aws
from optimizer.resources.tables.index_moves import delete_index, deny_reads, lift_deny
from optimizer.resources.tables.resource_policy import read_policy
from optimizer.resources.tables.stream import BOTH_IMAGES, has_stream, set_stream
from tests.consolidate.platform import MERGE

PATIENCE = 3_600  # seconds of the account's time for one move


@dataclass(frozen=True)
class _Clock:
    now: Callable[[], datetime]
    sleep: Callable[[float], None]


def aws_of(sandbox: Sandbox) -> Aws:
    account = sandbox.client("sts").get_caller_identity()["Account"]
    return Aws(sandbox.session, account, sandbox.region, _Clock(sandbox.now, sandbox.sleep))


def done(sandbox: Sandbox, aws: Aws, move: Move) -> bool:
    """Carry a move out as the engine does; returns whether its result shows in the end."""
    move.do(aws)
    return sandbox.until(lambda: move.is_done(aws), PATIENCE) is not None


def undone(sandbox: Sandbox, aws: Aws, move: Move) -> bool:
    undo, is_undone = move.undo, move.is_undone
    assert undo, "it can be undone"
    assert is_undone, "it can be undone"
    undo(aws)
    return sandbox.until(lambda: is_undone(aws), PATIENCE) is not None


def ask_index_removal(sandbox: Sandbox) -> Answers:
    aws = aws_of(sandbox)
    with table(sandbox, "removal", "by-a", "by-b") as (client, name, arn):
        governed = Governed(Kind.TABLE, name, arn, sandbox.region, {})
        before: Before = {"replicas": [], "policies": {sandbox.region: None}}
        deny = deny_reads(governed, before, ["by-a", "by-b"])

        def query() -> str:
            return refused(
                lambda: client.query(
                    TableName=name,
                    IndexName="by-a",
                    KeyConditionExpression="#a = :x",
                    ExpressionAttributeValues={":x": {"S": "x"}},
                    ExpressionAttributeNames={"#a": "by-a"},
                )
            )

        denied = done(sandbox, aws, deny)
        sandbox.sleep(60)
        while_denied = query()
        lifted = undone(sandbox, aws, deny)
        sandbox.sleep(60)
        return {
            "deny: is done": denied,
            "a query then": while_denied,
            "deny: is undone": lifted,
            "no policy is left of it": read_policy(aws, arn).text is None,
            "a query after that": query(),
            "deny again: is done": done(sandbox, aws, deny),
            "delete one after the other: is done": all(
                done(sandbox, aws, delete_index(governed, before, each)) for each in ("by-a", "by-b")
            ),
            "lift the deny: is done": done(sandbox, aws, lift_deny(governed, before)),
        }


def ask_stream_disable(sandbox: Sandbox) -> Answers:
    aws = aws_of(sandbox)
    with table(sandbox, "streamed") as (client, name, _):

        def switched(view: str | None) -> bool:
            set_stream(aws, name, view)
            return sandbox.until(lambda: has_stream(aws, name, view), PATIENCE) is not None

        def arn() -> str:
            return str(client.describe_table(TableName=name)["Table"].get("LatestStreamArn"))

        on, first = switched(BOTH_IMAGES), arn()
        again = switched(BOTH_IMAGES)
        off = switched(None)
        sandbox.sleep(5)
        return {
            "on": on,
            "on where it is on": again,
            "off": off,
            "undone: on again": switched(BOTH_IMAGES),
            "under a new ARN": arn() != first,
        }


def ask_pointers(sandbox: Sandbox) -> Answers:
    aws, held = aws_of(sandbox), []
    for name in MERGE.sources:
        aws.ssm.put_parameter(Name=POINTER + name, Value=name, Type="String")
    try:
        turn_pointers(aws, MERGE, to_target(MERGE), lambda: held.append(1))
        turned = read_pointers(aws, MERGE) == to_target(MERGE)
        turn_pointers(aws, MERGE, to_target(MERGE), lambda: held.append(1))
        asks_again = len(held)
        turn_pointers(aws, MERGE, to_sources(MERGE), lambda: held.append(1))
        history = aws.ssm.get_parameter_history(Name=POINTER + MERGE.sources[0])["Parameters"]
        return {
            "turned": turned,
            "attempts, the lease held before each": asks_again,
            "turned back": read_pointers(aws, MERGE) == to_sources(MERGE),
            "versions kept": len(history),
        }
    finally:
        aws.ssm.delete_parameters(Names=[POINTER + name for name in MERGE.sources])
