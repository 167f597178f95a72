"""A governed table with indexes and a stream, in an account whose metrics the test makes up."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import numpy as np

from domain.names import GOVERNED_TAG, GOVERNED_VALUE
from emulator.account import EmulatedAccount
from emulator.workload.spec import IndexJob, WorkloadSpec
from emulator.workload.workload import Workload
from optimizer.model.resource import Governed, Kind
from optimizer.observe.metrics import Measurements, Query, Series
from optimizer.ports.aws import Aws

INDEXES = {"by-email": "email", "by-role": "tenant_role", "by-invitation": "invitation_id"}
QUIET = WorkloadSpec(tenants=2500, requests_per_day=2_000_000)


def make_table(aws: Aws, name: str = "users", *, stream: bool = True) -> Governed:
    """A table as the foundation makes it, but smaller."""
    keys = ["pk", "sk", *INDEXES.values()]
    aws.dynamodb.create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": each, "AttributeType": "S"} for each in keys],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        BillingMode="PAY_PER_REQUEST",
        GlobalSecondaryIndexes=[
            {
                "IndexName": index,
                "KeySchema": [{"AttributeName": key, "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["name"]},
            }
            for index, key in INDEXES.items()
        ],
        Tags=[{"Key": GOVERNED_TAG, "Value": GOVERNED_VALUE}],
        **({"StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}} if stream else {}),  # type: ignore[arg-type]
    )
    arn = f"arn:aws:dynamodb:{aws.region}:{aws.account}:table/{name}"
    return Governed(Kind.TABLE, name, arn, aws.region, {GOVERNED_TAG: GOVERNED_VALUE})


def live(account: EmulatedAccount, days: int, *, jobs: tuple[IndexJob, ...] = ()) -> Workload:
    """Let the platform's users work for `days` from now on."""
    workload = Workload(QUIET, account, 0, events=(), jobs=jobs)
    workload._observe(account.clock.now())
    account.clock.sleep(timedelta(days=days).total_seconds())
    return workload


def nothing_measured(end: datetime, queries: tuple[Query, ...]) -> Measurements:
    """Measurements in which every one of these series is empty."""
    empty = Series(np.zeros(0, np.int64), np.zeros(0), 300)
    series = {(query, statistic): empty for query in queries for statistic in query.statistics}
    return Measurements(end - timedelta(days=60), end, series, 0, 0)


def described(aws: Aws, name: str = "users") -> Mapping[str, object]:
    """The account's description of the table, without times and counters."""
    table = aws.dynamodb.describe_table(TableName=name)["Table"]
    return {
        "status": table["TableStatus"],
        "indexes": sorted(each["IndexName"] for each in table.get("GlobalSecondaryIndexes", [])),
        "stream": table.get("StreamSpecification"),
    }
