"""A survey's record: strict and versioned, and anonymous on request."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from domain.errors import UsageError
from emulator.account import EmulatedAccount
from optimizer.model.resource import Kind
from optimizer.survey.record import Record, read_record
from tests.survey.platform import OWNER, REGION, run, shop


@pytest.fixture(scope="module")
def account() -> Iterator[EmulatedAccount]:
    with shop() as account:
        yield account


def recorded(account: EmulatedAccount, folder: Path, *more: str) -> Path:
    file = folder / "mine.json"
    arguments = ["--regions", REGION, "--out", str(folder), "--no-bill", "--record", str(file), *more]
    assert run(account, arguments)[0] == 0
    return file


@pytest.fixture(scope="module")
def plain(account: EmulatedAccount, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recorded(account, tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="module")
def anonymous(account: EmulatedAccount, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recorded(account, tmp_path_factory.mktemp("anonymous"), "--anonymous")


def sizes(record: Record) -> list[object]:
    return [(each.kind, each.fleet, each.cache, each.cluster, each.table) for each in record.resources]


def test_sizes_and_figures_are_kept(plain: Path) -> None:
    record = read_record(plain)
    web = next(each for each in record.of(Kind.FLEET) if each.name == "shop-web")
    assert web.fleet is not None
    assert (web.fleet.instance_type, web.fleet.desired) == ("m5.4xlarge", 12)
    (orders,) = record.of(Kind.DATABASE)
    assert orders.cluster is not None
    assert [each.writes for each in orders.cluster.instances].count(True) == 1
    assert (orders.engine, orders.cluster.retention_days) == ("aurora-mysql", 21)
    assert {each.metric for each in record.metrics} >= {"RequestCount", "CPUUtilization", "BytesUsedForCache"}


def test_an_anonymous_record_names_nothing_that_is_somebodys(anonymous: Path, plain: Path) -> None:
    text = anonymous.read_text()
    for name in (OWNER, "shop", "orders", "sessions", "carts", "wishes", "team", "web"):
        assert name not in text, name
    assert sizes(read_record(anonymous)) == sizes(read_record(plain))


def planted(account: EmulatedAccount) -> Iterator[str]:
    """Every identifier, name, ARN, host name and value of a tag that the account's own descriptions hold."""

    def ask(service: str, call: str, key: str) -> Any:
        return getattr(account.client(service, OWNER, REGION), call)()[key]

    for group in ask("autoscaling", "describe_auto_scaling_groups", "AutoScalingGroups"):
        yield from (group["AutoScalingGroupName"], group["AutoScalingGroupARN"], group["VPCZoneIdentifier"])
        yield from (each["InstanceId"] for each in group["Instances"])
        yield from (each["Value"] for each in group["Tags"])
    for template in ask("ec2", "describe_launch_templates", "LaunchTemplates"):
        yield from (template["LaunchTemplateId"], template["LaunchTemplateName"])
    for reservation in ask("ec2", "describe_instances", "Reservations"):
        yield from (each["PrivateDnsName"] for each in reservation["Instances"])
    for balancer in ask("elbv2", "describe_load_balancers", "LoadBalancers"):
        yield from (balancer["DNSName"], balancer["LoadBalancerArn"], balancer["LoadBalancerArn"].rsplit("/", 1)[1])
    for cluster in ask("rds", "describe_db_clusters", "DBClusters"):
        yield from (
            cluster["DBClusterIdentifier"],
            cluster["DBClusterArn"],
            cluster["Endpoint"],
            cluster["HostedZoneId"],
        )
    for instance in ask("rds", "describe_db_instances", "DBInstances"):
        yield from (instance["DBInstanceIdentifier"], instance["DBInstanceArn"], instance["Endpoint"]["Address"])
    for cache in ask("elasticache", "describe_replication_groups", "ReplicationGroups"):
        yield from (cache["ReplicationGroupId"], cache["ARN"], *cache["MemberClusters"])
    dynamodb = account.client("dynamodb", OWNER, REGION)
    for name in ask("dynamodb", "list_tables", "TableNames"):
        table = dynamodb.describe_table(TableName=name)["Table"]
        yield from (name, table["TableArn"], table["LatestStreamArn"])
        yield from (each["IndexName"] for each in table["GlobalSecondaryIndexes"])
        yield from (each["Value"] for each in dynamodb.list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"])


def test_nothing_that_the_accounts_descriptions_hold_is_in_an_anonymous_record(
    account: EmulatedAccount, anonymous: Path, plain: Path
) -> None:
    text, open_text = anonymous.read_text(), plain.read_text()
    found = set(planted(account))
    assert len(found) > 30
    assert len([each for each in found if each in open_text]) > 10, "the search finds what is there"
    assert sorted(each for each in found if each in text) == []


def test_equal_identifiers_stay_equal(anonymous: Path) -> None:
    record = read_record(anonymous)
    names = {each.name for each in record.of(Kind.FLEET)}
    measured = {dict(each.dimensions).get("AutoScalingGroupName") for each in record.metrics}
    assert names == measured - {None}
    assert len({each.arn.split(":")[4] for each in record.resources}) == 1


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda d: d.update(version=2), "is a record of version 2, this reads 1. Survey again."),
        (lambda d: d.update(colour="red"), "colour: Extra inputs are not permitted"),
        (lambda d: d["resources"][0].pop("kind"), "resources.0.kind: Field required"),
    ],
)
def test_a_wrong_record_is_refused_by_file_and_field(plain: Path, tmp_path: Path, edit: object, said: str) -> None:
    document = json.loads(plain.read_text())
    edit(document)
    file = tmp_path / "edited.json"
    file.write_text(json.dumps(document))
    with pytest.raises(UsageError) as refused:
        read_record(file)
    assert str(file) in str(refused.value)
    assert said in str(refused.value)


def test_a_file_that_is_no_record(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    for text in ("[]", "{"):
        file.write_text(text)
        with pytest.raises(UsageError, match="is no record of a survey"):
            read_record(file)
    with pytest.raises(UsageError, match="cannot be read"):
        read_record(tmp_path / "absent.json")
