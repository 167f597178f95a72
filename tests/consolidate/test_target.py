"""The merged table made and removed as AWS lets it: in time, and as its sources are."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from domain.errors import MoveFailed
from domain.indexes import INDEXES, MERGED, SOURCES, merged_indexes
from emulator.account import EmulatedAccount
from optimizer.consolidate.mapping import table_shape
from optimizer.consolidate.target import create_target, delete_target, expire, find_target, is_expiring, is_made
from optimizer.ports.aws import Aws
from tests.consolidate.platform import KEPT, MERGE

START = datetime(2027, 3, 1, 8, tzinfo=UTC)
KEY = "arn:aws:kms:us-east-1:222222222222:key/11111111-2222-3333-4444-555555555555"
LIKE = {"encryption": KEY, "class": "STANDARD", "protected": True, "recovery": "ENABLED", "recovery_days": None}
LIKE |= {"expiry": "gone_at"}
OTHER_KEYS = [{"AttributeName": "sk", "KeyType": "HASH"}, {"AttributeName": "pk", "KeyType": "RANGE"}]


@pytest.fixture
def account() -> Iterator[EmulatedAccount]:
    with EmulatedAccount(start=START, tooling="111111111111", production="222222222222") as emulated:
        yield emulated


@pytest.fixture
def aws(account: EmulatedAccount) -> Iterator[Aws]:
    with account.acting("apply"):
        yield Aws(account.session("222222222222", "us-east-1"), "222222222222", "us-east-1", account.clock)


def test_it_is_made_as_its_sources_are_and_finds_itself_done(account: EmulatedAccount, aws: Aws) -> None:
    """Backups are not there from the first moment: enabling recovery has to wait for them."""
    create_target(aws, MERGE, LIKE, {"a": "b"})
    assert is_made(aws, MERGE, LIKE)
    before = len(account.calls.of("dynamodb", "CreateTable"))
    create_target(aws, MERGE, LIKE, {"a": "b"})
    assert len(account.calls.of("dynamodb", "CreateTable")) == before == 1


def test_nothing_expires_in_it_while_it_is_filled(aws: Aws) -> None:
    create_target(aws, MERGE, LIKE, {})
    assert not is_expiring(aws, MERGE, "gone_at")
    for _ in range(2):
        expire(aws, MERGE, "gone_at")
        assert is_expiring(aws, MERGE, "gone_at")
    assert is_expiring(aws, MERGE, None)


def test_it_is_removed_although_it_is_protected_or_only_coming(aws: Aws) -> None:
    """The protection goes asynchronously, and a table is deleted neither while it is changed nor while it is made."""
    create_target(aws, MERGE, LIKE, {})
    delete_target(aws, MERGE)
    assert find_target(aws, MERGE)["TableStatus"] == "DELETING"
    delete_target(aws, MERGE)
    aws.clock.sleep(60)
    assert find_target(aws, MERGE) is None
    made(aws)
    assert find_target(aws, MERGE)["TableStatus"] == "CREATING"
    delete_target(aws, MERGE)
    aws.clock.sleep(60)
    assert find_target(aws, MERGE) is None
    delete_target(aws, MERGE)


def made(aws: Aws, **more: object) -> None:
    """Made by somebody else, like an import."""
    aws.dynamodb.create_table(
        **{
            "TableName": MERGED,
            "BillingMode": "PAY_PER_REQUEST",
            **table_shape(MERGED, merged_indexes(KEPT)),
            **encrypted(KEY),
            **more,
        }
    )


def encrypted(key: str) -> dict[str, object]:
    return {"SSESpecification": {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": key}}


def test_what_was_imported_is_protected_and_made_recoverable(aws: Aws) -> None:
    made(aws)
    aws.clock.sleep(120)
    assert not is_made(aws, MERGE, LIKE)
    create_target(aws, MERGE, LIKE, {})
    assert is_made(aws, MERGE, LIKE)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (encrypted(KEY.replace("11111111", "99999999")), "its key of encryption"),
        (table_shape(SOURCES[0], INDEXES[SOURCES[0]]), "its indexes"),
        ({"KeySchema": OTHER_KEYS}, "its key schema"),
    ],
)
def test_what_was_imported_otherwise_is_refused(aws: Aws, more: dict[str, object], said: str) -> None:
    made(aws, **more)
    aws.clock.sleep(120)
    assert not is_made(aws, MERGE, LIKE)
    with pytest.raises(MoveFailed, match=f"not as its sources are: {said}"):
        create_target(aws, MERGE, LIKE, {})
