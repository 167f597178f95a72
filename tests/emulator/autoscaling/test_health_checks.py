"""Instances that fail their health checks are replaced, one after the other, and the group says so."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from emulator.account import EmulatedAccount
from emulator.services.autoscaling.health_checks import check_instances
from emulator.workload.workload import Sources
from optimizer.ports.aws import Aws
from optimizer.resources.fleet.replacements import replaced_since

START = datetime(2027, 3, 1, 8, tzinfo=UTC)
PRODUCTION, REGION, NAME = "222222222222", "us-east-1", "tap-fleet"


class Busy:
    """A workload that keeps the fleet so busy, in percent, until its event ends."""

    def __init__(self, cpu: float, until: datetime) -> None:
        self.cpu, self.until = cpu, until

    def unhealthy_above(self, now: datetime) -> float | None:
        return 24.0 if now < self.until else None

    def may_turn_unhealthy(self, now: datetime) -> bool:
        return now < self.until

    def fleet_cpu(self, _region: str, _now: datetime) -> float:
        return self.cpu

    def lacks(self, _kind: str, _now: datetime) -> bool:
        return False


@pytest.fixture
def account() -> Iterator[EmulatedAccount]:
    with EmulatedAccount(start=START, tooling="111111111111", production=PRODUCTION) as account:
        yield account


def fleet(account: EmulatedAccount, health_check: str = "ELB") -> Any:
    """Eight instances in service, past their grace period."""
    account.client("ec2", PRODUCTION, REGION).create_launch_template(
        LaunchTemplateName=NAME, LaunchTemplateData={"ImageId": "ami-12345678", "InstanceType": "m5.2xlarge"}
    )
    client = account.client("autoscaling", PRODUCTION, REGION)
    client.create_auto_scaling_group(
        AutoScalingGroupName=NAME,
        LaunchTemplate={"LaunchTemplateName": NAME, "Version": "1"},
        MinSize=6,
        DesiredCapacity=8,
        MaxSize=15,
        HealthCheckType=health_check,
        HealthCheckGracePeriod=300,
        AvailabilityZones=["us-east-1a"],
    )
    account.clock.sleep(900)
    return client


def overloaded(account: EmulatedAccount, cpu: float, minutes: int) -> None:
    account.part(Sources).workload = Busy(cpu, account.clock.now() + timedelta(minutes=minutes))  # type: ignore[assignment]
    check_instances(account)
    account.clock.sleep(60 * minutes + 1)


def test_each_is_terminated_with_its_cause_and_another_is_launched(account: EmulatedAccount) -> None:
    client = fleet(account)
    overloaded(account, 25.0, 4)
    (group,) = client.describe_auto_scaling_groups()["AutoScalingGroups"]
    states = [each["LifecycleState"] for each in group["Instances"]]
    assert states.count("Terminating") == 3
    assert states.count("InService") + states.count("Pending") == 8
    activities = client.describe_scaling_activities(AutoScalingGroupName=NAME)["Activities"]
    assert len(activities) == 3
    assert activities[0]["StartTime"] > activities[-1]["StartTime"]
    assert "taken out of service in response to an ELB system health check failure" in activities[0]["Cause"]
    aws = Aws(account.session(PRODUCTION, REGION), PRODUCTION, REGION, account.clock)
    assert len(list(replaced_since(aws, NAME, START))) == 3
    assert len(list(replaced_since(aws, NAME, activities[1]["StartTime"]))) == 2


def test_a_new_one_has_its_grace_period(account: EmulatedAccount) -> None:
    client = fleet(account)
    overloaded(account, 99.0, 30)
    (group,) = client.describe_auto_scaling_groups()["AutoScalingGroups"]
    assert len(client.describe_scaling_activities(AutoScalingGroupName=NAME)["Activities"]) > 8
    assert [each for each in group["Instances"] if each["LifecycleState"] == "InService"]


@pytest.mark.parametrize(("cpu", "health_check"), [(23.0, "ELB"), (99.0, "EC2")])
def test_none_fails_below_the_limit_or_without_the_load_balancers_checks(
    account: EmulatedAccount, cpu: float, health_check: str
) -> None:
    client = fleet(account, health_check)
    overloaded(account, cpu, 30)
    assert client.describe_scaling_activities()["Activities"] == []
