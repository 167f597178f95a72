"""The Price List API: today's on-demand list prices of what the platform is billed for. It is free to ask.

A product is taken only when its filters leave exactly one price; anything else stays with the embedded
table, and is named (Price List Query API, GetProducts).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from domain.list_prices import MYSQL, OPTIMIZED, VALKEY, Item, Price
from optimizer.costs.footprint import BACKUP, KEY, LOAD_BALANCER, MONITORING, NAT_GATEWAY, STORAGE, VOLUME
from optimizer.ports.aws import Aws

if TYPE_CHECKING:
    from types_boto3_pricing.type_defs import FilterTypeDef

SOURCE = "https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_pricing_GetProducts.html"
REFUSED = {"AccessDeniedException", "NotFoundException", "ThrottlingException"}


@dataclass(frozen=True)
class Product:
    """An item in the Price List: its service, its attributes, and the usage type that tells the remaining products
    apart.
    """

    service: str
    attributes: Mapping[str, str]
    usage_type: str
    unit: str


FIXED: Mapping[str, Product] = {
    NAT_GATEWAY: Product("AmazonEC2", {"productFamily": "NAT Gateway"}, "NatGateway-Hours", "hour"),
    LOAD_BALANCER: Product("AWSELB", {"productFamily": "Load Balancer-Application"}, "LoadBalancerUsage", "hour"),
    STORAGE: Product("AmazonRDS", {"productFamily": "Database Storage"}, "Aurora:StorageUsage", "GB-month"),
    STORAGE + OPTIMIZED: Product(
        "AmazonRDS", {"productFamily": "Database Storage"}, "Aurora:IO-OptimizedStorageUsage", "GB-month"
    ),
    BACKUP: Product("AmazonRDS", {"productFamily": "Storage Snapshot"}, "Aurora:BackupUsage", "GB-month"),
    VOLUME: Product("AmazonEC2", {"productFamily": "Storage"}, "EBS:VolumeUsage.gp3", "GB-month"),
    MONITORING: Product("AmazonCloudWatch", {"productFamily": "Metric"}, "CW:MetricMonitorUsage", "metric-month"),
    KEY: Product("awskms", {}, "KMS-Keys", "key-month"),
}


def is_listed(item: str) -> bool:
    """Whether the Price List is asked for an item: what exists, and instance types; not what is billed by request."""
    return item in FIXED or "." in item


def product_of(item: str) -> Product:
    """The Price List's product for an item."""
    if item in FIXED:
        return FIXED[item]
    kind = {"instanceType": item.partition(" ")[0]}
    if item.startswith("db."):
        engine = "Aurora MySQL" if MYSQL in item else "Aurora PostgreSQL"
        aurora = {"databaseEngine": engine, "deploymentOption": "Single-AZ"}
        usage = "InstanceUsageIOOptimized:" if item.endswith(OPTIMIZED) else "InstanceUsage:"
        return Product("AmazonRDS", kind | aurora, usage, "hour")
    if item.startswith("cache."):
        return Product(
            "AmazonElastiCache",
            kind | {"cacheEngine": "Valkey" if item.endswith(VALKEY) else "Redis"},
            "NodeUsage:",
            "hour",
        )
    linux = {"operatingSystem": "Linux", "tenancy": "Shared", "preInstalledSw": "NA", "capacitystatus": "Used"}
    return Product("AmazonEC2", kind | linux, "BoxUsage:", "hour")


def read_prices(aws: Aws, items: Iterable[Item]) -> tuple[dict[Item, Price], tuple[str, ...]]:
    """The prices that the Price List names exactly, and in words what it did not."""
    found: dict[Item, Price] = {}
    missed: list[str] = []
    for region, item in sorted({each for each in items if is_listed(each[1])}):
        try:
            prices = set(_prices(aws, product_of(item), region))
        except ClientError as error:
            code = error.response["Error"].get("Code", "")
            if code not in REFUSED:
                raise
            return found, (f"The Price List is not read ({code}): prices are those of the table in the code.",)
        if len(prices) == 1:
            found[region, item] = Price(prices.pop(), product_of(item).unit, SOURCE, aws.clock.now().date())
        else:
            missed.append(f"{item} in {region}")
    if not missed:
        return found, ()
    return found, (f"The Price List names no single price for {', '.join(missed)}: the table in the code stands.",)


def _prices(aws: Aws, product: Product, region: str) -> Iterator[Decimal]:
    """Every on-demand price of the products that match, in US dollars."""
    filters: list[FilterTypeDef] = [
        {"Type": "TERM_MATCH", "Field": field, "Value": value}
        for field, value in {"regionCode": region, **product.attributes}.items()
    ]
    pages = aws.pricing.get_paginator("get_products").paginate(ServiceCode=product.service, Filters=filters)
    for page in pages:
        for text in page["PriceList"]:
            offered: Mapping[str, Any] = json.loads(text)
            if not _is(offered["product"]["attributes"]["usagetype"], product.usage_type):
                continue
            for term in offered["terms"].get("OnDemand", {}).values():
                for dimension in term["priceDimensions"].values():
                    # A first tier that is free, or a later one that is cheaper, is not the list price.
                    if dimension.get("beginRange", "0") == "0" and "USD" in dimension["pricePerUnit"]:
                        yield Decimal(dimension["pricePerUnit"]["USD"]).normalize()


def _is(usage_type: str, wanted: str) -> bool:
    """Whether a usage type is the wanted one, whatever Region stands before it, as `USW2-`; "X:" is any X."""
    kind = usage_type[: usage_type.index(":") + 1] if wanted.endswith(":") and ":" in usage_type else usage_type
    return kind == wanted or kind.endswith(f"-{wanted}")
