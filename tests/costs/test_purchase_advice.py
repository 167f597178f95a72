"""Reservations for today's footprint and for the target's, with AWS's own discount."""

from datetime import date
from decimal import Decimal

from domain.list_prices import EMBEDDED
from optimizer.costs.commitments import Commitments, Committed, Reservation
from optimizer.costs.footprint import Footprint, Usage
from optimizer.costs.purchase_advice import ADVICE, purchase_advice
from optimizer.costs.purchase_offers import Offer

HOME = "us-east-1"
OFFER = Offer(Committed.EC2, HOME, "m5.4xlarge", Decimal(15), Decimal(2400), Decimal(8000))


def fleet(item: str, count: int) -> Footprint:
    around = Usage("network", "NAT gateway", HOME, Decimal(3))
    return Footprint((Usage("fleet", item, HOME, Decimal(count)), around))


BEFORE, AFTER = fleet("m5.4xlarge", 15), fleet("m5.2xlarge", 8)


def test_aws_recommends_what_ran_and_the_target_needs_less() -> None:
    (row,) = purchase_advice(BEFORE, AFTER, Commitments(), EMBEDDED, [OFFER])
    assert (row.service, row.region, row.family) == (Committed.EC2.value, HOME, "m5")
    assert (row.offered, row.offered_saving) == (480, 2400)
    assert (row.today, row.target) == (480, 128)
    assert row.target_saving == Decimal("672.77")  # 30 % of 8 x 0.384 x 730


def test_what_is_reserved_is_not_needed_again() -> None:
    reserved = Reservation(
        "r", Committed.EC2, HOME, "m5.4xlarge", Decimal(320), date(2028, 1, 1), Decimal(1), Decimal(1)
    )
    (row,) = purchase_advice(BEFORE, AFTER, Commitments((reserved,)), EMBEDDED, [])
    assert (row.today, row.target) == (160, 0)
    assert (row.offered, row.target_saving) == (0, None)


def test_nothing_is_said_where_all_is_covered() -> None:
    reserved = Reservation(
        "r", Committed.EC2, HOME, "m5.4xlarge", Decimal(480), date(2028, 1, 1), Decimal(1), Decimal(1)
    )
    assert purchase_advice(BEFORE, AFTER, Commitments((reserved,)), EMBEDDED, []) == ()


def test_the_advice_is_to_wait() -> None:
    assert ADVICE.startswith("Buy nothing before 4 steady weeks")
