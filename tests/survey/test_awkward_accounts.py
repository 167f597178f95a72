"""Surveys of what other accounts have: each is decided on or named in words, and its record can be rehearsed or not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from domain.errors import UsageError
from emulator.account import EmulatedAccount
from optimizer.model.decision import Choice
from optimizer.model.resource import Governed, Kind
from optimizer.survey.limits import is_decided
from optimizer.survey.permissions import policy
from rehearsal.recorded import scenario_of
from tests.survey.platform import DAYS, OWNER, REGION, build, empty_account, plan_in, role, run

Build = Callable[[EmulatedAccount], None]
KEYS = {
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "BillingMode": "PAY_PER_REQUEST",
}


def client(account: EmulatedAccount, service: str) -> Any:
    return account.client(service, OWNER, REGION)


def _cache(account: EmulatedAccount, name: str, **more: Any) -> None:
    client(account, "elasticache").create_replication_group(
        ReplicationGroupId=name, ReplicationGroupDescription=name, Engine="redis", EngineVersion="7.1", **more
    )


def cluster_mode_off(account: EmulatedAccount) -> None:
    _cache(account, "off", CacheNodeType="cache.m6g.large", NumCacheClusters=2, AutomaticFailoverEnabled=True)


def single_node(account: EmulatedAccount) -> None:
    _cache(account, "single", CacheNodeType="cache.t4g.micro", NumCacheClusters=1, AutomaticFailoverEnabled=False)


def _cluster(account: EmulatedAccount, name: str, kind: str, **more: Any) -> None:
    rds = client(account, "rds")
    engine = more.pop("Engine", "aurora-postgresql")
    rds.create_db_cluster(
        DBClusterIdentifier=name, Engine=engine, MasterUsername="shop", MasterUserPassword="not-a-secret-1", **more
    )
    for zone in "ab":
        rds.create_db_instance(
            DBInstanceIdentifier=f"{name}-{zone}",
            DBClusterIdentifier=name,
            DBInstanceClass=kind,
            Engine=engine,
            AvailabilityZone=f"{REGION}{zone}",
        )


def serverless(account: EmulatedAccount) -> None:
    _cluster(
        account, "elastic", "db.serverless", ServerlessV2ScalingConfiguration={"MinCapacity": 0.5, "MaxCapacity": 8}
    )


def stopped_cluster(account: EmulatedAccount) -> None:
    _cluster(account, "asleep", "db.r6g.large")
    client(account, "rds").stop_db_cluster(DBClusterIdentifier="asleep")


def neptune(account: EmulatedAccount) -> None:
    client(account, "rds").create_db_cluster(DBClusterIdentifier="graph", Engine="neptune")


def instance_alone(account: EmulatedAccount) -> None:
    client(account, "rds").create_db_instance(
        DBInstanceIdentifier="old",
        DBInstanceClass="db.m5.large",
        Engine="postgres",
        AllocatedStorage=100,
        MasterUsername="shop",
        MasterUserPassword="not-a-secret-1",
    )


def capped_table(account: EmulatedAccount) -> None:
    client(account, "dynamodb").create_table(
        TableName="capped", OnDemandThroughput={"MaxReadRequestUnits": 100, "MaxWriteRequestUnits": 50}, **KEYS
    )


def global_table(account: EmulatedAccount) -> None:
    dynamodb = client(account, "dynamodb")
    stream = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    dynamodb.create_table(TableName="world", StreamSpecification=stream, **KEYS)
    account.clock.sleep(600)
    dynamodb.update_table(TableName="world", ReplicaUpdates=[{"Create": {"RegionName": "eu-west-1"}}])


def _group(account: EmulatedAccount, name: str, **launches: Any) -> None:
    subnets = [each["SubnetId"] for each in client(account, "ec2").describe_subnets()["Subnets"]][:2]
    client(account, "autoscaling").create_auto_scaling_group(
        AutoScalingGroupName=name,
        MinSize=0,
        MaxSize=4,
        DesiredCapacity=2,
        VPCZoneIdentifier=",".join(subnets),
        **launches,
    )


def _template(account: EmulatedAccount, name: str) -> str:
    data = {"InstanceType": "m5.large", "ImageId": "ami-0abcdef0123456789"}
    made = client(account, "ec2").create_launch_template(LaunchTemplateName=name, LaunchTemplateData=data)
    return str(made["LaunchTemplate"]["LaunchTemplateId"])


def mixed_instances(account: EmulatedAccount) -> None:
    specification = {"LaunchTemplateId": _template(account, "mixed"), "Version": "$Latest"}
    kinds = [{"InstanceType": each} for each in ("m5.large", "m6i.large")]
    policy = {"LaunchTemplate": {"LaunchTemplateSpecification": specification, "Overrides": kinds}}
    _group(account, "mixed", MixedInstancesPolicy=policy)


def launch_configuration(account: EmulatedAccount) -> None:
    client(account, "autoscaling").create_launch_configuration(
        LaunchConfigurationName="old", ImageId="ami-0abcdef0123456789", InstanceType="m5.large"
    )
    _group(account, "old", LaunchConfigurationName="old")


def stopped_instances(account: EmulatedAccount) -> None:
    ec2 = client(account, "ec2")
    made = ec2.run_instances(ImageId="ami-0abcdef0123456789", MinCount=2, MaxCount=2, InstanceType="m5.large")
    ec2.stop_instances(InstanceIds=[each["InstanceId"] for each in made["Instances"]])


NOT_REHEARSED = "holds no group, replication group or Aurora cluster"


@pytest.mark.parametrize(
    ("made", "told", "rehearsed"),
    [
        (cluster_mode_off, "cluster mode is off", None),
        (single_node, "redis_rightsize      single:", None),
        (serverless, "aurora_writer        elastic:", None),
        (stopped_cluster, "the cluster is stopped", True),
        (neptune, "graph (us-east-1): engine neptune: only Aurora PostgreSQL and Aurora MySQL are decided on", None),
        (instance_alone, "old (us-east-1): an instance of postgres without an Aurora cluster", None),
        (capped_table, "gsi_removal          table/capped: indexes of the table: 0", None),
        (global_table, "replicas that run on the stream: eu-west-1 (must be none)", None),
        (mixed_instances, "a mixed instances policy launches several types, and one is wanted", None),
        (launch_configuration, "it launches from a launch configuration, which has no versions", None),
        (stopped_instances, "fleet              none (us-east-1): no Auto Scaling group", None),
    ],
)
def test_each_is_told_in_words_and_nothing_of_it_would_be_changed(
    made: Build, told: str, rehearsed: bool | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = tmp_path / "record.json"
    with empty_account() as account:
        made(account)
        account.clock.sleep(DAYS.total_seconds())
        code, _ = run(account, ["--regions", REGION, "--out", str(tmp_path), "--no-bill", "--record", str(record)])
    said = capsys.readouterr()
    assert code == 0, said.err
    assert told in said.out
    assert not [each for each in plan_in(tmp_path).decisions if each.choice is Choice.APPLY]
    if rehearsed:
        assert scenario_of(record).scenario.starts_from is not None
    else:
        with pytest.raises(UsageError, match=NOT_REHEARSED):
            scenario_of(record)


@pytest.mark.parametrize("engine", ["docdb", "neptune", "postgres", "mysql", ""])
def test_clusters_of_other_databases_are_not_decided_on(engine: str) -> None:
    """DescribeDBClusters shows those of DocumentDB and Neptune as well (RDS API Reference)."""
    assert not is_decided(Governed(Kind.DATABASE, "x", "arn", REGION, {}, {"engine": engine}))


def test_many_alike_are_one_line_and_a_row_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with empty_account() as account:
        for number in range(60):
            client(account, "dynamodb").create_table(TableName=f"t-{number}", **KEYS)
        build(account)
        for number in range(10):
            _group(account, f"g-{number}", LaunchTemplate={"LaunchTemplateId": _template(account, f"g-{number}")})
        account.clock.sleep(DAYS.total_seconds())
        assert run(account, ["--regions", REGION, "--out", str(tmp_path), "--no-bill"])[0] == 0
    lines = capsys.readouterr().out.splitlines()
    assert [each for each in lines if "gsi_removal" in each and "table/t-0, table/t-1, table/t-2 and 57 more" in each]
    assert len(lines) < 60
    assert len(plan_in(tmp_path).decisions) > 180


def test_a_region_whose_answers_are_denied_is_named_and_the_rest_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a service control policy denies a Region (AWS Organizations, "Deny access to AWS based on the Region")."""
    document = json.loads(policy())
    there = {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}
    document["Statement"].append({"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": there})
    with empty_account() as account:
        build(account)
        account.clock.sleep(DAYS.total_seconds())
        key = role(account, "here", json.dumps(document))
        code, _ = run(account, ["--regions", f"{REGION},eu-west-1", "--out", str(tmp_path), "--no-bill"], key)
    said = capsys.readouterr().out
    assert code == 0
    assert "shop-web" in said
    assert "Not read: dynamodb:ListTables in eu-west-1 was denied" in said
    assert "dynamodb:ListTables in eu-west-1 was denied" in (tmp_path / "dashboard.html").read_text()


def test_what_has_no_known_price_is_named_beside_the_cost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with empty_account() as account:
        single_node(account)
        assert run(account, ["--regions", REGION, "--out", str(tmp_path), "--no-bill"])[0] == 0
    assert "cache.t4g.micro in us-east-1" in capsys.readouterr().out


def test_a_tag_that_nothing_has_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with empty_account() as account:
        build(account)
        code, _ = run(account, ["--regions", REGION, "--out", str(tmp_path), "--no-bill", "--tag", "team=nobody"])
    assert code == 0
    assert "resources with the tag team=nobody in us-east-1" in capsys.readouterr().out
    page = (tmp_path / "dashboard.html").read_text()
    assert "Nothing was found that could be optimized" in page
    assert "leave --tag out" in page


@pytest.mark.parametrize("option", ["--out", "--record"])
def test_what_cannot_be_written_is_said_before_anything_is_asked(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    places = {"--out": str(tmp_path / "out"), "--record": str(tmp_path / "record.json")}
    places[option] = str(tmp_path / "file" / "below")
    with empty_account() as account:
        code, calls = run(account, ["--regions", REGION, *(word for pair in places.items() for word in pair)])
    (line,) = capsys.readouterr().err.splitlines()
    assert (code, calls) == (64, [])
    assert option in line
    assert "cannot be written" in line
