"""The Price List as the account answers it, in the Regions in which AWS does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from domain.list_prices import price_table
from emulator.account import EmulatedAccount
from emulator.billing.catalog import is_billed, item, per_unit, prices
from tests.rehearsal.life import NOW


@pytest.fixture
def account() -> Iterator[EmulatedAccount]:
    with EmulatedAccount(start=NOW, tooling="111111111111", production="222222222222") as account:
        yield account


def products(account: EmulatedAccount, code: str, region: str = "us-east-1", **fields: str) -> list[Any]:
    client = account.client("pricing", account.production, region)
    filters = [{"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in fields.items()]
    pages = client.get_paginator("get_products").paginate(ServiceCode=code, Filters=filters)
    return [json.loads(each) for page in pages for each in page["PriceList"]]


def usd(product: Any) -> float:
    (term,) = product["terms"]["OnDemand"].values()
    (dimension,) = term["priceDimensions"].values()
    return float(dimension["pricePerUnit"]["USD"])


@pytest.mark.parametrize("endpoint", ["us-east-1", "eu-central-1", "ap-south-1"])
def test_an_instances_price_in_any_region(account, endpoint):
    (found,) = products(
        account, "AmazonEC2", endpoint, instanceType="m5.4xlarge", regionCode="eu-west-1", operatingSystem="Linux"
    )
    assert found["product"]["attributes"]["usagetype"] == "EU-BoxUsage:m5.4xlarge"
    assert usd(found) == float(price_table()["eu-west-1", "m5.4xlarge"].usd)


def test_every_price_that_the_account_is_billed_by_is_there_and_no_other(account):
    codes = sorted({item(name).code for _, name in prices()})
    every = [each for code in codes for each in products(account, code)]
    of_mysql = [each for each in every if each["product"]["attributes"].get("databaseEngine") == "Aurora MySQL"]
    found = [usd(each) for each in every if each not in of_mysql]
    assert sorted(found) == pytest.approx(sorted(float(per_unit(each)) for each in prices().values()))


def test_the_pages_fit_together(account):
    client = account.client("pricing", account.production, "us-east-1")
    pages = list(
        client.get_paginator("get_products").paginate(ServiceCode="AmazonRDS", PaginationConfig={"PageSize": 4})
    )
    assert len(pages) > 2
    assert sorted(each for page in pages for each in page["PriceList"]) == sorted(
        json.dumps(each) for each in products(account, "AmazonRDS")
    )


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"ServiceCode": "AmazonNothing"}, "NotFoundException"),
        ({"ServiceCode": "AmazonEC2", "NextToken": "x"}, "InvalidNextTokenException"),
    ],
)
def test_what_is_not_there_is_refused(account, asked, code):
    with pytest.raises(ClientError, match=code):
        account.client("pricing", account.production, "us-east-1").get_products(**asked)


@pytest.mark.parametrize(
    ("name", "billed"),
    [("m5.4xlarge", True), ("db.r6g.xlarge", True), ("cache.r6g.large", True), ("KMS key", True), ("Glue DPU", False)],
)
def test_what_the_account_cannot_have_is_not_priced(name, billed):
    assert is_billed(name) is billed
