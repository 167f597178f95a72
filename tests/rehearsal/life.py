"""A small platform for the tests of its metrics: one configuration, and an account that only holds it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np

from emulator.account import EmulatedAccount
from emulator.workload.noise import Array
from emulator.workload.snapshot import CacheSnapshot, Configuration, DatabaseSnapshot, FleetSnapshot, RegionSnapshot
from emulator.workload.spec import WorkloadEvent, WorkloadSpec
from emulator.workload.workload import MetricRequest, Sources, Workload

NOW = datetime(2027, 3, 1, 8, tzinfo=UTC)
BORN = NOW - timedelta(days=61)
REGION = "us-east-1"
BALANCER = {"LoadBalancer": "app/tap/1"}
FLEET = {"AutoScalingGroupName": "tap-fleet"}
CLUSTER = {"DBClusterIdentifier": "tap-database"}
QUIET = WorkloadSpec(tenants=2_500, requests_per_day=2_000_000)
DESIGNED = WorkloadSpec(tenants=10_000, requests_per_day=20_000_000)


class StandingAccount:
    """The part of an account that the workload needs, for tests that set the configurations themselves."""

    production = "222222222222"

    def on_change(self, callback: Callable[[datetime], None]) -> None:
        pass

    def part(self, kind: type[Sources]) -> Sources:
        return kind()


def serve(account: EmulatedAccount, fleet: str, *, desired: int, maximum: int, user_data: str = "") -> None:
    """A fleet of m5.4xlarge that runs `user_data`, and the load balancer before it, in the production account."""
    ec2 = account.client("ec2", account.production, REGION)
    subnets = [each["SubnetId"] for each in ec2.describe_subnets()["Subnets"]][:3]
    ec2.create_launch_template(
        LaunchTemplateName=fleet,
        LaunchTemplateData={
            "ImageId": "ami-1",
            "InstanceType": "m5.4xlarge",
            "UserData": b64encode(user_data.encode()).decode(),
        },
    )
    account.client("autoscaling", account.production, REGION).create_auto_scaling_group(
        AutoScalingGroupName=fleet,
        MinSize=2,
        MaxSize=maximum,
        DesiredCapacity=desired,
        LaunchTemplate={"LaunchTemplateName": fleet, "Version": "1"},
        VPCZoneIdentifier=",".join(subnets),
    )
    account.client("elbv2", account.production, REGION).create_load_balancer(Name="tap", Subnets=subnets)


def platform(
    instance_type: str = "m5.4xlarge",
    count: int = 15,
    *,
    retention: int = 30,
    readers: int = 2,
    node_type: str = "cache.r6g.4xlarge",
    shards: int = 4,
    snapshots: tuple[float, ...] = (),
    headless: bool = False,
) -> Configuration:
    """The foundation as designed, except for the given values."""
    names = tuple(f"{number + 1:04}" for number in range(shards))
    primary = DatabaseSnapshot(
        instances=tuple((f"tap-database-{n}", "db.r6g.4xlarge") for n in range(1, 2 + readers)),
        writer="tap-database-1",
        secondary=False,
        retention_days=retention,
        snapshots=snapshots,
    )
    follower = (("tap-database-region2-1", "db.r6g.4xlarge"),)
    return {
        REGION: RegionSnapshot(
            fleets={"tap-fleet": FleetSnapshot(tuple((f"i-{n}", instance_type) for n in range(count)))},
            balancers=("app/tap/1",),
            target_groups={"app/tap/1": ("targetgroup/tap-api/1", "targetgroup/tap-admin/2")},
            databases={"tap-database": primary},
            caches={
                "tap-cache": CacheSnapshot(
                    node_type, names, tuple((f"tap-cache-{s}-{n:03}", s) for s in names for n in (1, 2, 3))
                )
            },
            tables={"tenants": ("by-domain", "by-region"), "users": ("by-email",), "audit_logs": ()},
        ),
        "us-west-2": RegionSnapshot(
            databases={"tap-database-region2": DatabaseSnapshot(() if headless else follower, None, True, 1, ())}
        ),
    }


def workload(spec: WorkloadSpec = QUIET, *, seed: int = 0, events: tuple[WorkloadEvent, ...] = ()) -> Workload:
    """The workload of an account that has been as designed since it was born."""
    life = Workload(spec, StandingAccount(), seed, events=events)
    life.remember(BORN, platform())
    return life


def series(
    life: Workload,
    namespace: str,
    name: str,
    dimensions: dict[str, str],
    statistic: str,
    *,
    start: datetime,
    end: datetime,
    period: int = 300,
    now: datetime | None = None,
    region: str = REGION,
) -> dict[int, float]:
    """One statistic by Unix second; empty if there is no such metric. `now` is well after the end by default."""
    asked = MetricRequest(int(start.timestamp()), int(end.timestamp()), period)
    samples = life.samples(region, namespace, name, dimensions, asked, now or end + timedelta(hours=1))
    if samples is None:
        return {}
    at, values = samples.statistic(statistic)
    return dict(zip(at.tolist(), values.tolist(), strict=True))


def values(found: dict[int, float]) -> Array:
    return np.array(list(found.values()))
