"""A reservation covers its family by normalized units, a Savings Plan spending; the rest is stranded."""

from datetime import date
from decimal import Decimal

import pytest

from domain.list_prices import EMBEDDED
from optimizer.costs.commitments import (
    Charge,
    Commitments,
    Committed,
    Reservation,
    SavingsPlan,
    charge,
    family_and_units,
)
from optimizer.costs.footprint import Footprint, Usage

HOME = "us-east-1"
BIG, SMALL = Decimal("0.768") * 730, Decimal("0.384") * 730  # a month of m5.4xlarge and m5.2xlarge
ENDS = date(2027, 9, 1)


def fleet(big: int = 0, small: int = 0) -> Footprint:
    usages = (("m5.4xlarge", big), ("m5.2xlarge", small))
    return Footprint(tuple(Usage("fleet", item, HOME, Decimal(n)) for item, n in usages if n))


def reserved(
    instances: int, *, region: str = HOME, flexible: bool = True, service: Committed = Committed.EC2
) -> Commitments:
    monthly = Decimal(100) * instances
    one = Reservation("r", service, region, "m5.4xlarge", Decimal(32 * instances), ENDS, monthly, Decimal(0), flexible)
    return Commitments((one,))


def planned(hourly: str, rate: str = "0.7", **bound: str) -> Commitments:
    monthly = Decimal(hourly) * 730
    return Commitments(savings_plans=(SavingsPlan("s", monthly, monthly, Decimal(rate), ENDS, **bound),))


@pytest.mark.parametrize(
    ("instance_type", "family", "units"),
    [
        ("m5.4xlarge", "m5", 32),
        ("db.r6g.xlarge", "db.r6g", 8),
        ("cache.t4g.small", "cache.t4g", 1),
        ("m5.metal", "m5", 0),
        ("NAT gateway", "", 0),
    ],
)
def test_sizes_count_in_normalized_units(instance_type: str, family: str, units: int) -> None:
    assert family_and_units(instance_type) == (family, units)


@pytest.mark.parametrize(
    ("case", "footprint", "commitments", "covered", "stranded"),
    [
        ("nothing is committed", fleet(big=15), Commitments(), 0, 0),
        ("some are reserved", fleet(big=15), reserved(10), 10 * BIG, 0),
        ("all of it, and more", fleet(big=8), reserved(10), 8 * BIG, 200),
        ("480 units reserved, 128 used", fleet(small=8), reserved(15), 8 * SMALL, Decimal(1500) * 352 / 480),
        ("the smallest first", fleet(big=1, small=1), reserved(1), SMALL + BIG / 2, 0),
        ("bound to its type", fleet(small=8), reserved(15, flexible=False), 0, 1500),
        ("another Region", fleet(big=15), reserved(10, region="eu-west-1"), 0, 1000),
        ("another service", fleet(big=15), reserved(10, service=Committed.RDS), 0, 1000),
        ("nothing runs any more", Footprint(()), reserved(10), 0, 1000),
        ("a plan used up", fleet(big=15), planned("7"), Decimal(7) * 730 / Decimal("0.7"), 0),
        ("a plan too large", fleet(small=1), planned("7"), SMALL, Decimal(7) * 730 - SMALL * Decimal("0.7")),
        ("a plan of another family", fleet(big=1), planned("1", family="c5", region=HOME), 0, 730),
        (
            "a plan of this family",
            fleet(big=1),
            planned("9", family="m5", region=HOME),
            BIG,
            Decimal(9 * 730) - BIG * Decimal("0.7"),
        ),
    ],
)
def test_what_is_covered_and_what_is_stranded(
    case: str, footprint: Footprint, commitments: Commitments, covered: Decimal, stranded: Decimal
) -> None:
    charged = charge(footprint, EMBEDDED, commitments)
    assert charged.covered == pytest.approx(covered), case
    assert charged.stranded == pytest.approx(stranded), case


def test_a_plan_covers_what_reservations_leave() -> None:
    both = Commitments(reserved(1).reservations, planned("1000").savings_plans)
    assert charge(fleet(big=3), EMBEDDED, both).covered == 3 * BIG


@pytest.mark.parametrize("first", [0, 1])
def test_plans_bound_to_a_family_come_before_those_that_cover_any(first: int) -> None:
    bound, any_family = (planned("1", **of).savings_plans[0] for of in ({"family": "m5", "region": HOME}, {}))
    plans = (bound, any_family) if first == 0 else (any_family, bound)
    other = Usage("fleet", "c5.4xlarge", HOME, Decimal(10))
    prices = EMBEDDED.with_newer({(HOME, "c5.4xlarge"): EMBEDDED.of("m5.4xlarge", HOME)})
    footprint = Footprint((*fleet(big=2).usages, other))
    charged = charge(footprint, prices, Commitments(savings_plans=plans))
    # The bound plan is used up by m5, and the other by what that leaves and c5: nothing is stranded.
    assert charged.stranded == pytest.approx(0)
    assert charged.covered == pytest.approx(2 * 730 / Decimal("0.7"))


def test_a_load_balancer_is_no_instance() -> None:
    balancer = Footprint((Usage("fleet", "Application Load Balancer", HOME, Decimal(1)),))
    assert charge(balancer, EMBEDDED, planned("9")).covered == 0


def test_billed_and_effective_differ_by_what_was_paid_upfront() -> None:
    one = Charge(list=Decimal(100), covered=Decimal(60), committed=Decimal(40), committed_billed=Decimal(15))
    assert one.billed == 55
    assert one.effective == 80


def test_only_what_is_in_force_counts() -> None:
    commitments = reserved(1)
    assert commitments.on(date(2027, 8, 31)) == commitments
    assert commitments.on(ENDS) == Commitments()
    assert commitments.ends == (ENDS,)
