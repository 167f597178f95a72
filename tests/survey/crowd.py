"""An account with many resources of every kind, by plain AWS calls, and the fewest calls their metrics can take."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from emulator.account import EmulatedAccount
from emulator.core.call_record import Call
from tests.survey.platform import DAYS, OWNER, REGION, build, empty_account

POINTS, QUERIES = 100_800, 500  # of one call (CloudWatch API Reference, GetMetricData)


@contextmanager
def crowded(count: int) -> Iterator[EmulatedAccount]:
    """The shop, and beside it other resources up to `count`: most of them tables, each with an index."""
    with empty_account() as account:
        build(account)
        groups = count // 20
        tables = count - 10 - 3 * groups
        dynamodb = account.client("dynamodb", OWNER, REGION)
        for number in range(tables):
            dynamodb.create_table(
                TableName=f"service-{number}",
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[{"AttributeName": each, "AttributeType": "S"} for each in ("id", "owner")],
                KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
                GlobalSecondaryIndexes=[
                    {
                        "IndexName": "by-owner",
                        "KeySchema": [{"AttributeName": "owner", "KeyType": "HASH"}],
                        "Projection": {"ProjectionType": "ALL"},
                    }
                ],
            )
        scaling, cache, rds = (account.client(each, OWNER, REGION) for each in ("autoscaling", "elasticache", "rds"))
        template = scaling.describe_auto_scaling_groups()["AutoScalingGroups"][0]
        for number in range(groups):
            scaling.create_auto_scaling_group(
                AutoScalingGroupName=f"service-{number}",
                MinSize=0,
                DesiredCapacity=0,
                MaxSize=4,
                LaunchTemplate={"LaunchTemplateId": template["LaunchTemplate"]["LaunchTemplateId"], "Version": "1"},
                VPCZoneIdentifier=template["VPCZoneIdentifier"],
            )
            cache.create_replication_group(
                ReplicationGroupId=f"service-{number}",
                ReplicationGroupDescription="a service's",
                Engine="valkey",
                EngineVersion="8.0",
                CacheNodeType="cache.r6g.large",
                NumNodeGroups=1,
                ReplicasPerNodeGroup=1,
                AutomaticFailoverEnabled=True,
            )
            rds.create_db_cluster(
                DBClusterIdentifier=f"service-{number}",
                Engine="aurora-postgresql",
                MasterUsername="service",
                MasterUserPassword="not-a-secret-1",
            )
        account.clock.sleep(DAYS.total_seconds())
        yield account


def floor(calls: Sequence[Call]) -> int:
    """The fewest calls of GetMetricData that read the same, by Region and range: no series is cut.

    A call is full of queries, or of points, or has no room for one more series of the longest kind.
    """
    lengths: dict[object, Counter[int]] = defaultdict(Counter)
    for call in calls:
        seconds = (call.parameters["EndTime"] - call.parameters["StartTime"]).total_seconds()
        span = (call.region, call.parameters["StartTime"], call.parameters["EndTime"])
        lengths[span].update(
            int(seconds // each["MetricStat"]["Period"]) for each in call.parameters["MetricDataQueries"]
        )
    return sum(_fewest(found) for found in lengths.values())


def _fewest(lengths: Counter[int]) -> int:
    points = sum(length * count for length, count in lengths.items())
    longest = [math.ceil(count / (POINTS // length)) for length, count in lengths.items()]
    return max(math.ceil(lengths.total() / QUERIES), math.ceil(points / POINTS), *longest)
