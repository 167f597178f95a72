"""Resources that the tagging API returns, and those that it leaves out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from emulator.account import EmulatedAccount

REGION = "us-east-1"
OURS = [{"Key": "tap:governed", "Value": "true"}]


@pytest.fixture
def account() -> Iterator[EmulatedAccount]:
    start = datetime(2027, 3, 1, 8, tzinfo=UTC)
    with EmulatedAccount(start=start, tooling="111111111111", production="222222222222") as account:
        for name, tags in (("tagged", OURS), ("bare", [])):
            client(account, "dynamodb").create_table(
                TableName=name,
                KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
                BillingMode="PAY_PER_REQUEST",
                Tags=tags,
            )
            subnets = [each["SubnetId"] for each in client(account, "ec2").describe_subnets()["Subnets"]][:2]
            client(account, "elbv2").create_load_balancer(
                Name=name, Subnets=subnets, **({"Tags": tags} if tags else {})
            )
        yield account


def client(account: EmulatedAccount, service: str, region: str = REGION) -> Any:
    return account.client(service, account.production, region)


def found(account: EmulatedAccount, region: str = REGION, **asked: Any) -> dict[str, dict[str, str]]:
    """Tags by the last part of the ARN that names the resource."""
    pages = client(account, "resourcegroupstaggingapi", region).get_paginator("get_resources").paginate(**asked)
    return {
        each["ResourceARN"].split(":", 5)[5]: {tag["Key"]: tag["Value"] for tag in each["Tags"]}
        for page in pages
        for each in page["ResourceTagMappingList"]
    }


def names(account: EmulatedAccount, **asked: Any) -> set[str]:
    return {each.split("/", 1)[1].removeprefix("app/").split("/")[0] for each in found(account, **asked)}


def test_only_what_is_tagged_is_shown(account: EmulatedAccount) -> None:
    shown = found(account)
    assert sorted(each.split("/")[0] for each in shown) == ["loadbalancer", "table"]
    assert names(account) == {"tagged"}


def test_what_was_tagged_is_shown_without_tags(account: EmulatedAccount) -> None:
    arn = client(account, "dynamodb").describe_table(TableName="tagged")["Table"]["TableArn"]
    client(account, "dynamodb").untag_resource(ResourceArn=arn, TagKeys=["tap:governed"])
    (balancer,) = client(account, "elbv2").describe_load_balancers(Names=["tagged"])["LoadBalancers"]
    client(account, "elbv2").remove_tags(ResourceArns=[balancer["LoadBalancerArn"]], TagKeys=["tap:governed"])
    assert names(account) == {"tagged"}
    assert list(found(account).values()) == [{}, {}]
    assert "table/tagged" not in found(account, TagFilters=[{"Key": "tap:governed"}])
    client(account, "dynamodb").delete_table(TableName="tagged")
    account.clock.sleep(600)
    assert "table/tagged" not in found(account)


def test_each_region_shows_its_own(account: EmulatedAccount) -> None:
    assert not found(account, "eu-west-1")


def test_auto_scaling_groups_are_never_shown(account: EmulatedAccount) -> None:
    client(account, "ec2").create_launch_template(
        LaunchTemplateName="fleet", LaunchTemplateData={"ImageId": "ami-12345678", "InstanceType": "m5.large"}
    )
    client(account, "autoscaling").create_auto_scaling_group(
        AutoScalingGroupName="fleet",
        LaunchTemplate={"LaunchTemplateName": "fleet", "Version": "1"},
        MinSize=0,
        MaxSize=1,
        AvailabilityZones=["us-east-1a"],
        Tags=[{**OURS[0], "PropagateAtLaunch": True}],
    )
    assert not [each for each in found(account) if "fleet" in each]


@pytest.mark.parametrize(
    ("filters", "shown"),
    [
        ([{"Key": "tap:governed"}], True),
        ([{"Key": "tap:governed", "Values": ["false", "true"]}], True),
        ([{"Key": "tap:governed", "Values": ["false"]}], False),
        ([{"Key": "tap:governed"}, {"Key": "TenantId"}], False),
        ([{"Key": "TAP:governed"}], False),
    ],
)
def test_filters(account: EmulatedAccount, filters: list[Any], shown: bool) -> None:
    assert bool(found(account, TagFilters=filters)) is shown


def test_an_unknown_arn_is_left_out_without_an_error(account: EmulatedAccount) -> None:
    arns = [f"arn:aws:dynamodb:{REGION}:222222222222:table/{name}" for name in ("tagged", "bare", "nowhere")]
    assert set(found(account, ResourceARNList=arns)) == {"table/tagged"}
    assert set(found(account, ResourceTypeFilters=["dynamodb:table"])) == {"table/tagged"}


def test_pages_hold_no_more_than_was_asked_for(account: EmulatedAccount) -> None:
    tagging = client(account, "resourcegroupstaggingapi")
    first = tagging.get_resources(ResourcesPerPage=1)
    last = tagging.get_resources(ResourcesPerPage=1, PaginationToken=first["PaginationToken"])
    assert [len(page["ResourceTagMappingList"]) for page in (first, last)] == [1, 1]
    assert last["PaginationToken"] == ""
    with pytest.raises(ClientError, match="PaginationTokenExpired"):
        tagging.get_resources(PaginationToken="nonsense")


@pytest.mark.parametrize(
    "asked",
    [
        {"ResourcesPerPage": 101},
        {"TagsPerPage": 150},
        {"TagFilters": [{"Key": str(number)} for number in range(51)]},
        {"ResourceARNList": ["arn:aws:s3:::bucket"], "TagFilters": [{"Key": "a"}]},
    ],
)
def test_what_makes_no_sense_is_refused(account: EmulatedAccount, asked: dict[str, Any]) -> None:
    with pytest.raises(ClientError, match="InvalidParameter"):
        client(account, "resourcegroupstaggingapi").get_resources(**asked)
