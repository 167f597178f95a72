"""The bill follows the footprint, the savings add up, and a missing price is an error."""

from datetime import date, timedelta
from decimal import Decimal

import boto3
import pytest
from moto import mock_aws

from domain.clock import SystemClock
from domain.errors import PriceMissing
from domain.list_prices import EMBEDDED, OLD, Price, PriceBook, price_table
from domain.names import GOVERNED_TAG
from domain.sizing import Sizing
from optimizer.costs.footprint import Footprint, Surroundings, Usage, footprint_of
from optimizer.costs.list_bill import bill, in_cents
from optimizer.costs.running_footprint import footprint_in
from optimizer.model.resource import Governed, Kind
from optimizer.ports.aws import Aws
from optimizer.resources.database.storage import Storage, storage_in

REGIONS = ("us-east-1", "us-west-2", "eu-west-1")
STORAGE = Storage(volume_gb=Decimal(500), changed_gb_per_day=Decimal(20))
DESIGN = Sizing.AS_DESIGNED


def quantity(footprint: Footprint, item: str, region: str = "us-east-1") -> Decimal:
    return sum((u.quantity for u in footprint.usages if (u.item, u.region) == (item, region)), Decimal(0))


def test_the_design_is_counted_by_identity() -> None:
    footprint = footprint_of(DESIGN, REGIONS, storage=STORAGE)
    assert quantity(footprint, "m5.4xlarge") == 15
    assert quantity(footprint, "cache.r6g.4xlarge") == 12
    assert quantity(footprint, "db.r6g.4xlarge") == 3
    assert quantity(footprint, "db.r6g.4xlarge", "us-west-2") == 1
    assert quantity(footprint, "db.r6g.4xlarge", "eu-west-1") == 1
    assert quantity(footprint, "Aurora storage", "eu-west-1") == 500


def test_a_month_of_the_design_by_hand() -> None:
    fleet = (Decimal("0.768") * 730 + 50 * Decimal("0.08") + 7 * Decimal("0.30")) * 15  # 8,409.60 + 60 + 31.50
    cache = Decimal("1.642") * 730 * 12  # 14,383.92
    database = Decimal("2.076") * 730 * 4 + Decimal("2.288") * 730  # 6,061.92 + 1,670.24
    assert bill(footprint_of(DESIGN, REGIONS)).monthly == fleet + cache + database == Decimal("30617.18")


def test_lines_are_rounded_to_the_cent_and_add_up_to_the_rounded_total() -> None:
    footprint = footprint_of(DESIGN, REGIONS, storage=Storage(Decimal("333.3333"), Decimal("7.7777")))
    lines = bill(footprint).lines
    assert all(line.monthly == line.monthly.quantize(Decimal("0.01")) for line in lines)
    assert sum(line.monthly for line in lines) == bill(footprint).monthly
    exact = sum(line.usage.quantity * line.price.monthly for line in lines)
    assert bill(footprint).monthly == in_cents(Decimal(exact))


def test_what_a_change_does_away_with_is_gone_however_many_there_were() -> None:
    def instances(**quantities: int) -> Footprint:
        return Footprint(tuple(Usage("fleet", item, "us-east-1", Decimal(n)) for item, n in quantities.items()))

    scaled_out, key = instances(old=20, other=2), ("fleet", "us-east-1")
    after = scaled_out.with_change(instances(old=15), instances(new=8))
    assert {(u.part, u.region): u.quantity for u in after.usages if u.item == "new"} == {key: 8}
    assert {u.item for u in after.usages} == {"new", "other"}
    assert scaled_out.with_change(instances(old=15), instances(old=14)).quantities["fleet", "old", "us-east-1"] == 19


def test_volume_and_monitoring_come_and_go_with_the_instances() -> None:
    def fleet(item: str, number: int) -> Footprint:
        return Footprint((Usage("fleet", item, "us-east-1", Decimal(number)),)).plus(())

    scaled_out = fleet("m5.4xlarge", 20)
    after = scaled_out.with_change(fleet("m5.4xlarge", 15), fleet("m5.2xlarge", 8))
    assert quantity(scaled_out, "EBS gp3 volume") == 1000
    assert {u.item: u.quantity for u in after.usages} == {
        "m5.2xlarge": 8,
        "EBS gp3 volume": 400,
        "EC2 detailed monitoring": 56,
    }


@pytest.mark.parametrize(
    ("changed", "days", "billed"),
    [
        (20, 30, 580),
        (20, 14, 260),
        (20, 1, 0),  # one day is free
        (900, 3, 1000),  # never more than the volume for each further day
    ],
)
def test_backups_are_billed_beyond_the_free_day(changed: int, days: int, billed: int) -> None:
    assert Storage(Decimal(500), Decimal(changed)).billed_backup_gb(days) == billed


def test_storage_from_metrics_bills_what_was_measured() -> None:
    gib = 1024**3
    storage = Storage.measured(volume_bytes=500 * gib, backup_bytes=1080 * gib, retention_days=30)
    assert storage == STORAGE
    assert storage.billed_backup_gb(30) == 580


def test_surroundings_are_billed_where_they_stand() -> None:
    around = Surroundings({"us-east-1": 3}, {"us-east-1": 1}, {"us-east-1": 4, "eu-west-1": 2})
    extra = (
        bill(footprint_of(DESIGN, REGIONS, surroundings=around)).monthly - bill(footprint_of(DESIGN, REGIONS)).monthly
    )
    assert extra == Decimal("98.55") + Decimal("16.43") + 6


@pytest.mark.parametrize(("item", "region"), [("m5.8xlarge", "us-east-1"), ("m5.4xlarge", "sa-east-1")])
def test_a_missing_price_is_named_and_never_guessed(item: str, region: str) -> None:
    with pytest.raises(PriceMissing, match=f"{item} in {region}"):
        EMBEDDED.of(item, region)


def test_an_old_price_is_named() -> None:
    dated = date(2026, 11, 23)
    book = PriceBook({("us-east-1", "m5.4xlarge"): Price(Decimal("0.768"), "hour", "https://aws.amazon.com/", dated)})
    used = [("us-east-1", "m5.4xlarge"), ("us-east-1", "unknown")]
    assert book.old(used, dated + OLD) == ()
    assert book.old(used, dated + OLD + timedelta(days=1)) == (("us-east-1", "m5.4xlarge"),)
    assert book.old([], dated + 2 * OLD) == ()


def test_every_price_has_a_source_and_a_date() -> None:
    for (region, item), price in price_table().items():
        assert price.usd > 0, (region, item)
        assert price.source.startswith("https://aws.amazon.com/"), (region, item)
        assert price.unit in {"hour", "GB", "GB-month", "key-month", "metric-month", "million"}, (region, item)


@mock_aws
def test_the_account_is_counted_as_it_is() -> None:
    aws = Aws(boto3.Session("x", "x", region_name="us-east-1"), "222222222222", "us-east-1", SystemClock())
    tags = [{"Key": GOVERNED_TAG, "Value": "true"}]
    vpc = aws.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = aws.ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    aws.ec2.create_nat_gateway(SubnetId=subnet, TagSpecifications=[{"ResourceType": "natgateway", "Tags": tags}])
    aws.ec2.create_nat_gateway(SubnetId=subnet)  # somebody else's
    aws.ec2.create_launch_template(
        LaunchTemplateName="tap-fleet", LaunchTemplateData={"ImageId": "ami-12c6146b", "InstanceType": "m5.4xlarge"}
    )
    aws.autoscaling.create_auto_scaling_group(
        AutoScalingGroupName="tap-fleet",
        MinSize=2,
        MaxSize=5,
        DesiredCapacity=3,
        LaunchTemplate={"LaunchTemplateName": "tap-fleet", "Version": "1"},
        VPCZoneIdentifier=subnet,
    )
    aws.rds.create_db_cluster(
        DBClusterIdentifier="tap-database",
        Engine="aurora-postgresql",
        MasterUsername="root",
        MasterUserPassword="not-a-secret",
        BackupRetentionPeriod=30,
        StorageEncrypted=True,
        KmsKeyId="arn:aws:kms:us-east-1:222222222222:key/1",
    )
    for number, size in ((1, "4xlarge"), (2, "xlarge")):
        aws.rds.create_db_instance(
            DBInstanceIdentifier=f"tap-database-{number}",
            DBClusterIdentifier="tap-database",
            DBInstanceClass=f"db.r6g.{size}",
            Engine="aurora-postgresql",
        )
    governed = [
        Governed(kind, name, f"arn:{name}", "us-east-1", {})
        for kind, name in (
            (Kind.FLEET, "tap-fleet"),
            (Kind.DATABASE, "tap-database"),
            (Kind.LOAD_BALANCER, "tap"),
        )
    ]

    footprint = footprint_in(aws, governed, storage=STORAGE)

    assert {(u.part, u.item): u.quantity for u in footprint.usages} == {
        ("fleet", "m5.4xlarge"): 3,
        ("fleet", "EBS gp3 volume"): 150,
        ("fleet", "EC2 detailed monitoring"): 21,
        ("database", "db.r6g.4xlarge"): 1,
        ("database", "db.r6g.xlarge"): 1,
        ("database", "Aurora storage"): 500,
        ("database", "Aurora backup"): 580,
        ("network", "NAT gateway"): 1,
        ("fleet", "Application Load Balancer"): 1,
        ("keys", "KMS key"): 1,
    }


@mock_aws
def test_storage_is_read_from_the_metrics_of_the_cluster() -> None:
    aws = Aws(boto3.Session("x", "x", region_name="us-east-1"), "222222222222", "us-east-1", SystemClock())
    cluster = Governed(Kind.DATABASE, "tap-database", "arn:tap-database", "us-east-1", {})
    assert storage_in(aws, cluster) is None
    aws.rds.create_db_cluster(
        DBClusterIdentifier="tap-database",
        Engine="aurora-postgresql",
        MasterUsername="root",
        MasterUserPassword="not-a-secret",
        BackupRetentionPeriod=30,
    )
    for name, gigabytes in (("VolumeBytesUsed", 500), ("BackupRetentionPeriodStorageUsed", 1080)):
        aws.cloudwatch.put_metric_data(
            Namespace="AWS/RDS",
            MetricData=[
                {
                    "MetricName": name,
                    "Dimensions": [{"Name": "DBClusterIdentifier", "Value": "tap-database"}],
                    "Value": gigabytes * 1024**3,
                    "Timestamp": aws.clock.now() - timedelta(hours=2),
                }
            ],
        )
    assert storage_in(aws, cluster) == STORAGE
