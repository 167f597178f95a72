"""Our own moves, carried out completely in a given account: the same in the emulated one and in the second.

Each is a script like those of the parity kit: it returns short answers by which two accounts can be compared.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from benchmarks.parity.asking import Answers, Asked, refused
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


def aws_of(asked: Asked) -> Aws:
    account = asked.client("sts").get_caller_identity()["Account"]
    return Aws(asked.session, account, asked.region, _Clock(asked.now, asked.sleep))


def done(asked: Asked, aws: Aws, move: Move) -> bool:
    """Carry a move out as the engine does; returns whether its result shows in the end."""
    move.do(aws)
    return asked.until(lambda: move.is_done(aws), PATIENCE) is not None


def undone(asked: Asked, aws: Aws, move: Move) -> bool:
    undo, is_undone = move.undo, move.is_undone
    assert undo, "it can be undone"
    assert is_undone, "it can be undone"
    undo(aws)
    return asked.until(lambda: is_undone(aws), PATIENCE) is not None


def ask_index_removal(asked: Asked) -> Answers:
    aws = aws_of(asked)
    with table(asked, "removal", "by-a", "by-b") as (client, name, arn):
        governed = Governed(Kind.TABLE, name, arn, asked.region, {})
        before: Before = {"replicas": [], "policies": {asked.region: None}}
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

        denied = done(asked, aws, deny)
        asked.sleep(60)
        while_denied = query()
        lifted = undone(asked, aws, deny)
        asked.sleep(60)
        return {
            "deny: is done": denied,
            "a query then": while_denied,
            "deny: is undone": lifted,
            "no policy is left of it": read_policy(aws, arn).text is None,
            "a query after that": query(),
            "deny again: is done": done(asked, aws, deny),
            "delete one after the other: is done": all(
                done(asked, aws, delete_index(governed, before, each)) for each in ("by-a", "by-b")
            ),
            "lift the deny: is done": done(asked, aws, lift_deny(governed, before)),
        }


def ask_stream_disable(asked: Asked) -> Answers:
    aws = aws_of(asked)
    with table(asked, "streamed") as (client, name, _):

        def switched(view: str | None) -> bool:
            set_stream(aws, name, view)
            return asked.until(lambda: has_stream(aws, name, view), PATIENCE) is not None

        def arn() -> str:
            return str(client.describe_table(TableName=name)["Table"].get("LatestStreamArn"))

        on, first = switched(BOTH_IMAGES), arn()
        again = switched(BOTH_IMAGES)
        off = switched(None)
        asked.sleep(5)
        return {
            "on": on,
            "on where it is on": again,
            "off": off,
            "undone: on again": switched(BOTH_IMAGES),
            "under a new ARN": arn() != first,
        }


def ask_pointers(asked: Asked) -> Answers:
    aws, held = aws_of(asked), []
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
