"""What the foundation costs a month at list price, and what each change of a plan saves.

A `Footprint` counts what is billed for merely existing: instances, nodes, gateways, load balancers,
keys, Aurora storage and backups. What is billed by use (DynamoDB and KMS requests, Aurora I/O, data
transfer, load balancer capacity units) does not change with the sizing and is left out, as are
commitments and discounts. Prices come from the dated table beside this file; a price that is not in
it is an error and never guessed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal

from optimizer.aws import Aws
from optimizer.decide.plan import PlanCosts, Saving
from optimizer.observe.inventory import GOVERNED_TAG, GOVERNED_VALUE, Governed, Kind
from optimizer.observe.prices import Price, price_of, prices_dated
from stages.sizing import SECONDARY_BACKUP_DAYS, Sizing

CENT = Decimal("0.01")

NAT_GATEWAY = "NAT gateway"
LOAD_BALANCER = "Application Load Balancer"
KEY = "KMS key"
STORAGE = "Aurora storage"
BACKUP = "Aurora backup"


@dataclass(frozen=True)
class Usage:
    """So many of one billed item in one Region. `part` is the part of the platform that needs it."""

    part: str
    item: str
    region: str
    quantity: Decimal


@dataclass(frozen=True)
class Footprint:
    """Everything that is billed for existing, as quantities."""

    usages: tuple[Usage, ...]


@dataclass(frozen=True)
class Storage:
    """What the Aurora cluster volume holds, in GB, and how much of it changes in a day."""

    volume_gb: Decimal
    changed_gb_per_day: Decimal

    @classmethod
    def measured(cls, volume_bytes: float, backup_bytes: float, retention_days: int) -> Storage:
        """From the metrics VolumeBytesUsed and BackupRetentionPeriodStorageUsed of the cluster.

        Backups hold the volume once and the changes of every further day of the retention period.
        """
        gigabyte = Decimal(1024**3)
        volume, backups = Decimal(volume_bytes) / gigabyte, Decimal(backup_bytes) / gigabyte
        return cls(volume, max(backups - volume, Decimal(0)) / max(retention_days - 1, 1))

    def billed_backup_gb(self, retention_days: int) -> Decimal:
        """GB of automated backups beyond the free amount, which is the volume's size for one day.

        Aurora User Guide, "Understanding Amazon Aurora backup storage usage"; what is billed never
        exceeds the volume's size for each day of the retention period.
        """
        return min(self.changed_gb_per_day, self.volume_gb) * (retention_days - 1)


@dataclass(frozen=True)
class Surroundings:
    """What the foundation has in each Region whatever its sizing, counted."""

    nat_gateways: Mapping[str, int]
    load_balancers: Mapping[str, int]
    keys: Mapping[str, int]


@dataclass(frozen=True)
class Line:
    """One line of a bill, in US dollars a month, rounded to the cent."""

    usage: Usage
    price: Price
    monthly: Decimal


@dataclass(frozen=True)
class Bill:
    """A month of a footprint at list price."""

    lines: tuple[Line, ...]

    @property
    def monthly(self) -> Decimal:
        """US dollars; the sum of the lines as they are shown."""
        return sum((line.monthly for line in self.lines), Decimal("0.00"))


def bill(footprint: Footprint) -> Bill:
    """Price a footprint. Raises PriceMissing for the first item without a price."""
    lines = []
    for usage in footprint.usages:
        price = price_of(usage.item, usage.region)
        monthly = (usage.quantity * price.monthly).quantize(CENT, ROUND_HALF_UP)
        lines.append(Line(usage, price, monthly))
    return Bill(tuple(lines))


def footprint_of(
    sizing: Sizing,
    regions: Sequence[str],
    *,
    storage: Storage | None = None,
    surroundings: Surroundings | None = None,
) -> Footprint:
    """What a sizing is billed for. `regions` holds Region 1 (the primary) first, then 2, 3 and so on.

    Without `storage`, storage and backups are left out; without `surroundings`, gateways, load
    balancers and keys are. A secondary Region runs one instance of the writer's class.
    """
    primary, aurora = regions[0], sizing.aurora
    counted: Counter[tuple[str, str, str]] = Counter()
    counted["fleet", sizing.fleet.instance_type, primary] = sizing.fleet.desired
    counted["cache", sizing.cache.node_type, primary] = len(sizing.cache.shards) * (1 + sizing.cache.replicas_per_shard)
    for instance in aurora.instances:
        counted["database", instance.instance_class, primary] += 1
    writer = min(aurora.instances, key=lambda each: each.promotion_tier)
    database_regions = [primary, *(regions[number - 1] for number in aurora.secondaries)]
    for region in database_regions[1:]:
        counted["database", writer.instance_class, region] += 1
    retention = dict.fromkeys(database_regions, SECONDARY_BACKUP_DAYS) | {primary: aurora.backup_retention_days}
    return _footprint(counted, storage, retention, surroundings)


def footprint_in(aws: Aws, governed: Iterable[Governed], *, storage: Storage | None = None) -> Footprint:
    """What the account is billed for now, by describing the governed resources and what surrounds them.

    Only instances that run are counted. Keys are those that the governed resources are encrypted
    with; NAT gateways are those with the governed tag.
    """
    counted: Counter[tuple[str, str, str]] = Counter()
    retention: dict[str, int] = {}
    keys: set[tuple[str, str]] = set()
    load_balancers: Counter[str] = Counter()
    regions = {aws.region}
    for each in governed:
        there = aws.at(each.region)
        regions.add(each.region)
        if each.kind is Kind.FLEET:
            counted.update(_fleet(there, each.name))
        elif each.kind is Kind.CACHE:
            counted.update(_cache(there, each.name, keys))
        elif each.kind is Kind.DATABASE:
            counted.update(_database(there, each.name, retention, keys))
        elif each.kind is Kind.TABLE:
            keys |= _table_key(there, each.name)
        elif each.kind is Kind.LOAD_BALANCER:
            load_balancers[each.region] += 1
    gateways = {region: _nat_gateways(aws.at(region)) for region in sorted(regions)}
    around = Surroundings(gateways, load_balancers, Counter(region for region, _ in keys))
    return _footprint(counted, storage, retention, around)


def footprint_now(aws: Aws, governed: Sequence[Governed]) -> tuple[Footprint, Storage | None]:
    """What the account is billed for now, with what the primary Region's Aurora volume was measured to hold."""
    primary = [each for each in governed if each.kind is Kind.DATABASE and each.region == aws.region]
    storage = storage_in(aws, primary[0]) if primary else None
    return footprint_in(aws, governed, storage=storage), storage


def storage_in(aws: Aws, cluster: Governed) -> Storage | None:
    """What the cluster's volume and backups hold, by its metrics of the last day; None when there are none."""
    names = ("VolumeBytesUsed", "BackupRetentionPeriodStorageUsed")
    now, there = aws.clock.now(), aws.at(cluster.region)
    answer = there.cloudwatch.get_metric_data(
        MetricDataQueries=[
            {
                "Id": f"m{number}",
                "MetricStat": {
                    "Metric": {
                        "Namespace": "AWS/RDS",
                        "MetricName": name,
                        "Dimensions": [{"Name": "DBClusterIdentifier", "Value": cluster.name}],
                    },
                    "Period": 3600,
                    "Stat": "Average",
                },
            }
            for number, name in enumerate(names)
        ],
        StartTime=now - timedelta(days=1),
        EndTime=now,
        ScanBy="TimestampDescending",
    )
    values = {result["Id"]: result["Values"] for result in answer["MetricDataResults"]}
    if not values.get("m0") or not values.get("m1"):
        return None
    (found,) = there.rds.describe_db_clusters(DBClusterIdentifier=cluster.name)["DBClusters"]
    return Storage.measured(values["m0"][0], values["m1"][0], found["BackupRetentionPeriod"])


def plan_costs(
    before: Sizing,
    steps: Sequence[tuple[str, str, Sizing]],
    *,
    regions: Sequence[str],
    storage: Storage | None = None,
    today: Footprint | None = None,
) -> PlanCosts:
    """What a plan's decisions save, in execution order: each step is an action, its resource and the sizing after it.

    `today` is the account's measured footprint where there is one; otherwise the sizing's own. The
    savings add up exactly to before minus after, since each is the difference of two bills in cents.
    """
    sizings = [before, *(sizing for _, _, sizing in steps)]
    totals = [bill(footprint_of(each, regions, storage=storage)).monthly for each in sizings]
    savings = tuple(
        Saving(action, resource, earlier - later)
        for (action, resource, _), earlier, later in zip(steps, totals, totals[1:], strict=False)
    )
    start = bill(today).monthly if today is not None else totals[0]
    after = start - sum((each.monthly for each in savings), Decimal(0))
    return PlanCosts(before=start, after=after, savings=savings, prices_dated=prices_dated())


def _footprint(
    counted: Counter[tuple[str, str, str]],
    storage: Storage | None,
    retention_days: Mapping[str, int],
    around: Surroundings | None,
) -> Footprint:
    """All usages, by Region and part. Storage and backups exist once in every Region with a cluster."""
    usages = [Usage(*key, Decimal(quantity)) for key, quantity in counted.items()]
    if storage:
        for region, days in retention_days.items():
            usages.append(Usage("database", STORAGE, region, storage.volume_gb))
            usages.append(Usage("database", BACKUP, region, storage.billed_backup_gb(days)))
    if around:
        usages += [Usage("network", NAT_GATEWAY, region, Decimal(n)) for region, n in around.nat_gateways.items()]
        usages += [Usage("fleet", LOAD_BALANCER, region, Decimal(n)) for region, n in around.load_balancers.items()]
        usages += [Usage("keys", KEY, region, Decimal(n)) for region, n in around.keys.items()]
    present = (usage for usage in usages if usage.quantity)
    return Footprint(tuple(sorted(present, key=lambda u: (u.part, u.item, u.region))))


def _fleet(aws: Aws, name: str) -> Counter[tuple[str, str, str]]:
    """The group's instances that run, by type."""
    (group,) = aws.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
    return Counter(
        ("fleet", each["InstanceType"], aws.region)
        for each in group["Instances"]
        if not each["LifecycleState"].startswith("Terminat")
    )


def _cache(aws: Aws, name: str, keys: set[tuple[str, str]]) -> Counter[tuple[str, str, str]]:
    """The replication group's nodes."""
    (group,) = aws.elasticache.describe_replication_groups(ReplicationGroupId=name)["ReplicationGroups"]
    nodes = sum(len(shard["NodeGroupMembers"]) for shard in group["NodeGroups"])
    if group.get("KmsKeyId"):
        keys.add((aws.region, group["KmsKeyId"]))
    return Counter({("cache", group["CacheNodeType"], aws.region): nodes})


def _database(
    aws: Aws, name: str, retention: dict[str, int], keys: set[tuple[str, str]]
) -> Counter[tuple[str, str, str]]:
    """The cluster's instances by class; its retention period and key are noted on the way."""
    (cluster,) = aws.rds.describe_db_clusters(DBClusterIdentifier=name)["DBClusters"]
    retention[aws.region] = cluster["BackupRetentionPeriod"]
    if cluster.get("KmsKeyId"):
        keys.add((aws.region, cluster["KmsKeyId"]))
    pages = aws.rds.get_paginator("describe_db_instances").paginate(
        Filters=[{"Name": "db-cluster-id", "Values": [name]}]
    )
    return Counter(
        ("database", each["DBInstanceClass"], aws.region)
        for page in pages
        for each in page["DBInstances"]
        if each["DBInstanceStatus"] != "deleting"
    )


def _table_key(aws: Aws, name: str) -> set[tuple[str, str]]:
    """The customer key that encrypts a table."""
    table = aws.dynamodb.describe_table(TableName=name)["Table"]
    key = table.get("SSEDescription", {}).get("KMSMasterKeyArn")
    return {(aws.region, key)} if key else set()


def _nat_gateways(aws: Aws) -> int:
    """How many of the platform's NAT gateways stand in the Region."""
    pages = aws.ec2.get_paginator("describe_nat_gateways").paginate()
    return sum(
        {"Key": GOVERNED_TAG, "Value": GOVERNED_VALUE} in each.get("Tags", [])
        for page in pages
        for each in page["NatGateways"]
        if each["State"] in {"pending", "available"}
    )
