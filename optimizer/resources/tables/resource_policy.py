"""One statement in a table's resource-based policy: merged into whatever is there, and taken out again.

Amazon DynamoDB Developer Guide, "Resource-based policy considerations", and API Reference,
PutResourcePolicy: a change is asynchronous, and reading right after it may show the policy before it;
the next change is refused while one is pending and for 15 seconds after it; a change that names the
revision it builds on is refused when somebody else was quicker.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from domain.errors import MoveFailed
from optimizer.model.decision import Json
from optimizer.ports.aws import Aws

Statement = Mapping[str, Any]

SIZE_LIMIT = 20 * 1024  # bytes, white space included
NO_POLICY = "NO_POLICY"  # as the expected revision: there must be none
PAUSE = 15  # seconds
ATTEMPTS = 5
PENDING = ("ResourceInUseException", "PolicyNotFoundException")  # a change is pending; another revision is in force


@dataclass(frozen=True)
class TablePolicy:
    """A policy as its text; None when there is none. `revision` is what the next change builds on."""

    text: str | None
    revision: str


def read_policy(aws: Aws, arn: str) -> TablePolicy:
    """The policy attached to a table."""
    try:
        answer = aws.dynamodb.get_resource_policy(ResourceArn=arn)
    except aws.dynamodb.exceptions.PolicyNotFoundException:
        return TablePolicy(None, NO_POLICY)
    return TablePolicy(answer["Policy"], answer["RevisionId"])


def with_statement(text: str | None, statement: Statement) -> str:
    """The policy with this statement in the place of any of the same Sid."""
    document = json.loads(text) if text else {"Version": "2012-10-17", "Statement": []}
    others = [each for each in _statements(text) if each.get("Sid") != statement["Sid"]]
    return json.dumps({**document, "Statement": [*others, statement]}, separators=(",", ":"))


def without_statement(text: str | None, sid: str) -> str | None:
    """The policy without the statement of this Sid; None when nothing is left of it."""
    others = [each for each in _statements(text) if each.get("Sid") != sid]
    if text is None or not others:
        return None
    return json.dumps({**json.loads(text), "Statement": others}, separators=(",", ":"))


def holds(aws: Aws, arn: str, statement: Statement) -> bool:
    """Whether the policy holds a statement that means the same, however it is written."""
    return any(meaning(each) == meaning(statement) for each in _statements(read_policy(aws, arn).text))


def meaning(statement: Statement) -> Json:
    """The meaning of a statement, for comparing: one value is a list of one; order and Sid do not matter.

    Names of actions, of condition operators and of condition keys are of any case, and the principal `*` is every AWS
    principal.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
    """
    return {name: _meant(name, value) for name, value in statement.items() if name != "Sid"}


def _meant(name: str, value: Json) -> Json:
    if name == "Condition":
        return {
            operator.casefold(): {key.casefold(): _several(held) for key, held in keys.items()}
            for operator, keys in value.items()
        }
    if name in ("Principal", "NotPrincipal"):
        of = {"AWS": value} if isinstance(value, str) else value
        return {kind: _several(held) for kind, held in of.items()}
    if name in ("Action", "NotAction"):
        return _several(value, str.casefold)
    return _several(value)


def _several(value: Json, change: Callable[[str], str] = str) -> list[str]:
    """One value or a list of them, each once, in order."""
    return sorted({change(str(each)) for each in ([value] if not isinstance(value, list) else value)})


def names(aws: Aws, arn: str, sid: str) -> bool:
    """Whether the policy holds any statement of this Sid."""
    return any(each.get("Sid") == sid for each in _statements(read_policy(aws, arn).text))


def put_statement(aws: Aws, arn: str, statement: Statement) -> None:
    """Merge the statement into the table's policy; returns before it is in force."""

    def merged(text: str | None) -> str | None:
        own = [each for each in _statements(text) if each.get("Sid") == statement["Sid"]]
        return text if [meaning(each) for each in own] == [meaning(statement)] else with_statement(text, statement)

    _change(aws, arn, merged)


def remove_statement(aws: Aws, arn: str, sid: str, original: str | None) -> None:
    """Take the statement out again; returns before that is in force.

    What is left is put back in the very words of `original` when it says the same, so that nothing
    of ours remains; what others changed meanwhile stays.
    """

    def restored(text: str | None) -> str | None:
        if not any(each.get("Sid") == sid for each in _statements(text)):
            return text
        rest = without_statement(text, sid)
        return original if _meanings(rest) == _meanings(original) else rest

    _change(aws, arn, restored)


def _change(aws: Aws, arn: str, changed: Callable[[str | None], str | None]) -> None:
    """Read, change, write under the revision read; again when somebody else came in between."""
    for _ in range(ATTEMPTS):
        current = read_policy(aws, arn)
        wanted = changed(current.text)
        if wanted == current.text:
            return
        try:
            if wanted is None:
                aws.dynamodb.delete_resource_policy(ResourceArn=arn, ExpectedRevisionId=current.revision)
            else:
                aws.dynamodb.put_resource_policy(ResourceArn=arn, Policy=wanted, ExpectedRevisionId=current.revision)
        except ClientError as error:
            if error.response["Error"]["Code"] not in PENDING:
                raise
            aws.clock.sleep(PAUSE)
            continue
        return
    raise MoveFailed(
        f"{arn}: its resource policy was changed by somebody else at each of {ATTEMPTS} attempts. "
        "See who changes it, then run the same command again."
    )


def _meanings(text: str | None) -> list[Json]:
    return [(each.get("Sid"), meaning(each)) for each in _statements(text)]


def _statements(text: str | None) -> list[Statement]:
    if text is None:
        return []
    statements = json.loads(text).get("Statement", [])
    return [statements] if isinstance(statements, Mapping) else list(statements)
