"""A price is taken from the Price List when it names exactly one, and never guessed."""

import json
from decimal import Decimal
from typing import Any

import pytest

from domain.list_prices import Price
from optimizer.costs.price_list import SOURCE, product_of, read_prices
from tests.costs.answers import ACCESS_DENIED, NOW, Recorded

WRITER = ("us-west-2", "db.r6g.4xlarge")


def offered(usage_type: str, *usd: str, begin: str = "0", currency: str = "USD") -> str:
    dimensions = {
        f"d{place}": {"beginRange": begin, "unit": "Hrs", "pricePerUnit": {currency: price}}
        for place, price in enumerate(usd)
    }
    term = {"t": {"priceDimensions": dimensions}}
    return json.dumps({"product": {"attributes": {"usagetype": usage_type}}, "terms": {"OnDemand": term}})


def answer(recorded: Recorded, *prices: str, **expected: Any) -> None:
    recorded.answer("pricing", "get_products", {"PriceList": list(prices)}, **expected)


def test_the_price_of_an_aurora_instance_is_that_of_standard_storage() -> None:
    recorded = Recorded()
    answer(
        recorded,
        offered("USW2-InstanceUsage:db.r6g.4xl", "2.0760000000"),
        offered("USW2-InstanceUsageIOOptimized:db.r6g.4xl", "2.6990000000"),
        ServiceCode="AmazonRDS",
        Filters=[
            {"Type": "TERM_MATCH", "Field": "regionCode", "Value": "us-west-2"},
            {"Type": "TERM_MATCH", "Field": "instanceType", "Value": "db.r6g.4xlarge"},
            {"Type": "TERM_MATCH", "Field": "databaseEngine", "Value": "Aurora PostgreSQL"},
            {"Type": "TERM_MATCH", "Field": "deploymentOption", "Value": "Single-AZ"},
        ],
    )
    found, notes = read_prices(recorded.aws, [WRITER])
    assert found == {WRITER: Price(Decimal("2.076"), "hour", SOURCE, NOW.date())}
    assert notes == ()


@pytest.mark.parametrize(
    ("case", "prices"),
    [
        ("none", []),
        ("two", [offered("InstanceUsage:db.r6g.4xl", "2.076", "1.9")]),
        ("of something else", [offered("RDS:Mirror", "2.076")]),
        ("in another currency", [offered("InstanceUsage:db.r6g.4xl", "14", currency="CNY")]),
        ("of a later tier", [offered("InstanceUsage:db.r6g.4xl", "1.5", begin="1000")]),
    ],
)
def test_without_exactly_one_price_the_table_stands_and_it_is_said(case: str, prices: list[str]) -> None:
    recorded = Recorded()
    answer(recorded, *prices)
    found, (note,) = read_prices(recorded.aws, [WRITER])
    assert found == {}, case
    assert "no single price for db.r6g.4xlarge in us-west-2" in note


def test_a_missing_permission_leaves_the_table_and_asks_no_more() -> None:
    recorded = Recorded()
    recorded.refuse("pricing", "get_products", ACCESS_DENIED)
    found, (note,) = read_prices(recorded.aws, [WRITER, ("us-west-2", "KMS key")])
    assert found == {}
    assert "The Price List is not read (AccessDeniedException)" in note


@pytest.mark.parametrize(
    ("item", "service", "usage_type"),
    [
        ("m5.4xlarge", "AmazonEC2", "BoxUsage:"),
        ("cache.r6g.xlarge", "AmazonElastiCache", "NodeUsage:"),
        ("NAT gateway", "AmazonEC2", "NatGateway-Hours"),
        ("Aurora backup", "AmazonRDS", "Aurora:BackupUsage"),
        ("KMS key", "awskms", "KMS-Keys"),
    ],
)
def test_every_item_is_asked_for_by_its_own_service(item: str, service: str, usage_type: str) -> None:
    product = product_of(item)
    assert (product.service, product.usage_type) == (service, usage_type)
