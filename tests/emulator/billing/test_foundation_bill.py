"""The bill of the real foundation: the optimizer's count from descriptions equals the account's bill."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest

from domain.list_prices import price_table
from emulator.billing.catalog import item, prices
from emulator.billing.ledger import ledger
from rehearsal.report import Progress
from rehearsal.scenario import load_scenario
from rehearsal.session import RehearsalSession
from rehearsal.workspace import PROJECT, RehearsalRequest, Workspace

pytestmark = pytest.mark.slow

BY_USE = {"request", "million", "GB"}
REQUESTS = ("DynamoDB read request units", "DynamoDB write request units")


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RehearsalSession]:
    scratch = tmp_path_factory.mktemp("foundation")
    setting = Workspace(
        RehearsalRequest(scratch / "out", load_scenario("quiet")), PROJECT, scratch, Progress(io.StringIO())
    )
    assembly = setting.synthesize()
    with setting.account_of(assembly) as account:
        life = RehearsalSession(setting, account, assembly)
        life.begin()
        yield life


def test_it_is_billed_for_what_is_described(life: RehearsalSession) -> None:
    book = ledger(life.account)
    counted = {
        (region, item(name).usage_type_in(region))
        for (region, name), price in prices().items()
        if (price.unit not in BY_USE and name not in ("DynamoDB storage", "Load balancer capacity unit"))
        or name in REQUESTS
    }
    lines = [each for each in book.lines if (each.region, each.usage_type) in counted]
    last_day = sum(float(each.unblended[-24:].sum()) for each in lines)
    # A month of 730 hours; storage and keys are billed by the days that the month has.
    assert last_day / 24 * 730 == pytest.approx(life.cost_before, rel=0.005)


def test_all_regions_and_services_are_on_it(life: RehearsalSession) -> None:
    lines = ledger(life.account).lines
    assert {each.region for each in lines} == {"us-east-1", "us-west-2", "eu-west-1"}
    assert {each.service for each in lines} == {
        "Amazon Elastic Compute Cloud - Compute",
        "EC2 - Other",
        "Amazon Relational Database Service",
        "Amazon ElastiCache",
        "Amazon Elastic Load Balancing",
        "Amazon DynamoDB",
        "AWS Key Management Service",
        "AmazonCloudWatch",
    }


def test_both_price_tables_say_the_same():
    """The account's table and the product's are apart on purpose; a price that AWS changed is changed in both."""
    ours = {key: price.usd for key, price in price_table().items()}
    assert {key: price.usd for key, price in prices().items() if key in ours and price.usd != ours[key]} == {}
