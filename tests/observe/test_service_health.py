"""The load balancer that is measured: found by its tag for a baseline, and by its ARN while that baseline is in use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from domain.names import GOVERNED_TAG, GOVERNED_VALUE
from emulator.account import EmulatedAccount
from optimizer.decide.policy import Policy
from optimizer.observe.service_health import ServiceHealth
from optimizer.ports.aws import Aws

HOUR = timedelta(hours=1)


@pytest.fixture
def account() -> Iterator[EmulatedAccount]:
    start = datetime(2027, 3, 1, tzinfo=UTC)
    with EmulatedAccount(start=start, tooling="111111111111", production="222222222222") as account:
        yield account


@pytest.fixture
def aws(account: EmulatedAccount) -> Aws:
    session = account.session("222222222222", "us-east-1")
    return Aws(session, "222222222222", "us-east-1", account.clock)


def _made(aws: Aws, name: str) -> str:
    """A governed load balancer with one target group; its ARN."""
    subnets = aws.ec2.describe_subnets()["Subnets"][:2]
    tags = [{"Key": GOVERNED_TAG, "Value": GOVERNED_VALUE}]
    made = aws.elbv2.create_load_balancer(Name=name, Subnets=[each["SubnetId"] for each in subnets], Tags=tags)
    arn = made["LoadBalancers"][0]["LoadBalancerArn"]
    group = aws.elbv2.create_target_group(Name=name, Protocol="HTTP", Port=80, VpcId=subnets[0]["VpcId"])
    to_group = [{"Type": "forward", "TargetGroupArn": group["TargetGroups"][0]["TargetGroupArn"]}]
    aws.elbv2.create_listener(LoadBalancerArn=arn, Protocol="HTTP", Port=80, DefaultActions=to_group)
    return arn


def _measured(account: EmulatedAccount, health: ServiceHealth) -> tuple[str | None, Counter[str]]:
    """The load balancer of the last hour's samples, and the calls that these took."""
    now, since = account.clock.now(), len(account.calls)
    with account.acting("job"):
        samples = health.samples(now - HOUR, now)
    return samples.balancer, Counter(call.operation for call in list(account.calls)[since:])


def test_the_load_balancer_of_a_baseline_in_use_is_not_looked_for(account: EmulatedAccount, aws: Aws) -> None:
    ours = _made(aws, "ours")
    found, calls = _measured(account, ServiceHealth(aws, Policy()))
    assert (found, set(calls)) == (ours, {"GetResources", "DescribeTags", "DescribeTargetGroups", "GetMetricData"})
    found, calls = _measured(account, ServiceHealth(aws, Policy(), lambda: ours))
    assert (found, calls) == (ours, {"DescribeTargetGroups": 1, "GetMetricData": 1})


def test_one_that_is_gone_is_looked_for(account: EmulatedAccount, aws: Aws) -> None:
    gone = _made(aws, "gone")
    aws.elbv2.delete_load_balancer(LoadBalancerArn=gone)
    assert _measured(account, ServiceHealth(aws, Policy(), lambda: gone))[0] is None
    ours = _made(aws, "ours")
    assert _measured(account, ServiceHealth(aws, Policy(), lambda: gone))[0] == ours


def test_a_new_baseline_is_of_what_is_governed_by_then(account: EmulatedAccount, aws: Aws) -> None:
    earlier, now = _made(aws, "earlier"), account.clock.now()
    health = ServiceHealth(aws, Policy(), lambda: earlier)
    assert health.samples(now - HOUR, now).balancer == earlier
    aws.elbv2.remove_tags(ResourceArns=[earlier], TagKeys=[GOVERNED_TAG])
    ours = _made(aws, "ours")
    assert health.baseline(now).balancer == ours
