"""The billed items: their names in Cost Explorer and the Price List, their units and prices.

Service names and usage types as in "Cost and Usage Report, line item details" and the services' own
billing pages; an item's name is the one in the price tables.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from importlib.resources import files

from domain.errors import PriceMissing
from domain.list_prices import OPTIMIZED, Price

EC2, EC2_OTHER = "Amazon Elastic Compute Cloud - Compute", "EC2 - Other"
RDS, ELASTICACHE = "Amazon Relational Database Service", "Amazon ElastiCache"
ELB, DYNAMODB, KMS = "Amazon Elastic Load Balancing", "Amazon DynamoDB", "AWS Key Management Service"
CLOUDWATCH = "AmazonCloudWatch"
COST_EXPLORER = "AWS Cost Explorer"

# The prefix of usage types by Region: "Billing and cost management, Region billing codes".
_PREFIXES = {"us-east-1": "", "us-west-2": "USW2-", "eu-west-1": "EU-"}
LOCATIONS = {"us-east-1": "US East (N. Virginia)", "us-west-2": "US West (Oregon)", "eu-west-1": "EU (Ireland)"}
# The number of billed units in one unit of a price.
_IN_UNIT = {"million": 1_000_000}
_INSTANCE_TYPE = re.compile(
    r"(?:db\.|cache\.)?[a-z]+\d[a-z0-9-]*\.(?:\d*xlarge|nano|micro|small|medium|large)(?: I/O-Optimized)?"
)
_SIZE = re.compile(r"\.(\d*)xlarge\b")
_SMALLER = {"nano": 0.25, "micro": 0.5, "small": 1.0, "medium": 2.0, "large": 4.0}


@dataclass(frozen=True)
class Item:
    """One thing that is billed: `usage_type` without the Region's prefix, `code` and `family` as in the Price List."""

    name: str
    service: str
    code: str
    family: str
    usage_type: str
    operation: str
    unit: str

    def prefix_in(self, region: str) -> str:
        return f"{region}-" if self.service == KMS else _PREFIXES[region]

    def usage_type_in(self, region: str) -> str:
        return self.prefix_in(region) + self.usage_type

    @property
    def is_instance(self) -> bool:
        """Whether it is an instance type, which reservations can cover."""
        return "." in self.name


_FIXED = {
    each.name: each
    for each in (
        Item("NAT gateway", EC2_OTHER, "AmazonEC2", "NAT Gateway", "NatGateway-Hours", "NatGateway", "Hrs"),
        Item("NAT gateway data", EC2_OTHER, "AmazonEC2", "NAT Gateway", "NatGateway-Bytes", "NatGateway", "GB"),
        Item("Data transfer out", EC2_OTHER, "AWSDataTransfer", "Data Transfer", "DataTransfer-Out-Bytes", "", "GB"),
        Item(
            "Application Load Balancer",
            ELB,
            "AWSELB",
            "Load Balancer-Application",
            "LoadBalancerUsage",
            "LoadBalancing:Application",
            "Hrs",
        ),
        Item(
            "Load balancer capacity unit",
            ELB,
            "AWSELB",
            "Load Balancer-Application",
            "LCUUsage",
            "LoadBalancing:Application",
            "LCU-Hrs",
        ),
        Item(
            "Aurora storage", RDS, "AmazonRDS", "Database Storage", "Aurora:StorageUsage", "CreateDBInstance", "GB-Mo"
        ),
        Item(
            "Aurora storage I/O-Optimized",
            RDS,
            "AmazonRDS",
            "Database Storage",
            "Aurora:IO-OptimizedStorageUsage",
            "CreateDBInstance",
            "GB-Mo",
        ),
        Item("Aurora backup", RDS, "AmazonRDS", "Storage Snapshot", "Aurora:BackupUsage", "CreateDBInstance", "GB-Mo"),
        Item("Aurora I/O", RDS, "AmazonRDS", "System Operation", "Aurora:StorageIOUsage", "CreateDBInstance", "IOs"),
        Item(
            "DynamoDB write request units",
            DYNAMODB,
            "AmazonDynamoDB",
            "Amazon DynamoDB PayPerRequest Throughput",
            "WriteRequestUnits",
            "PayPerRequestThroughput",
            "WriteRequestUnits",
        ),
        Item(
            "DynamoDB read request units",
            DYNAMODB,
            "AmazonDynamoDB",
            "Amazon DynamoDB PayPerRequest Throughput",
            "ReadRequestUnits",
            "PayPerRequestThroughput",
            "ReadRequestUnits",
        ),
        Item(
            "DynamoDB storage",
            DYNAMODB,
            "AmazonDynamoDB",
            "Database Storage",
            "TimedStorage-ByteHrs",
            "StandardStorage",
            "GB-Mo",
        ),
        Item("EBS gp3 volume", EC2_OTHER, "AmazonEC2", "Storage", "EBS:VolumeUsage.gp3", "CreateVolume-Gp3", "GB-Mo"),
        Item(
            "EC2 detailed monitoring",
            CLOUDWATCH,
            "AmazonCloudWatch",
            "Metric",
            "CW:MetricMonitorUsage",
            "MetricStorage:AWS/EC2",
            "Metrics",
        ),
        Item("KMS key", KMS, "awskms", "Encryption Key", "KMS-Keys", "", "Keys"),
        Item("KMS request", KMS, "awskms", "API Request", "KMS-Requests", "", "Requests"),
        Item(
            "Cost Explorer request", COST_EXPLORER, "AWSCostExplorer", "API Request", "USE1-APIRequest", "", "Requests"
        ),
    )
}


def is_billed(name: str) -> bool:
    """Whether the emulated account knows how an item of the price tables is billed."""
    return name in _FIXED or _INSTANCE_TYPE.fullmatch(name) is not None


@cache
def item(name: str) -> Item:
    """An item by its name in the price tables: a fixed item, or the instance type with this name."""
    if name in _FIXED:
        return _FIXED[name]
    if name.startswith("db."):
        # RDS shortens the sizes above xlarge: db.r6g.4xl.
        kind = name.removesuffix(OPTIMIZED)
        usage = "InstanceUsage" if kind == name else "InstanceUsageIOOptimized"
        short = re.sub(r"(\d)xlarge$", r"\1xl", kind)
        return Item(name, RDS, "AmazonRDS", "Database Instance", f"{usage}:{short}", "CreateDBInstance:0021", "Hrs")
    if name.startswith("cache."):
        return Item(
            name,
            ELASTICACHE,
            "AmazonElastiCache",
            "Cache Instance",
            f"NodeUsage:{name}",
            "CreateCacheCluster:0002",
            "Hrs",
        )
    return Item(name, EC2, "AmazonEC2", "Compute Instance", f"BoxUsage:{name}", "RunInstances", "Hrs")


def normalized(kind: str) -> float:
    """Normalization factor of an instance type, the same for EC2, RDS (Single-AZ) and ElastiCache.

    EC2 User Guide, "How Reserved Instance discounts are applied"; RDS User Guide, "Reserved DB instances";
    ElastiCache User Guide, "Reserved nodes".
    """
    if found := _SIZE.search(kind):
        return 8.0 * int(found[1] or 1)
    return _SMALLER[kind.rsplit(".", 1)[1].partition(" ")[0]]


def family(kind: str) -> str:
    """The part of a type within which a reservation is flexible in size: m5, db.r6g, cache.r6g."""
    return kind.rsplit(".", 1)[0]


@cache
def prices() -> Mapping[tuple[str, str], Price]:
    """The price of each billed item, by Region and item: the account's own table."""
    document = json.loads(files("emulator.billing").joinpath("prices.json").read_text())
    return {
        (row["region"], row["item"]): Price(
            Decimal(row["usd"]), row["unit"], row["source"], date.fromisoformat(row["date"]), row["note"]
        )
        for row in document["prices"]
    }


def rate(name: str, region: str) -> float:
    """US dollars for one unit. Raises PriceMissing: nothing is billed at an estimate."""
    if (region, name) not in prices():
        raise PriceMissing(
            f"no price is known for {name} in {region}, so the emulated account cannot be billed for it: "
            "add it with its source and date to emulator/billing/prices.json."
        )
    return float(per_unit(prices()[region, name]))


def per_unit(price: Price) -> Decimal:
    """US dollars for one unit as the bill counts it."""
    return price.usd / _IN_UNIT.get(price.unit, 1)
