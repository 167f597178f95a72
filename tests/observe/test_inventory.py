"""Ownership of a resource: tags in every spelling, parts, and tags that cannot be read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from domain.names import GOVERNED_TAG, GOVERNED_VALUE
from emulator.account import EmulatedAccount
from emulator.core.errors import AwsError
from emulator.core.registry import Emulated, operations
from optimizer.model.resource import Kind, tenant_tag
from optimizer.observe.inventory import owner_of, take_inventory
from optimizer.ports.aws import Aws

PRODUCTION = "222222222222"


@pytest.mark.parametrize(
    ("tags", "owner"),
    [
        ({}, None),
        ({"Name": "x", "Team": "TenantId"}, None),
        ({"TenantIdentity": "x"}, None),
        ({"TenantId": "acme"}, "TenantId=acme"),
        ({"TenantId": ""}, "TenantId="),
        ({"tenantid": "acme"}, "tenantid=acme"),
        ({" TenantId ": "acme"}, " TenantId =acme"),
        ({"TenantId:acme": ""}, "TenantId:acme="),
        ({"TENANTID:7": "gold"}, "TENANTID:7=gold"),
    ],
)
def test_a_tenant_tag_is_known_in_every_spelling(tags, owner):
    assert tenant_tag(tags) == owner


@pytest.fixture
def account() -> Iterator[EmulatedAccount]:
    with EmulatedAccount(
        start=datetime(2027, 3, 1, tzinfo=UTC), tooling="111111111111", production=PRODUCTION
    ) as emulated:
        yield emulated


@pytest.fixture
def aws(account: EmulatedAccount) -> Aws:
    return Aws(account.session(PRODUCTION, "us-east-1"), PRODUCTION, "us-east-1", account.clock)


def _table(aws: Aws, name: str, **tags: str) -> None:
    aws.dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
    )


GOVERNED = {GOVERNED_TAG: GOVERNED_VALUE}


def test_only_governed_resources_count_and_tenants_are_left_out(aws):
    _table(aws, "ours", **GOVERNED)
    _table(aws, "foreign")
    _table(aws, "owned", **GOVERNED, TenantId="acme")
    inventory = take_inventory(aws, ["us-east-1"])
    assert [each.name for each in inventory.governed] == ["ours"]
    assert [(each.name, each.reason) for each in inventory.excluded] == [
        ("owned", "owned by a tenant: tag TenantId=acme")
    ]


def test_a_part_owned_by_a_tenant_excludes_the_whole(aws):
    aws.rds.create_db_cluster(
        DBClusterIdentifier="c",
        Engine="aurora-postgresql",
        MasterUsername="admin1",
        MasterUserPassword="secret-secret",
        Tags=[{"Key": GOVERNED_TAG, "Value": GOVERNED_VALUE}],
    )
    aws.rds.create_db_instance(
        DBInstanceIdentifier="i",
        DBClusterIdentifier="c",
        DBInstanceClass="db.r6g.large",
        Engine="aurora-postgresql",
        Tags=[{"Key": "TenantId:acme", "Value": ""}],
    )
    inventory = take_inventory(aws, ["us-east-1"], kinds=(Kind.DATABASE,))
    assert inventory.governed == ()
    assert "its part i is owned by a tenant" in inventory.excluded[0].reason


def test_tags_that_cannot_be_read_count_as_owned(aws, monkeypatch):
    _table(aws, "ours", **GOVERNED)
    (ours,) = take_inventory(aws, ["us-east-1"], kinds=(Kind.TABLE,)).governed

    def denied(*_: object) -> None:
        raise AwsError("AccessDeniedException", "no", 403)

    key = ("dynamodb", "ListTagsOfResource")
    monkeypatch.setitem(operations(), key, Emulated(*key, denied, "", ""))
    assert (
        owner_of(aws, ours)
        == "ownership unknown, so it counts as owned: ListTagsOfResource answered AccessDeniedException"
    )
    inventory = take_inventory(aws, ["us-east-1"], kinds=(Kind.TABLE,))
    assert inventory.governed == ()
    assert [each.name for each in inventory.excluded] == ["ours"]


def test_a_tag_added_later_is_seen(aws):
    _table(aws, "ours", **GOVERNED)
    (ours,) = take_inventory(aws, ["us-east-1"], kinds=(Kind.TABLE,)).governed
    assert owner_of(aws, ours) is None
    aws.dynamodb.tag_resource(ResourceArn=ours.arn, Tags=[{"Key": "TenantId", "Value": "late"}])
    assert owner_of(aws, ours) == "owned by a tenant: tag TenantId=late"


@pytest.mark.parametrize(("ours", "pages"), [(1, 1), (40, 1), (101, 3)])
def test_load_balancers_are_found_in_as_many_calls_as_there_are_pages(
    account: EmulatedAccount, aws: Aws, ours: int, pages: int
) -> None:
    """With a hundred and more in the account, other owners' are never read, and ours twenty at a time."""
    subnets = [each["SubnetId"] for each in aws.ec2.describe_subnets()["Subnets"][:2]]
    for number in range(max(ours, 40)):
        tags = [{"Key": GOVERNED_TAG, "Value": GOVERNED_VALUE}] if number < ours else [{"Key": "team", "Value": "b"}]
        aws.elbv2.create_load_balancer(Name=f"balancer-{number}", Subnets=subnets, Tags=tags)  # type: ignore[arg-type]
    since = len(account.calls)
    with account.acting("job"):
        assert len(take_inventory(aws, ["us-east-1"], kinds=(Kind.LOAD_BALANCER,)).governed) == ours
    made = Counter(call.operation for call in list(account.calls)[since:])
    assert made == {"GetResources": pages, "DescribeTags": -(-ours // 20)}
