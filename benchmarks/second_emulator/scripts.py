"""All scripts for both emulators: the parity kit's tests of tables, and our own moves and verbs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from benchmarks.parity.asking import Script
from benchmarks.parity.scripts import REFERENCE
from benchmarks.parity.scripts import SCRIPTS as PARITY
from benchmarks.second_emulator.lives import ask_lease, ask_life
from benchmarks.second_emulator.merging import ask_merge
from benchmarks.second_emulator.moves import ask_index_removal, ask_pointers, ask_stream_disable
from tests.consolidate.campaign import STREAMS, WHOLE

GUIDE = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide"
SSM = "https://docs.aws.amazon.com/systems-manager/latest/APIReference"
TABLES = ("policy", "index", "stream")
NOTHING = "nothing: it never runs in a real account"
MERGED = {
    "the pointers are turned": True,
    "items lost, stale or doubled there": 0,
    "the pointers are turned back": True,
    "items lost, stale or doubled back": 0,
    "thirty writes and more came in between": True,
    "some were refused by the block": True,
}
MERGE_OPERATIONS = (
    *("dynamodb:Scan", "dynamodb:BatchWriteItem", "dynamodb:TransactWriteItems", "dynamodb:PutResourcePolicy"),
    *("ssm:PutParameter", "ssm:GetParameters"),
)
OURS: Mapping[str, Script] = {
    "index removal": Script(
        "gsi_removal: deny, undo, deny, delete one after the other, lift the deny",
        f"{GUIDE}/access-control-resource-based.html",
        ("dynamodb:PutResourcePolicy", "dynamodb:DeleteResourcePolicy", "dynamodb:UpdateTable", "dynamodb:Query"),
        NOTHING,
        {
            "deny: is done": True,
            "a query then": "AccessDeniedException",
            "deny: is undone": True,
            "no policy is left of it": True,
            "a query after that": "accepted",
            "deny again: is done": True,
            "delete one after the other: is done": True,
            "lift the deny: is done": True,
        },
        ask_index_removal,
    ),
    "stream disable": Script(
        "stream_disable: off, and on again by undo",
        f"{REFERENCE}/API_StreamSpecification.html",
        ("dynamodb:UpdateTable", "dynamodb:DescribeTable"),
        NOTHING,
        {
            "on": True,
            "on where it is on": True,
            "off": True,
            "undone: on again": True,
            "under a new ARN": True,
        },
        ask_stream_disable,
    ),
    "pointers": Script(
        "The pointers turned and turned back",
        f"{SSM}/API_PutParameter.html",
        ("ssm:PutParameter", "ssm:GetParameters", "ssm:GetParameterHistory"),
        NOTHING,
        {
            "turned": True,
            "attempts, the lease held before each": 2,
            "turned back": True,
            "versions kept": 3,
        },
        ask_pointers,
    ),
    "lease": Script(
        "The plan's lock: taken, taken over, run out, a late owner",
        f"{REFERENCE}/API_TransactWriteItems.html",
        ("dynamodb:UpdateItem", "dynamodb:TransactWriteItems", "dynamodb:GetItem"),
        NOTHING,
        {
            "free: taken": "accepted",
            "held: an acceptance": "LeaseLost",
            "held: a rollback takes it over": "accepted",
            "the late owner's write": "LeaseLost",
            "held by a rollback: another rollback": "LeaseLost",
            "run out: an acceptance": "accepted",
            "the number rises by one each": 2,
        },
        ask_lease,
    ),
    "life": Script(
        "A plan's verbs with the journal: approve, apply, roll back; approve, apply, accept, reconcile",
        f"{REFERENCE}/API_UpdateTable.html",
        ("dynamodb:UpdateTable", "dynamodb:UpdateContinuousBackups", "dynamodb:TransactWriteItems", "dynamodb:Query"),
        NOTHING,
        {
            "rolled back: apply": "accepted",
            "rolled back: as applied": True,
            "rolled back: roll back": "accepted",
            "rolled back: as designed": True,
            "rolled back: state": "rolled_back",
            "accepted: apply": "accepted",
            "accepted: too early": "Unhealthy",
            "accepted: accept": "accepted",
            "accepted: as accepted": True,
            "accepted: reconciled": "accepted",
            "accepted: state": "reconciled",
            "accepted: sizing revision": 1,
        },
        ask_life,
    ),
    "merge": Script(
        "table_consolidation there and back, everything compared behind the write block",
        f"{GUIDE}/access-control-resource-based.html",
        MERGE_OPERATIONS,
        NOTHING,
        MERGED,
        partial(ask_merge, WHOLE),
    ),
    "merge by streams": Script(
        "table_consolidation there and back, the streams followed",
        f"{GUIDE}/Streams.html",
        (*MERGE_OPERATIONS, "dynamodbstreams:DescribeStream", "dynamodbstreams:GetRecords"),
        NOTHING,
        MERGED,
        partial(ask_merge, STREAMS),
    ),
}
RUN: Mapping[str, Script] = {**{name: PARITY[name] for name in TABLES}, **OURS}
