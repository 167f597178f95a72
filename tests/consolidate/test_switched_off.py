"""Each protection of the migration, switched off: then items are lost, stale, doubled or resurrected."""

from __future__ import annotations

from contextlib import contextmanager
from random import Random

import pytest

from domain.errors import MoveFailed
from optimizer.consolidate import cutover, proof
from optimizer.consolidate import replay as follow
from optimizer.consolidate.merge import Speed
from tests.consolidate import campaign
from tests.consolidate.campaign import migrate_there_and_back
from tests.consolidate.platform import MERGE, MemoryNotes, lived

SEEDS = range(5)


def listens_for_the_wrong_name(off):
    """As a public example does: there is no DELETE, so that every delete is passed over."""
    carry = follow._carry
    off.setattr(follow, "REMOVED", "DELETE")
    off.setattr(
        follow,
        "_carry",
        lambda aws, records, write: carry(aws, [r for r in records if r["eventName"] != "REMOVE"], write),
    )


def flips_without_a_fence(off):
    off.setattr(cutover, "fenced", contextmanager(lambda aws, tables: (yield)))


def does_not_drain(off):
    off.setattr(cutover, "_until_quiet", lambda aws, work, deadline: None)


def all_of_them():
    for seed in SEEDS:
        with lived(200, seed) as platform:
            migrate_there_and_back(platform)


@pytest.mark.parametrize(
    "switch_off",
    [
        listens_for_the_wrong_name,
        flips_without_a_fence,
        does_not_drain,
    ],
)
def test_without_it_the_migration_fails(switch_off, monkeypatch):
    monkeypatch.setattr(proof, "refuse_difference", nothing_refused := lambda different, when, used="": None)
    monkeypatch.setattr(cutover, "refuse_difference", nothing_refused)  # the proof would see it first
    switch_off(monkeypatch)
    with pytest.raises((AssertionError, MoveFailed)):
        all_of_them()


def test_the_proof_names_what_differs():
    with lived(100, 0) as platform:
        platform.application.busy = False
        notes, speed = MemoryNotes(), Speed(units=1e6, segments=1, workers=1)
        campaign.create_target(platform.aws, MERGE, campaign.LIKE, {})
        campaign.copy(platform.aws, notes, speed)
        aws = platform.aws
        key = {"pk": {"S": "TENANT#1"}, "sk": {"S": "users#USER#1"}}
        aws.dynamodb.update_item(
            TableName=MERGE.target, Key=key, UpdateExpression="SET n = :n", ExpressionAttributeValues={":n": {"N": "0"}}
        )
        with pytest.raises(MoveFailed, match=r"1 items differ .*users TENANT#1, USER#1"):
            cutover.prove(aws, MERGE, speed, notes, campaign.state_of(notes))


def test_behind_a_fence_that_does_not_hold_nothing_is_turned():
    """Somebody writes on: after a pause of three minutes the sources are let through again."""
    with lived(100, 0) as platform:
        notes, speed = MemoryNotes(), Speed(units=1e6, segments=1, workers=1)
        campaign.create_target(platform.aws, MERGE, campaign.LIKE, {})
        campaign.copy(platform.aws, notes, speed)
        campaign.open_way_back(platform.aws)
        platform.application.clients.dynamodb._fenced = False
        with pytest.raises(MoveFailed, match="until the pause was over"):
            cutover.flip(platform.aws, MERGE, speed, notes, campaign.state_of(notes), Random(0))
        assert cutover.is_turned_back(platform.aws, MERGE)


def test_a_return_that_is_refused_denies_nobody_and_says_where_the_application_is():
    with lived(100, 0) as platform:
        notes, speed = MemoryNotes(), Speed(units=1e6, segments=1, workers=1)
        campaign.migrate(platform, speed)
        platform.application.busy = False
        aws, notes = platform.aws, platform.notes
        aws.dynamodb.update_item(  # past the application, and against the way back
            TableName="users",
            Key={"pk": {"S": "TENANT#1"}, "sk": {"S": "USER#1"}},
            UpdateExpression="SET n = :n",
            ExpressionAttributeValues={":n": {"N": "0"}},
        )
        with pytest.raises(MoveFailed, match=r"still reads and writes tenants_users"):
            cutover.turn_back(aws, MERGE, notes, campaign.state_of(notes), Random(1))
        written = platform.application.writes
        platform.write(20)
        assert platform.application.writes == written + 20
        assert cutover.is_flipped(aws, MERGE)
