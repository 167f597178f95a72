"""AWS Price List: the on-demand prices of the account's bill, and no others."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from domain.list_prices import OPTIMIZED, Price
from emulator.billing.catalog import EC2, ELASTICACHE, LOCATIONS, RDS, Item, item, normalized, per_unit, prices
from emulator.core.errors import AwsError
from emulator.core.instance_types import memory_bytes, vcpus
from emulator.core.registry import Answer, emulates

if TYPE_CHECKING:
    from emulator.core.call_record import Call
    from emulator.core.port import Account

API = "https://docs.aws.amazon.com/aws-cost-management/latest/APIReference"
_PAGE = 100
# Codes that every offer shares: on demand, and its only price dimension.
_ON_DEMAND, _RATE = "JRTCKXETXF", "6YS6EN2CT7"
MYSQL = "CreateDBInstance:0016"  # the operation of Aurora MySQL; 0021 is Aurora PostgreSQL's
# Attributes that distinguish the product from others of the same instance type.
_OF_SERVICE = {
    EC2: {
        "operatingSystem": "Linux",
        "tenancy": "Shared",
        "preInstalledSw": "NA",
        "capacitystatus": "Used",
        "licenseModel": "No License required",
        "marketoption": "OnDemand",
    },
    RDS: {
        "databaseEngine": "Aurora PostgreSQL",
        "deploymentOption": "Single-AZ",
        "licenseModel": "No license required",
        "storage": "EBS Only",
    },
    ELASTICACHE: {"cacheEngine": "Redis"},
}


@emulates(
    "pricing",
    "GetProducts",
    rule="In us-east-1, eu-central-1 and ap-south-1 only, for every Region's prices; products that match all filters, "
    "as JSON documents, 100 a page. Here: the on-demand prices of the platform's resources.",
    source=f"{API}/API_pricing_GetProducts.html",
)
def get_products(account: Account, call: Call) -> Answer:  # noqa: ARG001 -- prices are everybody's
    asked = call.parameters
    products = [each for each in _products() if each["serviceCode"] == asked["ServiceCode"]]
    if not products:
        raise AwsError("NotFoundException", f"No service was found with the code {asked['ServiceCode']}")
    found = [each for each in products if all(_matches(each, one) for one in asked.get("Filters") or ())]
    limit = int(asked.get("MaxResults") or _PAGE)
    if not 0 < limit <= _PAGE:
        raise AwsError("InvalidParameterException", f"MaxResults must be between 1 and {_PAGE}")
    place = _place(asked.get("NextToken"), len(found))
    answer: dict[str, Any] = {
        "FormatVersion": "aws_v1",
        "PriceList": [json.dumps(each) for each in found[place : place + limit]],
    }
    return answer if place + limit >= len(found) else {**answer, "NextToken": str(place + limit)}


def _place(token: str | None, count: int) -> int:
    if token is None:
        return 0
    if not token.isdigit() or not 0 < int(token) < count:
        raise AwsError("InvalidNextTokenException", "The pagination token is invalid. Try again without a token.")
    return int(token)


def _matches(product: Mapping[str, Any], one: Mapping[str, str]) -> bool:
    attributes = {**product["product"]["attributes"], "productFamily": product["product"]["productFamily"]}
    value, asked = attributes.get(one["Field"]), one["Value"]
    match one["Type"]:
        case "TERM_MATCH" | "EQUALS":
            return bool(value == asked)
        case "CONTAINS":
            return value is not None and asked in value
        case "ANY_OF":
            return value in asked.split(",")
        case "NONE_OF":
            return value not in asked.split(",")
    raise AwsError("InvalidParameterException", f"Input Parameter: filter type {one['Type']} is invalid")


@cache
def _products() -> tuple[Mapping[str, Any], ...]:
    return tuple(
        _product(each, region, price)
        for (region, name), price in sorted(prices().items())
        for each in (item(name), *_of_mysql(item(name)))
    )


def _of_mysql(what: Item) -> tuple[Item, ...]:
    """Aurora MySQL's instances: separate products at Aurora PostgreSQL's price (Aurora pricing)."""
    return (replace(what, operation=MYSQL),) if what.service == RDS and what.is_instance else ()


def _product(what: Item, region: str, price: Price) -> Mapping[str, Any]:
    sku = sha256(f"{what.name} {region} {what.operation}".encode()).hexdigest()[:16].upper()
    offer = f"{sku}.{_ON_DEMAND}"
    dimension = {
        "rateCode": f"{offer}.{_RATE}",
        "unit": what.unit,
        "beginRange": "0",
        "endRange": "Inf",
        "appliesTo": [],
        "description": f"${per_unit(price)} per {what.unit} of {what.usage_type_in(region)}",
        "pricePerUnit": {"USD": f"{per_unit(price):.10f}"},
    }
    term = {
        "sku": sku,
        "offerTermCode": _ON_DEMAND,
        "effectiveDate": f"{price.dated.replace(day=1).isoformat()}T00:00:00Z",
        "priceDimensions": {dimension["rateCode"]: dimension},
        "termAttributes": {},
    }
    return {
        "product": {"sku": sku, "productFamily": what.family, "attributes": _attributes(what, region)},
        "serviceCode": what.code,
        "terms": {"OnDemand": {offer: term}},
        "version": price.dated.strftime("%Y%m%d000000"),
        "publicationDate": f"{price.dated.isoformat()}T00:00:00Z",
    }


def _attributes(what: Item, region: str) -> dict[str, str]:
    common = {
        "servicecode": what.code,
        "location": LOCATIONS[region],
        "locationType": "AWS Region",
        "regionCode": region,
        "usagetype": what.usage_type_in(region),
        "operation": what.operation,
    }
    if not what.is_instance:
        return common
    kind = what.name.removesuffix(OPTIMIZED)
    return {
        **common,
        **_OF_SERVICE[what.service],
        **({"databaseEngine": "Aurora MySQL"} if what.operation == MYSQL else {}),
        **({"storage": "Aurora IO Optimization Mode"} if what.name.endswith(OPTIMIZED) else {}),
        "instanceType": kind,
        "vcpu": str(vcpus(kind)),
        "memory": f"{memory_bytes(kind) // 1024**3} GiB",
        "normalizationSizeFactor": f"{normalized(what.name):g}",
    }
