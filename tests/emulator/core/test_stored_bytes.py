"""Stored objects: large ones lie beside the memory, and lives that are forked read each for themselves."""

from __future__ import annotations

import multiprocessing
from datetime import UTC, datetime
from functools import partial

import pytest

from emulator.account import EmulatedAccount
from emulator.core.stored_bytes import HELD, StoredBytes


@pytest.mark.parametrize("size", [0, 1, HELD, HELD + 1, 3 * HELD])
def test_a_value_is_read_as_it_was_written_in_parts_and_again(size):
    value, stored = bytes(n % 251 for n in range(size)), StoredBytes()
    stored.write(value)
    for part in (1_000_000, 40_000, -1):
        stored.seek(0)
        pieces = list(iter(partial(stored.read, part), b""))
        assert b"".join(pieces) == value
    stored.truncate()
    stored.seek(0)
    assert stored.read() == b""


def _read_in_parts(stored, expected, others):
    others.wait()
    for _ in range(50):
        stored.seek(0)
        assert b"".join(iter(lambda: stored.read(1_000), b"")) == expected


def test_forked_lives_do_not_move_each_others_position():
    value, stored, fork = bytes(n % 251 for n in range(3 * HELD)), StoredBytes(), multiprocessing.get_context("fork")
    stored.write(value)
    together = fork.Barrier(3)
    readers = [fork.Process(target=_read_in_parts, args=(stored, value, together)) for _ in range(2)]
    for each in readers:
        each.start()
    _read_in_parts(stored, value, together)
    for each in readers:
        each.join()
    assert [each.exitcode for each in readers] == [0, 0]


def test_every_version_of_a_large_object_keeps_its_bytes():
    start = datetime(2027, 3, 1, tzinfo=UTC)
    with EmulatedAccount(start=start, tooling="111111111111", production="222222222222") as account:
        s3 = account.client("s3", "111111111111", "us-east-1")
        s3.create_bucket(Bucket="kept")
        s3.put_bucket_versioning(Bucket="kept", VersioningConfiguration={"Status": "Enabled"})
        written = {}
        for letter in (b"a", b"b"):
            written[s3.put_object(Bucket="kept", Key="page", Body=letter * HELD * 2)["VersionId"]] = letter * HELD * 2
        for version, body in written.items():
            assert s3.get_object(Bucket="kept", Key="page", VersionId=version)["Body"].read() == body
        assert s3.get_object(Bucket="kept", Key="page")["Body"].read() == b"b" * HELD * 2
